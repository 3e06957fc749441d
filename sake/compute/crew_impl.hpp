// Definitions of crew.hpp: how helpers are called and dismissed, and how many items each takes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/crew.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE bool Crew::goes_on() noexcept {
    if (is_over()) return false;
    if (!stop_.stop_requested()) return true;
    note_failure(std::make_exception_ptr(Cancelled()));
    return false;
}

SAKE_INLINE void Crew::call_help() noexcept {
    if (!has_helpers_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    try {
        has_helpers_ = call_one();
    } catch (const std::exception&) {
        has_helpers_ = false;  // without memory or threads for it the caller works alone
    }
}

SAKE_INLINE void Crew::take_part() noexcept {
    try {
        call_work_(work_);
    } catch (...) {
        note_failure(std::current_exception());
    }
}

SAKE_INLINE void Crew::note_failure(std::exception_ptr failure) noexcept {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    is_over_ = true;
    tell_all();
}

SAKE_INLINE bool Crew::call_one() {
    if (is_dismissed_) return false;
    if (!helpers_) engage();
    if (called_ == helpers_count_) return false;
    Helper& helper = helpers_[called_];
    helper.crew = this;
    if (!pool_->lend_job(helper)) return false;
    ++called_;
    ++present_;
    return true;
}

SAKE_INLINE void Crew::engage() {
    if (pool_ == nullptr) pool_ = &process_pool();
    helpers_count_ = static_cast<std::size_t>(pool_->size()) - 1;
    helpers_ = OwningPtr<Helper[]>(new Helper[helpers_count_]);
    size_ = helpers_count_ + 1;
}

SAKE_INLINE void Crew::leave() noexcept {
    const std::lock_guard lock(mutex_);
    --present_;
    tell_all();
}

SAKE_INLINE void Crew::dismiss() noexcept {
    {
        const std::lock_guard lock(mutex_);
        is_dismissed_ = true;
        if (present_ == 0) return;
    }
    withdraw_calls();
    // Who still works is about to end: sleeping and waking would often take longer.
    for (int i = 0; i < 50 && present_ != 0; ++i) std::this_thread::yield();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return present_ == 0; });
}

SAKE_INLINE void Crew::withdraw_calls() noexcept {
    for (std::size_t i = 0; i < called_; ++i) {
        if (pool_->withdraw(helpers_[i])) --present_;
    }
}

SAKE_INLINE std::uint64_t Pace::next(std::uint64_t left, std::size_t members) noexcept {
    adapt();
    return std::min<std::uint64_t>(size_, std::max<std::uint64_t>(1, left / (4 * members)));
}

SAKE_INLINE std::size_t Pace::next() noexcept {
    adapt();
    return size_;
}

SAKE_INLINE void Pace::adapt() noexcept {
    const Clock::time_point now = Clock::now();
    const Clock::duration took = now - last_;
    if (size_ == 0)
        size_ = 1;
    else if (took < std::chrono::microseconds(10))
        size_ = std::min(2 * size_, most);
    else if (took > std::chrono::microseconds(40))
        size_ = std::max<std::size_t>(1, size_ / 2);
    last_ = now;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
