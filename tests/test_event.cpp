// Event as a flag: who waits, who goes on, and in which order. (As a message: test_event_text.cpp.)
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace test_event {

using sake::Cancelled;
using sake::Event;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;

namespace {

Task<> wait_and_note(Event& event, int number, std::vector<int>& order) {
    co_await event.wait();
    order.push_back(number);
}

/// Turns enough of the loop for everything that was spawned or resumed just now to run.
Task<> let_the_others_run() {
    for (int i = 0; i < 5; ++i) co_await sake::yield();
}

using Order = std::vector<int>;

}  // namespace

TEST_CASE("an event begins unset, and is set until it is reset") {
    Event event;
    CHECK_FALSE(event.is_set());
    event.set();
    CHECK(event.is_set());
    event.set();
    CHECK(event.is_set());
    event.reset();
    CHECK_FALSE(event.is_set());
    event.reset();
    CHECK_FALSE(event.is_set());
}

TEST_CASE("a copy of an event is set if the event is, and nobody waits for it") {
    Event event;
    const Event unset(event);
    event.set();
    const Event copy(event);
    Event moved(std::move(event));
    CHECK_FALSE(unset.is_set());
    CHECK(copy.is_set());
    CHECK(moved.is_set());
    moved = unset;
    CHECK_FALSE(moved.is_set());

    run_until_complete([]() -> Task<> {
        Event awaited;
        std::vector<int> order;
        const auto waiter = spawn(wait_and_note(awaited, 1, order));
        co_await let_the_others_run();
        Event other(awaited);
        other.set();
        co_await let_the_others_run();
        CHECK(order.empty());
        awaited = other;  // which sets it
        co_await waiter;
        CHECK(order.size() == 1);
    }());
}

TEST_CASE("waiting for an event that is set does not wait") {
    Event event;
    event.set();
    int turns = 0;
    const auto task = [&]() -> Task<> {
        auto other = spawn(
            [](int& count) -> Task<> {
                ++count;
                co_return;
            },
            std::ref(turns));
        co_await event.wait();
        co_await event.wait();
        CHECK(turns == 0);
        co_await std::move(other);
    };
    run_until_complete(task());
    CHECK(turns == 1);
}

TEST_CASE("setting an event resumes everybody who waits, in the order in which they came") {
    Event event;
    Order order;
    const auto task = [&]() -> Task<> {
        std::vector<sake::TaskHandle<void>> waiters;
        for (int i = 0; i < 100; ++i) waiters.push_back(spawn(wait_and_note(event, i, order)));
        co_await let_the_others_run();
        CHECK(order.empty());
        event.set();
        CHECK(order.empty());  // they run in a turn of their own, not inside set
        for (auto& waiter : waiters) co_await waiter;
    };
    run_until_complete(task());
    REQUIRE(order.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a waiter resumed by an event goes on even if the event is reset before its turn") {
    Event event;
    Order order;
    const auto task = [&]() -> Task<> {
        auto first = spawn(wait_and_note(event, 1, order));
        co_await let_the_others_run();
        event.set();
        event.reset();
        auto second = spawn(wait_and_note(event, 2, order));
        co_await first;
        co_await let_the_others_run();
        CHECK(order == Order{1});
        CHECK_FALSE(second.is_done());
        event.set();
        co_await second;
    };
    run_until_complete(task());
    CHECK(order == Order{1, 2});
}

TEST_CASE("a waiter may set and reset the event that it waited for, and wait again") {
    Event ping;
    Event pong;
    int rallies = 0;
    const auto player = [&]() -> Task<> {
        for (int i = 0; i < 1000; ++i) {
            co_await ping.wait();
            ping.reset();
            ++rallies;
            pong.set();
        }
    };
    const auto task = [&]() -> Task<> {
        auto other = spawn(player);
        for (int i = 0; i < 1000; ++i) {
            ping.set();
            co_await pong.wait();
            pong.reset();
        }
        co_await other;
    };
    run_until_complete(task());
    CHECK(rallies == 1000);
}

TEST_CASE("a cancelled waiter leaves the event, and the others stay") {
    Event event;
    Order order;
    bool was_cancelled = false;
    const auto cancelled_waiter = [&]() -> Task<> {
        try {
            co_await event.wait();
            order.push_back(-1);
        } catch (const Cancelled&) {
            was_cancelled = true;
        }
    };
    const auto task = [&]() -> Task<> {
        auto a = spawn(wait_and_note(event, 1, order));
        auto b = spawn(cancelled_waiter);
        auto c = spawn(wait_and_note(event, 3, order));
        co_await let_the_others_run();
        b.cancel();
        co_await b;
        CHECK(was_cancelled);
        event.set();
        co_await a;
        co_await c;
    };
    run_until_complete(task());
    CHECK(order == Order{1, 3});
}

TEST_CASE("a cancellation that comes after the event was set meets the next wait, and nothing is lost") {
    Event event;
    Order seen;
    const auto waiter = [&]() -> Task<> {
        co_await event.wait();
        seen.push_back(1);
        try {
            co_await sake::sleep(std::chrono::hours(1));
        } catch (const Cancelled&) {
            seen.push_back(2);
        }
    };
    const auto task = [&]() -> Task<> {
        auto handle = spawn(waiter);
        co_await let_the_others_run();
        event.set();
        handle.cancel();
        co_await handle;
    };
    run_until_complete(task());
    CHECK(seen == Order{1, 2});
}

TEST_CASE("an event may go once nobody waits for it, though resumed waiters have not run yet") {
    Order order;
    const auto task = [&]() -> Task<> {
        auto event = std::make_unique<Event>();
        auto waiter = spawn(wait_and_note(*event, 1, order));
        co_await let_the_others_run();
        event->set();
        event.reset();
        co_await waiter;
    };
    run_until_complete(task());
    CHECK(order == Order{1});
}

}  // namespace test_event
