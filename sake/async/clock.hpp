// Durations and moments on the clock of deadlines. What time it is, the Reactor knows: see Reactor::now.
#pragma once

#include <time.h>

#include <chrono>
#include <type_traits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// The present to some milliseconds, at a fraction of the cost. To be compared with itself only.
inline TimePoint coarse_now() noexcept {
#if defined(CLOCK_MONOTONIC_COARSE)
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
#else
    return Clock::now();
#endif
}

/// A duration as the clock counts it, rounded up: zero for what is not positive (or not a number), the
/// greatest there is for what is beyond the clock's range.
template <class Rep, class Period>
Clock::duration to_clock(std::chrono::duration<Rep, Period> duration) noexcept {
    using Seconds = std::chrono::duration<double>;  // compared as floating point, which does not overflow
    const Seconds seconds(duration);
    if (!(seconds > Seconds::zero())) return Clock::duration::zero();
    if (seconds >= Seconds(Clock::duration::max())) return Clock::duration::max();
    return std::chrono::ceil<Clock::duration>(duration);
}

/// Where a duration is wanted: a number says nothing of its unit. Stops the compiler with the words for that.
template <class Number>
void refuse_number() {
    static_assert(!std::is_arithmetic_v<Number>,
                  "a duration is needed here, not a number: write 10s or 500ms, behind `using namespace "
                  "std::chrono_literals;`");
}
template <class T>
concept Unitless = std::is_arithmetic_v<T>;

/// The moment that is `duration`, which is not negative, after another; TimePoint::max() means never.
inline TimePoint moment_after(TimePoint moment, Clock::duration duration) noexcept {
    return duration > TimePoint::max() - moment ? TimePoint::max() : moment + duration;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
