// pipeline: order, bounds, failures and cancellation; no thread and no item is left behind.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/numbers.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_pipeline {

using namespace std::chrono_literals;
using harness::compute;
using harness::Counted;
using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::pipeline;
using sake::stage;
using sake::Task;

namespace {

using Numbers = std::vector<int>;

Numbers numbers_to(int count) {
    Numbers numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

int add_one(int n) { return n + 1; }

/// Gives 0, 1, 2 and so on, without end or up to a count, and remembers how many.
struct Counter {
    std::optional<int> operator()() {
        if (given == count) return std::nullopt;
        return given++;
    }
    int count = -1;
    std::atomic<int> given = 0;
};

/// Takes a time that differs from item to item.
int dawdle(int n) {
    compute(n * 7919 % 13 * 500);
    return n;
}

/// What `run` throws, as text; whatever happens, no thread and no memory is left.
template <class Run>
std::string failure_and_balance(Run run) {
    std::string why = "no exception";
    harness::Oracle oracle;
    try {
        run();
    } catch (const std::exception& error) {
        const harness::allocations::Exempt of_the_test;
        why = error.what();
    } catch (const sake::Cancelled&) {
        why = "Cancelled";
    }
    {
        const harness::allocations::Exempt of_the_test;
        CHECK(oracle.check_returned_to_baseline());
    }
    return why;
}

}  // namespace

// ---- What comes out ----

TEST_CASE("items go through all stages, and the results come in the order of the input") {
    const Numbers inputs = numbers_to(1000);
    auto texts = pipeline(add_one, stage(dawdle, 4), stage([](int n) { return std::to_string(n); }, 2));
    for (int again = 0; again < 2; ++again) {
        const std::vector<std::string> results = texts.run(inputs);
        REQUIRE(results.size() == 1000);
        for (int i = 0; i < 1000; ++i) REQUIRE(results[static_cast<std::size_t>(i)] == std::to_string(i + 1));
    }
    CHECK(texts.run(Numbers()).empty());
}

TEST_CASE("any number of stages and threads and any queue limit give the same results") {
    const Numbers inputs = numbers_to(300);
    Numbers expected = inputs;
    for (int& n : expected) n += 3;
    for (const int limit : {1, 2, 3, 1000}) {
        for (const int threads : {0, 1, 2, 5}) {
            CAPTURE(limit);
            CAPTURE(threads);
            const auto slowly = [](int n) { return dawdle(n) + 1; };
            auto three =
                pipeline(stage(slowly, threads), stage(slowly, 3), stage(slowly, threads)).queue_limit(limit);
            CHECK(three.run(inputs) == expected);
            auto one = pipeline(stage([](int n) { return n + 3; }, threads)).queue_limit(limit);
            CHECK(one.run(inputs) == expected);
            Numbers any = pipeline(stage(slowly, threads), stage(slowly, 3), add_one)
                              .queue_limit(limit)
                              .unordered()
                              .run(inputs);
            std::sort(any.begin(), any.end());
            CHECK(any == expected);
        }
    }
}

TEST_CASE("stages may be pointers to members, give references, and work on bits") {
    const std::vector<harness::Person> people = harness::people_up_to(100);
    const std::vector<std::string> names = pipeline(stage(&harness::Person::name, 2)).run(people);
    REQUIRE(names.size() == 100);
    CHECK(names[42] == "person 42");
    CHECK(harness::Person::copies == 0);
    std::vector<bool> bits(100);
    bits[7] = true;
    const std::vector<bool> same =
        pipeline([](auto bit) { return bit; }, [](bool bit) { return bit; }).run(bits);
    CHECK(same == bits);
}

TEST_CASE("a stage of one thread sees the items in order, behind stages of several threads too") {
    Numbers seen;
    auto run = pipeline(stage(dawdle, 4), [&](int n) { seen.push_back(n); });
    run.run(numbers_to(2000));
    CHECK(seen == numbers_to(2000));
}

TEST_CASE("without order items may overtake one that takes its time") {
    std::atomic<int> passed = 0;
    const auto first_is_last = [&](int n) {
        if (n == 0) {
            while (passed < 99) std::this_thread::yield();
        } else {
            ++passed;
        }
        return n;
    };
    Numbers seen;
    pipeline(stage(first_is_last, 2), [&](int n) { seen.push_back(n); })
        .queue_limit(4)
        .unordered()
        .run(numbers_to(100));
    REQUIRE(seen.size() == 100);
    // The other thread has handed on all but the 99th when that lets the first go.
    const auto position = std::find(seen.begin(), seen.end(), 0) - seen.begin();
    CHECK(position >= 98);
}

// ---- What goes in ----

TEST_CASE(
    "the first stage is given the items of a range by reference, of a temporary container to move from") {
    std::vector<std::unique_ptr<int>> owned;
    for (int i = 0; i < 100; ++i) owned.push_back(std::make_unique<int>(i));
    auto sum = pipeline([](const std::unique_ptr<int>& n) { return *n; });
    CHECK(sum.run(owned) == numbers_to(100));
    auto changes = pipeline(stage([](std::unique_ptr<int>& n) { ++*n; }, 2));
    changes.run(owned);
    CHECK(*owned[0] == 1);
    CHECK_NOTHROW(changes.run(std::span(owned)));
    CHECK(*owned[0] == 2);

    const auto pass = [](std::unique_ptr<int> n) { return n; };
    auto moves = pipeline(pass, stage(pass, 3), pass);
    const std::vector<std::unique_ptr<int>> moved = moves.run(std::move(owned));
    REQUIRE(moved.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(*moved[static_cast<std::size_t>(i)] == i + 2);
}

TEST_CASE("ranges of every kind, and arrays, are inputs") {
    auto doubled = pipeline([](int n) { return 2 * n; });
    const std::list<int> list = {1, 2, 3};
    CHECK(doubled.run(list) == Numbers({2, 4, 6}));
    const int array[] = {4, 5};
    CHECK(doubled.run(array) == Numbers({8, 10}));
    const std::vector<bool> bits = {true, false, true};
    CHECK(doubled.run(bits) == Numbers({2, 0, 2}));
    CHECK(doubled.run(std::vector<bool>(bits)) == Numbers({2, 0, 2}));
    struct Words {
        std::istringstream text{"7 8 9"};
        auto begin() { return std::istream_iterator<int>(text); }
        auto end() { return std::istream_iterator<int>(); }
    };
    Words words;
    CHECK(doubled.run(words) == Numbers({14, 16, 18}));
    const std::vector<bool> odd = pipeline([](int n) { return n % 2 == 1; }).run(list);
    CHECK(odd == std::vector<bool>({true, false, true}));
}

TEST_CASE("a callable that gives an optional is a source, called by one thread at a time until it is empty") {
    std::atomic<int> inside = 0;
    int given = 0;
    int ends = 0;
    const auto source = [&]() -> std::optional<std::unique_ptr<int>> {
        if (++inside > 1) throw std::logic_error("two at a time");
        std::this_thread::yield();
        --inside;
        if (given == 500) {
            ++ends;
            return std::nullopt;
        }
        return std::make_unique<int>(given++);
    };
    auto values = pipeline(stage([](std::unique_ptr<int> n) { return *n; }, 4));
    CHECK(values.run(source) == numbers_to(500));
    CHECK(ends == 1);
}

TEST_CASE("channels are sources and sinks, so that pipelines and tasks stream into each other") {
    in_coroutine([]() -> Task<> {
        sake::Channel<int> in(4);
        sake::Channel<int> out(4);
        const auto feed = [&]() -> Task<> {
            for (int i = 0; i < 200; ++i) co_await in.send(i);
            in.close();
        };
        const auto source = [&] { return in.receive_blocking(); };
        auto through = pipeline(stage(add_one, 2), [&](int n) { out.send_blocking(n); });
        const auto run = [&]() -> Task<> {
            co_await through.run_async(source);
            out.close();
        };
        auto feeding = sake::spawn(feed());
        auto running = sake::spawn(run());
        int expected = 0;
        while (auto item = co_await out.receive()) CHECK(*item == ++expected);
        CHECK(expected == 200);
        co_await feeding;
        co_await running;
    });
}

TEST_CASE("nonsensical numbers are refused") {
    CHECK_THROWS_WITH_AS(static_cast<void>(stage(add_one, -1)), "stage: threads must be at least 0, not -1",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(pipeline(add_one).queue_limit(0)),
                         "Pipeline: queue_limit must be at least 1, not 0", std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(pipeline(add_one).queue_limit(-1L)), std::invalid_argument);
}

TEST_CASE("the largest limit of a queue is none: a slow stage holds back nobody, and the order is kept") {
    for (const bool keeps_order : {true, false}) {
        CAPTURE(keeps_order);
        std::atomic<int> pulled = 0;
        std::atomic<bool> may_go_on = false;
        const auto source = [&]() -> std::optional<int> {
            if (pulled == 5000) {
                may_go_on = true;
                may_go_on.notify_all();
                return std::nullopt;
            }
            return pulled++;
        };
        const auto after_all = [&](int n) {
            may_go_on.wait(false);
            return n;
        };
        auto run = pipeline(add_one, after_all).queue_limit(std::numeric_limits<std::size_t>::max());
        const std::vector<int> results =
            keeps_order ? run.run(source) : std::move(run).unordered().run(source);
        REQUIRE(results.size() == 5000);
        CHECK(results.front() == 1);
        CHECK(results.back() == 5000);
        CHECK(std::is_sorted(results.begin(), results.end()));
    }
}

// ---- Bounds ----

TEST_CASE("a slow last stage holds back the first: memory is bounded however long the input is") {
    for (const bool keeps_order : {true, false}) {
        CAPTURE(keeps_order);
        std::atomic<int> pulled = 0;
        std::atomic<int> most = 0;
        int done = 0;
        const auto source = [&]() -> std::optional<int> {
            if (pulled == 3000) return std::nullopt;
            return pulled++;
        };
        const auto slow = [&](int) {
            compute(10'000);
            ++done;
            most = std::max<int>(most, pulled - done);
        };
        auto any = pipeline(stage(add_one, 2), stage(add_one, 3), slow).queue_limit(8);
        if (keeps_order)
            any.run(source);
        else
            std::move(any).unordered().run(source);
        CHECK(done == 3000);
        CHECK(most <= 2 * 8 + 2 + 3 + 1);
    }
}

TEST_CASE("stages may block: threads of a pipeline are its own") {
    const int stages_wait_for_each_other = 50;
    sake::Channel<int> baton(1);
    std::vector<int> order;
    auto run = pipeline([](int n) { return n; },
                        [&](int n) {
                            baton.send_blocking(n);
                            return n;
                        },
                        [&](int) { order.push_back(baton.receive_blocking().value()); });
    run.run(numbers_to(stages_wait_for_each_other));
    CHECK(order == numbers_to(stages_wait_for_each_other));
}

TEST_CASE("ten million items go through the queues") {
    const int count = harness::rounds(10'000'000);
    std::int64_t sum = 0;
    Counter source;
    source.count = count;
    pipeline(add_one, stage(add_one, 2), [&](int n) { sum += n; }).queue_limit(256).run(source);
    CHECK(sum == std::int64_t{count} * (count - 1) / 2 + 2 * std::int64_t{count});
}

// ---- Failures ----

TEST_CASE("a stage that throws in any item ends the run with that exception, and nothing is left behind") {
    for (const bool keeps_order : {true, false}) {
        for (int bad_stage = 0; bad_stage < 3; ++bad_stage) {
            for (const int bad_item : {0, 1, 17, 99}) {
                CAPTURE(keeps_order);
                CAPTURE(bad_stage);
                CAPTURE(bad_item);
                const auto step = [&](int here) {
                    return [bad_stage, bad_item, here](Counted item) {
                        if (here == bad_stage && item.value == bad_item) throw std::runtime_error("bad item");
                        return item;
                    };
                };
                Counter source;  // never ends
                const auto make = [&]() -> std::optional<Counted> { return Counted(*source()); };
                const std::string why = failure_and_balance([&] {
                    auto run = pipeline(stage(step(0), 2), step(1), stage(step(2), 3)).queue_limit(4);
                    if (keeps_order)
                        static_cast<void>(run.run(make));
                    else
                        static_cast<void>(std::move(run).unordered().run(make));
                });
                CHECK(why == "bad item");
                CHECK(Counted::alive == 0);
            }
        }
    }
}

TEST_CASE("a failure at the very end is not lost, and an end without one is none") {
    const Numbers inputs = numbers_to(20);
    for (int round = 0; round < harness::rounds(3000); ++round) {
        const int bad_stage = round % 4;  // the last of which there is not
        const auto step = [&](int here) {
            return [&, here](int n) {
                if (here == bad_stage && n == 19) throw std::runtime_error("the last item");
                return n;
            };
        };
        auto run = pipeline(stage(step(0), 2), step(1), stage(step(2), 2)).queue_limit(2);
        std::string why = "no exception";
        try {
            if (run.run(inputs) != inputs) why = "other results";
        } catch (const std::runtime_error& error) {
            why = error.what();
        }
        REQUIRE(why == (bad_stage == 3 ? "no exception" : "the last item"));
    }
}

TEST_CASE("of many exceptions one comes out, and the run is over soon") {
    for (int round = 0; round < harness::rounds(1000); ++round) {
        Counter source;
        const auto fails = [](int n) -> int { throw std::runtime_error(std::to_string(n)); };
        CHECK_THROWS_AS(static_cast<void>(pipeline(stage(fails, 4), add_one).run(source)),
                        std::runtime_error);
        CHECK(source.given <= 4);
    }
}

TEST_CASE("a source or range that throws ends the run with its exception") {
    int given = 0;
    const auto source = [&]() -> std::optional<Counted> {
        if (given == 20) throw std::runtime_error("no more");
        return Counted(given++);
    };
    const auto pass = [](Counted item) { return item; };
    std::string why =
        failure_and_balance([&] { static_cast<void>(pipeline(stage(pass, 3), pass).run(source)); });
    CHECK(why == "no more");
    CHECK(Counted::alive == 0);
    CHECK(given == 20);

    const auto odd = [](int) -> int { throw 5; };
    CHECK_THROWS_AS(static_cast<void>(pipeline(odd).run(numbers_to(3))), int);
}

TEST_CASE("where memory for a run is missing, it throws and nothing is left behind") {
    const Numbers inputs = numbers_to(50);
    for (std::uint64_t n = 1;; ++n) {
        bool fired = false;
        const std::string why = failure_and_balance([&] {
            harness::faults::apply_to_this_thread();
            const sake::detail::AtExit spare([]() noexcept { harness::faults::spare_this_thread(); });
            harness::allocations::ScopedFailure failure(n);
            const sake::detail::AtExit ask([&]() noexcept { fired = failure.fired(); });
            static_cast<void>(pipeline(stage(add_one, 2), add_one, add_one).run(inputs));
        });
        if (!fired) break;
        CHECK(why == "std::bad_alloc");
        REQUIRE(n < 1000);
    }
}

// ---- Cancelling ----

TEST_CASE("a run is cancelled by a stop token at any stage, also if it is requested before") {
    for (int where = -1; where < 3; ++where) {
        CAPTURE(where);
        std::stop_source stop;
        const auto step = [&](int here) {
            return [&stop, where, here](Counted item) {
                if (here == where && item.value == 30) stop.request_stop();
                return item;
            };
        };
        Counter source;
        const auto make = [&]() -> std::optional<Counted> { return Counted(*source()); };
        if (where < 0) stop.request_stop();
        const std::string why = failure_and_balance([&] {
            auto run = pipeline(step(0), stage(step(1), 3), step(2)).queue_limit(2);
            static_cast<void>(run.run(make, stop.get_token()));
        });
        CHECK(why == "Cancelled");
        CHECK(Counted::alive == 0);
        if (where < 0) CHECK(source.given <= 1);
    }
}

TEST_CASE("a stop from another thread finds stages that wait for each other") {
    for (int round = 0; round < harness::rounds(300); ++round) {
        std::stop_source stop;
        std::atomic<bool> has_begun = false;
        auto stopper = sake::thread::spawn([&] {
            has_begun.wait(false);
            for (int i = 0; i < round % 10; ++i) std::this_thread::yield();
            stop.request_stop();
        });
        const auto begins = [&](int n) {
            has_begun = true;
            has_begun.notify_all();
            return n;
        };
        Counter source;
        auto run = pipeline(stage(begins, 2), stage(dawdle, 2), [](int) {}).queue_limit(1);
        CHECK_THROWS_AS(run.run(source, stop.get_token()), sake::Cancelled);
        stopper.join();
    }
}

// ---- In coroutines ----

TEST_CASE("a coroutine awaits a run, while its loop goes on") {
    in_coroutine([]() -> Task<> {
        std::atomic<bool> may_go = false;
        auto waits = pipeline(
            [&](int n) {
                may_go.wait(false);
                return n;
            },
            stage(add_one, 2));
        const Numbers inputs = numbers_to(100);
        auto running = sake::spawn(waits.run_async(inputs));
        co_await let_the_others_run();
        CHECK_FALSE(running.is_done());
        may_go = true;
        may_go.notify_all();
        const Numbers results = co_await running;
        CHECK(results.size() == 100);
        CHECK(results.front() == 1);
        const Numbers of_temporary = co_await waits.run_async(numbers_to(10));
        CHECK(of_temporary.size() == 10);
        const Numbers of_both = co_await pipeline(add_one).run_async(numbers_to(10));
        CHECK(of_both.back() == 10);
        int sum = 0;
        co_await pipeline([&](int n) { sum += n; }).run_async(inputs);
        CHECK(sum == 4950);
    });
}

TEST_CASE("a task that is lazy owns the temporaries that it was given") {
    in_coroutine([]() -> Task<> {
        std::vector<std::unique_ptr<int>> owned;
        owned.push_back(std::make_unique<int>(3));
        auto task = pipeline([](std::unique_ptr<int> n) { return n; }).run_async(std::move(owned));
        const std::vector<std::unique_ptr<int>> results = co_await std::move(task);
        CHECK(*results.at(0) == 3);
    });
}

TEST_CASE("what a stage throws comes out of the await, and its loop is none the worse") {
    in_coroutine([]() -> Task<> {
        auto fails = pipeline(add_one, stage(
                                           [](int n) -> int {
                                               if (n == 40) throw std::runtime_error("bad item");
                                               return n;
                                           },
                                           2));
        Counter source;
        const std::string why = co_await failure_of(fails.run_async(source));
        CHECK(why == "bad item");
        co_await sake::yield();
    });
}

TEST_CASE("a cancelled await abandons the run, waits for it, and throws Cancelled once") {
    for (int turns = 0; turns < 8; ++turns) {
        in_coroutine([&]() -> Task<> {
            Counter source;
            auto endless = pipeline(stage(dawdle, 2), add_one, [](int) {}).queue_limit(4);
            int cancelled = 0;
            const auto runs = [&]() -> Task<> {
                try {
                    co_await endless.run_async(source);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                }
                co_await sake::yield();  // would throw again
                ++cancelled;
            };
            auto running = sake::spawn(runs());
            co_await sake::yield();  // it begins
            for (int i = 0; i < turns; ++i) co_await sake::yield();
            running.cancel();
            co_await running;
            CHECK(cancelled == 2);
            bool timed_out = false;
            try {
                co_await sake::timeout(endless.run_async(source), 2ms);
            } catch (const sake::TimedOut&) {
                timed_out = true;
            }
            CHECK(timed_out);
        });
    }
}

TEST_CASE("a stop token cancels a run that is awaited, too") {
    in_coroutine([]() -> Task<> {
        std::stop_source stop;
        Counter source;
        auto endless = pipeline(add_one, [&](int n) {
            if (n == 50) stop.request_stop();
        });
        const std::string why = co_await failure_of(endless.run_async(source, stop.get_token()));
        CHECK(why == "Cancelled");
    });
}

TEST_CASE("a pipeline runs in a worker's handler and in a stage of another") {
    const auto routes = [](sake::Engine& app) {
        app.get("/sum",
                [](sake::Context& ctx) {
                    const harness::allocations::Exempt of_the_test;
                    const Numbers results = pipeline(stage(add_one, 2), add_one).run(numbers_to(10));
                    ctx.text(std::to_string(std::accumulate(results.begin(), results.end(), 0)));
                })
            .worker();
    };
    harness::with_server(routes, [](harness::TestServer& server) {
        harness::RawClient client = server.connect();
        CHECK(client.send(harness::get_request("/sum")).read_response().body == "65");
    });
    const auto inner = [](int n) {
        const Numbers results = pipeline(stage(add_one, 2), add_one).run(numbers_to(n));
        return std::accumulate(results.begin(), results.end(), 0);
    };
    const Numbers sums = pipeline(stage(inner, 2)).run(Numbers({1, 2, 3}));
    CHECK(sums == Numbers({2, 5, 9}));
}

}  // namespace test_pipeline
