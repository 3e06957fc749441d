// Definitions of pool_job.hpp: the queue of jobs.
#pragma once

#include <utility>

#include "sake/compute/pool_job.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void PoolQueue::push(PoolJob& job) noexcept {
    job.next_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_) = &job;
    last_ = &job;
    ++size_;
}

SAKE_INLINE PoolJob* PoolQueue::pop() noexcept {
    PoolJob* const job = first_;
    if (job != nullptr) static_cast<void>(remove(*job));
    return job;
}

SAKE_INLINE bool PoolQueue::remove(PoolJob& job) noexcept {
    PoolJob* before = nullptr;
    PoolJob* each = first_;
    while (each != nullptr && each != &job) before = std::exchange(each, each->next_);
    if (each == nullptr) return false;
    (before == nullptr ? first_ : before->next_) = job.next_;
    if (last_ == &job) last_ = before;
    --size_;
    return true;
}

SAKE_INLINE void PoolQueue::swap(PoolQueue& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(size_, other.size_);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
