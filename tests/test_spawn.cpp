// spawn, TaskHandle and run_until_complete: results, failures, cancellation, and what is left at the end.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/programs.hpp"

namespace test_spawn {

using namespace std::chrono_literals;
using namespace std::string_literals;
using sake::Cancelled;
using sake::Event;
using sake::PollerKind;
using sake::Reactor;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TaskHandle;

namespace {

constexpr PollerKind every_poller[] = {PollerKind::automatic, PollerKind::epoll, PollerKind::kqueue,
                                       PollerKind::poll};

bool is_supported(PollerKind kind) {
    try {
        const Reactor reactor(kind);
        return true;
    } catch (const std::invalid_argument&) {
        MESSAGE("skipped: this build has no poller number ", static_cast<int>(kind));
        return false;
    }
}

/// Runs the body of a test, a coroutine, to its end.
template <class Body>
void in_coroutine(Body body) {
    run_until_complete(body());
}

/// Turns enough of the loop for everything that was spawned or resumed just now to run.
Task<> let_the_others_run() {
    for (int i = 0; i < 5; ++i) co_await sake::yield();
}

Task<int> number_at_once(int value) { co_return value; }

Task<int> number_later(int value) {
    co_await sake::yield();
    co_return value;
}

Task<> fails_later(std::string why) {
    co_await sake::yield();
    throw std::runtime_error(why);
}

Task<> sleeps_for_ever() { co_await sake::sleep(1000h); }

/// Sleeps without end, `times` times, and counts how often that ended by Cancelled.
Task<int> count_cancellations(int times, int& seen) {
    for (int i = 0; i < times; ++i) {
        try {
            co_await sake::sleep(1000h);
        } catch (const Cancelled&) {
            ++seen;
        }
    }
    co_return seen;
}

/// What `f` writes to standard error. No assertions inside.
template <class F>
std::string stderr_of(F f) {
    auto [reader, writer] = sake::detail::sys::make_pipe();
    const sake::detail::FileDescriptor previous(::dup(STDERR_FILENO));
    ::dup2(writer.get(), STDERR_FILENO);
    f();
    ::dup2(previous.get(), STDERR_FILENO);
    char buffer[4096];
    const auto result = sake::detail::sys::read(reader.get(), buffer, sizeof buffer);
    return result.ok() ? std::string(buffer, static_cast<std::size_t>(result.value)) : std::string();
}

}  // namespace

// ---- run_until_complete ----

TEST_CASE("run_until_complete gives the result, on every poller") {
    for (const PollerKind kind : every_poller) {
        if (!is_supported(kind)) continue;
        CHECK(run_until_complete(number_later(7), kind) == 7);
        auto text = []() -> Task<std::unique_ptr<std::string>> {
            co_await sake::sleep(1ms);
            co_return std::make_unique<std::string>("owned");
        };
        CHECK(*run_until_complete(text(), kind) == "owned");
    }
}

TEST_CASE("run_until_complete throws what the task throws, on every poller") {
    for (const PollerKind kind : every_poller) {
        if (!is_supported(kind)) continue;
        CHECK_THROWS_WITH_AS(run_until_complete(fails_later("boom"), kind), "boom", std::runtime_error);
        auto cancels = []() -> Task<> {
            throw Cancelled();
            co_return;
        };
        CHECK_THROWS_AS(run_until_complete(cancels(), kind), Cancelled);
    }
}

TEST_CASE("run_until_complete refuses a poller that nobody has") {
    CHECK_THROWS_AS(run_until_complete(number_later(1), static_cast<PollerKind>(99)), std::invalid_argument);
}

TEST_CASE("run_until_complete inside a coroutine is a logic error, and the loop goes on") {
    in_coroutine([]() -> Task<> {
        CHECK_THROWS_AS(run_until_complete(number_later(1)), std::logic_error);
        co_await sake::yield();
        CHECK_THROWS_AS(run_until_complete(number_later(1)), std::logic_error);
        const int still = co_await number_later(5);
        CHECK(still == 5);
    });
}

TEST_CASE("run_until_complete can be called again and again, on this thread") {
    for (int i = 0; i < 100; ++i) CHECK(run_until_complete(number_later(i)) == i);
    CHECK(Reactor::current() == nullptr);
}

TEST_CASE("run_until_complete cancels what still runs, and waits until it has ended") {
    for (const PollerKind kind : every_poller) {
        if (!is_supported(kind)) continue;
        std::vector<std::string> log;
        const auto leftover = [&]() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                log.emplace_back("cancelled");
                throw;
            }
        };
        const auto main = [&]() -> Task<int> {
            spawn(leftover).detach();
            co_await let_the_others_run();
            log.emplace_back("main ends");
            co_return 3;
        };
        CHECK(run_until_complete(main(), kind) == 3);
        CHECK(log == std::vector{"main ends"s, "cancelled"s});
    }
}

