// Definitions of timer.hpp: the heap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void TimerQueue::set(Timer& timer, TimePoint deadline) {
    if (!timer.is_set()) {
        heap_.push_back({deadline, &timer});
        timer.index_ = static_cast<std::uint32_t>(heap_.size() - 1);
        sift_up(timer.index_);
    } else if (deadline < heap_[timer.index_].key) {
        heap_[timer.index_].key = deadline;
        sift_up(timer.index_);
    }
    timer.deadline_ = deadline;
}

SAKE_INLINE void TimerQueue::cancel(Timer& timer) noexcept {
    if (timer.is_set()) remove(timer.index_);
}

SAKE_INLINE void TimerQueue::clear() noexcept {
    for (const Entry& each : heap_) each.timer->index_ = Timer::unset;
    heap_.clear();
}

SAKE_INLINE void TimerQueue::expire(TimePoint now) noexcept {
    while (is_due(now)) {
        Timer& timer = *heap_.front().timer;
        remove(0);
        timer.callback_(timer);
    }
}

SAKE_INLINE bool TimerQueue::is_due(TimePoint now) noexcept {
    while (!heap_.empty() && heap_.front().key <= now) {
        const Timer& timer = *heap_.front().timer;
        if (timer.deadline_ <= heap_.front().key) return true;
        heap_.front().key = timer.deadline_;
        sift_down(0);
    }
    return false;
}

SAKE_INLINE void TimerQueue::place(std::size_t index, Entry entry) noexcept {
    heap_[index] = entry;
    entry.timer->index_ = static_cast<std::uint32_t>(index);
}

SAKE_INLINE void TimerQueue::sift_up(std::size_t index) noexcept {
    const Entry moving = heap_[index];
    while (index > 0) {
        const std::size_t parent = (index - 1) / 2;
        if (heap_[parent].key <= moving.key) break;
        place(index, heap_[parent]);
        index = parent;
    }
    place(index, moving);
}

SAKE_INLINE void TimerQueue::sift_down(std::size_t index) noexcept {
    const Entry moving = heap_[index];
    for (;;) {
        std::size_t child = 2 * index + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1].key < heap_[child].key) ++child;
        if (moving.key <= heap_[child].key) break;
        place(index, heap_[child]);
        index = child;
    }
    place(index, moving);
}

SAKE_INLINE void TimerQueue::remove(std::size_t index) noexcept {
    heap_[index].timer->index_ = Timer::unset;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size()) return;
    place(index, last);
    sift_up(index);
    sift_down(last.timer->index_);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
