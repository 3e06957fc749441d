// How TcpStream::connect reaches the peer: name lookups off the loop, and overlapping attempts in the order
// of RFC 8305 ("happy eyeballs").
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "sake/async/combinators.hpp"
#include "sake/async/flag.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/array.hpp"
#include "sake/compute/background.hpp"
#include "sake/io/address.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The result of getaddrinfo for a name: addresses, best first, or an error.
struct Lookup {
    Array<SocketAddress> addresses;
    std::error_code error;
};

inline Lookup look_up(const HostAndPort& where, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    addrinfo* list = nullptr;
    Lookup found;
    found.error = lookup_error(::getaddrinfo(where.host.c_str(), where.port.c_str(), &hints, &list));
    if (found.error) return found;
    const Addresses owned(list);
    for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
        found.addresses.push_back(SocketAddress(each->ai_addr, each->ai_addrlen));
    }
    return found;
}

/// Alternates the address families, beginning with that of the first, so that a family that does not work
/// costs one delay (RFC 8305 section 4).
inline Array<SocketAddress> alternate_families(const Array<SocketAddress>& addresses) {
    Array<SocketAddress> first;
    Array<SocketAddress> other;
    for (const SocketAddress& each : addresses) {
        (each.family() == addresses.front().family() ? first : other).push_back(each);
    }
    Array<SocketAddress> all;
    for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
        if (i < first.size()) all.push_back(first[i]);
        if (i < other.size()) all.push_back(other[i]);
    }
    return all;
}

[[noreturn]] inline void throw_connect_error(int error, const std::string& address) {
    throw_system_error(error, "cannot connect to " + printable(address));
}

inline SocketAddress unix_address(const UnixPath& where) {
    sockaddr_un local{};
    const int error = fill_unix_address(where, local);
    if (error != 0) throw_connect_error(error, where.to_string());
    return {reinterpret_cast<const sockaddr*>(&local), sizeof local};
}

/// "host:port" or "[ipv6]:port" taken apart. Throws std::system_error.
inline HostAndPort split_peer(const std::string& address) {
    auto where = split_address(address);
    if (where && !where->host.empty()) return *std::move(where);
    throw_connect_error(EINVAL, "\"" + address + "\", which is not host:port, [ipv6]:port or unix:/path");
}

/// What a program has in two. Throws std::system_error.
inline HostAndPort join_peer(std::string host, std::uint16_t port) {
    const bool is_v6 = host.find(':') != std::string::npos;
    HostAndPort where{std::move(host), std::to_string(port), is_v6};
    if (where.host.empty() || where.host.find('\0') != std::string::npos)
        throw_connect_error(EINVAL, where.to_string());
    return where;
}

/// What the threads are for.
struct ForNames;

// Templates: see task.hpp.

/// What is an address already is one at once; a name is looked up in the background.
template <class Peer>
Task<Array<SocketAddress>> resolve(Peer where) {
    Lookup found = look_up(where, AI_NUMERICHOST);
    if (found.error) {
        auto lookup = [name = where] { return look_up(name, 0); };
        auto looking_up = run_blocking<ForNames>(std::move(lookup));
        found = co_await std::move(looking_up);
    }
    if (!found.error) co_return alternate_families(found.addresses);
    throw std::system_error(found.error, "cannot connect to " + printable(where.to_string()));
}

/// The attempts to reach one peer.
struct ConnectRace {
    FileDescriptor winner;
    int error = 0;  // of the last that failed
    Flag one_has_failed;
};

/// The outcome of connecting: 0 or an errno.
template <class Address>
Task<int> connect_socket(int fd, Address address) {
    for (;;) {
        const auto* const generic = reinterpret_cast<const sockaddr*>(&address.storage);
        const int error = sys::connect(fd, generic, address.size).error;
        if (error == EINPROGRESS) break;
        if (error != EAGAIN) co_return error;
        // A Unix socket whose queue is full, and nothing tells when it has room.
        co_await sleep(std::chrono::milliseconds(5));
    }
    co_await wait_for_descriptor(fd, writable, no_limit);
    co_return sys::socket_error(fd);
}

template <class Address>
Task<> try_to_connect(ConnectRace& race, TaskGroup& group, Address address) {
    const SysResult made = sys::stream_socket(address.family());
    int error = made.error;
    if (made.ok()) {
        FileDescriptor socket(static_cast<int>(made.value));
        error = co_await connect_socket(socket.get(), address);
        if (error == 0 && !race.winner) {
            race.winner = std::move(socket);
            group.cancel();
            co_return;
        }
    }
    race.error = error;
    race.one_has_failed.set();
}

template <class Addresses>
Task<FileDescriptor> connect_to_any(Addresses addresses, std::string name) {
    ConnectRace race;
    const auto attempts = [&](TaskGroup& group) -> Task<> {
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            race.one_has_failed.reset();
            group.spawn(try_to_connect(race, group, addresses[i]));
            if (i + 1 == addresses.size()) break;
            co_await when_any(race.one_has_failed.wait(), sleep(std::chrono::milliseconds(250)));
        }
    };
    co_await TaskGroup::run(attempts);
    if (!race.winner) throw_connect_error(race.error, name);
    co_return std::move(race.winner);
}

template <class Addresses>
Task<TcpStream> connect_stream(Addresses addresses, std::string name) {
    FileDescriptor socket = co_await connect_to_any(std::move(addresses), std::move(name));
    sys::set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY,
                    1);  // a Unix socket refuses, and does not need it
    co_return make_stream(*Reactor::current(), std::move(socket));
}

template <class Peer>
Task<TcpStream> connect_to_host(Peer where) {
    auto addresses = co_await resolve(where);
    co_return co_await connect_stream(std::move(addresses), where.to_string());
}

template <class Path>
Task<TcpStream> connect_to_unix(Path where) {
    Array<SocketAddress> only;
    only.push_back(unix_address(where));
    return connect_stream(std::move(only), where.to_string());
}

/// `origin` is the peer as messages name it.
template <Limit L>
Task<TcpStream> connect_in_time(Task<TcpStream> connecting, std::string origin, L limit) {
    try {
        co_return co_await timeout(std::move(connecting), limit);
    } catch (const TimedOut&) {
        throw_timed_out(std::chrono::duration_cast<std::chrono::milliseconds>(limit), "connecting to",
                        origin);
    }
}

template <Limit L>
Task<TcpStream> connect_to(std::string address, L limit) {
    const auto path = split_unix_path(address);
    auto connecting = path ? connect_to_unix(*path) : connect_to_host(split_peer(address));
    co_return co_await connect_in_time(std::move(connecting), std::move(address), limit);
}

template <Limit L>
Task<TcpStream> connect_to(std::string host, std::uint16_t port, L limit) {
    HostAndPort where = join_peer(std::move(host), port);
    std::string name = where.to_string();
    co_return co_await connect_in_time(connect_to_host(std::move(where)), std::move(name), limit);
}

}  // namespace detail

template <class Unused>
Task<TcpStream> TcpStream::connect_to(std::string address, detail::Clock::duration limit) {
    return detail::connect_to(std::move(address), limit);
}

template <class Unused>
Task<TcpStream> TcpStream::connect_to_host(std::string host, std::uint16_t port,
                                           detail::Clock::duration limit) {
    return detail::connect_to(std::move(host), port, limit);
}

#if defined(SAKE_IMPLEMENTATION)
template Task<TcpStream> TcpStream::connect_to<void>(std::string, detail::Clock::duration);
template Task<TcpStream> TcpStream::connect_to_host<void>(std::string, std::uint16_t,
                                                          detail::Clock::duration);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
