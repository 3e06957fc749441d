// What the compute layer costs beside what people would pick: `compute CONTENDER` does the same work in its
// way and prints, for each piece of work, the best time of several. compute.rs does it with Rayon; compute.py
// compares them. WITH_TBB adds oneTBB and the parallel algorithms of the standard library, which need it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <future>
#include <numeric>
#include <string_view>
#include <thread>
#include <vector>

#ifdef WITH_TBB
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <execution>
#endif

#include "sake.hpp"

namespace {

// So many steps, of which each waits for the last, and which no compiler can foresee.
constexpr auto spin = [](std::uint64_t steps) {
    std::uint64_t x = steps + 1;
    for (std::uint64_t i = 0; i < steps; ++i) x = (x ^ (x >> 29U)) * 6364136223846793005U;
    return x;
};
constexpr auto cheap = [](double x) { return x / (x * x + 1.0); };
constexpr auto add = [](double a, double b) { return a + b; };
constexpr auto nothing = [](std::uint64_t& x) { asm volatile("" : : "r"(&x) : "memory"); };

// A contender has three verbs: map (a vector of results), each (no results), and reduce.

struct Sequential {
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        std::vector<decltype(f(in[0]))> out(in.size());
        std::transform(in.begin(), in.end(), out.begin(), f);
        return out;
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        std::for_each(in.begin(), in.end(), f);
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        double sum = 0;
        for (const T& x : in) sum += f(x);
        return sum;
    }
};

struct Sake {
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        return sake::parallel(in, f);
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        sake::for_each(in, f);
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        return sake::map_reduce(in, f, add, 0.0);
    }
};

// Four pieces per CPU, a thread for each.
struct Async {
    template <class Work>
    static void split(std::size_t size, Work work) {
        const std::size_t count = std::min<std::size_t>(size, 4 * std::thread::hardware_concurrency());
        std::vector<std::future<void>> pieces;
        for (std::size_t i = 0; i < count; ++i)
            pieces.push_back(
                std::async(std::launch::async, [=] { work(i, size * i / count, size * (i + 1) / count); }));
        for (auto& piece : pieces) piece.get();
    }
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        std::vector<decltype(f(in[0]))> out(in.size());
        split(in.size(), [&in, &out, f](std::size_t, std::size_t begin, std::size_t end) {
            for (; begin < end; ++begin) out[begin] = f(in[begin]);
        });
        return out;
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        split(in.size(), [&in, f](std::size_t, std::size_t begin, std::size_t end) {
            for (; begin < end; ++begin) f(in[begin]);
        });
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        std::vector<double> sums(4 * std::thread::hardware_concurrency());
        split(in.size(), [&in, &sums, f](std::size_t piece, std::size_t begin, std::size_t end) {
            double sum = 0;
            for (; begin < end; ++begin) sum += f(in[begin]);
            sums[piece] = sum;
        });
        return std::accumulate(sums.begin(), sums.end(), 0.0);
    }
};

#ifdef _OPENMP
template <bool dynamic>
struct OpenMp {
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        std::vector<decltype(f(in[0]))> out(in.size());
        run(in.size(), [&](std::size_t i) { out[i] = f(in[i]); });
        return out;
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        run(in.size(), [&](std::size_t i) { f(in[i]); });
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        double sum = 0;
#pragma omp parallel for reduction(+ : sum)
        for (std::size_t i = 0; i < in.size(); ++i) sum += f(in[i]);
        return sum;
    }
    template <class Work>
    static void run(std::size_t size, Work work) {
        if constexpr (dynamic) {
#pragma omp parallel for schedule(dynamic)
            for (std::size_t i = 0; i < size; ++i) work(i);
        } else {
#pragma omp parallel for
            for (std::size_t i = 0; i < size; ++i) work(i);
        }
    }
};
#endif

