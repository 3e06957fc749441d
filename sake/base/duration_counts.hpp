// DurationCounts: a histogram of durations, in buckets from 10 microseconds to 10 seconds. Adding needs no
// memory and no lock. The difference of two counts gives the percentiles of the time between them.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class DurationCounts {
  public:
    /// The upper ends of all buckets except the last, which has none; in nanoseconds. They include those that
    /// OpenTelemetry names for requests (5 ms to 10 s).
    static constexpr std::array<std::int64_t, 33> ends = [] {
        std::array<std::int64_t, 33> made{
            10,      20,        35,        50,        75,        100,       150,     200,     350,
            500,     750,       1'000,     1'500,     2'500,     3'500,     5'000,   7'500,   10'000,
            15'000,  25'000,    35'000,    50'000,    75'000,    100'000,   150'000, 250'000, 500'000,
            750'000, 1'000'000, 2'500'000, 5'000'000, 7'500'000, 10'000'000};
        for (std::int64_t& end : made) end *= 1000;
        return made;
    }();

    /// Adds a duration, which must not be negative.
    void add(std::chrono::nanoseconds duration) noexcept {
        const std::int64_t length = duration.count();
        const int zeros = std::countl_zero(static_cast<std::uint64_t>(length) | 1);
        std::size_t bucket = first_of[static_cast<std::size_t>(63 - zeros)];
        while (length > limits[bucket]) ++bucket;
        ++counts_[bucket];
        sum_ += length;
    }
    void add(const DurationCounts& others) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += others.counts_[i];
        sum_ += others.sum_;
    }

    [[nodiscard]] std::uint64_t total() const noexcept {
        std::uint64_t all = 0;
        for (const std::uint64_t count : counts_) all += count;
        return all;
    }
    /// The sum of all durations.
    [[nodiscard]] std::int64_t nanoseconds() const noexcept { return sum_; }
    /// The count of each bucket; the last holds durations beyond all ends.
    [[nodiscard]] const std::array<std::uint64_t, ends.size() + 1>& counts() const noexcept {
        return counts_;
    }

    /// The counts since `before`, which is an earlier copy.
    [[nodiscard]] DurationCounts since(const DurationCounts& before) const noexcept {
        DurationCounts later = *this;
        for (std::size_t i = 0; i < counts_.size(); ++i) later.counts_[i] -= before.counts_[i];
        later.sum_ -= before.sum_;
        return later;
    }
    /// The duration, in seconds, that this share of them (0.5, 0.99) does not exceed, interpolated within its
    /// bucket. 10 s if it is longer; 0 if there are none.
    [[nodiscard]] double quantile(double part) const noexcept {
        const auto all = static_cast<double>(total());
        const double wanted = part * all;
        double below = 0;
        for (std::size_t i = 0; i < ends.size(); ++i) {
            const auto count = static_cast<double>(counts_[i]);
            if (count > 0 && below + count >= wanted) {
                const double begin = i > 0 ? static_cast<double>(ends[i - 1]) : 0;
                const double length = static_cast<double>(ends[i]) - begin;
                return (begin + length * (wanted - below) / count) / 1e9;
            }
            below += count;
        }
        return all > 0 ? static_cast<double>(ends.back()) / 1e9 : 0;
    }

  private:
    static constexpr std::array<std::int64_t, ends.size() + 1> limits = [] {
        std::array<std::int64_t, ends.size() + 1> made{};
        for (std::size_t i = 0; i < ends.size(); ++i) made[i] = ends[i];
        made.back() = std::numeric_limits<std::int64_t>::max();
        return made;
    }();
    // By the highest bit of a duration: the bucket of the shortest that has it.
    static constexpr std::array<std::uint8_t, 64> first_of = [] {
        std::array<std::uint8_t, 64> made{};
        for (std::size_t bit = 1; bit < 63; ++bit) {
            std::uint8_t bucket = 0;
            while (std::int64_t{1} << bit > limits[bucket]) ++bucket;
            made[bit] = bucket;
        }
        return made;
    }();

    std::array<std::uint64_t, ends.size() + 1> counts_{};
    std::int64_t sum_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
