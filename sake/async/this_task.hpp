// this_task: what a coroutine, or what it calls, can ask about the loop that it runs on.
#pragma once

#include <stop_token>

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The coroutine that runs, and whatever it calls.
namespace this_task {

/// Tells that the server whose loop this is has begun to stop gracefully: from now on it takes nothing new,
/// and waits for what is in flight. Also for spawned tasks and for handlers of worker routes. Without a
/// server, or outside of a loop, it never tells anything. A callback on it runs on the loop's thread and, as
/// on every stop token, must not throw.
///
///     while (!sake::this_task::stop_token().stop_requested()) co_await work_off_one(queue);
[[nodiscard]] inline std::stop_token stop_token() noexcept {
    const Reactor* const reactor = Reactor::current();
    return reactor != nullptr ? reactor->stop_token() : std::stop_token();
}

}  // namespace this_task

}  // namespace SAKE_ABI
}  // namespace sake
