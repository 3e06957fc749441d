// when_all, when_any, timeout and TaskGroup: results, failures, and that nothing that they started outlives
// them.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/faults.hpp"

namespace test_combinators {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Cancelled;
using sake::Event;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TaskGroup;
using sake::TaskHandle;
using sake::TimedOut;
using sake::timeout;
using sake::when_all;
using sake::when_any;

namespace {

using Log = std::vector<std::string>;

Task<int> number(int value) { co_return value; }
Task<int> number_later(int value, int turns = 1) {
    for (int i = 0; i < turns; ++i) co_await sake::yield();
    co_return value;
}
Task<> nothing() { co_return; }
Task<int> fails_later(std::string why, int turns) {
    for (int i = 0; i < turns; ++i) co_await sake::yield();
    throw std::runtime_error(why);
}
Task<> sleeps_for_ever() { co_await sake::sleep(1000h); }

/// Sleeps without end, and says how it began and ended. The clean-up takes some turns of its own.
Task<int> logged_sleep(Log& log, std::string name) {
    log.push_back(name + " begins");
    try {
        co_await sake::sleep(1000h);
    } catch (const Cancelled&) {
        log.push_back(name + " is cancelled");
    }
    co_await let_the_others_run();
    log.push_back(name + " ends");
    throw Cancelled();
}

/// Swallows its cancellation and gives a value.
Task<int> stubborn(int value) {
    try {
        co_await sake::sleep(1000h);
    } catch (const Cancelled&) {
    }
    co_await let_the_others_run();
    co_return value;
}

/// Counts those that live.
struct Alive {
    static inline int count = 0;
    Alive() { ++count; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --count; }
};

Task<int> alive_for(int turns) {
    const Alive alive;
    for (int i = 0; i < turns; ++i) co_await sake::yield();
    co_await sake::sleep(1ms);
    co_return turns;
}

template <class T>
Task<T> join(TaskHandle<T>& handle) {
    co_return co_await handle;
}

}  // namespace

// ---- when_all ----

TEST_CASE("when_all gives the results in order, whatever the order of the ends, and monostate for void") {
    in_coroutine([]() -> Task<> {
        auto all =
            co_await when_all(number_later(1, 5), nothing(), number(3), sake::sleep(1ms), number_later(5, 2));
        static_assert(
            std::is_same_v<decltype(all), std::tuple<int, std::monostate, int, std::monostate, int>>);
        CHECK(std::get<0>(all) == 1);
        CHECK(std::get<2>(all) == 3);
        CHECK(std::get<4>(all) == 5);
        const std::tuple<> none = co_await when_all();
        static_cast<void>(none);
    });
}

TEST_CASE("when_all of a vector gives a vector, in order") {
    in_coroutine([]() -> Task<> {
        std::vector<Task<int>> tasks;
        for (int i = 0; i < 100; ++i) tasks.push_back(number_later(i, 100 - i));
        const std::vector<int> all = co_await when_all(std::move(tasks));
        REQUIRE(all.size() == 100);
        for (int i = 0; i < 100; ++i) CHECK(all[static_cast<std::size_t>(i)] == i);
        std::vector<Task<>> voids;
        voids.push_back(nothing());
        voids.push_back(let_the_others_run());
        const std::vector<std::monostate> two = co_await when_all(std::move(voids));
        CHECK(two.size() == 2);
        const std::vector<int> none = co_await when_all(std::vector<Task<int>>());
        CHECK(none.empty());
    });
}

TEST_CASE("everything runs side by side, from the first await on") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto step = [&](std::string name) -> Task<> {
            log.push_back(name + "1");
            co_await sake::yield();
            log.push_back(name + "2");
        };
        auto both = when_all(step("a"), step("b"));
        CHECK(log.empty());
        co_await std::move(both);
        CHECK(log == Log{"a1", "b1", "a2", "b2"});
    });
}

