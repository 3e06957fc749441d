// Waiting for a descriptor that belongs to somebody else: what a client library with a non-blocking interface
// needs to be driven by the reactor. Sockets of our own are TcpStream.
#pragma once

#include <chrono>

#include "sake/async/clock.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A limit that is never reached.
using NoLimit = Clock::duration;
inline constexpr NoLimit no_limit = NoLimit::max();

template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;

/// How long something may take: any duration.
template <class T>
concept Limit = is_duration<T>;

// A template: see task.hpp.
template <class Unused = void>
Task<> wait_for_descriptor(int fd, Readiness direction, Clock::duration limit);

}  // namespace detail

/// Waits until `fd` can be read: there are bytes, the end, an error, or a connection to accept. Throws
/// TimedOut after `limit`, and Cancelled. The descriptor stays the caller's, need not be non-blocking, and
/// must be open at the start.
///
///     while (PQisBusy(connection)) {
///         co_await readable(PQsocket(connection), 5s);
///         PQconsumeInput(connection);
///     }
template <detail::Limit L = detail::NoLimit>
Task<> readable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, detail::readable, detail::to_clock(limit));
}

/// Waits until `fd` takes bytes, or its connection has been made or has failed. Otherwise as `readable`.
template <detail::Limit L = detail::NoLimit>
Task<> writable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, detail::writable, detail::to_clock(limit));
}

/// Whether `readable` would not wait. On a connection that rests that means its end.
[[nodiscard]] bool is_readable(int fd) noexcept;

}  // namespace SAKE_ABI
}  // namespace sake
