// Which hosts a server answers for.
#pragma once

#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// Answers 421 to a request for any other host than these: {"example.org", "*.example.org", "[::1]"}. Names
/// are literal, in any case; one "*." in front stands for all names below, and not for the name itself. Ports
/// of requests are ignored. Throws std::invalid_argument for an empty list, and for a text that is no such
/// name.
[[nodiscard]] Step allowed_hosts(std::vector<std::string> hosts);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
