// The field Content-Disposition of an answer (RFC 6266), with the name of a file in any script (RFC 8187).
#pragma once

#include <string>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// RFC 8187 section 3.2.1: attr-char
constexpr bool is_attribute_char(char c) noexcept {
    return ascii::is(c, ascii::token) && c != '*' && c != '\'' && c != '%';
}

/// "attachment" with a file name. Clients that know only the old form see '_' for characters that it cannot
/// express. Neither form contains a slash or backslash: it is a name, not a path.
[[nodiscard]] inline std::string attachment_disposition(std::string_view name) {
    std::string plain;
    std::string extended;
    bool is_exact = true;
    const bool is_text = is_valid_utf8(name);
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        const bool is_path = byte == '/' || byte == '\\';
        const bool is_control = byte < 0x20 || byte == 0x7f;
        // A '%' would be read as an escape by some (RFC 6266 appendix D).
        const bool stays = byte < 0x7f && !is_control && !is_path && byte != '"' && byte != '%';
        const bool goes_on = (byte & 0xc0) == 0x80;  // a character is one '_', however many bytes it has
        if (stays) {
            plain += name[i];
        } else if (!goes_on || !is_text) {
            plain += '_';
        }
        is_exact = is_exact && (stays || is_path || is_control);
        if (is_path || is_control) {
            extended += '_';
        } else if (is_attribute_char(name[i])) {
            extended += name[i];
        } else {
            append_escape(extended, name[i]);
        }
    }
    std::string field = "attachment; filename=\"" + plain + "\"";
    if (!is_exact && is_text) field.append("; filename*=UTF-8''").append(extended);
    return field;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
