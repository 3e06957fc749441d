// Listeners: "host:port", ":8080", "*:8080", "[::1]:8080" and "unix:/path" turned into bound, listening
// sockets. A name is listened on at every address that it has, or not at all.
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake/async/sys.hpp"
#include "sake/io/address.hpp"
#include "sake/io/net_error.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Which file a path names.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool is_socket = false;

    FileIdentity() = default;
    explicit FileIdentity(const std::string& path) noexcept {
        struct stat status{};
        if (::lstat(path.c_str(), &status) != 0) return;
        device = status.st_dev;
        inode = status.st_ino;
        is_socket = S_ISSOCK(status.st_mode);
    }
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// The file of a Unix socket that was bound. It is removed at the end, unless another file has taken its
/// place, or this is a child of the process that bound it. The end must come before the socket closes: as
/// long as that is open, no other file can have the same inode.
class SocketFile {
  public:
    SocketFile() = default;
    explicit SocketFile(std::string path) : path_(std::move(path)), identity_(path_), process_(::getpid()) {
        // The program may change its directory before the end.
        const std::unique_ptr<char, void (*)(void*)> whole(::realpath(path_.c_str(), nullptr), &::free);
        if (whole != nullptr) path_ = whole.get();
    }
    SocketFile(SocketFile&& other) noexcept
        : path_(std::exchange(other.path_, {})), identity_(other.identity_), process_(other.process_) {}
    SocketFile& operator=(SocketFile&& other) noexcept {
        if (this == &other) return *this;
        remove();
        path_ = std::exchange(other.path_, {});
        identity_ = other.identity_;
        process_ = other.process_;
        return *this;
    }
    ~SocketFile() { remove(); }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Leaves the file where it is.
    void forget() noexcept { path_.clear(); }

  private:
    void remove() noexcept {
        if (path_.empty() || process_ != ::getpid()) return;
        if (identity_.is_socket && FileIdentity(path_) == identity_) ::unlink(path_.c_str());
        path_.clear();
    }

    std::string path_;
    FileIdentity identity_;
    pid_t process_ = 0;
};

/// A bound and listening socket, and how to name it.
struct Listener {
    FileDescriptor socket;
    std::string url;         // "http://127.0.0.1:8080/" or "unix:/path"; empty for further sockets of a name
    std::uint16_t port = 0;  // 0 for a Unix socket
    bool is_on_all_interfaces = false;
    SocketFile file;  // of a Unix socket

    Listener() = default;
    Listener(Listener&&) = default;
    Listener& operator=(Listener&& other) noexcept {
        file = std::move(other.file);  // before its socket closes
        socket = std::move(other.socket);
        url = std::move(other.url);
        port = other.port;
        is_on_all_interfaces = other.is_on_all_interfaces;
        return *this;
    }
    ~Listener() = default;
};

[[noreturn]] inline void throw_listen_error(int error, std::string_view address) {
    throw_system_error(error, "cannot listen on " + printable(address));
}

// --- Unix sockets ---

/// Removes a socket file that nobody listens on any more; leaves every other file alone.
inline void remove_stale_socket(const std::string& path, const SocketAddress& address) {
    const FileIdentity before(path);
    if (!before.is_socket) return;
    const FileDescriptor probe(static_cast<int>(sys::stream_socket(AF_UNIX).value));
    const SysResult connected = sys::connect(probe.get(), address.generic(), address.size);
    // Another server may have put its own there meanwhile.
    if (connected.error == ECONNREFUSED && FileIdentity(path) == before) ::unlink(path.c_str());
}

/// Sets the permissions of a socket file, and not those of a file that a link leads to. The umask belongs to
/// all threads, so it cannot be changed around the bind.
inline int set_socket_mode(const std::string& path, int mode) noexcept {
    const auto bits = static_cast<mode_t>(mode);
    if (::fchmodat(AT_FDCWD, path.c_str(), bits, AT_SYMLINK_NOFOLLOW) == 0) return 0;
    // Some systems cannot leave links alone, or only with /proc.
    const std::errc error{errno};  // POSIX has two names for the first, which are one on Linux
    if (error != std::errc::operation_not_supported && error != std::errc::not_supported &&
        error != std::errc::function_not_supported && error != std::errc::invalid_argument)
        return errno;
    if (!FileIdentity(path).is_socket) return EADDRINUSE;
    return ::chmod(path.c_str(), bits) == 0 ? 0 : errno;
}

