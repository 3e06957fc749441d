// Listeners: "host:port", ":8080", "*:8080", "[::1]:8080" and "unix:/path" as bound, listening sockets. A
// name is bound at all of its addresses, or at none.
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/io/address.hpp"
#include "sake/io/net_error.hpp"

namespace sake {
inline namespace SAKE_ABI {
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

/// The file of a bound Unix socket. The destructor removes it, unless another file has taken its place, or
/// this is a child of the process that bound it. It must run before the socket closes: while that is open, no
/// other file can have the same inode.
class SocketFile {
  public:
    SocketFile() = default;
    explicit SocketFile(std::string path) : path_(std::move(path)), identity_(path_), process_(::getpid()) {
        // The program may change its directory before the end.
        char whole[PATH_MAX];
        if (::realpath(path_.c_str(), whole) != nullptr) path_ = whole;
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
    SocketFile file;        // of a Unix socket
    SocketAddress address;  // of a TCP socket: where it listens, or is to
    Listener* next = nullptr;

    Listener() = default;
    explicit Listener(const SocketAddress& where) noexcept : address(where) {}
    Listener(Listener&&) = default;
    Listener& operator=(Listener&& other) noexcept {
        file = std::move(other.file);  // before its socket closes
        socket = std::move(other.socket);
        url = std::move(other.url);
        port = other.port;
        is_on_all_interfaces = other.is_on_all_interfaces;
        address = other.address;
        return *this;
    }
    ~Listener() = default;

    /// Whether only this machine reaches it.
    [[nodiscard]] bool is_local() const noexcept { return !file.path().empty() || address.is_loopback(); }
};
using Listeners = OwningList<Listener>;

[[noreturn]] inline void throw_listen_error(int error, std::string_view address) {
    throw_system_error(error, "cannot listen on " + printable(address));
}

// --- Unix sockets ---

/// Removes a socket file on which no process listens any more; leaves every other file alone.
inline void remove_stale_socket(const std::string& path, const SocketAddress& address) {
    const FileIdentity before(path);
    if (!before.is_socket) return;
    const FileDescriptor probe(static_cast<int>(sys::stream_socket(AF_UNIX).value));
    const SysResult connected = sys::connect(probe.get(), address.generic(), address.size);
    // Another server may have put its own there meanwhile.
    if (connected.error == ECONNREFUSED && FileIdentity(path) == before) ::unlink(path.c_str());
}

/// Sets the permissions of a socket file, never of a file that a link points to. The umask belongs to all
/// threads, so it cannot be changed for the bind.
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

inline void listen_unix(Listener& listener, const UnixPath& where, int backlog, int mode) {
    const std::string& path = where.path;
    const std::string name = where.to_string();
    sockaddr_un local{};
    if (const int error = fill_unix_address(where, local); error != 0) throw_listen_error(error, name);
    const SocketAddress address(reinterpret_cast<const sockaddr*>(&local), sizeof local);
    const SysResult made = sys::stream_socket(AF_UNIX);
    if (!made.ok()) throw_listen_error(made.error, name);
    listener.socket = FileDescriptor(static_cast<int>(made.value));
    listener.url = name;
    remove_stale_socket(path, address);
    if (::bind(listener.socket.get(), address.generic(), address.size) != 0) throw_listen_error(errno, name);
    listener.file = SocketFile(path);
    // Before it listens, no client can connect, whatever the umask allows.
    if (const int error = set_socket_mode(path, mode); error != 0) throw_listen_error(error, name);
    if (::listen(listener.socket.get(), backlog) != 0) throw_listen_error(errno, name);
}

// --- TCP ---

/// Whether one of them is for this address.
inline bool has_address(const Listeners& listeners, const SocketAddress& address) noexcept {
    const Listener* each = listeners.first();
    while (each != nullptr && !(each->address == address)) each = each->next;
    return each != nullptr;
}

/// Adds a listener for each address that a host stands for, which does not listen yet. IPv4 in the clothes of
/// IPv6 (::ffff:127.0.0.1) is IPv4.
inline void resolve_to_listen(Listeners& listeners, const HostAndPort& where, std::string_view name) {
    const bool is_every_interface = where.host.empty();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const char* const host = is_every_interface ? nullptr : where.host.c_str();
    const std::error_code error = lookup_error(::getaddrinfo(host, where.port.c_str(), &hints, &list));
    if (error) throw std::system_error(error, "cannot listen on " + printable(name));
    const Addresses owned(list);
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
        const SocketAddress address = SocketAddress(each->ai_addr, each->ai_addrlen).without_mapping();
        if (!has_address(listeners, address)) listeners.push_back(new Listener(address));
    }
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

/// Listens on all of their addresses, on one port, or throws. An address that the machine does not have, such
/// as one of IPv6 where that is switched off, is passed over if there is another; its listener goes.
inline void listen_on_all(Listeners& listeners, int backlog, std::string_view name) {
    const std::uint16_t wanted = listeners.empty() ? std::uint16_t{0} : listeners.first()->address.port();
    int absent = EADDRNOTAVAIL;
    for (int attempts_left = 100;; --attempts_left) {
        std::uint16_t port = wanted;
        int error = 0;
        int bound_sockets = 0;
        for (Listener* each = listeners.first(); each != nullptr && error == 0; each = each->next) {
            each->address.set_port(port);
            BoundSocket bound = bind_and_listen(each->address, backlog);
            each->socket = std::move(bound.socket);
            if (bound.error == EAFNOSUPPORT || bound.error == EADDRNOTAVAIL) {
                absent = bound.error;
                continue;
            }
            error = bound.error;
            if (error != 0) break;
            ++bound_sockets;
            each->port = bound_port(each->socket.get());
            if (port == 0) port = each->port;
        }
        if (error == 0 && bound_sockets == 0) throw_listen_error(absent, name);
        if (error == 0) break;
        // A port that is free at one address need not be so at the next.
        const bool may_try_another = wanted == 0 && bound_sockets != 0 && attempts_left > 0;
        if (error != EADDRINUSE || !may_try_another) throw_listen_error(error, name);
        for (Listener* each = listeners.first(); each != nullptr; each = each->next)
            each->socket = FileDescriptor();
    }
    Listeners bound;
    while (!listeners.empty()) {
        auto each = listeners.take_front();
        if (each->socket) bound.push_back(each.release());
    }
    listeners.append(bound);
}

/// Binds and listens: adds a listener for each address that the name has. Throws std::system_error that names
/// the address; then it adds none.
inline void listen_at(Listeners& listeners, std::string_view address, int backlog, int unix_mode = 0666) {
    Listeners made;
    if (const auto path = split_unix_path(address)) {
        listen_unix(made.push_back(new Listener), *path, backlog, unix_mode);
        return listeners.append(made);
    }
    auto where = split_address(address);
    if (!where) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "cannot listen on \"" + printable(address) +
                                    "\", which is not host:port, :port, *:port, [ipv6]:port or unix:/path, "
                                    "with a port from 0 to 65535");
    }
    if (where->host == "*") where->host.clear();
    resolve_to_listen(made, *where, address);
    const bool is_on_all_interfaces = !made.empty() && made.first()->address.is_any();
    listen_on_all(made, backlog, address);
    Listener& first = *made.first();
    first.is_on_all_interfaces = is_on_all_interfaces;
    const std::string host = where->host.empty() ? "localhost" : where->host;
    first.url =
        "http://" + (where->in_brackets ? "[" + host + "]" : host) + ":" + std::to_string(first.port) + "/";
    listeners.append(made);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
