// Waiting for a descriptor that belongs to somebody else: what a client library with a non-blocking interface
// needs to be driven by the reactor. Sockets of our own are TcpStream.
#pragma once

#include <poll.h>

#include <chrono>

#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
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

// On a descriptor of its own, so that any number may wait for the same one, and closing it meanwhile ends
// nothing but the connection.
template <Limit L>
Task<> wait_for_descriptor(int fd, short event, Readiness direction, L limit) {
    Fiber& fiber = co_await current_fiber();
    if (sys::is_ready(fd, event)) {
        co_await its_turn();
        co_return;
    }
    const TimePoint deadline = fiber.reactor().deadline_in(to_clock(limit));
    const SysResult copy = sys::duplicate(fd);
    if (!copy.ok()) throw_system_error(copy.error, "cannot watch a descriptor");
    const FileDescriptor own(static_cast<int>(copy.value));
    Watch watch(fiber.reactor(), own.get(), 0);
    LimitedReadinessWait wait(watch, direction, deadline);
    co_await wait;
}

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
[[nodiscard]] Task<> readable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, POLLIN, detail::readable, limit);
}

/// Waits until `fd` takes bytes, or its connection has been made or has failed. Otherwise as `readable`.
template <detail::Limit L = detail::NoLimit>
[[nodiscard]] Task<> writable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, POLLOUT, detail::writable, limit);
}

/// Whether `readable` would not wait. On a connection that rests that means its end.
[[nodiscard]] inline bool is_readable(int fd) noexcept { return detail::sys::is_ready(fd, POLLIN); }

}  // namespace SAKE_ABI
}  // namespace sake
