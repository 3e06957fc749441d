// URLs of the http scheme, for the client: where to connect, what to ask for, and where a redirect leads.
// Strict: what may not stand in a request is refused here, so that nothing can be put into it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/log.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri.hpp"
#include "sake/http1/request_parser.hpp"

namespace sake {
inline namespace v0 {
namespace http {

/// A URL taken apart: "http://host:port/path?query". A fragment is dropped, since it is not sent.
struct Url {
    std::string authority;  // "host" or "host:port", as Host says it
    std::string target;     // "/path?query"

    /// "host:port", with the port 80 where none is given: what TcpStream::connect takes.
    [[nodiscard]] std::string address() const {
        const std::size_t host = sake::detail::host_length(authority);
        const bool has_port = host + 1 < authority.size();
        return authority.substr(0, host) + (has_port ? authority.substr(host) : ":80");
    }
    [[nodiscard]] std::string to_string() const { return "http://" + authority + target; }
    friend bool operator==(const Url&, const Url&) = default;
};

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

}  // namespace detail

/// Throws std::invalid_argument if it is none, or of another scheme; a user name and a password in it are
/// refused, and not repeated in the message.
[[nodiscard]] inline Url parse_url(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        throw std::invalid_argument("the URL \"" + detail::loggable_url(text) + "\" " + std::string(why));
    };
    const std::string_view whole = text.substr(0, text.find('#'));
    const auto parts = sake::detail::parse_absolute(sake::detail::Method::get, whole);
    if (!parts) {
        const std::size_t host = std::min(whole.find("//"), whole.size());
        const std::size_t at = whole.find('@', host);
        if (at < whole.find_first_of("/?", std::min(host + 2, whole.size())))
            refuse("has a user name or password, which belong in a field: Authorization");
        refuse("is not http://host/path");
    }
    if (!iequals(whole.substr(0, 7), "http://")) refuse("is not http, the one scheme that is spoken here");
    if (sake::detail::host_length(parts->authority) == 0) refuse("has no host");
    Url url;
    url.authority = parts->authority;
    const std::string_view rest = whole.substr(7 + parts->authority.size());
    if (rest.empty() || rest[0] != '/') url.target = "/";
    url.target += rest;
    const char* const end = url.target.data() + url.target.size();
    if (sake::detail::skip_target(url.target.data(), end) != end)
        refuse("has a byte that must be percent-encoded");
    return url;
}

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

}  // namespace detail

/// Where a Location leads from `base` (RFC 3986 section 5.2). Throws as parse_url does.
[[nodiscard]] inline Url resolve_url(const Url& base, std::string_view location) {
    location = location.substr(0, location.find('#'));
    if (location.substr(0, 2) == "//") return parse_url("http:" + std::string(location));
    const std::size_t colon = location.find(':');
    if (colon < location.find_first_of("/?")) return parse_url(location);
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

}  // namespace http
}  // namespace v0
}  // namespace sake
