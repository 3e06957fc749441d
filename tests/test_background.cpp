// background: work on other threads, and what becomes of it when the waiting coroutine is cancelled or goes.
#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/reliability.hpp"

namespace test_background {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::background;
using sake::spawn;
using sake::Task;

namespace {

/// Holds the threads that pass until it is opened.
class Gate {
  public:
    void open() {
        is_open_ = true;
        is_open_.notify_all();
    }
    void pass() {
        ++waiting_;
        waiting_.notify_all();
        is_open_.wait(false);
    }
    void await_waiting(int count) {
        for (int seen = waiting_; seen < count; seen = waiting_) waiting_.wait(seen);
    }

  private:
    std::atomic<bool> is_open_ = false;
    std::atomic<int> waiting_ = 0;
};

}  // namespace

TEST_CASE("work in the background runs on another thread and gives its result to this one") {
    in_coroutine([]() -> Task<> {
        const auto home = std::this_thread::get_id();
        std::thread::id there;
        const int result = co_await background([&] {
            there = std::this_thread::get_id();
            return 42;
        });
        CHECK(result == 42);
        CHECK(there != home);
        CHECK(std::this_thread::get_id() == home);
        bool was_run = false;
        co_await background([&] { was_run = true; });
        CHECK(was_run);
        const auto owned = co_await background([&] { return std::make_unique<int>(7); });
        CHECK(*owned == 7);
    });
}

TEST_CASE("the loop goes on meanwhile, and many run at once and in turn") {
    in_coroutine([]() -> Task<> {
        Gate gate;
        auto waiting = spawn(background([&] { gate.pass(); }));
        for (int i = 0; i < 100; ++i) co_await sake::yield();
        CHECK_FALSE(waiting.is_done());
        gate.open();
        co_await waiting;
        std::vector<Task<int>> many;
        for (int i = 0; i < 1000; ++i) {
            const auto square = [i] { return i * i; };
            many.push_back(background(square));
        }
        const std::vector<int> squares = co_await sake::when_all(std::move(many));
        for (int i = 0; i < 1000; ++i) REQUIRE(squares[static_cast<std::size_t>(i)] == i * i);
    });
}

TEST_CASE("what the work throws arrives at the await, and a thread that it ends is no hang") {
    in_coroutine([]() -> Task<> {
        const std::string why = co_await failure_of(background([] { throw std::runtime_error("no luck"); }));
        CHECK(why == "no luck");
        const std::string cancelled = co_await failure_of(background([] { throw sake::Cancelled(); }));
        CHECK(cancelled == "Cancelled");
    });
    const auto ends = []() -> Task<std::string> {
        co_return co_await failure_of(background([] { ::pthread_exit(nullptr); }));
    };
    harness::Oracle oracle;
    CHECK(sake::run_until_complete(ends()) == "background: the work ended its thread");
    CHECK(oracle.check_returned_to_baseline());  // the thread has another in its place
}

TEST_CASE("cancelled before it has begun the work never runs; once begun it is waited for") {
    in_coroutine([]() -> Task<> {
        Gate gate;
        const int threads = sake::usable_cpus();
        std::vector<sake::TaskHandle<std::string>> running;
        for (int i = 0; i < threads; ++i)
            running.push_back(spawn(failure_of(background([&] { gate.pass(); }))));
        co_await let_the_others_run();
        gate.await_waiting(threads);

        bool was_run = false;
        auto queued = spawn(failure_of(background([&] { was_run = true; })));
        co_await let_the_others_run();
        queued.cancel();
        const std::string why = co_await queued;
        CHECK(why == "Cancelled");

        running[0].cancel();
        co_await let_the_others_run();
        CHECK_FALSE(running[0].is_done());
        gate.open();
        for (auto& each : running) {
            const std::string end = co_await each;
            CHECK(end == "no exception");
        }
        CHECK_FALSE(was_run);
    });
}

TEST_CASE("more work than the pool may queue waits for its turn, and a cancellation finds it there") {
    in_coroutine([]() -> Task<> {
        Gate gate;
        std::atomic<int> done = 0;
        const auto work = [&] {
            gate.pass();
            ++done;
        };
        std::vector<sake::TaskHandle<std::string>> all;
        const int count = sake::usable_cpus() + 256 + 10;
        for (int i = 0; i < count; ++i) all.push_back(spawn(failure_of(background(work))));
        co_await let_the_others_run();
        all.back().cancel();
        const std::string why = co_await all.back();
        CHECK(why == "Cancelled");
        all.pop_back();
        gate.open();
        for (auto& each : all) {
            const std::string end = co_await each;
            REQUIRE(end == "no exception");
        }
        CHECK(done == count - 1);
    });
}

TEST_CASE("C1: work in the background learns by the stop token that its client has gone") {
    std::atomic<int> begun = 0;
    std::atomic<int> cancelled = 0;
    const auto routes = [&](sake::Engine& app) {
        app.get("/work", [&](sake::Context& ctx) -> Task<> {
            const std::stop_token stop = ctx.stop_token();
            co_await background([&] {
                ++begun;
                while (!stop.stop_requested()) std::this_thread::yield();
            });
            try {
                co_await sake::yield();
            } catch (const sake::Cancelled&) {
                ++cancelled;
                throw;
            }
        });
    };
    harness::with_server(routes, [&](harness::TestServer& server) {
        for (int round = 1; round <= 3; ++round) {
            harness::RawClient client = server.connect();
            client.send(harness::get_request("/work"));
            REQUIRE(harness::eventually([&] { return begun == round; }));
            client.reset();
            CHECK(harness::eventually([&] { return cancelled == round; }));
        }
    });
}

TEST_CASE("a loop that ends waits for what runs in the background") {
    std::atomic<bool> has_ended = false;
    Gate begun;
    const auto leaves = [&]() -> Task<> {
        spawn(background([&] {
            begun.open();
            std::this_thread::yield();
            has_ended = true;
        })).detach();
        co_await let_the_others_run();
        begun.pass();
    };
    sake::run_until_complete(leaves());
    CHECK(has_ended);
}

}  // namespace test_background
