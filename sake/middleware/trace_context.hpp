// The place of a request in a trace that passes through several programs: W3C Trace Context, by the fields
// traceparent and tracestate.
#pragma once

#include <string>

#include "sake/app/trace_context.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace middleware {

/// For trace_context.
struct TraceContextOptions {
    /// Whether a trace that begins here is marked as recorded.
    bool sample_new = false;
    /// Goes on with the trace that a client names. Without it each request begins one, as is right where
    /// clients are strangers.
    bool trust_received = true;
    /// A field of the answer that names the trace and the span of the request, as traceparent does; ""
    /// for none. "traceresponse" is the name in the draft of the W3C.
    std::string response_field = {};
};

/// Reads traceparent and tracestate, strictly: what is malformed counts as absent. Gives the request a span
/// of its own in that trace, or begins a trace. A tracestate of more than 512 bytes is not passed on.
[[nodiscard]] Step trace_context(TraceContextOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
