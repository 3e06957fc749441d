// csrf: stops pages of other sites from acting as a user of this one, without tokens.
#pragma once

#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of csrf.
struct CsrfOptions {
    /// Other origins whose pages may send requests: {"https://app.example"}, compared as a whole.
    std::vector<std::string> origins = {};
};

/// Answers 403 to a request that a page of another origin caused. It checks Sec-Fetch-Site; for browsers that
/// do not send it, it compares Origin with the host of the request. GET, HEAD, OPTIONS, QUERY and TRACE pass,
/// so their handlers must change nothing. Programs that are not browsers send neither field, and pass. Throws
/// std::invalid_argument for a text that is not an origin.
[[nodiscard]] Step csrf(CsrfOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
