// The pace of a transfer: at a minimum rate, and never without progress for long.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "sake/app/config.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Of one transfer; asked whenever it pauses.
class RateLimit {
  public:
    /// When it must have gone on, `total` bytes having moved since `begin`. There is a grace at the
    /// beginning, and each byte buys the time that it may take at the minimum rate. What a fast start has
    /// bought lasts for `longest_pause` and no longer, or a quick megabyte would be good for an hour of
    /// silence.
    TimePoint due(const Config& config, TimePoint begin, std::uint64_t total, TimePoint now,
                  std::chrono::milliseconds longest_pause) noexcept {
        if (due_ == TimePoint{}) due_ = begin + config.rate_grace;
        const std::uint64_t fresh = total - counted_;
        counted_ = total;
        due_ = std::min(due_ + time_for(fresh, config), now + longest_pause);
        return due_;
    }

    /// The time is over, but `bytes` of what had moved before were taken meanwhile: when it must go on now.
    TimePoint prolong(const Config& config, std::uint64_t bytes, TimePoint now,
                      std::chrono::milliseconds longest_pause) noexcept {
        due_ = now + std::min<Clock::duration>(time_for(bytes, config), longest_pause);
        return due_;
    }

    /// So much time has passed in which the other side was not expected to do anything.
    void put_off(Clock::duration time) noexcept {
        if (due_ != TimePoint{}) due_ += time;
    }

    /// It must go on by then, whatever the `total` bytes so far have bought.
    void demand_by(TimePoint moment, std::uint64_t total) noexcept {
        due_ = moment;
        counted_ = total;
    }

  private:
    static std::chrono::nanoseconds time_for(std::uint64_t bytes, const Config& config) noexcept {
        constexpr std::uint64_t most = 4'000'000'000;  // at once; times a billion, and after the longest
                                                       // grace, it is still no overflow
        constexpr std::uint64_t second = 1'000'000'000;
        return std::chrono::nanoseconds(std::min(bytes, most) * second /
                                        static_cast<std::uint64_t>(config.minimum_rate));
    }

    TimePoint due_{};
    std::uint64_t counted_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
