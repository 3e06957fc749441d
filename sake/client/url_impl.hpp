// Definitions of url.hpp: how a URL is read, and where a redirect leads.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/log.hpp"
#include "sake/base/text.hpp"
#include "sake/client/url.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/http1/request_parser.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

namespace detail {

/// A URL that is refused, as it may stand in a log: control bytes escaped, and without what may be a
/// password, wherever in a broken URL that ends.
inline std::string loggable_url(std::string_view text) {
    std::string out;
    const std::size_t at = text.rfind('@');
    if (at != std::string_view::npos) {
        const std::size_t scheme = text.substr(0, at).find("//");
        if (scheme != std::string_view::npos) append_escaped(out, text.substr(0, scheme + 2));
        out += "...";
        text.remove_prefix(at);
    }
    append_escaped(out, text);
    return out;
}

[[noreturn]] inline void refuse_url(std::string_view text, std::string_view why) {
    throw std::invalid_argument("the URL \"" + loggable_url(text) + "\" " + std::string(why));
}

/// A URL or Location without its fragment and its tabs, and with a slash for each backslash in front of its
/// query. A backslash that begins, holds or ends a host is refused: "http://a\@b/" is of the host a to
/// browsers, and of b to others. `shown` is how messages have it.
inline std::string read_as_browsers(std::string_view text, std::string_view shown) {
    std::string out(text.substr(0, text.find('#')));
    std::erase(out, '\t');
    const std::size_t query = std::min(out.find('?'), out.size());
    const std::size_t backslash = out.find('\\');
    if (backslash >= query) return out;
    std::replace(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(query), '\\', '/');
    const std::size_t host_end = sake::detail::authority_end(out);
    if (host_end != 0 && backslash <= host_end) refuse_url(shown, "has a backslash at its host");
    return out;
}

/// The text with escapes for what may not stand in a request: a space, `"<>\^`{|}`, bytes above 127, a '%'
/// that begins no escape. Control bytes stay, for parse_url to refuse.
inline std::string escape_url(std::string_view text) {
    return sake::detail::escape_uri(text, [](char c, std::size_t) { return ascii::is(c, ascii::target); });
}

/// "[::1]" for each spelling of an address in brackets.
inline std::string normal_ipv6(const std::string& bracketed) {
    in6_addr address{};
    char text[INET6_ADDRSTRLEN];
    const std::string plain = bracketed.substr(1, bracketed.size() - 2);
    const bool is_read = ::inet_pton(AF_INET6, plain.c_str(), &address) == 1;
    if (!is_read || ::inet_ntop(AF_INET6, &address, text, sizeof text) == nullptr) return bracketed;
    return "[" + std::string(text) + "]";
}

/// "host" or "host:port" as all spellings of one origin have it in common.
inline std::string normal_authority(std::string_view text) {
    const std::size_t host = sake::detail::host_length(text);
    std::string out(text.substr(0, host));
    for (char& c : out) c = to_lower(c);
    if (out.front() == '[') out = normal_ipv6(out);
    const std::string_view digits = text.substr(std::min(host + 1, text.size()));
    const std::uint16_t port = parse_decimal<std::uint16_t>(digits).value_or(Url::default_port);
    return port == Url::default_port ? out : out + ":" + std::to_string(port);
}

/// A URL of the scheme http. Messages show it as `shown`, which may have another scheme, and say that it is
/// not `wanted`.
inline Url read_url(std::string_view text, std::string_view shown, std::string_view wanted) {
    const auto refuse = [&](std::string_view why) { refuse_url(shown, why); };
    const std::string whole = escape_url(read_as_browsers(text, shown));
    const auto parts = sake::detail::parse_absolute(sake::detail::Method::get, whole);
    if (!parts) {
        const std::size_t host = std::min(whole.find("//"), whole.size());
        const std::size_t at = whole.find('@', host);
        if (at < whole.find_first_of("/?", std::min(host + 2, whole.size())))
            refuse("has a user name or password, which belong in a field: Authorization");
        refuse("is not " + std::string(wanted));
    }
    if (parts->is_https) refuse("is not http, the one scheme that is spoken here");
    if (sake::detail::host_length(parts->authority) == 0) refuse("has no host");
    Url url;
    url.authority = normal_authority(parts->authority);
    const std::string_view rest = std::string_view(whole).substr(7 + parts->authority.size());
    if (rest.empty() || rest[0] != '/') url.target = "/";
    url.target += rest;
    const char* const end = url.target.data() + url.target.size();
    if (sake::detail::skip_target(url.target.data(), end) != end) refuse("has a control character");
    return url;
}

}  // namespace detail