inline std::vector<Listener> listen_unix(const UnixPath& where, int backlog, int mode) {
    const std::string& path = where.path;
    const std::string name = where.to_string();
    sockaddr_un local{};
    if (const int error = fill_unix_address(where, local); error != 0) throw_listen_error(error, name);
    const SocketAddress address(reinterpret_cast<const sockaddr*>(&local), sizeof local);
    const SysResult made = sys::stream_socket(AF_UNIX);
    if (!made.ok()) throw_listen_error(made.error, name);
    Listener listener;
    listener.socket = FileDescriptor(static_cast<int>(made.value));
    listener.url = name;
    remove_stale_socket(path, address);
    if (::bind(listener.socket.get(), address.generic(), address.size) != 0) throw_listen_error(errno, name);
    listener.file = SocketFile(path);
    // Before it listens nobody can connect, whatever the umask has let through.
    if (const int error = set_socket_mode(path, mode); error != 0) throw_listen_error(error, name);
    if (::listen(listener.socket.get(), backlog) != 0) throw_listen_error(errno, name);
    std::vector<Listener> listeners;
    listeners.push_back(std::move(listener));
    return listeners;
}

// --- TCP ---

/// The addresses that a host stands for, each once. IPv4 in the clothes of IPv6 (::ffff:127.0.0.1) is IPv4.
inline std::vector<SocketAddress> resolve_to_listen(const HostAndPort& where, std::string_view name) {
    const bool is_every_interface = where.host.empty();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const char* const host = is_every_interface ? nullptr : where.host.c_str();
    const std::error_code error = lookup_error(::getaddrinfo(host, where.port.c_str(), &hints, &list));
    if (error) throw std::system_error(error, "cannot listen on " + printable(name));
    const Addresses owned(list);
    std::vector<SocketAddress> addresses;
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
        const SocketAddress address = SocketAddress(each->ai_addr, each->ai_addrlen).without_mapping();
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
            addresses.push_back(address);
        }
    }
    return addresses;
}

/// A socket that listens there, or the errno.
struct BoundSocket {
    FileDescriptor socket;
    int error = 0;
};

inline BoundSocket bind_and_listen(const SocketAddress& address, int backlog) noexcept {
    const SysResult made = sys::stream_socket(address.family());
    if (!made.ok()) return {{}, made.error};
    FileDescriptor socket(static_cast<int>(made.value));
    const int fd = socket.get();
    sys::set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    sys::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit it: a call less for each
    if (address.family() == AF_INET6) sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(fd, address.generic(), address.size) != 0) return {{}, errno};
    if (::listen(fd, backlog) != 0) return {{}, errno};
    return {std::move(socket), 0};
}

inline std::uint16_t bound_port(int fd) noexcept {
    SocketAddress address;
    address.size = sizeof address.storage;
    auto* const generic = reinterpret_cast<sockaddr*>(&address.storage);
    return ::getsockname(fd, generic, &address.size) == 0 ? address.port() : std::uint16_t{0};
}

/// Listens on all of the addresses, on one port, or throws. An address that the machine does not have, such
/// as one of IPv6 where that is switched off, is passed over if there is another.
inline std::vector<FileDescriptor> listen_on_all(std::vector<SocketAddress> addresses, int backlog,
                                                 std::string_view name) {
    const std::uint16_t wanted = addresses.empty() ? std::uint16_t{0} : addresses.front().port();
    for (int attempts_left = 100;; --attempts_left) {
        std::vector<FileDescriptor> sockets;
        std::uint16_t port = wanted;
        int absent = EADDRNOTAVAIL;
        int error = 0;
        for (SocketAddress& each : addresses) {
            each.set_port(port);
            BoundSocket bound = bind_and_listen(each, backlog);
            if (bound.error == EAFNOSUPPORT || bound.error == EADDRNOTAVAIL) {
                absent = bound.error;
                continue;
            }
            error = bound.error;
            if (error != 0) break;
            if (port == 0) port = bound_port(bound.socket.get());
            sockets.push_back(std::move(bound.socket));
        }
        // A port that is free at one address need not be so at the next.
        const bool may_try_another = wanted == 0 && !sockets.empty() && attempts_left > 0;
        if (error == EADDRINUSE && may_try_another) continue;
        if (error != 0) throw_listen_error(error, name);
        if (sockets.empty()) throw_listen_error(absent, name);
        return sockets;
    }
}

/// Binds and listens: a socket for each address that the name has. Throws std::system_error that names the
/// address.
inline std::vector<Listener> listen_at(std::string_view address, int backlog, int unix_mode = 0666) {
    if (const auto path = split_unix_path(address)) return listen_unix(*path, backlog, unix_mode);
    auto where = split_address(address);
    if (!where) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "cannot listen on \"" + printable(address) +
                                    "\", which is not host:port, :port, *:port, [ipv6]:port or unix:/path");
    }
    if (where->host == "*") where->host.clear();
    const std::vector<SocketAddress> addresses = resolve_to_listen(*where, address);
    std::vector<Listener> listeners;
    for (FileDescriptor& socket : listen_on_all(addresses, backlog, address)) {
        listeners.emplace_back();
        listeners.back().port = bound_port(socket.get());
        listeners.back().socket = std::move(socket);
    }
    Listener& first = listeners.front();
    first.is_on_all_interfaces = addresses.front().is_any();
    const std::string host = where->host.empty() ? "localhost" : where->host;
    first.url =
        "http://" + (where->in_brackets ? "[" + host + "]" : host) + ":" + std::to_string(first.port) + "/";
    return listeners;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
