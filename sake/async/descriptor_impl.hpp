// Definitions of descriptor.hpp: how a descriptor of somebody else is watched.
#pragma once

#include <poll.h>

#include "sake/async/clock.hpp"
#include "sake/async/descriptor.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// On a descriptor of its own, so that any number may wait for the same one, and closing it meanwhile ends
// nothing but the connection.
template <class Unused>
Task<> wait_for_descriptor(int fd, Readiness direction, Clock::duration limit) {
    Fiber& fiber = co_await current_fiber();
    if (sys::is_ready(fd, direction == readable ? POLLIN : POLLOUT)) {
        co_await its_turn();
        co_return;
    }
    const TimePoint deadline = fiber.reactor().deadline_in(limit);
    const SysResult copy = sys::duplicate(fd);
    if (!copy.ok()) throw_system_error(copy.error, "cannot watch a descriptor");
    const FileDescriptor own(static_cast<int>(copy.value));
    Watch watch(fiber.reactor(), own.get(), 0);
    LimitedReadinessWait wait(watch, direction, deadline);
    co_await wait;
}

}  // namespace detail

SAKE_INLINE bool is_readable(int fd) noexcept { return detail::sys::is_ready(fd, POLLIN); }

#if defined(SAKE_IMPLEMENTATION)
namespace detail {

template Task<> wait_for_descriptor<void>(int fd, Readiness direction, Clock::duration limit);

}  // namespace detail
#endif

}  // namespace SAKE_ABI
}  // namespace sake
