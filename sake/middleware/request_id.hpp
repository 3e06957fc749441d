// request_id: an id for each request, which connects its answer, its log lines and the requests that it
// caused.
#pragma once

#include <string>

#include "sake/app/request_id.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace middleware {

/// The options of request_id.
struct RequestIdOptions {
    /// The field of the answer, and of the request if received ids are kept.
    std::string field = "X-Request-Id";
    /// Keeps the id that the client sent, if it has 1 to 128 letters, digits and "-._~+/=:". Only for servers
    /// behind a proxy that sets it: otherwise clients choose what the log contains.
    bool keep_received = false;
};

/// Gives each request an id and sets it on every answer, also on refusals. Handlers cannot replace it. The id
/// is the trace id if trace_context() stands in front, else 32 unpredictable hex digits. A trace id comes
/// from the client's traceparent unless trace_context() has trust_received = false. Throws
/// std::invalid_argument for a field name that answers cannot have.
[[nodiscard]] Step request_id(RequestIdOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
