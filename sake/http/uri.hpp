// Percent encoding. uri_impl.hpp has what the server does with targets and queries.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The decoded bytes; std::nullopt for a '%' without two hex digits. '+' stays '+'.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// Escapes every byte that one path segment cannot hold, including '/' (RFC 3986 section 3.3).
[[nodiscard]] std::string percent_encode(std::string_view segment);

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