TEST_CASE("what is left is cancelled again if it swallows that and waits again, or spawns in its clean-up") {
    int cancellations = 0;
    int cleaned = 0;
    const auto cleaner = [&]() -> Task<> {
        try {
            co_await sake::sleep(1000h);
        } catch (const Cancelled&) {
            ++cleaned;
        }
    };
    const auto stubborn = [&]() -> Task<> {
        static_cast<void>(co_await count_cancellations(5, cancellations));
        spawn(cleaner).detach();
    };
    in_coroutine([&]() -> Task<> {
        spawn(stubborn).detach();
        co_await let_the_others_run();
    });
    CHECK(cancellations == 5);
    CHECK(cleaned == 1);
}

TEST_CASE("what is left is cancelled after a failure of the main task as well") {
    int cancellations = 0;
    const auto main = [&]() -> Task<> {
        spawn(count_cancellations(1, cancellations)).detach();
        co_await let_the_others_run();
        throw std::runtime_error("main fails");
    };
    CHECK_THROWS_WITH(run_until_complete(main()), "main fails");
    CHECK(cancellations == 1);
}

TEST_CASE("a task left over that has not started runs to its first wait, and is cancelled there") {
    std::vector<std::string> log;
    const auto late = [&]() -> Task<> {
        log.emplace_back("starts");
        co_await sake::sleep(1000h);
        log.emplace_back("never");
    };
    in_coroutine([&]() -> Task<> {
        spawn(late).detach();
        co_return;
    });
    CHECK(log == std::vector{"starts"s});
}

// ---- spawn ----

TEST_CASE("spawn outside a loop is a logic error") {
    CHECK_THROWS_AS(static_cast<void>(spawn(number_later(1))), std::logic_error);
    CHECK_THROWS_AS(static_cast<void>(spawn(sleeps_for_ever)), std::logic_error);
}

TEST_CASE("a spawned task starts when the spawner waits, and runs beside it") {
    std::vector<int> order;
    const auto child = [&](int id) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            order.push_back(id);
            co_await sake::yield();
        }
    };
    in_coroutine([&]() -> Task<> {
        auto a = spawn(child, 1);
        auto b = spawn(child, 2);
        CHECK(order.empty());
        CHECK_FALSE(a.is_done());
        co_await a;
        co_await b;
    });
    CHECK(order == std::vector{1, 2, 1, 2, 1, 2});
}

TEST_CASE("spawn moves a function, its captures and its arguments into the new task") {
    in_coroutine([]() -> Task<> {
        std::optional<TaskHandle<std::string>> handle;
        {
            auto owned = std::make_unique<std::string>("captured, ");
            auto function = [owned = std::move(owned)](std::string text,
                                                       std::unique_ptr<int> n) -> Task<std::string> {
                co_await sake::yield();
                co_return *owned + text + std::to_string(*n);
            };
            handle.emplace(spawn(std::move(function), "argument "s, std::make_unique<int>(5)));
        }
        const std::string result = co_await *handle;
        CHECK(result == "captured, argument 5");
    });
}

