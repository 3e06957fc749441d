// Addresses: "host:port", ":8080", "[::1]:8080" and "unix:/path" turned into bound, listening sockets.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sake/async/sys.hpp"
#include "sake/base/log.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// As a message may have it: a NUL would end it.
inline std::string printable(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

/// The file name of a Unix socket. A type of its own, so that no host can become one.
struct UnixPath {
    std::string path;

    [[nodiscard]] std::string to_string() const { return "unix:" + path; }
};

/// The path in "unix:/path", or nothing. "unix:80" is a host and a port: a file of that name is "unix:./80".
inline std::optional<UnixPath> split_unix_path(std::string_view text) {
    constexpr std::string_view prefix = "unix:";
    if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
    text.remove_prefix(prefix.size());
    if (parse_decimal<std::uint16_t>(text)) return std::nullopt;
    return UnixPath{std::string(text)};
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

/// A bound and listening socket, and how to name it.
struct Listener {
    FileDescriptor socket;
    std::string url;         // "http://127.0.0.1:8080/" or "unix:/path"
    std::uint16_t port = 0;  // 0 for a Unix socket
    bool is_on_all_interfaces = false;
    std::string unix_path;  // to unlink when it closes

    Listener() = default;
    Listener(Listener&&) = default;
    Listener& operator=(Listener&& other) noexcept {
        if (this == &other) return *this;
        remove_socket_file();
        socket = std::move(other.socket);
        url = std::move(other.url);
        port = other.port;
        is_on_all_interfaces = other.is_on_all_interfaces;
        unix_path = std::move(other.unix_path);
        return *this;
    }
    ~Listener() { remove_socket_file(); }

  private:
    void remove_socket_file() noexcept {
        if (socket && !unix_path.empty()) ::unlink(unix_path.c_str());
    }
};

[[noreturn]] inline void throw_listen_error(int error, std::string_view address) {
    throw_system_error(error, "cannot listen on " + printable(address));
}

inline void bind_and_listen(const FileDescriptor& socket, const sockaddr* address, socklen_t size,
                            int backlog, std::string_view name) {
    const int fd = socket.get();
    if (::bind(fd, address, size) != 0) throw_listen_error(errno, name);
    if (::listen(fd, backlog) != 0) throw_listen_error(errno, name);
}

/// Removes a socket file that nobody listens on any more; leaves every other file alone.
inline void remove_stale_socket(const std::string& path, const sockaddr_un& address) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
    const FileDescriptor probe(static_cast<int>(sys::stream_socket(AF_UNIX).value));
    const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (connected != 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
}

inline Listener listen_unix(const UnixPath& where, int backlog) {
    const std::string& path = where.path;
    const std::string name = where.to_string();
    sockaddr_un address{};
    demand_no_nul(name, "cannot listen on ");
    const int error = fill_unix_address(where, address);
    if (error != 0) throw_listen_error(error, name);
    const SysResult made = sys::stream_socket(AF_UNIX);
    if (!made.ok()) throw_listen_error(made.error, name);
    Listener listener;
    listener.socket = FileDescriptor(static_cast<int>(made.value));
    remove_stale_socket(path, address);
    bind_and_listen(listener.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address, backlog,
                    name);
    listener.url = name;
    listener.unix_path = path;
    return listener;
}

inline std::uint16_t bound_port(int fd) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    const bool v6 = address.ss_family == AF_INET6;
    return ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                    : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

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
inline std::optional<HostAndPort> split_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    HostAndPort parts{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)), false};
    if (!parse_decimal<std::uint16_t>(parts.port)) return std::nullopt;
    if (parts.host.find('\0') != std::string::npos) return std::nullopt;
    if (parts.host.size() >= 2 && parts.host.front() == '[' && parts.host.back() == ']') {
        parts.host = parts.host.substr(1, parts.host.size() - 2);
        parts.in_brackets = true;
        if (parts.host.empty()) return std::nullopt;
    } else if (parts.host.find(':') != std::string::npos) {
        return std::nullopt;  // an IPv6 address without brackets is ambiguous
    }
    return parts;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

inline Addresses resolve_to_listen(const HostAndPort& where, std::string_view name) {
    demand_no_nul(where.host, "cannot listen on ");
    addrinfo hints{};
    hints.ai_family = where.host.empty() ? AF_INET6 : AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const char* host = where.host.empty() ? nullptr : where.host.c_str();
    const int failed = ::getaddrinfo(host, where.port.c_str(), &hints, &list);
    if (failed != 0) {
        throw std::system_error(std::make_error_code(std::errc::address_not_available),
                                "cannot listen on " + std::string(name) + ": " + ::gai_strerror(failed));
    }
    return Addresses(list);
}

/// Listens on the first of the addresses that the machine lets us have; throws the error of the last.
inline FileDescriptor listen_on_any(const addrinfo* list, bool both_versions, int backlog,
                                    std::string_view name) {
    for (const addrinfo* each = list;; each = each->ai_next) {
        try {
            const SysResult made = sys::stream_socket(each->ai_family);
            if (!made.ok()) throw_listen_error(made.error, name);
            FileDescriptor socket(static_cast<int>(made.value));
            sys::set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
            // Accepted sockets inherit it, which saves a call for each.
            sys::set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
            if (each->ai_family == AF_INET6) {
                sys::set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, both_versions ? 0 : 1);
            }
            bind_and_listen(socket, each->ai_addr, each->ai_addrlen, backlog, name);
            return socket;
        } catch (const std::system_error&) {
            if (each->ai_next == nullptr) throw;
        }
    }
}

inline FileDescriptor listen_on_all_interfaces(HostAndPort where, int backlog, std::string_view name) {
    try {
        const Addresses list = resolve_to_listen(where, name);
        return listen_on_any(list.get(), true, backlog, name);
    } catch (const std::system_error& error) {
        // A machine without IPv6 says so; anything else, such as a port in use, is the answer.
        const int code = error.code().value();
        if (code != EAFNOSUPPORT && code != EADDRNOTAVAIL) throw;
        where.host = "0.0.0.0";
        const Addresses list = resolve_to_listen(where, name);
        return listen_on_any(list.get(), false, backlog, name);
    }
}

/// Binds and listens. Throws std::system_error that names the address.
inline Listener listen_at(std::string_view address, int backlog) {
    if (const auto path = split_unix_path(address)) return listen_unix(*path, backlog);
    const auto where = split_address(address);
    if (!where) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "cannot listen on \"" + printable(address) +
                                    "\", which is not host:port, :port, [ipv6]:port or unix:/path");
    }
    Listener listener;
    if (where->host.empty()) {
        listener.is_on_all_interfaces = true;
        listener.socket = listen_on_all_interfaces(*where, backlog, address);
    } else {
        const Addresses list = resolve_to_listen(*where, address);
        listener.socket = listen_on_any(list.get(), false, backlog, address);
    }
    listener.port = bound_port(listener.socket.get());
    const std::string host = where->host.empty() ? "localhost" : where->host;
    listener.url = "http://" + (where->in_brackets ? "[" + host + "]" : host) + ":" +
                   std::to_string(listener.port) + "/";
    return listener;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
