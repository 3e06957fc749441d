// Definitions of background.hpp: how a reactor uses a pool.
#pragma once

#include <mutex>

#include "sake/async/sync.hpp"
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

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
