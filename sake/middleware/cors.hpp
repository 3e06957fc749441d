// cors: lets pages of other origins read answers (Cross-Origin Resource Sharing, WHATWG Fetch).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of cors.
struct CorsOptions {
    /// The origins whose pages may read answers: {"https://app.example"}, compared as a whole. {"*"} allows
    /// every page; "null" allows pages without an origin, such as local files.
    std::vector<std::string> origins = {};
    /// Whether the browser may send the user's cookies. Not with "*" or "null".
    bool credentials = false;
    /// The methods that a page may use, in addition to GET, HEAD and POST of forms and plain text, which
    /// browsers always allow.
    std::vector<std::string> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    /// The header fields that a page may send, in addition to the few that browsers always allow.
    std::vector<std::string> headers = {"Authorization", "Content-Type"};
    /// The fields of an answer that a page may read, in addition to the few that browsers always allow.
    std::vector<std::string> exposed_headers = {};
    /// How long a browser may cache a preflight. With 0 it asks each time.
    std::chrono::seconds max_age = std::chrono::minutes(10);
};

/// Sets the CORS fields on every answer, also on refusals, and answers preflights with 204 itself. Only
/// listed origins receive the fields; Vary: Origin is always set. Put it on the engine, in front of
/// authentication, because a preflight carries no credentials. Throws std::invalid_argument for no
/// origins, a text that is not an origin, "*" or "null" with credentials, "*" together with others, "*" as a
/// method or field, and a negative time.
[[nodiscard]] Step cors(CorsOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
