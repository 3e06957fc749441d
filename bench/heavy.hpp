// The computing that the benchmarks of worker routes do: how long one call takes depends on nothing but the
// number of iterations, so that the same handler can be timed in a server and without one.
#pragma once

#include <cstdint>

namespace bench {

/// Steps of a linear congruential generator. Each needs the one before and the last is the result, so that
/// the compiler can neither shorten the loop nor run iterations side by side.
inline std::uint64_t heavy(std::uint64_t iterations) {
    std::uint64_t x = 1;
    for (std::uint64_t i = 0; i < iterations; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

/// What counts as a typical heavy handler.
inline constexpr std::uint64_t usual_iterations = 100'000;

}  // namespace bench
