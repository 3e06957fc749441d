// Comparing secrets.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Whether a text that somebody sent is the secret. The time that it takes depends on the length of what was
/// sent alone, so that it does not tell how much of it is right, nor how long the secret is. An empty secret
/// is one that nobody has set: nothing equals it, not even an empty text.
[[nodiscard]] bool equal_in_constant_time(std::string_view sent, std::string_view secret) noexcept;

}  // namespace SAKE_ABI
}  // namespace sake