TEST_CASE("a spawned function, its captures and its arguments go when the task ends, once") {
    const auto token = std::make_shared<int>(1);
    in_coroutine([&]() -> Task<> {
        auto function = [token](std::shared_ptr<int> other) -> Task<long> {
            co_await sake::yield();
            co_return other.use_count();
        };
        auto handle = spawn(function, token);
        co_await let_the_others_run();
        CHECK(handle.is_done());
        CHECK(token.use_count() == 2);  // ours and the one in our copy of the function
        const long during = co_await handle;
        CHECK(during >= 4);
    });
    CHECK(token.use_count() == 1);
}

TEST_CASE("an argument wrapped with std::ref is passed as a reference") {
    int value = 0;
    const auto add = [](int& target, int n) -> Task<> {
        co_await sake::yield();
        target += n;
    };
    in_coroutine([&]() -> Task<> {
        auto a = spawn(add, std::ref(value), 3);
        co_await a;
    });
    CHECK(value == 3);
}

TEST_CASE("ten thousand spawned tasks all run and are all joined") {
    in_coroutine([]() -> Task<> {
        std::vector<TaskHandle<int>> handles;
        for (int i = 0; i < 10'000; ++i) handles.push_back(spawn(number_later(i)));
        long long sum = 0;
        for (auto& handle : handles) sum += co_await handle;
        CHECK(sum == 10'000LL * 9'999 / 2);
    });
}

TEST_CASE("C5: a loop of spawns and joins does not grow the stack") {
    in_coroutine([]() -> Task<> {
        int sum = 0;
        for (int i = 0; i < 100'000; ++i) {
            auto handle = spawn(number_later(1));
            sum += co_await handle;
        }
        CHECK(sum == 100'000);
    });
}

TEST_CASE("C5: tasks that spawn their successor, a hundred thousand deep, do not grow the stack") {
    struct Relay {
        static Task<> run(int left, Event& finished) {
            if (left == 0)
                finished.set();
            else
                spawn(run(left - 1, finished)).detach();
            co_return;
        }
    };
    bool finished = false;
    in_coroutine([&]() -> Task<> {
        Event event;
        spawn(Relay::run(100'000, event)).detach();
        co_await event.wait();
        finished = event.is_set();
    });
    CHECK(finished);
}

// ---- TaskHandle ----

TEST_CASE("a join handle only moves") {
    static_assert(std::is_same_v<sake::JoinHandle<int>, TaskHandle<int>>);
    static_assert(!std::is_copy_constructible_v<TaskHandle<int>>);
    static_assert(std::is_nothrow_move_constructible_v<TaskHandle<int>>);
    static_assert(std::is_nothrow_move_assignable_v<TaskHandle<void>>);
    in_coroutine([]() -> Task<> {
        auto first = spawn(number_later(1));
        auto second = spawn(number_later(2));
        second = std::move(first);  // detaches the second task
        auto& same = second;
        second = std::move(same);
        const int result = co_await second;
        CHECK(result == 1);
    });
}

TEST_CASE(
    "awaiting a handle waits for the end and gives the result; a task that has ended is not waited for") {
    in_coroutine([]() -> Task<> {
        auto running = spawn(number_later(1));
        CHECK_FALSE(running.is_done());
        const int a = co_await running;
        CHECK(a == 1);
        CHECK(running.is_done());
        auto ended = spawn(number_later(2));
        co_await let_the_others_run();
        REQUIRE(ended.is_done());
        const int b = co_await ended;
        CHECK(b == 2);
        auto taken = spawn(number_later(3));
        co_await let_the_others_run();
        CHECK(taken.take() == 3);
    });
}

TEST_CASE("a handle can be awaited where it is spawned") {
    in_coroutine([]() -> Task<> {
        const int a = co_await spawn(number_later(4));
        CHECK(a == 4);
    });
}

TEST_CASE("awaiting a handle throws what the task threw, whether it has ended or not") {
    in_coroutine([]() -> Task<> {
        std::vector<std::string> seen;
        auto running = spawn(fails_later("running"));
        try {
            co_await running;
        } catch (const std::runtime_error& error) {
            seen.emplace_back(error.what());
        }
        auto ended = spawn(fails_later("ended"));
        co_await let_the_others_run();
        REQUIRE(ended.is_done());
        try {
            co_await ended;
        } catch (const std::runtime_error& error) {
            seen.emplace_back(error.what());
        }
        auto taken = spawn(fails_later("taken"));
        co_await let_the_others_run();
        CHECK_THROWS_WITH(taken.take(), "taken");
        CHECK(seen == std::vector{"running"s, "ended"s});
    });
}

TEST_CASE("a result is given once: the second await of a handle is a logic error") {
    const auto body = []() -> Task<std::string> {
        auto handle = spawn([]() -> Task<std::string> { co_return "taken"; });
        const std::string first = co_await handle;
        CHECK(first == "taken");
        std::string second;
        try {
            second = co_await handle;
        } catch (const std::logic_error& error) {
            second = error.what();
        }
        co_return second;
    };
    CHECK(run_until_complete(body()) == "the result of a spawned task was taken before");
}

TEST_CASE("a result that only moves comes through a handle") {
    in_coroutine([]() -> Task<> {
        const auto make = []() -> Task<std::unique_ptr<int>> {
            co_await sake::yield();
            co_return std::make_unique<int>(8);
        };
        auto handle = spawn(make);
        const std::unique_ptr<int> result = co_await handle;
        CHECK(*result == 8);
    });
}

TEST_CASE("a detached task, or one whose handle is dropped, runs on to its end") {
    int ended = 0;
    const auto work = [&]() -> Task<> {
        co_await let_the_others_run();
        ++ended;
    };
    in_coroutine([&]() -> Task<> {
        spawn(work).detach();
        {
            const auto dropped = spawn(work);
        }
        auto kept = spawn(work);
        kept.detach();
        co_await let_the_others_run();
        co_await let_the_others_run();
    });
    CHECK(ended == 3);
}

TEST_CASE("the failure of a detached task goes to the log, that of a joined or cancelled one does not") {
    const std::string log = stderr_of([] {
        in_coroutine([]() -> Task<> {
            spawn(fails_later("in the dark")).detach();
            const auto throws_int = []() -> Task<> {
                throw 1;
                co_return;
            };
            spawn(throws_int).detach();
            auto cancelled = spawn(sleeps_for_ever);
            auto joined = spawn(fails_later("in the light"));
            co_await let_the_others_run();
            cancelled.cancel();
            cancelled.detach();
            try {
                co_await joined;
            } catch (const std::runtime_error&) {
            }
        });
    });
    CHECK(log ==
          "sake: error: a detached task failed: an exception that is not a std::exception\n"
          "sake: error: a detached task failed: in the dark\n");
}

TEST_CASE("a failure that was there before its handle was dropped goes to the log too") {
    const std::string log = stderr_of([] {
        in_coroutine([]() -> Task<> {
            auto handle = spawn(fails_later("nobody asked"));
            co_await let_the_others_run();
            if (handle.is_done()) handle.detach();
        });
    });
    CHECK(log == "sake: error: a detached task failed: nobody asked\n");
}

// ---- Cancellation ----

TEST_CASE("Cancelled is no std::exception, and says what it is") {
    static_assert(!std::is_base_of_v<std::exception, Cancelled>);
    CHECK(std::string_view(Cancelled().what()) == "the operation was cancelled");
    CHECK(std::string_view(sake::TimedOut().what()) == "the operation timed out");
    bool passed = false;
    in_coroutine([&]() -> Task<> {
        const auto careless = []() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const std::exception&) {  // must not catch it
            }
        };
        auto handle = spawn(careless);
        co_await let_the_others_run();
        handle.cancel();
        try {
            co_await handle;
        } catch (const Cancelled&) {
            passed = true;
        }
    });
    CHECK(passed);
}

TEST_CASE("C1: a task cancelled while it sleeps sees Cancelled once, and its next wait works") {
    in_coroutine([]() -> Task<> {
        std::vector<std::string> log;
        const auto sleeper = [&]() -> Task<int> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                log.emplace_back("cancelled");
            }
            co_await sake::sleep(1ms);
            co_await sake::yield();
            log.emplace_back("slept");
            co_return 1;
        };
        auto handle = spawn(sleeper);
        co_await let_the_others_run();
        handle.cancel();
        CHECK(log.empty());  // it runs in a turn of its own, not inside cancel
        const int result = co_await handle;
        CHECK(result == 1);
        CHECK(log == std::vector{"cancelled"s, "slept"s});
    });
}

