// Keeps pages of other sites from acting as a user of this one, without tokens.
#pragma once

#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For csrf.
struct CsrfOptions {
    /// Other origins whose pages may send requests, too: {"https://app.example"}, compared as a whole.
    std::vector<std::string> origins = {};
};

/// Answers 403 to a request that a page of another origin made the browser send: by Sec-Fetch-Site, and by
/// Origin against the host of the request for browsers that do not send that. GET, HEAD, OPTIONS, QUERY and
/// TRACE pass, so let them change nothing. Programs other than browsers send neither field, and pass. Throws
/// std::invalid_argument for a text that is not an origin.
[[nodiscard]] Step csrf(CsrfOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
