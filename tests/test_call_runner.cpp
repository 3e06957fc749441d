// CallRunner alone, in virtual time: every way in which a call ends, and the next call of a runner that was
// used before.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"

namespace test_call_runner {

using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::detail::Call;
using sake::detail::CallBuilder;
using sake::detail::CallRunner;
using sake::detail::Handler;
using sake::detail::RouteTable;
using sake::detail::SimulatedPoller;
using End = CallRunner::End;
namespace allocations = harness::allocations;

namespace {

constexpr std::string_view name_of(End end) {
    constexpr std::string_view names[] = {"answered", "timed_out", "client_left", "dropped"};
    return names[static_cast<int>(end)];
}

/// A runner, its reactor, and routes. It notes what its owner is told.
struct RunnerTest : CallRunner::Owner {
    RunnerTest() { call.place.errors = &errors; }

    template <class F>
    void add(std::string_view pattern, F handler) {
        table.add(table.root(), "GET", {pattern, 0, __FILE__, __LINE__}, Handler(std::move(handler)));
    }
    /// Starts the call of this path, after whatever was before. True if it has ended at once.
    bool start(std::string_view path, std::chrono::milliseconds limit = 10s) {
        if (!is_frozen) {
            table.set_fallback(Handler([](Context&) {}));
            table.freeze(false);
            is_frozen = true;
        }
        call.clear();
        CallBuilder builder(call);
        builder.begin("GET", path);
        REQUIRE(builder.end() == nullptr);
        table.route(call);
        bool has_ended = false;
        reactor.enter([&] { has_ended = runner.start(*this, limit); });
        return has_ended;
    }
    /// Turns the loop until the handlers have ended.
    void finish() {
        reactor.run_until([&] { return !runner.is_running(); });
    }
    std::vector<std::string> take_events() { return std::exchange(events, {}); }
    /// The answer as it would be sent.
    std::string answer() {
        runner.answer_failure();
        return std::to_string(call.response.status) + " " + call.response.body;
    }

    void call_cut_off(End why) noexcept override {
        events.push_back("cut off: " + std::string(name_of(why)));
    }
    void call_ended() noexcept override { events.push_back("ended: " + std::string(name_of(runner.end()))); }

    SimulatedPoller* poller = nullptr;
    sake::Reactor reactor{make_poller()};
    Handler no_handler;
    std::vector<std::string> log;
    sake::LogSink sink = [this](sake::LogLevel, std::string_view line) { log.emplace_back(line); };
    sake::detail::ErrorAnswers errors{no_handler, sink};
    RouteTable table;
    bool is_frozen = false;
    std::vector<std::string> events;
    Call call;
    CallRunner runner{reactor, call};

  private:
    sake::detail::OwningPtr<SimulatedPoller> make_poller() {
        sake::detail::OwningPtr<SimulatedPoller> made(new SimulatedPoller);
        poller = made.get();
        return made;
    }
};

using Events = std::vector<std::string>;

void add_routes(RunnerTest& test) {
    test.add("/at_once", [](Context& ctx) -> Task<> {
        ctx.text("at once");
        co_return;
    });
    test.add("/plain", [](Context& ctx) { ctx.text("plain"); });
    test.add("/later", [](Context& ctx) -> Task<> {
        co_await sake::sleep(1s);
        ctx.text("later");
    });
    test.add("/throws", [](Context&) -> Task<> {
        co_await sake::sleep(1s);
        throw std::runtime_error("thrown");
    });
    test.add("/throws_when_cancelled", [](Context&) -> Task<> {
        try {
            co_await sake::sleep(1h);
        } catch (const sake::Cancelled&) {
            throw std::runtime_error("of the run before");
        }
    });
    test.add("/stubborn", [](Context& ctx) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            try {
                co_await sake::sleep(1h);
            } catch (const sake::Cancelled&) {
                ctx.text("too late");
            }
        }
    });
    test.add("/waits", [](Context&) -> Task<> { co_await sake::sleep(1h); });
}

}  // namespace

TEST_CASE("a call that ends at once tells its owner nothing") {
    RunnerTest test;
    add_routes(test);
    for (const char* path : {"/at_once", "/plain"}) {
        CHECK(test.start(path));
        CHECK_FALSE(test.runner.is_running());
        CHECK(test.runner.end() == End::answered);
        CHECK(test.answer() == (path == std::string("/plain") ? "200 plain" : "200 at once"));
        CHECK(test.take_events().empty());
    }
    CHECK_FALSE(test.reactor.has_fibers());
}

