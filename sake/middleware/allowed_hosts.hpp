// allowed_hosts: restricts the hosts that a server answers for.
#pragma once

#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// Answers 421 to a request for a host that is not listed: {"example.org", "*.example.org", "[::1]"}. Names
/// are literal, in any case. A leading "*." matches all subdomains, but not the name itself. The port of a
/// request is ignored. Throws std::invalid_argument for an empty list and for a text that is not such a name.
[[nodiscard]] Step allowed_hosts(std::vector<std::string> hosts);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
