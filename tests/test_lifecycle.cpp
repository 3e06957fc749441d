// Engines as ordinary objects: made, run, stopped and destroyed a thousand times, in any order, from any
// thread, with nothing left behind.
#include <doctest/doctest.h>
#include <errno.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/oracle.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_lifecycle {

using namespace harness;

namespace {

sake::Config silent() { return quiet_config().with_signals(false).with_announce(false); }

void add_routes(sake::Engine& app) {
    app.get("/", [](sake::Context& ctx) { ctx.text("plain"); });
    app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text("slow");
    });
}

/// Runs a test body whose memory is its own, and checks that it left nothing.
template <class Body>
void under_the_oracle(Body body) {
    harness::detail::warm_up();
    Oracle oracle;
    {
        const allocations::Exempt not_the_servers;
        body();
    }
    CHECK(oracle.check_returned_to_baseline());
}

}  // namespace

TEST_CASE("R1 an engine can be made, run and stopped a thousand times without leaving anything") {
    harness::detail::warm_up();
    Oracle oracle;
    int answered = 0;
    int clean = 0;
    for (int i = 0; i < 1000; ++i) {
        TestServer server(add_routes, quiet_config());
        {
            const allocations::Exempt not_the_servers;
            answered += server.get(i % 2 == 0 ? "/" : "/slow").status == 200 ? 1 : 0;
        }
        clean += server.stop() == 0 ? 1 : 0;
    }
    CHECK(oracle.check_returned_to_baseline());
    CHECK(answered == 1000);
    CHECK(clean == 1000);
}

TEST_CASE("an engine can be run again after it has stopped") {
    under_the_oracle([] {
        on_every_poller([](const sake::Config& config) {
            sake::Engine app(silent().with_poller(config.poller));
            add_routes(app);
            int answered = 0;
            for (int i = 0; i < 30; ++i) {
                app.listen("127.0.0.1:0");
                const int port = app.port();
                std::thread thread([&] { app.run(); });
                answered += get(port, "/slow").body == "slow" ? 1 : 0;
                app.stop();
                thread.join();
            }
            CHECK(answered == 30);
        });
    });
}

TEST_CASE("many engines serve at once and are destroyed in any order") {
    under_the_oracle([] {
        std::mt19937 random(5);
        for (int round = 0; round < 20; ++round) {
            std::array<std::unique_ptr<TestServer>, 8> servers;
            for (auto& each : servers) each = std::make_unique<TestServer>(add_routes, quiet_config());
            std::array<std::size_t, 8> order{0, 1, 2, 3, 4, 5, 6, 7};
            std::shuffle(order.begin(), order.end(), random);
            for (const std::size_t i : order) {
                CHECK(servers[i]->get("/slow").body == "slow");
                servers[i].reset();
            }
        }
    });
}

TEST_CASE("an engine that never runs leaves nothing, listening or not") {
    under_the_oracle([] {
        for (int i = 0; i < 50; ++i) {
            sake::Engine app(silent());
            add_routes(app);
            if (i % 2 == 0) app.listen("127.0.0.1:0");
            if (i % 3 == 0) app.stop();
        }
    });
}

TEST_CASE("a stop from another thread may come at any moment of a run") {
    under_the_oracle([] {
        std::mt19937 random(9);
        for (int round = 0; round < 300; ++round) {
            CAPTURE(round);
            sake::Engine app(silent());
            add_routes(app);
            app.listen("127.0.0.1:0");
            std::atomic<bool> go{false};
            const auto spins = random() % 2000;
            std::thread stopper([&] {
                while (!go) {
                }
                for (std::atomic<unsigned> i{0}; i < spins;) ++i;
                app.stop();
            });
            go = true;
            CHECK(app.run() == 0);
            stopper.join();
        }
    });
}

TEST_CASE("stops from many threads at once are one stop") {
    under_the_oracle([] {
        for (int round = 0; round < 20; ++round) {
            sake::Engine app(silent());
            add_routes(app);
            app.listen("127.0.0.1:0");
            const int port = app.port();
            std::atomic<int> exit_code{-1};
            std::thread runner([&] { exit_code = app.run(); });
            CHECK(get(port, "/").body == "plain");
            std::vector<std::thread> stoppers;
            for (int i = 0; i < 4; ++i) stoppers.emplace_back([&] { app.stop(); });
            for (std::thread& each : stoppers) each.join();
            runner.join();
            CHECK(exit_code == 0);
        }
    });
}

TEST_CASE("requests that race the stop are answered whole or not at all") {
    on_every_poller([](const sake::Config& config) {
        for (int round = 0; round < 20; ++round) {
            with_server(
                add_routes,
                [](TestServer& server) {
                    std::atomic<bool> may_end{false};
                    std::atomic<int> answered{0};
                    std::atomic<int> wrong{0};
                    std::vector<std::thread> threads;
                    for (int t = 0; t < 2; ++t) {
                        threads.emplace_back([&] {
                            while (!may_end) {
                                try {
                                    RawClient client = server.connect();
                                    for (int i = 0; i < 10; ++i) {
                                        client.send(get_request("/slow"));
                                        const std::string all = client.read_response().body;
                                        ++(all == "slow" ? answered : wrong);
                                    }
                                } catch (const std::exception&) {
                                    may_end = true;  // refused or closed: the stop has come
                                }
                            }
                        });
                    }
                    CHECK(eventually([&] { return answered >= 20; }));
                    CHECK(server.stop() == 0);
                    may_end = true;
                    for (std::thread& each : threads) each.join();
                    CHECK(wrong == 0);
                },
                config);
        }
    });
}

