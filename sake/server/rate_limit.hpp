// RateLimit: the minimum rate of a transfer, and the longest pause in it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "sake/app/config.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For one transfer. Asked at each pause.
class RateLimit {
  public:
    /// The time by which the transfer must continue, after `total` bytes since `begin`. There is a grace at
    /// the beginning, and each byte buys the time that it may take at the minimum rate. Bought time lasts for
    /// `longest_pause` at most: otherwise a quick megabyte would permit an hour of silence.
    TimePoint due(const Config& config, TimePoint begin, std::uint64_t total, TimePoint now,
                  std::chrono::milliseconds longest_pause) noexcept {
        if (due_ == TimePoint{}) due_ = begin + config.rate_grace;
        const std::uint64_t fresh = total - counted_;
        counted_ = total;
        due_ = std::min(due_ + time_for(fresh, config), now + longest_pause);
        return due_;
    }

    /// The time is over, but the client received `bytes` of the sent bytes meanwhile. Returns the next
    /// deadline.
    TimePoint prolong(const Config& config, std::uint64_t bytes, TimePoint now,
                      std::chrono::milliseconds longest_pause) noexcept {
        due_ = now + std::min<Clock::duration>(time_for(bytes, config), longest_pause);
        return due_;
    }

    /// Excludes time in which the other side was not expected to act.
    void put_off(Clock::duration time) noexcept {
        if (due_ != TimePoint{}) due_ += time;
    }

    /// The transfer must continue by then, whatever the `total` bytes have bought.
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