TEST_CASE("C1: cancelling twice before it is seen is cancelling once") {
    in_coroutine([]() -> Task<> {
        int seen = 0;
        bool cleaned_up = false;
        const auto sleeper = [&]() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                ++seen;
            }
            co_await sake::sleep(1ms);
            cleaned_up = true;
        };
        auto handle = spawn(sleeper);
        co_await let_the_others_run();
        handle.cancel();
        handle.cancel();
        handle.cancel();
        co_await handle;
        CHECK(seen == 1);
        CHECK(cleaned_up);
    });
}

TEST_CASE("C1: a second cancellation, after the first was seen, is seen as well") {
    in_coroutine([]() -> Task<> {
        int seen = 0;
        auto handle = spawn(count_cancellations(3, seen));
        for (int i = 1; i <= 3; ++i) {
            co_await let_the_others_run();
            handle.cancel();
            co_await let_the_others_run();
            CHECK(seen == i);
        }
        CHECK(handle.is_done());
    });
}

TEST_CASE("C1: a task cancelled before it starts meets Cancelled at its first wait, once") {
    in_coroutine([]() -> Task<> {
        std::vector<std::string> log;
        const auto task = [&]() -> Task<> {
            log.emplace_back("starts");
            try {
                co_await sake::yield();
            } catch (const Cancelled&) {
                log.emplace_back("cancelled");
            }
            co_await sake::sleep(1ms);
            log.emplace_back("ends");
        };
        auto handle = spawn(task);
        handle.cancel();
        handle.cancel();
        co_await handle;
        CHECK(log == std::vector{"starts"s, "cancelled"s, "ends"s});
    });
}

