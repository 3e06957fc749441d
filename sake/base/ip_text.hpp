// IP addresses as text: which texts are one. For the hosts of URIs and for the formats ipv4 and ipv6.
#pragma once

#include <cstddef>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// 1 to 4 hex digits at the front of `text`; 0 when there is no such group.
constexpr std::size_t hex_group(std::string_view text) noexcept {
    std::size_t length = 0;
    while (length < text.size() && length < 5 && ascii::is(text[length], ascii::hex)) ++length;
    return length < 5 ? length : 0;
}

/// dotted quad without leading zeros (RFC 3986 section 3.2.2: IPv4address)
constexpr bool is_ipv4(std::string_view text) noexcept {
    for (int part = 0; part < 4; ++part) {
        const std::size_t length = part < 3 ? text.find('.') : text.size();
        if (length == std::string_view::npos || length == 0 || length > 3) return false;
        const auto value = parse_decimal<unsigned>(text.substr(0, length));
        if (!value || *value > 255 || (length > 1 && text[0] == '0')) return false;
        text.remove_prefix(part < 3 ? length + 1 : length);
    }
    return true;
}

/// IPv6address without brackets or zone: 8 groups, or fewer with one "::"; the last two may be dotted.
constexpr bool is_ipv6(std::string_view text) noexcept {
    int groups = 0;
    bool gap = text.substr(0, 2) == "::";
    if (gap) text.remove_prefix(2);
    while (!text.empty()) {
        const std::size_t length = hex_group(text);
        if (length < text.size() && text[length] == '.') {
            if (!is_ipv4(text)) return false;
            groups += 2;
            break;
        }
        if (length == 0) return false;
        ++groups;
        text.remove_prefix(length);
        if (text.empty()) break;
        if (text[0] != ':' || text.size() == 1) return false;
        text.remove_prefix(1);
        if (text[0] == ':') {
            if (gap) return false;
            gap = true;
            text.remove_prefix(1);
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