TEST_CASE("the system call that a start needs may fail, and the engine can be started again") {
    under_the_oracle([] {
        struct Row {
            const char* call;
            std::uint64_t nth;
        };
        // The second epoll_ctl is for the listener.
        for (const auto& [call, nth] :
             {Row{"epoll_create1", 1}, Row{"pipe2", 1}, Row{"epoll_ctl", 1}, Row{"epoll_ctl", 2}}) {
            CAPTURE(std::string(call));
            sake::Engine app(silent());
            add_routes(app);
            app.listen("127.0.0.1:0");
            std::atomic<bool> threw{false};
            {
                const ScopedFaults faults(FaultPlan().fail_nth(call, nth, EMFILE));
                std::thread([&] {
                    faults::apply_to_this_thread();
                    try {
                        app.run();
                    } catch (const std::system_error&) {
                        threw = true;
                    }
                }).join();
            }
            CHECK(threw);
            app.listen("127.0.0.1:0");
            const int port = app.port();
            std::thread runner([&] { app.run(); });
            CHECK(get(port, "/").body == "plain");
            app.stop();
            runner.join();
        }
        for (const char* call : {"socket", "bind", "listen"}) {
            CAPTURE(std::string(call));
            std::atomic<bool> named{false};
            {
                const ScopedFaults faults(FaultPlan().fail_nth(call, 1, ENOBUFS));
                std::thread([&] {
                    faults::apply_to_this_thread();
                    sake::Engine app(silent());
                    try {
                        app.listen("127.0.0.1:0");
                    } catch (const std::system_error& error) {
                        named = std::string_view(error.what()).find("127.0.0.1:0") != std::string_view::npos;
                    }
                }).join();
            }
            CHECK(named);
        }
    });
}

namespace {

/// What became of the starts of an engine, of which each had another allocation fail.
struct Starts {
    int failed = 0;
    int survived = 0;
    int spoiled = 0;  // could not be used afterwards
};

/// Calls `start(app)` with an engine of its own until no allocation is left to fail. Such an engine stops
/// by itself as soon as it says that it listens.
template <class Start, class Use>
Starts start_without_memory(Start start, Use can_be_used) {
    Starts starts;
    harness::detail::warm_up();
    Oracle oracle;
    std::thread([&] {
        faults::apply_to_this_thread();
        bool has_failed = true;
        for (std::uint64_t n = 1; has_failed; ++n) {
            sake::Engine* engine = nullptr;
            sake::Engine app(
                silent().with_announce(true).with_log([&](sake::LogLevel, std::string_view line) {
                    if (line.substr(0, 9) == "listening") engine->stop();
                }));
            engine = &app;
            add_routes(app);
            app.get("/worker", [](sake::Context& ctx) { ctx.text("worker"); }).worker();
            app.listen("127.0.0.1:0").listen("127.0.0.1:0");  // so that one of two lines is logged
            {
                const allocations::ScopedFailure failure(n);
                try {
                    start(app);
                    ++starts.survived;
                } catch (const std::bad_alloc&) {
                    ++starts.failed;
                }
                has_failed = failure.fired();
            }
            try {
                const bool is_quiet = app.stats().workers.queued == 0;
                if (!is_quiet || !can_be_used(app)) ++starts.spoiled;
            } catch (const std::logic_error&) {
                ++starts.spoiled;
            }
        }
    }).join();
    CHECK(oracle.check_returned_to_baseline());
    return starts;
}

bool serves_a_client(sake::Engine& app) {
    sake::TestClient client(app);
    return client.get("/").body == "plain" && client.get("/slow").body == "slow" &&
           client.get("/worker").body == "worker" && client.stop() == 0;
}

}  // namespace

TEST_CASE("L5 any allocation may fail while a TestClient is made: the engine is as it was") {
    const auto start = [](sake::Engine& app) { const sake::TestClient client(app); };
    const Starts used_at_once = start_without_memory(start, serves_a_client);
    CHECK(used_at_once.failed >= 10);
    CHECK(used_at_once.survived >= 1);
    CHECK(used_at_once.spoiled == 0);
    const Starts run_at_once =
        start_without_memory(start, [](sake::Engine& app) { return app.port() > 0 && app.run() == 0; });
    CHECK(run_at_once.spoiled == 0);
    const Starts stopped = start_without_memory(start, [](sake::Engine& app) {
        app.stop();
        return app.run() == 0 && serves_a_client(app);
    });
    CHECK(stopped.spoiled == 0);
}

TEST_CASE("L5 any allocation may fail while a run starts: the engine can be run again, on its listeners") {
    const auto start = [](sake::Engine& app) { app.run(); };
    const Starts stopped = start_without_memory(start, [](sake::Engine& app) {
        app.stop();
        return app.run() == 0 && serves_a_client(app);
    });
    CHECK(stopped.failed >= 10);
    CHECK(stopped.survived >= 1);
    CHECK(stopped.spoiled == 0);
    bool has_survived = false;
    const Starts again = start_without_memory(
        [&](sake::Engine& app) {
            has_survived = false;
            start(app);
            has_survived = true;  // and with it, its listeners have gone
        },
        [&](sake::Engine& app) { return app.port() > 0 && (has_survived || app.run() == 0); });
    CHECK(again.spoiled == 0);
}

}  // namespace test_lifecycle
