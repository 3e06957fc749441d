// Base64url without padding (RFC 4648 section 5), as JSON Web Tokens and Keys are written.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline std::string base64url_encode(std::string_view bytes) {
    std::string text = base64_encode(bytes);
    while (text.ends_with('=')) text.pop_back();
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

/// The bytes behind it, or nothing. Bytes have one spelling: padding, white space and stray bits at the end
/// are faults.
inline std::optional<std::string> base64url_decode(std::string_view text) {
    if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
    std::string padded(text);
    std::replace(padded.begin(), padded.end(), '-', '+');
    std::replace(padded.begin(), padded.end(), '_', '/');
    padded.append((4 - padded.size() % 4) % 4, '=');  // of three, of which no base64 has so many
    return base64_decode(padded);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