TEST_CASE("a call that ends later tells its owner once, and its deadline is gone") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/later"));
    CHECK(test.runner.is_running());
    CHECK(test.take_events().empty());
    test.finish();
    CHECK(test.take_events() == Events{"ended: answered"});
    CHECK(test.answer() == "200 later");
    CHECK_FALSE(test.call.stop_requested);
    // Long after the deadline would have been: nothing is told any more.
    const auto until = test.reactor.present() + 1h;
    sake::detail::spawn_on(test.reactor, []() -> Task<> { co_await sake::sleep(1h); }()).detach();
    test.reactor.run_until([&] { return test.reactor.present() >= until; });
    CHECK(test.take_events().empty());
}

TEST_CASE("what a handler throws is the answer to its call") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/throws"));
    test.finish();
    CHECK(test.take_events() == Events{"ended: answered"});
    CHECK(test.answer().starts_with("500 "));
    REQUIRE(test.log.size() == 1);
    CHECK(test.log[0].starts_with("GET /throws failed in GET /throws ("));
    CHECK(test.log[0].ends_with("): thrown"));
}

TEST_CASE("a call that takes too long is cut off, then ends") {
    RunnerTest test;
    add_routes(test);
    const auto begin = test.reactor.present();
    CHECK_FALSE(test.start("/waits", 2s));
    const std::stop_token token = test.call.context.stop_token();
    test.finish();
    CHECK(test.take_events() == Events{"cut off: timed_out", "ended: timed_out"});
    CHECK(test.reactor.present() - begin == 2s);
    CHECK(token.stop_requested());
    CHECK(test.runner.end() == End::timed_out);
    test.runner.answer_failure();
    CHECK(test.call.response.status == 200);  // the owner has answered
    CHECK(test.log.empty());
}

TEST_CASE("a call whose time is shorter than its handler's by a hair is cut off, by a hair longer is not") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/later", 999ms));
    test.finish();
    CHECK(test.take_events() == Events{"cut off: timed_out", "ended: timed_out"});
    CHECK_FALSE(test.start("/later", 1001ms));
    test.finish();
    CHECK(test.take_events() == Events{"ended: answered"});
}

TEST_CASE("a handler that outlives its cancellation is cancelled anew, and its owner is told once") {
    RunnerTest test;
    add_routes(test);
    const auto begin = test.reactor.present();
    CHECK_FALSE(test.start("/stubborn", 2s));
    test.finish();
    CHECK(test.take_events() == Events{"cut off: timed_out", "ended: timed_out"});
    CHECK(test.reactor.present() - begin == 6s);
}

TEST_CASE("a client that leaves cuts its call off, by way of the timers") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/waits"));
    test.runner.client_left();
    CHECK(test.take_events().empty());
    test.finish();
    CHECK(test.take_events() == Events{"cut off: client_left", "ended: client_left"});
    CHECK(test.call.stop_requested);
}

TEST_CASE("a client that leaves as the last thing before the handler ends changes nothing") {
    RunnerTest test;
    add_routes(test);
    sake::Event* event = nullptr;
    test.add("/event", [&](Context& ctx) -> Task<> {
        sake::Event own;
        event = &own;
        co_await own.wait();
        event = nullptr;
        ctx.text("told");
    });
    CHECK_FALSE(test.start("/event"));
    REQUIRE(event != nullptr);
    event->set();
    test.runner.client_left();
    test.finish();
    const Events events = test.take_events();
    CHECK(events.back().starts_with("ended: "));
    // Whichever was first, the next call does not hear of it.
    CHECK_FALSE(test.start("/later"));
    test.finish();
    CHECK(test.take_events() == Events{"ended: answered"});
    CHECK(test.answer() == "200 later");
}

TEST_CASE("a call that is dropped ends, and its owner is told that alone") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/waits"));
    test.runner.drop();
    test.runner.drop();
    test.finish();
    CHECK(test.take_events() == Events{"ended: dropped"});
    CHECK(test.call.stop_requested);
    CHECK_FALSE(test.reactor.has_fibers());
}

TEST_CASE("the first reason to cut a call off is the one that stays") {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/stubborn", 2s));
    test.runner.client_left();
    test.reactor.run_until([&] { return !test.events.empty(); });
    test.runner.drop();
    test.runner.client_left();
    test.finish();
    CHECK(test.take_events() == Events{"cut off: client_left", "ended: client_left"});

    CHECK_FALSE(test.start("/stubborn", 2s));
    test.runner.drop();
    test.runner.client_left();
    test.finish();
    CHECK(test.take_events() == Events{"ended: dropped"});
}