TEST_CASE("results that only move, and cannot be made from nothing, come through") {
    struct Made {
        explicit Made(int n) : number(std::make_unique<int>(n)) {}
        std::unique_ptr<int> number;
    };
    in_coroutine([]() -> Task<> {
        const auto make = [](int n) -> Task<Made> {
            co_await sake::yield();
            co_return Made(n);
        };
        auto pair = co_await when_all(make(1), make(2));
        auto& [one, two] = pair;
        CHECK(*one.number + *two.number == 3);
        std::vector<Task<Made>> tasks;
        tasks.push_back(make(3));
        auto three = co_await when_all(std::move(tasks));
        CHECK(*three[0].number == 3);
        auto any = co_await when_any(make(4), sleeps_for_ever());
        CHECK(*std::get<0>(any).number == 4);
        std::vector<Task<Made>> one_task;
        one_task.push_back(make(5));
        auto first = co_await when_any(std::move(one_task));
        CHECK(*first.value.number == 5);
        const Made six = co_await timeout(make(6), 1h);
        CHECK(*six.number == 6);
    });
}

TEST_CASE("when_all throws the first exception, in time, after all have ended") {
    in_coroutine([]() -> Task<> {
        int ended = 0;
        const auto slow = [&]() -> Task<> {
            for (int i = 0; i < 20; ++i) co_await sake::yield();
            ++ended;
        };
        const std::string why =
            co_await failure_of(when_all(slow(), fails_later("late", 10), fails_later("early", 3), slow()));
        CHECK(why == "early");
        CHECK(ended == 2);
        std::vector<Task<int>> tasks;
        tasks.push_back(fails_later("later", 2));
        tasks.push_back(fails_later("at once", 0));
        const std::string vector_why = co_await failure_of(when_all(std::move(tasks)));
        CHECK(vector_why == "at once");
    });
}

TEST_CASE("handles, events and sleeps are awaited together with tasks") {
    in_coroutine([]() -> Task<> {
        Event event;
        auto handle = spawn(number_later(7, 3));
        const auto sets = [&]() -> Task<> {
            co_await let_the_others_run();
            event.set();
        };
        auto all = co_await when_all(std::move(handle), event.wait(), sake::sleep(1ms), sets());
        CHECK(std::get<0>(all) == 7);
        std::vector<TaskHandle<int>> handles;
        for (int i = 0; i < 3; ++i) handles.push_back(spawn(number_later(i, 4 - i)));
        const std::vector<int> numbers = co_await when_all(std::move(handles));
        CHECK(numbers == std::vector{0, 1, 2});
    });
}

TEST_CASE("a handle whose function has captures is named, and then waited for with others") {
    in_coroutine([]() -> Task<> {
        const std::string text(50, 'x');
        TaskHandle handle = spawn([text]() -> Task<std::size_t> {
            co_await sake::yield();
            co_return text.size();
        });
        auto first = co_await when_any(std::move(handle), sleeps_for_ever());
        CHECK(std::get<0>(first) == 50);
    });
}

TEST_CASE("cancelling when_all cancels every task, and it goes on with Cancelled when all have ended") {
    in_coroutine([]() -> Task<> {
        Log log;
        auto whole = spawn(when_all(logged_sleep(log, "a"), number(1), logged_sleep(log, "b")));
        co_await let_the_others_run();
        whole.cancel();
        const std::string why = co_await failure_of(join(whole));
        CHECK(why == "Cancelled");
        CHECK(log == Log{"a begins", "b begins", "a is cancelled", "b is cancelled", "a ends", "b ends"});
    });
}

TEST_CASE("a cancellation of the whole is seen once, whatever turn it comes in, and nothing is left") {
    for (int turn = 0; turn < 30; ++turn) {
        CAPTURE(turn);
        in_coroutine([&]() -> Task<> {
            int seen = 0;
            bool is_next_quiet = false;
            const auto whole = [&](int kind) -> Task<> {
                try {
                    if (kind == 0) {
                        co_await when_all(alive_for(3), alive_for(7), alive_for(11));
                    } else if (kind == 1) {
                        co_await when_any(alive_for(11), alive_for(7), sleeps_for_ever());
                    } else if (kind == 2) {
                        co_await timeout(when_all(alive_for(5), alive_for(9)), 1h);
                    } else {
                        co_await TaskGroup::run([&](TaskGroup& group) -> Task<> {
                            group.spawn([]() -> Task<> { co_await alive_for(9); });
                            co_await alive_for(2);
                            group.spawn([]() -> Task<> { co_await alive_for(4); });
                        });
                    }
                    co_await sake::sleep(1000h);
                } catch (const Cancelled&) {
                    ++seen;
                    CHECK(Alive::count == 0);
                }
                co_await let_the_others_run();
                is_next_quiet = true;
            };
            for (int kind = 0; kind < 4; ++kind) {
                seen = 0;
                is_next_quiet = false;
                auto handle = spawn(whole, kind);
                for (int i = 0; i < turn; ++i) co_await sake::yield();
                handle.cancel();
                co_await handle;
                CHECK(seen == 1);
                CHECK(is_next_quiet);
                CHECK(Alive::count == 0);
            }
        });
    }
}

