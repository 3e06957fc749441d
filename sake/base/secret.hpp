// Comparing secrets, such as passwords and tokens.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// Whether a received text equals the secret. The time depends only on the length of the received text: it
/// reveals neither how much of the text is right nor the length of the secret. An empty secret counts as
/// unset: nothing equals it, not even an empty text.
[[nodiscard]] bool equal_in_constant_time(std::string_view sent, std::string_view secret) noexcept;

}  // namespace SAKE_ABI
}  // namespace sake
