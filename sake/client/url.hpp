// URLs of the http scheme, for the client: where to connect, what to request, and where a redirect leads.
// Characters that people and servers write into a path or query, such as a space or UTF-8, are read as
// browsers read them (the WHATWG URL standard) and escaped. Control bytes are refused, so that a URL cannot
// inject anything into a request. A backslash at the host is refused, because readers disagree about the host
// then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {

/// The parts of a URL: "http://host:port/path?query". The fragment is dropped, since it is never sent.
struct Url {
    std::string authority;  // "host" or "host:port" in lower case, without port 80: as in Host
    std::string target;     // "/path?query"

    /// The host without brackets: "example.com", "127.0.0.1" or "::1".
    [[nodiscard]] std::string host() const;
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// "host:port", with port 80 if none is given.
    [[nodiscard]] std::string address() const;
    /// "http://host:port", for messages: without secrets that a target may contain.
    [[nodiscard]] std::string origin() const;
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Url&, const Url&) = default;

    static constexpr std::uint16_t default_port = 80;
};

/// Reads a URL. Tabs are dropped, a backslash in the path counts as a slash, and characters that a path or
/// query cannot hold are escaped. Throws std::invalid_argument for a text that is not a URL, for control
/// bytes, for another scheme, and for a user name or password, which the message does not repeat.
[[nodiscard]] Url parse_url(std::string_view text);

/// The URL that a Location leads to from `base` (RFC 3986 section 5.2). "http:/z" and "http:z" are relative,
/// as in browsers. Throws as parse_url does.
[[nodiscard]] Url resolve_url(const Url& base, std::string_view text);

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