TEST_CASE("after a cancellation that came before, none of the tasks begins") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto whole = [&]() -> Task<> {
            co_await when_all(logged_sleep(log, "a"), logged_sleep(log, "b"));
            log.emplace_back("never");
        };
        auto handle = spawn(whole);
        handle.cancel();  // it has not begun, so the first wait is that for the tasks
        const std::string first = co_await failure_of(join(handle));
        CHECK(first == "Cancelled");
        CHECK(log.empty());

        const auto late = [&](TaskHandle<void>*& self) -> Task<> {
            co_await sake::yield();
            self->cancel();  // pending from here on
            co_await when_all(logged_sleep(log, "a"), logged_sleep(log, "b"));
        };
        TaskHandle<void>* self = nullptr;
        auto second = spawn(late, std::ref(self));
        self = &second;
        const std::string why = co_await failure_of(join(second));
        CHECK(why == "Cancelled");
        CHECK(log.empty());
    });
}

TEST_CASE(
    "tasks that swallow the cancellation of the whole give their results, and the next wait throws it") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto whole = [&]() -> Task<> {
            auto both = co_await when_all(stubborn(1), stubborn(2));
            log.push_back(std::to_string(std::get<0>(both) + std::get<1>(both)));
            const int value = co_await number(4);  // waits for nothing
            log.push_back(std::to_string(value));
            co_await timeout(number(5), 1h);
            log.emplace_back("never");
        };
        auto handle = spawn(whole);
        co_await let_the_others_run();
        handle.cancel();
        const std::string why = co_await failure_of(join(handle));
        CHECK(why == "Cancelled");
        CHECK(log == Log{"3", "4"});
    });
}

TEST_CASE("a failure that came before the cancellation of the whole is not lost, nor is the cancellation") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto whole = [&]() -> Task<> {
            const std::string why = co_await failure_of(when_all(fails_later("first", 1), sleeps_for_ever()));
            log.push_back(why);
            co_await sake::sleep(1000h);
        };
        auto handle = spawn(whole);
        co_await let_the_others_run();
        handle.cancel();
        const std::string why = co_await failure_of(join(handle));
        CHECK(why == "Cancelled");
        CHECK(log == Log{"first"});
    });
}

TEST_CASE("a second cancellation reaches a task that swallowed the first and waits again") {
    in_coroutine([]() -> Task<> {
        int swallowed = 0;
        const auto very_stubborn = [&]() -> Task<> {
            for (int i = 0; i < 3; ++i) {
                try {
                    co_await sake::sleep(1000h);
                } catch (const Cancelled&) {
                    ++swallowed;
                }
            }
        };
        auto handle = spawn(when_all(very_stubborn(), very_stubborn()));
        for (int i = 0; i < 3; ++i) {
            co_await let_the_others_run();
            CHECK_FALSE(handle.is_done());
            handle.cancel();
        }
        co_await handle;
        CHECK(swallowed == 6);
    });
}

// ---- when_any ----

TEST_CASE("when_any gives the first to end, at its index, after the others were cancelled and have ended") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto wins = [&]() -> Task<std::string> {
            co_await let_the_others_run();
            co_return "won";
        };
        auto first = co_await when_any(logged_sleep(log, "a"), wins(), logged_sleep(log, "b"));
        static_assert(std::is_same_v<decltype(first), std::variant<int, std::string, int>>);
        REQUIRE(first.index() == 1);
        CHECK(std::get<1>(first) == "won");
        CHECK(log == Log{"a begins", "b begins", "a is cancelled", "b is cancelled", "a ends", "b ends"});
    });
}

