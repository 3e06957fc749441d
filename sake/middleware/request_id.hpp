// A name for each request, by which its answer, its log lines and what it called are found again.
#pragma once

#include <string>

#include "sake/app/request_id.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace middleware {

/// For request_id.
struct RequestIdOptions {
    /// The field of the answer, and of the request if a client's id is kept.
    std::string field = "X-Request-Id";
    /// Keeps the id that came with the request, if it is one: 1 to 128 of the letters, digits and
    /// "-._~+/=:". For servers behind a proxy that sets it: else clients choose what stands in the log.
    bool keep_received = false;
};

/// Gives each request an id and sets it on every answer, refusals too; no handler replaces it. The id is the
/// trace id if trace_context() stands in front, else 32 hex digits that cannot be foreseen. A trace id is
/// what the client's traceparent says, unless trace_context() has trust_received = false. Throws
/// std::invalid_argument for a name that no field of an answer may have.
[[nodiscard]] Step request_id(RequestIdOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