SAKE_INLINE Url parse_url(std::string_view text) { return detail::read_url(text, text, "http://host/path"); }

namespace detail {

/// "/a/./b/../c" is "/a/c" (RFC 3986 section 5.2.4).
inline std::string remove_dot_segments(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const std::size_t slash = path.find('/', 1);
        const std::string_view segment = path.substr(0, slash);
        path.remove_prefix(segment.size());
        const bool is_last = path.empty();
        if (segment == "/.." || segment == "/.") {
            if (segment == "/..")
                out.resize(out.find_last_of('/') == std::string::npos ? 0 : out.find_last_of('/'));
            if (is_last) out += '/';
        } else {
            out += segment;
        }
    }
    return out;
}

/// Whether it begins with a scheme (RFC 3986 section 3.1), so that it is not a path with a colon in it.
inline bool has_scheme(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || to_lower(text[0]) < 'a' || to_lower(text[0]) > 'z') return false;
    return std::all_of(text.begin(), text.begin() + colon, [](char c) {
        return c == '+' || (ascii::is(c, ascii::unreserved) && c != '_' && c != '~');
    });
}

}  // namespace detail

SAKE_INLINE Url resolve_url(const Url& base, std::string_view text) {
    const std::string whole = detail::read_as_browsers(text, text);
    std::string_view location = whole;
    constexpr std::string_view scheme = "http:";
    const bool has_own = iequals(location.substr(0, scheme.size()), scheme);
    if (has_own) location.remove_prefix(scheme.size());
    if (location.substr(0, 2) == "//") return parse_url(std::string(scheme).append(location));
    if (!has_own && detail::has_scheme(location)) return parse_url(location);
    const std::string_view old_path = std::string_view(base.target).substr(0, base.target.find('?'));
    std::string target;
    if (location.empty()) {
        target = base.target;
    } else if (location[0] == '?') {
        target = std::string(old_path) + std::string(location);
    } else {
        const std::string_view path = location.substr(0, location.find('?'));
        const bool is_absolute = location[0] == '/';
        const std::string_view folder = old_path.substr(0, old_path.find_last_of('/') + 1);
        target = detail::remove_dot_segments((is_absolute ? "" : std::string(folder)) + std::string(path));
        target += location.substr(path.size());
    }
    return parse_url("http://" + base.authority + target);
}

SAKE_INLINE std::string Url::host() const {
    const std::size_t length = sake::detail::host_length(authority);
    return authority[0] == '[' ? authority.substr(1, length - 2) : authority.substr(0, length);
}

SAKE_INLINE std::uint16_t Url::port() const noexcept {
    const std::size_t host = sake::detail::host_length(authority);
    if (host == authority.size()) return default_port;
    return parse_decimal<std::uint16_t>(std::string_view(authority).substr(host + 1)).value_or(0);
}

SAKE_INLINE std::string Url::address() const {
    return authority.substr(0, sake::detail::host_length(authority)) + ":" + std::to_string(port());
}

SAKE_INLINE std::string Url::origin() const { return "http://" + address(); }

SAKE_INLINE std::string Url::to_string() const { return "http://" + authority + target; }

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