TEST_CASE("when_any of a vector says which it was") {
    in_coroutine([]() -> Task<> {
        std::vector<Task<int>> tasks;
        for (int i = 0; i < 10; ++i) tasks.push_back(number_later(i, i == 6 ? 2 : 20));
        const auto first = co_await when_any(std::move(tasks));
        CHECK(first.index == 6);
        CHECK(first.value == 6);
        const std::string why = co_await failure_of(when_any(std::vector<Task<int>>()));
        CHECK(why == "when_any: the vector is empty");
        std::vector<Task<>> voids;
        voids.push_back(sleeps_for_ever());
        voids.push_back(nothing());
        const sake::First<std::monostate> second = co_await when_any(std::move(voids));
        CHECK(second.index == 1);
    });
}

TEST_CASE("when_any throws what the first to end threw, and drops the failures of the others") {
    in_coroutine([]() -> Task<> {
        const auto fails_in_cleanup = []() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                throw std::runtime_error("clean-up");
            }
        };
        const std::string why = co_await failure_of(when_any(fails_in_cleanup(), fails_later("first", 3)));
        CHECK(why == "first");
        auto first = co_await when_any(fails_in_cleanup(), number_later(2, 3), fails_later("too late", 3));
        CHECK(std::get<1>(first) == 2);
    });
}

TEST_CASE("when_any waits for a loser that swallows its cancellation, and drops what it gives") {
    in_coroutine([]() -> Task<> {
        auto first = co_await when_any(stubborn(1), number_later(2, 3), stubborn(3));
        REQUIRE(first.index() == 1);
        CHECK(std::get<1>(first) == 2);
    });
}

TEST_CASE("tasks behind one that ends without waiting are not started") {
    in_coroutine([]() -> Task<> {
        Log log;
        auto first = co_await when_any(logged_sleep(log, "a"), number(2), logged_sleep(log, "c"));
        CHECK(first.index() == 1);
        CHECK(log == Log{"a begins", "a is cancelled", "a ends"});
        auto only = co_await when_any(number(1));
        CHECK(std::get<0>(only) == 1);
    });
}

TEST_CASE("of several that end in one turn the first wins, always the same") {
    in_coroutine([]() -> Task<> {
        for (int i = 0; i < 100; ++i) {
            Event event;
            const auto sets = [&]() -> Task<> {
                event.set();
                co_return;
            };
            auto setter = spawn(sets);
            auto first = co_await when_any(event.wait(), event.wait(), event.wait());
            CHECK(first.index() == 0);
            co_await setter;
        }
    });
}

TEST_CASE("a loser that was waiting for an event, a handle or a lock leaves nothing behind") {
    in_coroutine([]() -> Task<> {
        Event event;
        sake::Mutex mutex;
        auto guard = co_await mutex.lock();
        auto handle = spawn(sleeps_for_ever());
        for (int i = 0; i < 10; ++i) {
            auto first = co_await when_any(event.wait(), mutex.lock(), number_later(1));
            CHECK(first.index() == 2);
        }
        auto first = co_await when_any(std::move(handle), number_later(1));
        CHECK(first.index() == 1);
        guard.release();
        CHECK_FALSE(mutex.is_locked());
    });
}

// ---- timeout ----

TEST_CASE("a limit that is not reached changes nothing: the result or the exception comes out") {
    in_coroutine([]() -> Task<> {
        const int n = co_await timeout(number_later(5, 3), 1h);
        CHECK(n == 5);
        co_await timeout(nothing(), 1h);
        co_await timeout(sake::sleep(1ms), std::chrono::duration<double>(1e300));
        const std::string why = co_await failure_of(timeout(fails_later("why", 3), 1h));
        CHECK(why == "why");
        const std::string own = co_await failure_of(timeout(
            []() -> Task<> {
                throw Cancelled();
                co_return;
            }(),
            1h));
        CHECK(own == "Cancelled");
    });
}

TEST_CASE("a limit that is reached cancels the task, waits for its end, and throws TimedOut") {
    in_coroutine([]() -> Task<> {
        Log log;
        const std::string why = co_await failure_of(timeout(logged_sleep(log, "a"), 2ms));
        CHECK(why == "the operation timed out");
        CHECK(log == Log{"a begins", "a is cancelled", "a ends"});
        bool timed_out = false;
        try {
            co_await timeout(sake::sleep(1h), 1ms);
        } catch (const TimedOut&) {
            timed_out = true;
        }
        CHECK(timed_out);
    });
}

