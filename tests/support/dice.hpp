// Random choices that a seed repeats, the same on every platform (SplitMix64). For tests that print their
// seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace harness {

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EB;
        return z ^ (z >> 31U);
    }
    /// From 0 to `count - 1`; 0 if there is nothing to choose from.
    std::size_t below(std::size_t count) { return count == 0 ? 0 : static_cast<std::size_t>(next() % count); }
    bool one_in(std::size_t count) { return below(count) == 0; }

    template <class Range>
    const auto& one_of(const Range& range) {
        return range[below(std::size(range))];
    }

  private:
    std::uint64_t state_;
};

}  // namespace harness