#ifdef WITH_TBB
struct Tbb {
    using Range = tbb::blocked_range<std::size_t>;
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        std::vector<decltype(f(in[0]))> out(in.size());
        tbb::parallel_for(Range(0, in.size()), [&](const Range& range) {
            for (std::size_t i = range.begin(); i != range.end(); ++i) out[i] = f(in[i]);
        });
        return out;
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        tbb::parallel_for(Range(0, in.size()), [&](const Range& range) {
            for (std::size_t i = range.begin(); i != range.end(); ++i) f(in[i]);
        });
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        return tbb::parallel_reduce(
            Range(0, in.size()), 0.0,
            [&](const Range& range, double sum) {
                for (std::size_t i = range.begin(); i != range.end(); ++i) sum += f(in[i]);
                return sum;
            },
            add);
    }
};

struct StdPar {
    template <class T, class F>
    static auto map(const std::vector<T>& in, F f) {
        std::vector<decltype(f(in[0]))> out(in.size());
        std::transform(std::execution::par, in.begin(), in.end(), out.begin(), f);
        return out;
    }
    template <class T, class F>
    static void each(std::vector<T>& in, F f) {
        std::for_each(std::execution::par, in.begin(), in.end(), f);
    }
    template <class T, class F>
    static double reduce(const std::vector<T>& in, F f) {
        return std::transform_reduce(std::execution::par, in.begin(), in.end(), 0.0, add, f);
    }
};
#endif

/// The best of several times, each of `calls` calls, in nanoseconds per call.
template <class Work>
void measure(const char* name, int rounds, int calls, Work work) {
    double best = 1e300;
    for (int round = 0; round <= rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < calls; ++i) work();
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
        if (round > 0) best = std::min(best, took.count() / calls);
    }
    std::printf("%s: %.0f\n", name, best);
}

template <class With>
int run() {
    std::vector<double> million(1'000'000);
    std::iota(million.begin(), million.end(), 0.0);
    std::vector<double> large(10'000'000);
    std::iota(large.begin(), large.end(), 0.0);
    std::vector<std::uint64_t> even(64, 300'000);
    std::vector<std::uint64_t> uneven(10'000);
    for (std::size_t i = 0; i < uneven.size(); ++i) uneven[i] = i % 97 == 0 ? 50'000 : i % 200;
    std::vector<std::uint64_t> rising(2'000);
    for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = 10 * i;
    std::vector<std::uint64_t> hundred(100, 100);

    volatile double kept = 0;
    measure("64 items of the same, coarse", 5, 1, [&] { kept = double(With::map(even, spin)[7]); });
    measure("10,000 items, very uneven", 7, 1, [&] { kept = double(With::map(uneven, spin)[7]); });
    measure("2,000 items, rising", 7, 1, [&] { kept = double(With::map(rising, spin)[7]); });
    measure("1,000,000 cheap items", 15, 1, [&] { kept = With::map(million, cheap)[7]; });
    measure("nested, 100 in each of 100", 15, 1, [&] {
        kept = double(With::map(hundred, [&](std::uint64_t) { return With::map(hundred, spin)[7]; })[7]);
    });
    measure("map_reduce of 10,000,000", 7, 1, [&] { kept = With::reduce(large, cheap); });
    for (const auto& [name, count] : {std::pair("empty call of 1", 1), std::pair("empty call of 10", 10),
                                      std::pair("empty call of 1,000", 1000)}) {
        std::vector<std::uint64_t> items(static_cast<std::size_t>(count));
        measure(name, 20, 50, [&] { With::each(items, nothing); });
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view contender = count > 1 ? arguments[1] : "";
    if (contender == "sake") return run<Sake>();
    if (contender == "sequential") return run<Sequential>();
    if (contender == "std::async") return run<Async>();
#ifdef _OPENMP
    if (contender == "OpenMP") return run<OpenMp<false>>();
    if (contender == "OpenMP dynamic") return run<OpenMp<true>>();
#endif
#ifdef WITH_TBB
    if (contender == "oneTBB") return run<Tbb>();
    if (contender == "std::execution::par") return run<StdPar>();
#endif
    std::fprintf(stderr, "no such contender\n");
    return 2;
}
