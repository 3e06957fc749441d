// URLs of the http scheme, for the client: where to connect, what to ask for, and where a redirect leads.
// What people and servers write into a path or query, such as a space or UTF-8, is read as browsers do (the
// WHATWG URL standard), and escaped. Control bytes are refused, so that nothing can be put into a request,
// and so is a backslash at the host, so that no two readers see two hosts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// A URL taken apart: "http://host:port/path?query". A fragment is dropped, since it is not sent.
struct Url {
    std::string authority;  // "host", or "host:port" for a port other than 80, in small letters: as in Host
    std::string target;     // "/path?query"

    /// "example.com", "127.0.0.1" or "::1".
    [[nodiscard]] std::string host() const;
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// "host:port", with the port 80 where none is given.
    [[nodiscard]] std::string address() const;
    /// "http://host:port", as messages name it: without what may be secret in a target.
    [[nodiscard]] std::string origin() const;
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Url&, const Url&) = default;

    static constexpr std::uint16_t default_port = 80;
};

/// A tab is dropped, a backslash in the path is a slash, and what may not stand in a path or query is
/// escaped, but control bytes. Throws std::invalid_argument for what is no URL, or has another scheme; a user
/// name and a password in it are refused, and not repeated in the message.
[[nodiscard]] Url parse_url(std::string_view text);

/// Where a Location leads from `base` (RFC 3986 section 5.2). "http:/z" and "http:z" are relative, as
/// browsers read them. Throws as parse_url does.
[[nodiscard]] Url resolve_url(const Url& base, std::string_view text);

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
