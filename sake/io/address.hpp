// Addresses as text ("host:port", ":8080", "[::1]:8080") and in the system's form.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sake/async/sys.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// As a message may have it: a NUL would end it.
inline std::string printable(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

/// The file name of a Unix socket. A separate type, so that no host name can become one.
struct UnixPath {
    std::string path;

    [[nodiscard]] std::string to_string() const { return "unix:" + path; }
};

/// The path in "unix:/path", or nothing. "unix:80" is a host and a port: a file of that name is "unix:./80".
inline OwningPtr<UnixPath> split_unix_path(std::string_view text) {
    constexpr std::string_view prefix = "unix:";
    if (text.substr(0, prefix.size()) != prefix) return nullptr;
    text.remove_prefix(prefix.size());
    if (parse_decimal<std::uint16_t>(text)) return nullptr;
    return OwningPtr<UnixPath>(new UnixPath{std::string(text)});
}

/// As the system wants it; 0, or the errno of a path that cannot be one. A NUL in it would end it early, and
/// one at its front would name no file.
inline int fill_unix_address(const UnixPath& where, sockaddr_un& address) noexcept {
    address.sun_family = AF_UNIX;
    if (where.path.empty() || where.path.find('\0') != std::string::npos) return EINVAL;
    if (where.path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
    std::memcpy(address.sun_path, where.path.data(), where.path.size());
    return 0;
}

/// An address as the system wants it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    SocketAddress() = default;
    SocketAddress(const sockaddr* address, socklen_t length) noexcept : size(length) {
        std::memcpy(&storage, address, length);
    }
    [[nodiscard]] int family() const noexcept { return storage.ss_family; }
    [[nodiscard]] const sockaddr* generic() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage);
    }

    // The following are for TCP.
    [[nodiscard]] std::uint16_t port() const noexcept {
        return ntohs(family() == AF_INET6 ? as<sockaddr_in6>().sin6_port : as<sockaddr_in>().sin_port);
    }
    void set_port(std::uint16_t port) noexcept {
        if (family() == AF_INET6) {
            reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
        } else {
            reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
        }
    }
    /// Whether it stands for every interface.
    [[nodiscard]] bool is_any() const noexcept {
        if (family() == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&as<sockaddr_in6>().sin6_addr);
        return as<sockaddr_in>().sin_addr.s_addr == htonl(INADDR_ANY);
    }
    /// Whether only this machine reaches it.
    [[nodiscard]] bool is_loopback() const noexcept {
        if (family() == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&as<sockaddr_in6>().sin6_addr);
        return ntohl(as<sockaddr_in>().sin_addr.s_addr) >> 24 == 127;
    }
    /// The same, but the IPv4 address that an IPv6 address such as ::ffff:127.0.0.1 stands for.
    [[nodiscard]] SocketAddress without_mapping() const noexcept {
        if (family() != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&as<sockaddr_in6>().sin6_addr)) return *this;
        sockaddr_in plain{};
        plain.sin_family = AF_INET;
        plain.sin_port = as<sockaddr_in6>().sin6_port;
        std::memcpy(&plain.sin_addr, as<sockaddr_in6>().sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
        return {reinterpret_cast<const sockaddr*>(&plain), sizeof plain};
    }
    friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
        return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
    }

  private:
    template <class Address>
    [[nodiscard]] const Address& as() const noexcept {
        return reinterpret_cast<const Address&>(storage);
    }
};

struct HostAndPort {
    std::string host;  // empty: every interface
    std::string port;
    bool in_brackets = false;

    [[nodiscard]] std::string to_string() const {
        return (in_brackets ? "[" + host + "]" : host) + ":" + port;
    }
};

/// Takes "host:port", ":port" or "[v6]:port" apart; nothing if it is none of them. A NUL would end the host
/// early.
inline OwningPtr<HostAndPort> split_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return nullptr;
    OwningPtr<HostAndPort> split(
        new HostAndPort{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)), false});
    HostAndPort& parts = *split;
    if (!parse_decimal<std::uint16_t>(parts.port)) return nullptr;
    if (parts.host.find('\0') != std::string::npos) return nullptr;
    if (parts.host.size() >= 2 && parts.host.front() == '[' && parts.host.back() == ']') {
        parts.host = parts.host.substr(1, parts.host.size() - 2);
        parts.in_brackets = true;
        if (parts.host.empty()) return nullptr;
    } else if (parts.host.find(':') != std::string::npos) {
        return nullptr;  // an IPv6 address without brackets is ambiguous
    }
    return split;
}

/// What the resolver found.
class Addresses {
  public:
    explicit Addresses(addrinfo* list) noexcept : list_(list) {}
    Addresses(const Addresses&) = delete;
    Addresses& operator=(const Addresses&) = delete;
    ~Addresses() { ::freeaddrinfo(list_); }

  private:
    addrinfo* list_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