TEST_CASE("C1: a task cancelled when its wait is over already keeps that result, and the next wait throws") {
    in_coroutine([]() -> Task<> {
        Event event;
        std::vector<std::string> log;
        const auto task = [&]() -> Task<> {
            co_await event.wait();
            log.emplace_back("woken");
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                log.emplace_back("cancelled");
            }
            co_await sake::sleep(1ms);
            log.emplace_back("ends");
        };
        auto handle = spawn(task);
        co_await let_the_others_run();
        event.set();
        handle.cancel();
        handle.cancel();
        co_await handle;
        CHECK(log == std::vector{"woken"s, "cancelled"s, "ends"s});
    });
}

TEST_CASE("C1: a task cancelled inside a yield goes on, and the next wait throws") {
    in_coroutine([]() -> Task<> {
        int yields = 0;
        const auto task = [&]() -> Task<> {
            for (;;) {
                co_await sake::yield();
                ++yields;
            }
        };
        auto handle = spawn(task);
        co_await let_the_others_run();
        handle.cancel();
        const int before = yields;
        bool cancelled = false;
        try {
            co_await handle;
        } catch (const Cancelled&) {
            cancelled = true;
        }
        CHECK(cancelled);
        CHECK(yields <= before + 1);
    });
}

TEST_CASE("C1: a task that does not wait is a call, and no place for a cancellation") {
    in_coroutine([]() -> Task<> {
        int reached = 0;
        bool cancelled = false;
        const auto task = [&]() -> Task<> {
            reached = co_await number_at_once(7);
            try {
                co_await sake::sleep(0ms);
            } catch (const Cancelled&) {
                cancelled = true;
            }
        };
        auto handle = spawn(task);
        handle.cancel();
        co_await handle;
        CHECK(reached == 7);
        CHECK(cancelled);
    });
}

TEST_CASE("C1: cancelling a task that has ended does nothing") {
    in_coroutine([]() -> Task<> {
        auto handle = spawn(number_later(6));
        co_await let_the_others_run();
        REQUIRE(handle.is_done());
        handle.cancel();
        const int result = co_await handle;
        CHECK(result == 6);
    });
}

