// The server in the benchmarks of worker routes: the same handler on the reactor's thread and on the pool.
//
//     workers POOL PORT       serves 127.0.0.1:PORT until SIGTERM. POOL is the number of threads, 0 for one
//     per
//                             CPU, "off" for no pool: then worker routes run on the reactor too
//     workers spin THREADS    no server: iterations per second of so many threads that do nothing but compute

#include "heavy.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sake.hpp"

namespace {

/// What this machine allows: two CPUs that share a core, or a clock that drops, are no fault of the pool.
void spin(int threads) {
    using Clock = std::chrono::steady_clock;
    constexpr std::uint64_t batch = 1'000'000;
    std::atomic<std::uint64_t> batches = 0;
    std::atomic<std::uint64_t> sum = 0;  // for the compiler: somebody uses the results
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::milliseconds(500);
    const auto work = [&] {
        while (Clock::now() < end) {
            sum += bench::heavy(batch);
            ++batches;
        }
    };
    {
        std::vector<std::jthread> pool;
        for (int i = 0; i < threads; ++i) pool.emplace_back(work);
    }
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    std::printf("%.0f\n", static_cast<double>(batches * batch) / seconds.count());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: workers POOL PORT | workers spin THREADS\n", stderr);
        return 2;
    }
    const std::string_view pool = argv[1];
    if (pool == "spin") {
        spin(std::stoi(argv[2]));
        return 0;
    }
    sake::Config config;
    if (pool == "off") {
        config.with_worker_pool(false);
    } else {
        config.with_worker_pool_size(std::stoi(argv[1]));
    }
    sake::Engine app(config);

    const auto compute = [](sake::Context& ctx, std::uint64_t n) {
        ctx.text(std::to_string(bench::heavy(n)));
    };
    const auto usual = [compute](sake::Context& ctx) { compute(ctx, bench::usual_iterations); };

    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/cpus", [](sake::Context& ctx) { ctx.text(std::to_string(sake::usable_cpus())); });
    app.get("/spawn/heavy", usual);
    app.get("/spawn/:n", compute);
    app.get("/worker/heavy", usual).worker();
    app.get("/worker/:n", compute).worker();

    return app.run("127.0.0.1:" + std::string(argv[2]));
}
