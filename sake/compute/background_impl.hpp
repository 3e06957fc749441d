// Definitions of background.hpp: how a reactor uses a pool, and waits for it.
#pragma once

#include <exception>
#include <mutex>

#include "sake/async/sync.hpp"
#include "sake/base/error.hpp"
#include "sake/compute/background.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE BackgroundPlace::BackgroundPlace(WorkerPool& pool)
    : pool_(pool), turns_(pool.size() + queue_limit) {}

SAKE_INLINE BackgroundPlace::~BackgroundPlace() {
    std::unique_lock lock(mutex_);
    emptied_.wait(lock, [this] { return jobs_ == 0; });
}

SAKE_INLINE void BackgroundPlace::submit(PoolJob& job) {
    enter();
    try {
        pool_.lend_job(job);
    } catch (...) {
        leave();
        throw;
    }
}

SAKE_INLINE bool BackgroundPlace::withdraw(PoolJob& job) {
    if (!pool_.withdraw(job)) return false;
    leave();
    return true;
}

SAKE_INLINE void BackgroundPlace::leave() noexcept {
    const std::lock_guard lock(mutex_);
    if (--jobs_ == 0) emptied_.notify_one();
}

SAKE_INLINE void BackgroundPlace::enter() noexcept {
    const std::lock_guard lock(mutex_);
    ++jobs_;
}

SAKE_INLINE void BackgroundWait::let_go() {
    std::unique_lock lock(mutex_);
    if (is_running_ && place_.withdraw(job_)) return;
    ended_.wait(lock, [this] { return !is_running_; });
}

SAKE_INLINE void BackgroundWait::throw_failure() {
    throw_if_cancelled();
    const std::lock_guard lock(mutex_);  // the thread has let go of this
    if (failure_) std::rethrow_exception(failure_);
}

SAKE_INLINE void BackgroundWait::start() noexcept {
    is_running_ = true;
    try {
        place_.submit(job_);
    } catch (...) {
        failure_ = std::current_exception();
        is_running_ = false;
        finish();
    }
}

SAKE_INLINE void BackgroundWait::run() {
    try {
        call();
    } catch (...) {
        failure_ = caught_exception();
    }
}

SAKE_INLINE void BackgroundWait::end(bool thread_ended) noexcept {
    const std::lock_guard lock(mutex_);
    if (thread_ended) failure_ = failure_of("background: the work ended its thread");
    is_running_ = false;
    ended_.notify_one();
    reactor().post(*this);
}

SAKE_INLINE bool BackgroundWait::take_back() noexcept {
    if (!place_.withdraw(job_)) {
        tell_to_stop();
        return false;
    }
    is_running_ = false;
    return true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
