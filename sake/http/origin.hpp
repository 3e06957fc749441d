// Origins as browsers send them in the field Origin (RFC 6454 section 6.2): "https://app.example:8443".
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/uri_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The port that browsers leave out, with its colon; "" where the scheme has none.
constexpr std::string_view default_port(std::string_view scheme) noexcept {
    return scheme == "https" ? ":443" : scheme == "http" ? ":80" : "";
}

/// An origin taken apart: "https" and "app.example:8443"; both empty if the text has no "://".
struct OriginParts {
    explicit constexpr OriginParts(std::string_view text) noexcept {
        const std::size_t end = text.find("://");
        if (end == std::string_view::npos) return;
        scheme = text.substr(0, end);
        authority = text.substr(end + 3);
    }
    std::string_view scheme;
    std::string_view authority;
};

/// Whether browsers would write an origin like this: in lower case, without a path, and without the default
/// port of its scheme.
inline bool is_origin(std::string_view text) noexcept {
    constexpr auto of_a_scheme = [](char c) {
        return (c >= 'a' && c <= 'z') || ascii::is(c, ascii::digit) || ascii::contains_char("+-.", c);
    };
    const auto [scheme, authority] = OriginParts(text);
    if (scheme.empty() || !std::all_of(scheme.begin(), scheme.end(), of_a_scheme)) return false;
    if (authority.empty() || authority.ends_with(':') || !is_valid_host(authority)) return false;
    if (std::any_of(authority.begin(), authority.end(), [](char c) { return c != to_lower(c); }))
        return false;
    const std::string_view port = default_port(scheme);
    return port.empty() || !authority.ends_with(port) || authority.size() == port.size();
}

/// Throws std::invalid_argument, which names the function, unless each is an origin.
inline void require_origins(std::string_view function, const std::vector<std::string>& origins) {
    for (const std::string& origin : origins) {
        if (is_origin(origin)) continue;
        throw std::invalid_argument(std::string(function) + ": '" + origin +
                                    "' is not an origin as browsers send it: write scheme://host or "
                                    "scheme://host:port, in lower case, with nothing behind it and without "
                                    "the ports 443 of https and 80 of http");
    }
}

/// Whether an origin is that of the request's host. The scheme is not compared, because behind a proxy the
/// server does not know it.
inline bool is_origin_of(std::string_view origin, std::string_view host) noexcept {
    const auto [scheme, authority] = OriginParts(origin);
    const std::string_view port = default_port(scheme);
    if (port.empty() || authority.empty()) return false;
    if (host.ends_with(port)) host.remove_suffix(port.size());
    return iequals(authority, host);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
