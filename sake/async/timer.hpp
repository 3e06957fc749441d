// Timers: an intrusive binary heap, so that setting one is O(log n) and never allocates once warm. Moving a
// deadline further away, which every request of a keep-alive connection does, only writes the timer: the heap
// finds out when the old deadline comes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sake/async/clock.hpp"
#include "sake/base/array.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// One deadline and what happens at it. Owned by whoever sets it, who cancels it before it goes.
class Timer {
  public:
    using Callback = void (*)(Timer&) noexcept;
    explicit Timer(Callback callback) noexcept : callback_(callback) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    [[nodiscard]] bool is_set() const noexcept { return index_ != unset; }
    [[nodiscard]] TimePoint deadline() const noexcept { return deadline_; }

  private:
    friend class TimerQueue;
    static constexpr std::uint32_t unset = 0xffffffff;
    TimePoint deadline_;
    Callback callback_;
    std::uint32_t index_ = unset;
};

/// The timers of one reactor, earliest first.
class TimerQueue {
  public:
    /// Sets or moves a timer.
    void set(Timer& timer, TimePoint deadline) {
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

    void cancel(Timer& timer) noexcept {
        if (timer.is_set()) remove(timer.index_);
    }

    /// Forgets all timers.
    void clear() noexcept {
        for (const Entry& each : heap_) each.timer->index_ = Timer::unset;
        heap_.clear();
    }

    /// Calls back every timer whose deadline is not after `now`, in the order of the deadlines.
    void expire(TimePoint now) noexcept {
        while (is_due(now)) {
            Timer& timer = *heap_.front().timer;
            remove(0);
            timer.callback_(timer);
        }
    }

    /// Whether `expire` would call back.
    [[nodiscard]] bool is_due(TimePoint now) noexcept {
        while (!heap_.empty() && heap_.front().key <= now) {
            const Timer& timer = *heap_.front().timer;
            if (timer.deadline_ <= heap_.front().key) return true;
            heap_.front().key = timer.deadline_;
            sift_down(0);
        }
        return false;
    }

    /// When `expire` has something to do next; TimePoint::max() if never.
    [[nodiscard]] TimePoint next() const noexcept {
        return heap_.empty() ? TimePoint::max() : heap_.front().key;
    }

  private:
    struct Entry {
        TimePoint key;  // not after the timer's deadline
        Timer* timer;
    };

    void place(std::size_t index, Entry entry) noexcept {
        heap_[index] = entry;
        entry.timer->index_ = static_cast<std::uint32_t>(index);
    }

    void sift_up(std::size_t index) noexcept {
        const Entry moving = heap_[index];
        while (index > 0) {
            const std::size_t parent = (index - 1) / 2;
            if (heap_[parent].key <= moving.key) break;
            place(index, heap_[parent]);
            index = parent;
        }
        place(index, moving);
    }

    void sift_down(std::size_t index) noexcept {
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

    void remove(std::size_t index) noexcept {
        heap_[index].timer->index_ = Timer::unset;
        const Entry last = heap_.back();
        heap_.pop_back();
        if (index == heap_.size()) return;
        place(index, last);
        sift_up(index);
        sift_down(last.timer->index_);
    }

    Array<Entry> heap_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