TEST_CASE("with no time at all a task runs to its first wait; one that does not wait is in time") {
    in_coroutine([]() -> Task<> {
        for (const auto limit : {0ms, -1ms, -1000000ms}) {
            const int n = co_await timeout(number(1), limit);
            CHECK(n == 1);
            const std::string why = co_await failure_of(timeout(sleeps_for_ever(), limit));
            CHECK(why == "the operation timed out");
        }
    });
}

TEST_CASE("what a task gives or throws in spite of its cancellation is not lost") {
    in_coroutine([]() -> Task<> {
        const int n = co_await timeout(stubborn(8), 1ms);
        CHECK(n == 8);
        const auto fails_in_cleanup = []() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                throw std::runtime_error("clean-up");
            }
        };
        const std::string why = co_await failure_of(timeout(fails_in_cleanup(), 1ms));
        CHECK(why == "clean-up");
    });
}

TEST_CASE("an end and a limit at the same moment are one or the other, never both or neither") {
    in_coroutine([]() -> Task<> {
        int in_time = 0;
        int timed_out = 0;
        for (int i = 0; i < 50; ++i) {
            try {
                co_await timeout(sake::sleep(1ms), 1ms);
                ++in_time;
            } catch (const TimedOut&) {
                ++timed_out;
            }
        }
        CHECK(in_time + timed_out == 50);
    });
}

TEST_CASE("limits nest: the nearer one counts, and its TimedOut is not the other's") {
    in_coroutine([]() -> Task<> {
        const std::string inner = co_await failure_of(timeout(timeout(sleeps_for_ever(), 1ms), 1h));
        CHECK(inner == "the operation timed out");
        Log log;
        const auto tells = [&]() -> Task<> {
            try {
                co_await timeout(sleeps_for_ever(), 1h);
            } catch (const TimedOut&) {
                log.emplace_back("inner");
            } catch (const Cancelled&) {
                log.emplace_back("cancelled");
                throw;
            }
        };
        const std::string outer = co_await failure_of(timeout(tells(), 1ms));
        CHECK(outer == "the operation timed out");
        CHECK(log == Log{"cancelled"});
    });
}

TEST_CASE(
    "a cancellation of the whole is Cancelled, even if the limit is reached before the task has ended") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto slow_to_end = [&]() -> Task<> {
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
            }
            co_await sake::sleep(5ms);
            log.emplace_back("ends");
            throw Cancelled();
        };
        auto handle = spawn(timeout(slow_to_end(), 2ms));
        co_await let_the_others_run();
        handle.cancel();
        const std::string why = co_await failure_of(join(handle));
        CHECK(why == "Cancelled");
    });
}

// ---- TaskGroup ----

TEST_CASE("a group ends when its body and everything that was spawned in it have ended") {
    in_coroutine([]() -> Task<> {
        int ended = 0;
        const auto work = [&](int turns) -> Task<> {
            for (int i = 0; i < turns; ++i) co_await sake::yield();
            ++ended;
        };
        co_await TaskGroup::run([&](TaskGroup& group) -> Task<> {
            for (int i = 0; i < 100; ++i) group.spawn(work, i);
            CHECK(ended == 0);
            co_return;
        });
        CHECK(ended == 100);
        co_await TaskGroup::run([](TaskGroup&) -> Task<> { co_return; });
    });
}

TEST_CASE("the tasks of a group may spawn into it, a hundred thousand deep, without growing the stack") {
    struct Relay {
        static Task<> run(TaskGroup& group, int left, harness::StackMeter& meter) {
            if (left % 1000 == 0) meter.sample();
            if (left > 0) group.spawn(run(group, left - 1, meter));
            co_return;
        }
    };
    harness::StackMeter meter;
    in_coroutine([&]() -> Task<> {
        co_await TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn(Relay::run(group, 100'000, meter));
            co_return;
        });
    });
    CHECK_FALSE(meter.has_grown());
}

