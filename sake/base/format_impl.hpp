// How the formats of format.hpp are checked: each in one pass, by the grammar that its RFC gives.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "sake/base/format.hpp"
#include "sake/base/ip_text.hpp"
#include "sake/base/text.hpp"
#include "sake/base/time_text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline bool is_letter(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
inline bool is_letter_or_digit(char c) noexcept { return is_letter(c) || ascii::is(c, ascii::digit); }

// --- email: the grammar of HTML's <input type=email>, and the lengths of RFC 5321 ---

inline bool is_email_user(std::string_view user) noexcept {
    if (user.empty() || user.size() > 64) return false;
    for (const char c : user) {
        if (!is_letter_or_digit(c) && !ascii::contains_char(".!#$%&'*+/=?^_`{|}~-", c)) return false;
    }
    return true;
}
inline bool is_host_label(std::string_view label) noexcept {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
        if (!is_letter_or_digit(c) && c != '-') return false;
    }
    return true;
}
inline bool is_email(std::string_view text) noexcept {
    const std::size_t at = text.find('@');
    if (at == text.npos || text.size() > 254 || !is_email_user(text.substr(0, at))) return false;
    text.remove_prefix(at + 1);
    for (;;) {
        const std::size_t dot = text.find('.');
        if (!is_host_label(text.substr(0, dot))) return false;
        if (dot == text.npos) return true;
        text.remove_prefix(dot + 1);
    }
}

// --- uri: RFC 3986, with a scheme ---

/// Whether all is of the class `segment` or in `others`, or escaped by '%', and nothing is in `except`.
inline bool is_uri_text(std::string_view text, std::string_view others, std::string_view except) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (ascii::contains_char(except, c)) return false;
        if (c == '%') {
            if (text.size() - i < 3 || !ascii::all_of(text.substr(i + 1, 2), ascii::hex)) return false;
            i += 2;
        } else if (!ascii::is(c, ascii::segment) && !ascii::contains_char(others, c)) {
            return false;
        }
    }
    return true;
}

/// What is in brackets: an IPv6 address, or one of a later version: "v7.something".
inline bool is_uri_address(std::string_view text) noexcept {
    if (!take_letter(text, 'V')) return is_ipv6(text);
    const std::size_t dot = text.find('.');
    if (dot == 0 || dot == text.npos || !ascii::all_of(text.substr(0, dot), ascii::hex)) return false;
    text.remove_prefix(dot + 1);
    return !text.empty() && is_uri_text(text, "", "@%");
}

/// [user@]host[:port]; the host may be empty, as in file:///etc.
inline bool is_uri_authority(std::string_view text) noexcept {
    const std::size_t at = text.find('@');
    if (at != text.npos) {
        if (!is_uri_text(text.substr(0, at), "", "@")) return false;
        text.remove_prefix(at + 1);
    }
    if (take_char(text, '[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos || !is_uri_address(text.substr(0, end))) return false;
        text.remove_prefix(end + 1);
    } else {
        const std::string_view host = text.substr(0, text.find(':'));
        if (!is_uri_text(host, "", "@")) return false;
        text.remove_prefix(host.size());
    }
    return text.empty() || (take_char(text, ':') && ascii::all_of(text, ascii::digit));
}

inline bool is_uri_scheme(std::string_view scheme) noexcept {
    if (scheme.empty() || !is_letter(scheme.front())) return false;
    for (const char c : scheme) {
        if (!is_letter_or_digit(c) && !ascii::contains_char("+-.", c)) return false;
    }
    return true;
}

inline bool is_uri(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    if (colon == text.npos || !is_uri_scheme(text.substr(0, colon))) return false;
    text.remove_prefix(colon + 1);
    if (text.starts_with("//")) {
        text.remove_prefix(2);
        const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
        if (!is_uri_authority(authority)) return false;
        text.remove_prefix(authority.size());
    }
    const std::string_view path = text.substr(0, text.find_first_of("?#"));
    if (!is_uri_text(path, "/", "")) return false;
    text.remove_prefix(path.size());
    const std::string_view query = text.substr(0, text.find('#'));
    if (!is_uri_text(query, "/?", "")) return false;
    text.remove_prefix(query.size());
    return text.empty() || is_uri_text(text.substr(1), "/?", "");
}

// --- the rest ---

inline bool is_uuid(std::string_view text) noexcept {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : !ascii::is(text[i], ascii::hex)) return false;
    }
    return true;
}

SAKE_INLINE bool has_format(std::string_view text, Format format) noexcept {
    std::chrono::year_month_day date;
    Moment moment;
    switch (format) {
        case Format::email:
            return is_email(text);
        case Format::uri:
            return is_uri(text);
        case Format::uuid:
            return is_uuid(text);
        case Format::date:
            return parse_date(text, date);
        case Format::date_time:
            return parse_date_time(text, moment);
        case Format::ipv4:
            return is_ipv4(text);
        case Format::ipv6:
            return is_ipv6(text);
    }
    return false;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