TEST_CASE("a runner serves the next call as if it were new, however the last one ended") {
    const std::string_view endings[] = {"at_once", "later", "throws", "timed_out", "left", "dropped"};
    for (const std::string_view ending : endings) {
        for (const char* next : {"/at_once", "/later", "/waits"}) {
            CAPTURE(std::string(ending));
            CAPTURE(std::string(next));
            RunnerTest test;
            add_routes(test);
            if (ending == "at_once") test.start("/at_once");
            if (ending == "later") test.start("/later");
            if (ending == "throws") test.start("/throws");
            if (ending == "timed_out" || ending == "left" || ending == "dropped") {
                CHECK_FALSE(test.start("/throws_when_cancelled", 2s));
                if (ending == "left") test.runner.client_left();
                if (ending == "dropped") test.runner.drop();
            }
            test.finish();
            test.take_events();
            test.log.clear();
            // Without answer_failure, which an owner that has lost its connection does not call.

            const bool at_once = test.start(next, 3s);
            CHECK(at_once == (next == std::string("/at_once")));
            CHECK(test.runner.end() == End::answered);
            test.finish();
            if (next == std::string("/waits")) {
                CHECK(test.take_events() == Events{"cut off: timed_out", "ended: timed_out"});
            } else {
                CHECK(test.take_events() == (at_once ? Events{} : Events{"ended: answered"}));
                CHECK(test.answer() == (at_once ? "200 at once" : "200 later"));
            }
            CHECK(test.log.empty());
            CHECK_FALSE(test.reactor.has_fibers());
        }
    }
}

namespace {

/// For a thread whose allocations may fail.
void check_starts_without_memory() {
    RunnerTest test;
    add_routes(test);
    CHECK_FALSE(test.start("/later"));  // so that the queue of timers has room
    test.finish();
    test.take_events();
    int refused = 0;
    for (std::uint64_t n = 1;; ++n) {
        CAPTURE(n);
        test.call.clear();
        CallBuilder builder(test.call);
        builder.begin("GET", "/later");
        REQUIRE(builder.end() == nullptr);
        test.table.route(test.call);
        bool has_ended = false;
        bool has_failed = false;
        {
            const allocations::ScopedFailure failure(n);
            test.reactor.enter([&] { has_ended = test.runner.start(test, 3s); });
            has_failed = failure.fired();
        }
        if (has_ended) {
            CHECK(has_failed);
            ++refused;
            CHECK(test.answer().starts_with("503 "));
            CHECK_FALSE(test.reactor.has_fibers());
            // No deadline of it is left to fire: the only thing that happens is the end of this wait.
            auto wait = sake::detail::spawn_on(test.reactor, []() -> Task<> { co_await sake::sleep(1h); }());
            test.reactor.run_until([&] { return wait.is_done(); });
            CHECK(test.take_events().empty());
        } else {
            test.finish();
            CHECK(test.take_events() == Events{"ended: answered"});
        }
        if (!has_failed) break;
    }
    CHECK(refused >= 2);  // the fiber's frame, the handler's
}

}  // namespace

TEST_CASE("without memory to start, the call is answered by 503, and nothing of it is left") {
    std::thread([] {
        harness::faults::apply_to_this_thread();
        check_starts_without_memory();
    }).join();
}

// --- What Context::after was given ---

TEST_CASE("after is run when the handlers have ended, and not for an answer that they do not make") {
    RunnerTest test;
    add_routes(test);
    Events seen;
    const auto note = [&](const char* what) {
        return [&seen, what](Context& ctx) {
            seen.push_back(what + std::string(" ") + std::to_string(ctx.response().status()));
        };
    };
    test.add("/ok", [&](Context& ctx) -> Task<> {
        ctx.after(note("ok"));
        co_await sake::sleep(1s);
        ctx.status(201);
    });
    test.add("/fails", [&](Context& ctx) -> Task<> {
        ctx.after(note("fails"));
        co_await sake::sleep(1s);
        throw std::runtime_error("thrown");
    });
    test.add("/cancelled", [&](Context& ctx) -> Task<> {
        ctx.after(note("cancelled"));
        co_await sake::sleep(1s);
        throw sake::Cancelled();
    });
    test.add("/swallows", [&](Context& ctx) -> Task<> {
        ctx.after(note("swallows"));
        try {
            co_await sake::sleep(1h);
        } catch (const sake::Cancelled&) {
        }
    });
    const auto run = [&](const char* path) {
        test.start(path, 2s);
        test.finish();
        test.runner.answer_failure();
        return std::exchange(seen, {});
    };
    CHECK(run("/ok") == Events{"ok 201"});
    CHECK(run("/fails") == Events{"fails 500"});
    CHECK(run("/cancelled") == Events{"cancelled 503"});
    CHECK(run("/swallows").empty());
    test.start("/swallows");
    test.runner.drop();
    test.finish();
    CHECK(seen.empty());
}

}  // namespace test_call_runner
