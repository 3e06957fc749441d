// Mutex and Semaphore: who is let through, in which order, and that no permit is lost.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"

namespace test_sync {

using namespace std::chrono_literals;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Cancelled;
using sake::Mutex;
using sake::run_until_complete;
using sake::Semaphore;
using sake::spawn;
using sake::Task;

namespace {

using Order = std::vector<int>;

Task<> lock_and_note(Mutex& mutex, int number, Order& order) {
    const auto guard = co_await mutex.lock();
    order.push_back(number);
}

}  // namespace

TEST_CASE("a mutex lets one through at a time, across awaits") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        int inside = 0;
        int most = 0;
        int total = 0;
        const auto worker = [&]() -> Task<> {
            for (int i = 0; i < 100; ++i) {
                const auto guard = co_await mutex.lock();
                ++inside;
                most = std::max(most, inside);
                co_await sake::yield();
                --inside;
                ++total;
            }
        };
        co_await sake::when_all(worker(), worker(), worker());
        CHECK(most == 1);
        CHECK(total == 300);
        CHECK_FALSE(mutex.is_locked());
    });
}

TEST_CASE("a mutex that is free is locked without waiting, and try_lock never waits") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        int turns = 0;
        auto other = spawn(
            [](int& count) -> Task<> {
                ++count;
                co_return;
            },
            std::ref(turns));
        {
            const auto guard = co_await mutex.lock();
            CHECK(turns == 0);
            CHECK(mutex.is_locked());
            CHECK_FALSE(mutex.try_lock().has_value());
        }
        CHECK_FALSE(mutex.is_locked());
        auto guard = mutex.try_lock();
        REQUIRE(guard.has_value());
        CHECK(mutex.is_locked());
        guard.reset();
        CHECK_FALSE(mutex.is_locked());
        co_await other;
    });
}

TEST_CASE("those who wait are served in the order of coming, and nobody goes before them") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        Order order;
        std::vector<sake::TaskHandle<void>> waiters;
        auto guard = co_await mutex.lock();
        for (int i = 0; i < 100; ++i) waiters.push_back(spawn(lock_and_note(mutex, i, order)));
        co_await let_the_others_run();
        CHECK(order.empty());
        guard.release();
        // The first who waits has it already, though it has not run yet.
        CHECK(mutex.is_locked());
        CHECK_FALSE(mutex.try_lock().has_value());
        co_await lock_and_note(mutex, 100, order);
        for (auto& waiter : waiters) co_await waiter;
        REQUIRE(order.size() == 101);
        for (int i = 0; i <= 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    });
}

TEST_CASE("a cancelled waiter leaves the line, and the others move up") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        Order order;
        auto guard = co_await mutex.lock();
        auto a = spawn(lock_and_note(mutex, 1, order));
        auto b = spawn(lock_and_note(mutex, 2, order));
        auto c = spawn(lock_and_note(mutex, 3, order));
        co_await let_the_others_run();
        b.cancel();
        bool was_cancelled = false;
        try {
            co_await b;
        } catch (const Cancelled&) {
            was_cancelled = true;
        }
        CHECK(was_cancelled);
        guard.release();
        co_await a;
        co_await c;
        CHECK(order == Order{1, 3});
        CHECK_FALSE(mutex.is_locked());
    });
}

TEST_CASE("a waiter that is cancelled after its turn has come keeps its turn, and gives it back") {
    in_coroutine([]() -> Task<> {
        Semaphore semaphore(1);
        Order seen;
        const auto waiter = [&]() -> Task<> {
            const auto permit = co_await semaphore.acquire();
            seen.push_back(1);
            co_await sake::sleep(1000h);
        };
        auto permit = co_await semaphore.acquire();
        auto handle = spawn(waiter);
        co_await let_the_others_run();
        permit.release();
        handle.cancel();
        bool was_cancelled = false;
        try {
            co_await handle;
        } catch (const Cancelled&) {
            was_cancelled = true;
        }
        CHECK(was_cancelled);
        CHECK(seen == Order{1});
        CHECK(semaphore.available() == 1);
    });
}

