// Definitions of posted_work.hpp: the queues, and the pipe that wakes the loop.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "sake/async/posted_work.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/array.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE PostedWork::PostedWork() : wake_pipe_(sys::make_pipe()) {}

SAKE_INLINE void PostedWork::add(UniqueFunction<void()> work) {
    const std::lock_guard lock(mutex_);
    works_.push_back(std::move(work));
    wake();
}

SAKE_INLINE void PostedWork::add(PostedCall& call) noexcept {
    call.next = first_call_;
    while (!first_call_.compare_exchange_weak(call.next, &call)) {
    }
    wake();
}

SAKE_INLINE void PostedWork::add(Wait& wait) noexcept {
    const std::lock_guard lock(mutex_);
    if (drops_waits_) return;
    wait.next_ready = nullptr;
    (last_wait_ != nullptr ? last_wait_->next_ready : first_wait_) = &wait;
    last_wait_ = &wait;
    wake();
}

SAKE_INLINE void PostedWork::run(Reactor& reactor) {
    char bytes[64];
    while (sys::read(fd(), bytes, sizeof bytes).value > 0) {
    }
    Resumable* finished = nullptr;
    has_any_ = false;  // before it looks: what is added later writes to the pipe again
    PostedCall* call = first_call_.exchange(nullptr);
    {
        const std::lock_guard lock(mutex_);
        running_.swap(works_);
        finished = std::exchange(first_wait_, nullptr);
        last_wait_ = nullptr;
    }
    while (call != nullptr) std::exchange(call, call->next)->run();
    while (finished != nullptr) std::exchange(finished, finished->next_ready)->wake(reactor);
    for (auto& work : running_) {
        try {
            work();
        } catch (...) {
            report_failure("posted work failed: ", caught_exception());
        }
    }
    running_.clear();
}

SAKE_INLINE void PostedWork::drop_waits(bool on) noexcept {
    const std::lock_guard lock(mutex_);
    drops_waits_ = on;
    first_wait_ = last_wait_ = nullptr;
}

SAKE_INLINE void PostedWork::drop() noexcept {
    Array<UniqueFunction<void()>> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(works_);
}

SAKE_INLINE void PostedWork::wake() noexcept {
    if (!has_any_.exchange(true)) static_cast<void>(sys::write(wake_pipe_.second.get(), "", 1));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
