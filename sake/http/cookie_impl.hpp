// Reading the Cookie field without allocating, and the text of a SetCookie.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http/cookie.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The value of the first cookie of this name in a Cookie field, without the quotes around it (RFC 6265
/// section 4.2). Names are case-sensitive. Linear in the length of the field.
[[nodiscard]] constexpr std::optional<std::string_view> cookie_value(std::string_view cookie_header,
                                                                     std::string_view name) noexcept {
    while (!cookie_header.empty()) {
        const std::size_t end = cookie_header.find(';');
        const std::string_view pair = trim_ows(cookie_header.substr(0, end));
        cookie_header.remove_prefix(end == std::string_view::npos ? cookie_header.size() : end + 1);
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos || trim_ows(pair.substr(0, equals)) != name) continue;
        std::string_view value = trim_ows(pair.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
            value = value.substr(1, value.size() - 2);
        }
        return value;
    }
    return std::nullopt;
}

inline void check_cookie_part(std::string_view what, std::string_view text, ascii::Class allowed) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!ascii::is(text[i], allowed)) throw_bad_byte(what, i, text[i]);
    }
}

inline void check_cookie(const http::SetCookie& cookie) {
    if (cookie.name.empty()) throw std::invalid_argument("cookie name: is empty");
    check_cookie_part("cookie name", cookie.name, ascii::token);
    check_cookie_part("cookie value", cookie.value, ascii::cookie);
    check_cookie_part("cookie domain", cookie.domain, ascii::unreserved);
    check_field_value("cookie path", cookie.path);
    const std::size_t semicolon = cookie.path.find(';');
    if (semicolon != std::string::npos) throw_bad_byte("cookie path", semicolon, ';');
    if (cookie.max_age && *cookie.max_age < std::chrono::seconds::zero()) {
        throw std::invalid_argument("cookie max_age: must be at least 0, which deletes it");
    }
    // What browsers drop without a word (RFC 6265bis sections 4.1.2.7 and 4.1.3).
    const bool is_host_only = cookie.name.starts_with("__Host-");
    if (!cookie.secure && cookie.same_site == http::SameSite::none) {
        throw std::invalid_argument("cookie: SameSite=None needs Secure, browsers drop it otherwise");
    }
    if (!cookie.secure && (is_host_only || cookie.name.starts_with("__Secure-"))) {
        throw std::invalid_argument(
            "cookie: this prefix of the name needs Secure, browsers drop it otherwise");
    }
    if (is_host_only && (cookie.path != "/" || !cookie.domain.empty())) {
        throw std::invalid_argument(
            "cookie: __Host- needs the path / and no domain, browsers drop it otherwise");
    }
}

}  // namespace detail
namespace http {

SAKE_INLINE std::string to_string(const SetCookie& cookie) {
    sake::detail::check_cookie(cookie);
    std::string out;
    out.reserve(cookie.name.size() + cookie.value.size() + cookie.path.size() + cookie.domain.size() + 80);
    out.append(cookie.name).append("=").append(cookie.value);
    if (!cookie.path.empty()) out.append("; Path=").append(cookie.path);
    if (!cookie.domain.empty()) out.append("; Domain=").append(cookie.domain);
    if (cookie.max_age) out.append("; Max-Age=").append(std::to_string(cookie.max_age->count()));
    if (cookie.secure) out.append("; Secure");
    if (cookie.http_only) out.append("; HttpOnly");
    if (cookie.same_site == SameSite::lax) out.append("; SameSite=Lax");
    if (cookie.same_site == SameSite::strict) out.append("; SameSite=Strict");
    if (cookie.same_site == SameSite::none) out.append("; SameSite=None");
    return out;
}

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