TEST_CASE("the first failure in a group cancels the rest, body included, and is thrown when all have ended") {
    in_coroutine([]() -> Task<> {
        Log log;
        const auto logged = [&](std::string name) -> Task<> { co_await logged_sleep(log, name); };
        const auto fails = []() -> Task<> { co_await fails_later("first", 3); };
        const std::string why = co_await failure_of(TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn(logged, std::string("a"));
            group.spawn(fails);
            co_await logged_sleep(log, "body");
        }));
        CHECK(why == "first");
        CHECK(log ==
              Log{"body begins", "a begins", "body is cancelled", "a is cancelled", "body ends", "a ends"});

        log.clear();
        const std::string of_body = co_await failure_of(TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn(logged, std::string("a"));
            co_await let_the_others_run();
            throw std::runtime_error("the body");
        }));
        CHECK(of_body == "the body");
        CHECK(log == Log{"a begins", "a is cancelled", "a ends"});
    });
}

TEST_CASE("what is spawned into a group that is cancelled never begins") {
    in_coroutine([]() -> Task<> {
        bool has_begun = false;
        const auto begins = [&]() -> Task<> {
            has_begun = true;
            co_return;
        };
        const std::string why = co_await failure_of(TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn([]() -> Task<> { co_await fails_later("why", 0); });
            try {
                co_await sake::sleep(1000h);
            } catch (const Cancelled&) {
                group.spawn(begins);
            }
        }));
        CHECK(why == "why");
        CHECK_FALSE(has_begun);
    });
}

TEST_CASE("a group that is cancelled from inside ends without a failure") {
    in_coroutine([]() -> Task<> {
        Log log;
        co_await TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn([](Log& l) -> Task<> { co_await logged_sleep(l, "a"); }, std::ref(log));
            group.spawn(
                [](TaskGroup& g) -> Task<> {
                    co_await let_the_others_run();
                    g.cancel();
                },
                std::ref(group));
            co_await sake::sleep(1000h);
            log.emplace_back("never");
        });
        CHECK(log == Log{"a begins", "a is cancelled", "a ends"});
        const std::string why = co_await failure_of(TaskGroup::run([&](TaskGroup& group) -> Task<> {
            group.spawn([]() -> Task<> {
                try {
                    co_await sake::sleep(1000h);
                } catch (const Cancelled&) {
                    throw std::runtime_error("clean-up");
                }
            });
            co_await sake::yield();
            co_await sake::yield();
            group.cancel();
        }));
        CHECK(why == "clean-up");
    });
}

TEST_CASE("a body with captures of its own is named first, and lives as long as the group") {
    in_coroutine([]() -> Task<> {
        std::size_t size = 0;
        {
            auto body = [&size, text = std::string(60, 'x')](TaskGroup& group) -> Task<> {
                group.spawn(
                    [](std::size_t& s, std::string t) -> Task<> {
                        co_await sake::yield();
                        s = t.size();
                    },
                    std::ref(size), text);
                co_await sake::yield();
                size += text.size();
            };
            co_await TaskGroup::run(body);
        }
        CHECK(size == 60);
    });
}

// ---- All of them ----