TEST_CASE("an exception gives the lock back") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        const auto fails = [&]() -> Task<> {
            const auto guard = co_await mutex.lock();
            throw std::runtime_error("inside");
        };
        for (int i = 0; i < 3; ++i) {
            std::string why;
            try {
                co_await fails();
            } catch (const std::runtime_error& error) {
                why = error.what();
            }
            CHECK(why == "inside");
        }
        CHECK_FALSE(mutex.is_locked());
    });
}

TEST_CASE("a semaphore lets as many through as it has permits, one fewer and one more") {
    in_coroutine([]() -> Task<> {
        for (const int workers : {4, 5, 6, 50}) {
            CAPTURE(workers);
            Semaphore semaphore(5);
            int inside = 0;
            int most = 0;
            const auto worker = [&]() -> Task<> {
                const auto permit = co_await semaphore.acquire();
                most = std::max(most, ++inside);
                co_await let_the_others_run();
                --inside;
            };
            std::vector<Task<>> tasks;
            for (int i = 0; i < workers; ++i) tasks.push_back(worker());
            co_await sake::when_all(std::move(tasks));
            CHECK(most == std::min(workers, 5));
            CHECK(semaphore.available() == 5);
        }
    });
}

TEST_CASE("permits move, are given back once, and early if asked") {
    in_coroutine([]() -> Task<> {
        using Permit = Semaphore::Permit;
        static_assert(!std::is_copy_constructible_v<Permit> && std::is_nothrow_move_constructible_v<Permit>);
        static_assert(!std::is_copy_constructible_v<Semaphore> && !std::is_move_constructible_v<Mutex>);
        Semaphore semaphore(2);
        auto a = co_await semaphore.acquire();
        auto b = co_await semaphore.acquire();
        CHECK(semaphore.available() == 0);
        CHECK_FALSE(semaphore.try_acquire().has_value());
        a = std::move(b);  // gives the first one back
        CHECK(semaphore.available() == 1);
        auto& same = a;
        a = std::move(same);
        CHECK(semaphore.available() == 1);
        a.release();
        a.release();
        b.release();
        CHECK(semaphore.available() == 2);
        auto taken = semaphore.try_acquire();
        REQUIRE(taken.has_value());
        CHECK(semaphore.available() == 1);
    });
}

TEST_CASE("a semaphore without permits is refused") {
    CHECK_THROWS_WITH_AS(Semaphore(-1), "Semaphore: permits must be at least 1, not -1",
                         std::invalid_argument);
    CHECK_THROWS_AS(Semaphore(0), std::invalid_argument);
}

TEST_CASE("a lock with a time limit either has the lock or does not") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        {
            const auto guard = co_await sake::timeout(mutex.lock(), 1h);
            CHECK(mutex.is_locked());
            bool timed_out = false;
            try {
                const auto second = co_await sake::timeout(mutex.lock(), 1ms);
            } catch (const sake::TimedOut&) {
                timed_out = true;
            }
            CHECK(timed_out);
        }
        CHECK_FALSE(mutex.is_locked());
    });
}

TEST_CASE("C5: a hundred thousand turns, waiting or not, come to an end") {
    in_coroutine([]() -> Task<> {
        Mutex mutex;
        int total = 0;
        const auto player = [&](bool yields) -> Task<> {
            for (int i = 0; i < 50'000; ++i) {
                const auto guard = co_await mutex.lock();
                if (yields) co_await sake::yield();
                ++total;
            }
        };
        co_await sake::when_all(player(false), player(true));
        CHECK(total == 100'000);
    });
}

TEST_CASE("the largest number of permits, of whatever type, is no limit, and a negative one is refused") {
    constexpr int most = std::numeric_limits<int>::max();
    CHECK(Semaphore(std::numeric_limits<std::size_t>::max()).available() == most);
    CHECK(Semaphore(most).available() == most);
    CHECK(Semaphore(std::int64_t{5'000'000'000}).available() == most);
    CHECK_THROWS_AS(Semaphore(std::int64_t{-1}), std::invalid_argument);
    CHECK_THROWS_AS(Semaphore(std::numeric_limits<std::size_t>::max() - 4), std::invalid_argument);
}

}  // namespace test_sync
