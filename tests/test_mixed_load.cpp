// The whole mix at once, as mixed_load.hpp makes it: what it leaves behind (R1), and a stop in the middle
// (R3).
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/mixed_load.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_mixed_load {

using namespace harness;

// Coroutine frames are live blocks, and the oracle counts those too.
TEST_CASE(
    "R1 a hundred rounds of the whole mix leave descriptors, threads, frames and live bytes exactly where "
    "they were") {
    constexpr int sessions = 60;
    with_server(
        MixedLoad::add_routes,
        [](TestServer& server) {
            MixedLoad load(server.port());
            load.level_caches();
            Oracle oracle;
            for (int round = 0; round < rounds(100); ++round) {
                CAPTURE(round);
                const auto first_seed = static_cast<std::uint64_t>(round) * sessions + 1;
                load.run(first_seed, sessions, 4);
                load.level_caches();
                const std::string failures = load.failures();
                REQUIRE(failures == "");
                REQUIRE(oracle.check_returned_to_baseline());
            }
            CHECK(load.answers() > rounds(100) * sessions);
        },
        MixedLoad::config(quiet_config()));
}

namespace {

/// One server that a SIGTERM ends once so many answers have come.
void terminate_under_load(std::uint64_t seed, int answers) {
    CAPTURE(seed);
    constexpr auto grace = 20s;
    Oracle oracle;
    {
        const allocations::Exempt not_the_servers;
        std::atomic<bool> serves{false};
        std::atomic<int> exit_code{-1};
        sake::Engine app(MixedLoad::config(sake::Config())
                             .with_shutdown_grace(grace)
                             .with_log([&](sake::LogLevel, std::string_view) { serves = true; }));
        MixedLoad::add_routes(app);
        app.listen("127.0.0.1:0");
        MixedLoad load(app.port());
        std::thread runner([&] { exit_code = app.run(); });
        CHECK(eventually([&] { return serves.load(); }));  // it says so, and has its handler of signals
        std::thread clients([&] { load.run(seed, 1'000'000, 4); });
        CHECK(eventually([&] { return load.answers() >= answers; }, 60s));
        load.expect_stop();
        const auto stopped = std::chrono::steady_clock::now();
        ::kill(::getpid(), SIGTERM);
        runner.join();
        CHECK(std::chrono::steady_clock::now() - stopped < grace);
        CHECK(exit_code == 0);
        clients.join();
        const std::string failures = load.failures();
        CHECK(failures == "");
    }
    CHECK(oracle.check_returned_to_baseline());
}

}  // namespace

TEST_CASE(
    "R3 SIGTERM under the whole mix: run() returns within the grace, and what was answered is whole and "
    "right") {
    Dice dice(3);
    for (int round = 0; round < rounds(1000); ++round) {
        terminate_under_load(dice.next(), static_cast<int>(dice.below(300)));
    }
}

}  // namespace test_mixed_load
