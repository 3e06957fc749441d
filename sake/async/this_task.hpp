// this_task: what a coroutine, or a function that it calls, can ask about its loop.
#pragma once

#include <stop_token>

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// For the running coroutine and the functions that it calls.
namespace this_task {

/// A token that is stopped when a graceful stop of this loop's server begins: the server then accepts nothing
/// new and finishes the requests under way. Works in handlers, spawned tasks and handlers of worker routes.
/// Without a server, or outside of a loop, it is never stopped. A callback on it runs on the loop's thread.
/// As on every stop token, it must not throw.
///
///     while (!sake::this_task::stop_token().stop_requested()) co_await work_off_one(queue);
[[nodiscard]] inline std::stop_token stop_token() noexcept {
    const Reactor* const reactor = Reactor::current();
    return reactor != nullptr ? reactor->stop_token() : std::stop_token();
}

}  // namespace this_task

}  // namespace SAKE_ABI
}  // namespace sake
