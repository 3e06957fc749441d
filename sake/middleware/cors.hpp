// Which pages of other origins may read answers: Cross-Origin Resource Sharing.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For cors.
struct CorsOptions {
    /// Whose pages may read answers: {"https://app.example"}, compared as a whole. {"*"} is every page,
    /// "null" are pages without an origin of their own, such as files.
    std::vector<std::string> origins = {};
    /// Whether the browser sends the user's cookies along. Not with "*" and "null".
    bool credentials = false;
    /// What a page may use besides GET, HEAD and POST of forms and plain text.
    std::vector<std::string> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    std::vector<std::string> headers = {"Authorization", "Content-Type"};
    /// What a page may read of the answer's fields besides a few harmless ones.
    std::vector<std::string> exposed_headers = {};
    /// For how long a browser need not ask again. 0 makes it ask each time.
    std::chrono::seconds max_age = std::chrono::minutes(10);
};

/// Sets the fields of CORS on every answer, refusals too, and answers preflights with 204 itself. The fields
/// are set for listed origins only; Vary: Origin always. Use it on the engine, in front of what asks for
/// credentials: a preflight has none. Throws std::invalid_argument for no origins, for a text that is not an
/// origin, for "*" or "null" with credentials, for "*" beside others, for "*" as a method or field, and for a
/// time below 0.
[[nodiscard]] Step cors(CorsOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
