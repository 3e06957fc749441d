// The timers of a loop, of two kinds: moments, such as the end of a sleep, and deadlines, which limit what
// others may take. If the loop itself was late, no deadline counts that against the other side.
#pragma once

#include <algorithm>
#include <chrono>

#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct LoopTimers {
    TimerQueue moments;
    /// None is acted on before all sockets were asked at its time or later, and what had become ready by then
    /// has run.
    TimerQueue deadlines;

    /// When the next of either is due; TimePoint::max() if none is.
    [[nodiscard]] TimePoint next() const noexcept { return std::min(moments.next(), deadlines.next()); }

    /// The same as a poller's timeout, from `present`.
    [[nodiscard]] std::chrono::milliseconds time_to_next(TimePoint present) const noexcept {
        using std::chrono::milliseconds;
        const TimePoint due = next();
        if (due == TimePoint::max()) return milliseconds(-1);
        if (due <= present) return milliseconds(0);
        constexpr milliseconds longest = std::chrono::hours(1);
        const auto delay = std::chrono::ceil<milliseconds>(due - present);
        return delay < longest ? delay : longest;
    }

    /// At the end of a turn of the loop. Only what was due at `asked_at`, when the sockets were asked;
    /// deadlines once the loop is at rest, after that: the bytes that one misses may be there, or be on their
    /// way through other coroutines of this loop. Where the loop never comes to rest, they wait for so many
    /// turns.
    template <class IsAtRest>
    void expire(TimePoint asked_at, IsAtRest is_at_rest) noexcept {
        constexpr unsigned most_turns = 16;
        if (put_off_ == 0 && next() > asked_at) return;
        moments.expire(asked_at);
        if (!deadlines.is_due(asked_at)) {
            put_off_ = 0;
        } else if (is_at_rest()) {
            put_off_ = 0;
            deadlines.expire(asked_at);
        } else {
            if (put_off_ == 0) put_off_from_ = asked_at;
            if (++put_off_ < most_turns) return;
            put_off_ = 0;
            deadlines.expire(put_off_from_);
        }
    }

    void clear() noexcept {
        moments.clear();
        deadlines.clear();
    }

  private:
    unsigned put_off_ = 0;  // for so many turns, the deadlines due at put_off_from_
    TimePoint put_off_from_{};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