TEST_CASE("C5: a hundred thousand of each, waiting or not, do not grow the stack") {
    for (const int turns : {0, 1}) {
        harness::StackMeter meter;
        const auto child = [&](int i) -> Task<int> {
            if (i % 1000 == 0) meter.sample();
            for (int t = 0; t < turns; ++t) co_await sake::yield();
            co_return 1;
        };
        in_coroutine([&]() -> Task<> {
            int sum = 0;
            for (int i = 0; i < 100'000 / 4; ++i) {
                auto all = co_await when_all(child(i), child(i));
                sum += std::get<0>(all) + std::get<1>(all);
                auto any = co_await when_any(child(i), child(i));
                sum += static_cast<int>(any.index()) + 1;
                sum += co_await timeout(child(i), 1h);
                co_await TaskGroup::run([](TaskGroup&) -> Task<> { co_return; });
            }
            CHECK(sum == 100'000);
        });
        CHECK_FALSE(meter.has_grown());
    }
}

TEST_CASE("two hundred of them inside each other end together, and are cancelled together") {
    struct Nest {
        static Task<int> all(int depth) {
            if (depth == 0) {
                co_await let_the_others_run();
                co_return 1;
            }
            auto both = co_await when_all(any(depth - 1), number_later(1));
            co_return std::get<0>(both) + std::get<1>(both);
        }
        static Task<int> any(int depth) {
            if (depth == 0) co_return 1;
            auto first = co_await when_any(limited(depth - 1), sleeps_for_ever());
            co_return std::get<0>(first) + 1;
        }
        static Task<int> limited(int depth) {
            if (depth == 0) co_return 1;
            const int below = co_await timeout(all(depth - 1), 1h);
            co_return below + 1;
        }
    };
    in_coroutine([]() -> Task<> {
        const int sum = co_await Nest::all(200);
        CHECK(sum == 201);
        auto handle = spawn(Nest::all(201));
        co_await sake::yield();
        co_await sake::yield();
        handle.cancel();
        const std::string why = co_await failure_of(join(handle));
        CHECK(why == "Cancelled");
    });
}

TEST_CASE("what a loop leaves unfinished is cancelled with all that belongs to it") {
    Log log;
    log.reserve(20);
    {
        const auto leaves = [&]() -> Task<> {
            spawn(when_all(logged_sleep(log, "a"), logged_sleep(log, "b"))).detach();
            spawn(timeout(logged_sleep(log, "c"), 1h)).detach();
            co_await let_the_others_run();
        };
        run_until_complete(leaves());
    }
    // The loop cancels in every turn what is still there, so the rest of their clean-up is cut short.
    CHECK(log.size() == 6);
}

TEST_CASE("a thread that ends in the middle of them takes their frames with it") {
    const auto before = harness::allocations::live_blocks();
    {
        sake::Semaphore semaphore(2);
        const auto holds_a_permit = [&]() -> Task<> {
            const auto permit = co_await semaphore.acquire();
            co_await sleeps_for_ever();
        };
        sake::Reactor reactor;
        reactor.enter([&] {
            for (int i = 0; i < 6; ++i) spawn(holds_a_permit()).detach();
            spawn(when_all(holds_a_permit(), holds_a_permit(), holds_a_permit())).detach();
            spawn(when_all(alive_for(1), sleeps_for_ever())).detach();
            spawn(when_any(alive_for(1), sleeps_for_ever())).detach();
            spawn(timeout(alive_for(1), 1h)).detach();
            spawn(TaskGroup::run([](TaskGroup& group) -> Task<> {
                group.spawn(sleeps_for_ever());
                co_await alive_for(1);
            })).detach();
        });
        reactor.run_until([] { return Alive::count == 4; });
        reactor.destroy_fibers();
        CHECK(Alive::count == 0);
        // The loop itself can go on, as it does where there was nothing to destroy.
        auto next = sake::detail::spawn_on(reactor, alive_for(1));
        reactor.run_until([&] { return next.is_done(); });
    }
    CHECK(harness::is_back_at(before));
}

TEST_CASE("running out of memory on the way starts nothing, or ends what was started") {
    const auto everything = []() -> Task<> {
        co_await when_all(alive_for(1), alive_for(2), alive_for(0));
        co_await when_any(alive_for(1), alive_for(2));
        std::vector<Task<int>> tasks;
        for (int i = 0; i < 3; ++i) tasks.push_back(alive_for(i));
        co_await when_all(std::move(tasks));
        co_await timeout(alive_for(1), 1h);
        co_await TaskGroup::run([](TaskGroup& group) -> Task<> {
            group.spawn([]() -> Task<> { co_await alive_for(1); });
            group.spawn([]() -> Task<> { co_await alive_for(2); });
            co_await alive_for(0);
        });
    };
    int failures = 0;
    for (std::uint64_t n = 1;; ++n) {
        const auto before = harness::allocations::live_blocks();
        bool has_failed = false;
        const harness::allocations::ScopedFailure failure(n);
        std::thread([&] {
            harness::faults::apply_to_this_thread();
            try {
                run_until_complete(everything());
            } catch (const std::bad_alloc&) {
                has_failed = true;
            }
        }).join();
        CHECK(Alive::count == 0);
        CHECK(harness::is_back_at(before));
        if (!failure.fired()) break;
        failures += has_failed ? 1 : 0;
    }
    CHECK(failures > 20);
}

TEST_CASE("what can be awaited together, and what cannot") {
    static_assert(!std::is_copy_constructible_v<TaskGroup> && !std::is_move_constructible_v<TaskGroup>);
    static_assert(sake::detail::Awaitable<Task<>> && sake::detail::Awaitable<TaskHandle<int>>);
    static_assert(!sake::detail::Awaitable<int> && !sake::detail::Awaitable<std::vector<Task<>>>);
}

}  // namespace test_combinators
