// trace_context: the position of a request in a distributed trace (W3C Trace Context, the fields traceparent
// and tracestate).
#pragma once

#include <string>

#include "sake/app/trace_context.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace middleware {

/// The options of trace_context.
struct TraceContextOptions {
    /// Whether a trace that begins here is marked as recorded.
    bool sample_new = false;
    /// Continues the trace that a client names. With false, each request begins a new trace: use it if
    /// clients are strangers.
    bool trust_received = true;
    /// A field of the answer that names the trace and the span of the request, in the format of traceparent;
    /// "" for none. The W3C draft calls it "traceresponse".
    std::string response_field = {};
};

/// Reads traceparent and tracestate strictly: a malformed field counts as absent. Gives the request a span in
/// that trace, or begins a trace. A tracestate of more than 512 bytes is not passed on.
[[nodiscard]] Step trace_context(TraceContextOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
