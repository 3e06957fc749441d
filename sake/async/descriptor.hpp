// Waiting for a descriptor that another library owns, so that the reactor can drive a non-blocking client
// library. Sake's own sockets are TcpStreams.
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

/// Waits until `fd` is readable: there are bytes, the end of the stream, an error, or a connection to accept.
/// Throws TimedOut after `limit`, and Cancelled. The caller keeps the descriptor. It may be blocking, and
/// must be open when the wait begins.
///
///     while (PQisBusy(connection)) {
///         co_await readable(PQsocket(connection), 5s);
///         PQconsumeInput(connection);
///     }
template <detail::Limit L = detail::NoLimit>
Task<> readable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, detail::readable, detail::to_clock(limit));
}

/// Waits until `fd` accepts bytes, or its connection is established or has failed. Otherwise like `readable`.
template <detail::Limit L = detail::NoLimit>
Task<> writable(int fd, L limit = L::max()) {
    return detail::wait_for_descriptor(fd, detail::writable, detail::to_clock(limit));
}

/// Whether `readable` would return at once. On an idle connection this means that the peer has closed it.
[[nodiscard]] bool is_readable(int fd) noexcept;

}  // namespace SAKE_ABI
}  // namespace sake