TEST_CASE("C1: a task can cancel itself: its next wait throws") {
    in_coroutine([]() -> Task<> {
        std::optional<TaskHandle<void>> handle;
        bool went_on = false;
        bool cancelled = false;
        const auto suicidal = [&]() -> Task<> {
            handle->cancel();
            went_on = true;
            co_await sake::sleep(1000h);
        };
        handle.emplace(spawn(suicidal));
        try {
            co_await *handle;
        } catch (const Cancelled&) {
            cancelled = true;
        }
        CHECK(went_on);
        CHECK(cancelled);
    });
}

TEST_CASE("C1: cancelling reaches the innermost task of a chain, and each frame cleans up once") {
    in_coroutine([]() -> Task<> {
        struct Levels {
            static Task<> level(int depth, std::vector<int>& log) {
                const sake::detail::AtExit cleanup([&log, depth] { log.push_back(depth); });
                if (depth == 0)
                    co_await sake::sleep(1000h);
                else
                    co_await level(depth - 1, log);
            }
        };
        std::vector<int> log;
        auto handle = spawn(Levels::level(4, log));
        co_await let_the_others_run();
        CHECK(log.empty());
        handle.cancel();
        bool cancelled = false;
        try {
            co_await handle;
        } catch (const Cancelled&) {
            cancelled = true;
        }
        CHECK(cancelled);
        CHECK(log == std::vector{0, 1, 2, 3, 4});
    });
}

TEST_CASE("C1: cancelling who waits for a handle leaves the task alone") {
    in_coroutine([]() -> Task<> {
        Event event;
        bool child_ended = false;
        bool parent_cancelled = false;
        const auto child = [&]() -> Task<> {
            co_await event.wait();
            child_ended = true;
        };
        const auto parent = [&]() -> Task<> {
            auto handle = spawn(child);
            try {
                co_await handle;
            } catch (const Cancelled&) {
                parent_cancelled = true;
            }
            CHECK_FALSE(handle.is_done());
            event.set();
            co_await handle;  // waiting anew works
        };
        auto handle = spawn(parent);
        co_await let_the_others_run();
        handle.cancel();
        co_await handle;
        CHECK(parent_cancelled);
        CHECK(child_ended);
    });
}

TEST_CASE("C1: a cancelled task may replace its Cancelled with a result or another exception") {
    in_coroutine([]() -> Task<> {
        const auto translates = []() -> Task<int> {
            bool cancelled = false;
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                cancelled = true;
            }
            if (cancelled) throw std::runtime_error("translated");
            co_return 0;
        };
        int seen = 0;
        auto result = spawn(count_cancellations(1, seen));
        auto failure = spawn(translates);
        co_await let_the_others_run();
        result.cancel();
        failure.cancel();
        const int n = co_await result;
        CHECK(n == 1);
        std::string text;
        try {
            static_cast<void>(co_await failure);
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        CHECK(text == "translated");
    });
}

TEST_CASE("C1: after every kind of ending the heap is where it was") {
    int seen = 0;
    const auto everything = [&] {
        in_coroutine([&]() -> Task<> {
            auto joined = spawn(number_later(1));
            auto cancelled = spawn(sleeps_for_ever);
            auto failed = spawn(fails_later("on purpose, and long enough not to fit into the string"));
            spawn(count_cancellations(2, seen)).detach();
            co_await let_the_others_run();
            cancelled.cancel();
            static_cast<void>(co_await joined);
            try {
                co_await failed;
            } catch (const std::runtime_error&) {
            }
            try {
                co_await cancelled;
            } catch (const Cancelled&) {
            }
        });
    };
    everything();  // what is made once has been made
    const auto before = harness::allocations::live_blocks();
    for (int i = 0; i < 10; ++i) everything();
    CHECK(harness::is_back_at(before));
}

