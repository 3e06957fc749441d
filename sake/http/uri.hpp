// Percent encoding, for programs. What the server does with targets and queries is in uri_impl.hpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The decoded bytes, or nullopt at an escape that is not '%' and two hex digits. '+' stays '+'.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// Escapes whatever may not stand as itself in one path segment; '/' is escaped too (RFC 3986 section 3.3).
[[nodiscard]] std::string percent_encode(std::string_view segment);

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
