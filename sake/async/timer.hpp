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
    void set(Timer& timer, TimePoint deadline);

    void cancel(Timer& timer) noexcept;

    /// Forgets all timers.
    void clear() noexcept;

    /// Calls back every timer whose deadline is not after `now`, in the order of the deadlines.
    void expire(TimePoint now) noexcept;

    /// Whether `expire` would call back.
    [[nodiscard]] bool is_due(TimePoint now) noexcept;

    /// When `expire` has something to do next; TimePoint::max() if never.
    [[nodiscard]] TimePoint next() const noexcept {
        return heap_.empty() ? TimePoint::max() : heap_.front().key;
    }

  private:
    struct Entry {
        TimePoint key;  // not after the timer's deadline
        Timer* timer;
    };

    void place(std::size_t index, Entry entry) noexcept;

    void sift_up(std::size_t index) noexcept;

    void sift_down(std::size_t index) noexcept;

    void remove(std::size_t index) noexcept;

    Array<Entry> heap_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