TEST_CASE("an empty handle may be cancelled and detached; anything else with it is a logic error") {
    in_coroutine([]() -> Task<> {
        TaskHandle<int> handle = spawn(number_later(7));
        CHECK_THROWS_AS(static_cast<void>(handle.take()), std::logic_error);
        handle.detach();
        handle.detach();
        handle.cancel();
        CHECK_THROWS_AS(static_cast<void>(handle.is_done()), std::logic_error);
        CHECK_THROWS_AS(static_cast<void>(handle.take()), std::logic_error);
        bool threw = false;
        try {
            co_await handle;
        } catch (const std::logic_error&) {
            threw = true;
        }
        CHECK(threw);
        co_await let_the_others_run();
    });
}

TEST_CASE("a handle may go while somebody awaits it: the result still arrives") {
    in_coroutine([]() -> Task<> {
        Event may_end;
        const auto task = [&]() -> Task<std::string> {
            co_await may_end.wait();
            co_return std::string(100, 'x');
        };
        std::optional<TaskHandle<std::string>> handle = spawn(task);
        std::string seen;
        const auto await_it = [&]() -> Task<> {
            std::string result = co_await *handle;
            seen = std::move(result);
        };
        TaskHandle<void> waiter = spawn(await_it);
        co_await let_the_others_run();
        handle.reset();
        may_end.set();
        co_await waiter;
        CHECK(seen == std::string(100, 'x'));
    });
}

TEST_CASE("two who await one handle at a time are a logic error for the second") {
    in_coroutine([]() -> Task<> {
        Event may_end;
        const auto task = [&]() -> Task<> { co_await may_end.wait(); };
        const TaskHandle<void> handle = spawn(task);
        int ended = 0;
        int refused = 0;
        const auto await_it = [&]() -> Task<> {
            try {
                co_await handle;
                ++ended;
            } catch (const std::logic_error&) {
                ++refused;
            }
        };
        const TaskHandle<void> first = spawn(await_it);
        const TaskHandle<void> second = spawn(await_it);
        co_await let_the_others_run();
        CHECK(refused == 1);
        may_end.set();
        co_await first;
        co_await second;
        CHECK(ended == 1);
    });
}

TEST_CASE("a task that swallows every Cancelled is left behind in the end, and run_until_complete returns") {
    // What is left behind leaks, so this is for another process.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(20);
        int swallowed = 0;
        const auto stubborn = [&]() -> Task<> {
            for (;;) {
                try {
                    co_await sake::sleep(1h);
                } catch (const Cancelled&) {
                    ++swallowed;
                }
            }
        };
        run_until_complete([&]() -> Task<> {
            spawn(stubborn).detach();
            co_await let_the_others_run();
        }());
        ::_exit(swallowed > 100 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

namespace {

/// Runs `test` in a process of its own, since what is left behind leaks. Whether it returned true.
template <class Test>
bool in_another_process(Test test) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(30);
        ::_exit(test() ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status == 0;
}

/// Begins anew whenever it is cancelled. `operate` is a coroutine.
template <class Operate>
Task<> swallow_all(Operate operate) {
    for (;;) {
        try {
            co_await operate();
        } catch (const Cancelled&) {
        }
    }
}

/// A loop that ends with such a task left behind; `meanwhile` runs after it has begun to wait.
template <class Operate, class Meanwhile>
void leave_behind(Operate operate, Meanwhile meanwhile) {
    const auto body = [&]() -> Task<> {
        spawn(swallow_all(operate)).detach();
        co_await let_the_others_run();
        meanwhile();
    };
    run_until_complete(body());
}

constexpr auto nothing = [] {};

}  // namespace

TEST_CASE("a Channel that outlives a task left behind on it goes on, and keeps its items for others") {
    CHECK(in_another_process([] {
        sake::Channel<int> channel(2);
        const auto receives = [&]() -> Task<> { static_cast<void>(co_await channel.receive()); };
        leave_behind(receives, nothing);
        const bool is_sent = channel.try_send(1) && channel.try_send(2);
        const bool is_full = !channel.try_send(3);
        const auto first = channel.try_receive();
        return is_sent && is_full && first && *first == 1;
    }));
    CHECK(in_another_process([] {
        sake::Channel<int> channel(1);
        static_cast<void>(channel.try_send(1));
        const auto sends = [&]() -> Task<> { co_await channel.send(2); };
        leave_behind(sends, nothing);
        const auto first = channel.try_receive();
        const auto second = channel.try_receive();
        return first && *first == 1 && !second && channel.try_send(3);
    }));
}

TEST_CASE("an item that was meant for a task left behind is for the next") {
    CHECK(in_another_process([] {
        sake::Channel<int> channel(1);
        sake::Semaphore semaphore(1);
        std::optional<sake::Semaphore::Permit> permit = semaphore.try_acquire();
        {
            sake::Reactor reactor;
            const auto receives = [&]() -> Task<> { static_cast<void>(co_await channel.receive()); };
            const auto acquires = [&]() -> Task<> { const auto mine = co_await semaphore.acquire(); };
            bool have_begun = false;
            const auto begin = [&]() -> Task<> {
                spawn(swallow_all(receives)).detach();
                spawn(swallow_all(acquires)).detach();
                co_await let_the_others_run();
                have_begun = true;
            };
            reactor.enter([&] { spawn(begin).detach(); });
            reactor.run_until([&] { return have_begun; });
            // They are woken, and never run.
            reactor.enter([&] {
                static_cast<void>(channel.try_send(7));
                permit->release();
            });
            reactor.abandon();
        }
        const auto item = channel.try_receive();
        return item && *item == 7 && semaphore.available() == 1;
    }));
}

TEST_CASE("an Event, a Semaphore and a Mutex that outlive a task left behind on them go on") {
    CHECK(in_another_process([] {
        sake::Event event;
        const auto waits = [&]() -> Task<> { co_await event.wait(); };
        leave_behind(waits, nothing);
        event.set();
        return event.is_set();
    }));
    CHECK(in_another_process([] {
        sake::Semaphore semaphore(1);
        std::optional<sake::Semaphore::Permit> permit = semaphore.try_acquire();
        const auto acquires = [&]() -> Task<> { const auto mine = co_await semaphore.acquire(); };
        leave_behind(acquires, nothing);
        permit->release();
        return semaphore.available() == 1;
    }));
    CHECK(in_another_process([] {
        sake::Mutex mutex;
        std::optional<sake::Mutex::Guard> guard = mutex.try_lock();
        const auto locks = [&]() -> Task<> { const auto mine = co_await mutex.lock(); };
        leave_behind(locks, nothing);
        guard->release();
        return !mutex.is_locked();
    }));
}

TEST_CASE("what a task left behind waits for through others is let go of as well") {
    CHECK(in_another_process([] {
        sake::Channel<int> channel(1);
        sake::Event event;
        const auto waits = [&]() -> Task<> {
            const auto receives = [&]() -> Task<> { static_cast<void>(co_await channel.receive()); };
            co_await when_all(swallow_all(receives), sake::timeout(event.wait(), 1h));
        };
        leave_behind(waits, nothing);
        event.set();
        return channel.try_send(1) && channel.try_receive() == 1;
    }));
}

TEST_CASE("a handle that outlives a task left behind, and its loop, can be cancelled and dropped") {
    CHECK(in_another_process([] {
        sake::Event event;
        std::optional<TaskHandle<void>> handle;
        const auto body = [&]() -> Task<> {
            const auto waits = [&]() -> Task<> { co_await event.wait(); };
            handle.emplace(spawn(swallow_all(waits)));
            co_await let_the_others_run();
        };
        run_until_complete(body());
        handle->cancel();
        handle->cancel();
        event.set();
        handle.reset();
        return true;
    }));
}

TEST_CASE("a thread that a task left behind waits for may end after its loop") {
    if (harness::task_of_process() == nullptr) {
        CHECK(harness::run_anew("a thread that a task left behind waits for*") == 0);
        return;
    }
    std::atomic<bool> may_end{false};
    auto handle = sake::thread::spawn([&] {
        while (!may_end) std::this_thread::yield();
    });
    const auto waits = [&]() -> Task<> { co_await handle; };
    leave_behind(waits, nothing);
    may_end = true;
    handle.join();
    std::_Exit(0);  // what is left behind leaks
}

}  // namespace test_spawn
