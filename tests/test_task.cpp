// Task: laziness, results, exceptions, the lifetime of everything that a frame holds, and the stack.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/reliability.hpp"

namespace test_task {

using namespace std::string_literals;
using sake::run_until_complete;
using sake::Task;

namespace {

/// Counts what lives; copies and moves count as lives of their own.
struct Counted {
    static inline int live = 0;
    static inline int destroyed = 0;
    static void reset() { live = destroyed = 0; }

    explicit Counted(int number = 0) : value(number) { ++live; }
    Counted(const Counted& other) : value(other.value) { ++live; }
    Counted(Counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++live; }
    Counted& operator=(const Counted&) = default;
    Counted& operator=(Counted&&) = default;
    ~Counted() {
        --live;
        ++destroyed;
    }
    int value;
};

/// Writes its name into a list when it goes.
struct Farewell {
    Farewell(std::string who, std::vector<std::string>& list) : name(std::move(who)), farewells(&list) {}
    Farewell(const Farewell&) = delete;
    Farewell& operator=(const Farewell&) = delete;
    ~Farewell() { farewells->push_back(name); }
    std::string name;
    std::vector<std::string>* farewells;
};

Task<int> number(int value) { co_return value; }
Task<> nothing() { co_return; }
Task<int> number_later(int value) {
    co_await sake::yield();
    co_return value;
}
Task<int> fails(const char* why) {
    throw std::runtime_error(why);
    co_return 0;
}
Task<int> fails_later(const char* why) {
    co_await sake::yield();
    throw std::runtime_error(why);
}

constexpr int million = 1'000'000;
// A throw takes 60 microseconds under AddressSanitizer; the meter sees a growing stack long before the
// million.
constexpr int many_throws = harness::is_sanitized ? 20'000 : million;
constexpr std::intptr_t few_kilobytes = 16 * 1024;

}  // namespace

// ---- What a task is ----

TEST_CASE("a task only moves, and is awaited as an rvalue") {
    static_assert(!std::copyable<Task<int>>);
    static_assert(!std::is_copy_constructible_v<Task<>> && !std::is_copy_assignable_v<Task<>>);
    static_assert(std::is_nothrow_move_constructible_v<Task<std::string>>);
    static_assert(std::is_nothrow_move_assignable_v<Task<>>);
    static_assert(!std::is_default_constructible_v<Task<int>>);
    static_assert(std::same_as<Task<int>::value_type, int>);
    static_assert(std::same_as<Task<>, Task<void>>);
    static_assert(sake::detail::is_task<Task<int>> && !sake::detail::is_task<int>);
}

TEST_CASE("a task does nothing until it is awaited") {
    int ran = 0;
    const auto count = [&]() -> Task<> {
        ++ran;
        co_return;
    };
    {
        const Task<> never = count();
        CHECK(ran == 0);
    }
    CHECK(ran == 0);
    run_until_complete([&]() -> Task<> {
        Task<> task = count();
        co_await sake::yield();
        CHECK(ran == 0);
        co_await std::move(task);
        CHECK(ran == 1);
    }());
    CHECK(ran == 1);
}

TEST_CASE("a task gives its result to whoever awaits it") {
    const auto sum = []() -> Task<int> {
        const int a = co_await number(40);
        const int b = co_await number_later(2);
        co_await nothing();
        co_return a + b;
    };
    CHECK(run_until_complete(sum()) == 42);
}

TEST_CASE("a result may be move-only, without a default constructor, or made from something else") {
    struct Plain {
        explicit Plain(int n) : value(n) {}
        int value;
    };
    const auto unique = []() -> Task<std::unique_ptr<int>> {
        auto p = std::make_unique<int>(5);
        co_return p;
    };
    const auto plain = []() -> Task<Plain> { co_return Plain(6); };
    const auto text = []() -> Task<std::string> { co_return "literal"; };
    const auto maybe = []() -> Task<std::optional<int>> { co_return std::nullopt; };
    const auto all = [&]() -> Task<> {
        const std::unique_ptr<int> p = co_await unique();
        CHECK(*p == 5);
        const Plain q = co_await plain();
        CHECK(q.value == 6);
        const std::string t = co_await text();
        CHECK(t == "literal");
        const std::optional<int> m = co_await maybe();
        CHECK_FALSE(m.has_value());
    };
    run_until_complete(all());
}

TEST_CASE("a result may be written in braces") {
    const auto empty = []() -> Task<std::optional<int>> { co_return {}; };
    const auto pair = []() -> Task<std::pair<int, std::string>> { co_return {1, "one"}; };
    CHECK_FALSE(run_until_complete(empty()).has_value());
    CHECK(run_until_complete(pair()) == std::pair(1, "one"s));
}

TEST_CASE("awaiting a named task with std::move is the same as awaiting the call") {
    const auto both = []() -> Task<int> {
        Task<int> first = number(1);
        Task<int> second = number_later(2);
        const int b = co_await std::move(second);
        const int a = co_await std::move(first);
        co_return 10 * a + b;
    };
    CHECK(run_until_complete(both()) == 12);
}

TEST_CASE("every task of a chain knows the fiber at its top") {
    const auto inner = []() -> Task<sake::detail::Fiber*> {
        co_await sake::yield();
        sake::detail::Fiber& fiber = co_await sake::detail::current_fiber();
        co_return &fiber;
    };
    const auto outer = [&]() -> Task<bool> {
        sake::detail::Fiber& mine = co_await sake::detail::current_fiber();
        sake::detail::Fiber* const below = co_await inner();
        co_return below == &mine && &mine.reactor() == sake::Reactor::current();
    };
    CHECK(run_until_complete(outer()));
}

// ---- Exceptions ----

TEST_CASE("an exception arrives at the await, before and after a suspension") {
    const auto catches = []() -> Task<std::string> {
        std::string seen;
        try {
            co_await fails("now");
        } catch (const std::runtime_error& error) {
            seen += error.what();
        }
        try {
            co_await fails_later(" and later");
        } catch (const std::runtime_error& error) {
            seen += error.what();
        }
        const int still_works = co_await number_later(1);
        co_return seen + std::to_string(still_works);
    };
    CHECK(run_until_complete(catches()) == "now and later1");
}

TEST_CASE("an exception passes through every frame, and each local object goes once, innermost first") {
    std::vector<std::string> farewells;
    struct Levels {
        static Task<int> level(int depth, std::vector<std::string>& list) {
            const Farewell local("level " + std::to_string(depth), list);
            if (depth == 0) {
                co_await sake::yield();
                throw std::out_of_range("the bottom");
            }
            const int below = co_await level(depth - 1, list);
            co_return below + 1;
        }
    };
    CHECK_THROWS_WITH_AS(run_until_complete(Levels::level(3, farewells)), "the bottom", std::out_of_range);
    CHECK(farewells == std::vector{"level 0"s, "level 1"s, "level 2"s, "level 3"s});
}

TEST_CASE("an exception keeps its type and its identity, also when it is no std::exception") {
    const auto throws_int = []() -> Task<> {
        co_await sake::yield();
        throw 42;
    };
    int seen = 0;
    try {
        run_until_complete(throws_int());
    } catch (int value) {
        seen = value;
    }
    CHECK(seen == 42);
}

TEST_CASE("an exception of the copy of a result arrives as one of the task") {
    struct Picky {
        Picky() = default;
        Picky(const Picky&) { throw std::length_error("no copy today"); }
        Picky& operator=(const Picky&) = delete;
    };
    static const Picky original;
    const auto gives = []() -> Task<Picky> { co_return original; };
    CHECK_THROWS_AS(run_until_complete(gives()), std::length_error);
}

// ---- Lifetime (C4) ----

TEST_CASE("C4: a task that never runs destroys its parameters once and nothing else") {
    Counted::reset();
    const auto takes = [](Counted parameter) -> Task<int> {
        const Counted local;
        co_return parameter.value;
    };
    {
        const Task<int> task = takes(Counted(1));
        CHECK(Counted::live == 1);
    }
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: parameters and locals of a finished task are gone when its task is") {
    Counted::reset();
    const auto takes = [](Counted parameter) -> Task<int> {
        const Counted local(2);
        co_await sake::yield();
        co_return parameter.value + local.value;
    };
    const auto outer = [&]() -> Task<int> {
        const int sum = co_await takes(Counted(1));
        CHECK(Counted::live == 0);
        co_return sum;
    };
    CHECK(run_until_complete(outer()) == 3);
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: a result is moved on and never duplicated or lost") {
    Counted::reset();
    const auto makes = []() -> Task<Counted> {
        co_await sake::yield();
        co_return Counted(9);
    };
    const auto passes = [&]() -> Task<Counted> {
        Counted got = co_await makes();
        co_return got;
    };
    {
        const Counted result = run_until_complete(passes());
        CHECK(result.value == 9);
        CHECK(Counted::live == 1);
    }
    CHECK(Counted::live == 0);
    const auto ignores = [&]() -> Task<> { static_cast<void>(co_await makes()); };
    run_until_complete(ignores());
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: a temporary argument lives until the awaiting statement ends, a by-value one in the frame") {
    const auto by_value = [](std::string text) -> Task<std::size_t> {
        co_await sake::yield();
        co_return text.size();
    };
    const auto by_reference = [](const std::string& text) -> Task<std::size_t> {
        co_await sake::yield();
        co_return text.size();
    };
    const auto outer = [&]() -> Task<std::size_t> {
        const std::size_t a = co_await by_value(std::string(100, 'a'));
        const std::size_t b = co_await by_reference(std::string(200, 'b'));
        std::string named(300, 'c');
        const std::size_t c = co_await by_value(std::move(named));
        co_return a + b + c;
    };
    CHECK(run_until_complete(outer()) == 600);
}

TEST_CASE("C4: captures are seen for as long as the closure lives, by reference and by value") {
    Counted::reset();
    int total = 0;
    const auto run = [&]() -> Task<> {
        const auto body = [&total, held = Counted(5), text = std::string(50, 'x')]() -> Task<> {
            co_await sake::yield();
            total += held.value + static_cast<int>(text.size());
            co_await sake::yield();
            total += held.value;
        };
        co_await body();
        co_await body();
        CHECK(Counted::live == 1);
    };
    run_until_complete(run());
    CHECK(total == 2 * 60);
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: objects around an await live across it; those of an inner scope go before the next await") {
    std::vector<std::string> farewells;
    const auto scopes = [&]() -> Task<> {
        const Farewell outer("outer", farewells);
        {
            const Farewell inner("inner", farewells);
            co_await sake::yield();
            CHECK(farewells.empty());
        }
        CHECK(farewells == std::vector{"inner"s});
        co_await sake::yield();
        CHECK(farewells.size() == 1);
    };
    run_until_complete(scopes());
    CHECK(farewells == std::vector{"inner"s, "outer"s});
}

TEST_CASE("C4: a temporary in the awaiting statement goes when the statement ends") {
    std::vector<std::string> farewells;
    const auto takes = [](const Farewell& guest) -> Task<std::size_t> {
        co_await sake::yield();
        co_return guest.farewells->size();
    };
    const auto outer = [&]() -> Task<> {
        const std::size_t before = co_await takes(Farewell("temporary", farewells));
        CHECK(before == 0);
        CHECK(farewells == std::vector{"temporary"s});
    };
    run_until_complete(outer());
    CHECK(farewells.size() == 1);
}

TEST_CASE("C4: tasks kept in a container are awaited in any order, and the rest are dropped unharmed") {
    Counted::reset();
    const auto make = [](Counted c) -> Task<int> {
        co_await sake::yield();
        co_return c.value;
    };
    const auto outer = [&]() -> Task<int> {
        std::vector<Task<int>> tasks;
        for (int i = 0; i < 10; ++i) tasks.push_back(make(Counted(i)));
        const int seven = co_await std::move(tasks[7]);
        const int three = co_await std::move(tasks[3]);
        co_return 10 * seven + three;
    };
    CHECK(run_until_complete(outer()) == 73);
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: assigning to a task drops the one that it was") {
    Counted::reset();
    const auto make = [](Counted c) -> Task<int> { co_return c.value; };
    Task<int> task = make(Counted(1));
    task = make(Counted(2));
    CHECK(Counted::live == 1);
    Task<int>& same = task;
    task = std::move(same);
    CHECK(run_until_complete(std::move(task)) == 2);
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: a structured binding of an awaited value, made in two statements, owns its parts") {
    Counted::reset();
    const auto make = []() -> Task<std::pair<Counted, std::string>> {
        co_await sake::yield();
        co_return std::pair(Counted(4), std::string(40, 'p'));
    };
    const auto outer = [&]() -> Task<int> {
        auto pair = co_await make();
        auto& [counted, text] = pair;
        co_await sake::yield();
        co_return counted.value + static_cast<int>(text.size());
    };
    CHECK(run_until_complete(outer()) == 44);
    CHECK(Counted::live == 0);
}

TEST_CASE("C4: every frame and result is freed: the heap is where it was") {
    const auto busy = []() -> Task<std::string> {
        std::string all;
        for (int i = 0; i < 50; ++i) {
            const int n = co_await number_later(i);
            all += std::to_string(n);
            try {
                co_await fails_later("on purpose");
            } catch (const std::runtime_error&) {
            }
        }
        co_return all;
    };
    run_until_complete(busy());  // what is made once has been made
    const auto before = harness::allocations::live_blocks();
    run_until_complete(busy());
    CHECK(harness::is_back_at(before));
}

// ---- The stack (C5) ----

TEST_CASE("C5: a million awaits that complete at once do not grow the stack") {
    harness::StackMeter meter;
    const auto child = [&](int i) -> Task<int> {
        if (i % 1000 == 0) meter.sample();
        co_return i & 1;
    };
    const auto loop = [&]() -> Task<int> {
        int odd = 0;
        for (int i = 0; i < million; ++i) odd += co_await child(i);
        co_return odd;
    };
    CHECK(run_until_complete(loop()) == million / 2);
    CHECK(meter.farthest() < few_kilobytes);
}

TEST_CASE("C5: a million awaits that suspend do not grow the stack") {
    harness::StackMeter meter;
    const auto child = [&](int i) -> Task<int> {
        co_await sake::yield();
        if (i % 1000 == 0) meter.sample();
        co_return i & 1;
    };
    const auto loop = [&]() -> Task<int> {
        int odd = 0;
        for (int i = 0; i < million; ++i) odd += co_await child(i);
        co_return odd;
    };
    CHECK(run_until_complete(loop()) == million / 2);
    CHECK(meter.farthest() < few_kilobytes);
}

TEST_CASE("C5: a million awaits of which some suspend do not grow the stack") {
    harness::StackMeter meter;
    const auto child = [&](int i) -> Task<int> {
        if (i % 3 == 0) co_await sake::yield();
        if (i % 1000 == 0) meter.sample();
        co_return 1;
    };
    const auto loop = [&]() -> Task<int> {
        int sum = 0;
        for (int i = 0; i < million; ++i) sum += co_await child(i);
        co_return sum;
    };
    CHECK(run_until_complete(loop()) == million);
    CHECK(meter.farthest() < few_kilobytes);
}

TEST_CASE("C5: a million awaits that throw do not grow the stack") {
    struct Small {};
    harness::StackMeter meter;
    const auto child = [&](int i) -> Task<> {
        if (i % 1000 == 0) meter.sample();
        throw Small{};
        co_return;
    };
    const auto loop = [&]() -> Task<int> {
        int caught = 0;
        for (int i = 0; i < many_throws; ++i) {
            try {
                co_await child(i);
            } catch (const Small&) {
                ++caught;
            }
        }
        co_return caught;
    };
    CHECK(run_until_complete(loop()) == many_throws);
    CHECK(meter.farthest() < few_kilobytes);
}

TEST_CASE("C5: a loop of awaits in the middle of a chain, resumed from below, does not grow the stack") {
    // Every hundredth child suspends, so the loop goes on from its final suspension and not from the reactor.
    harness::StackMeter meter;
    const auto grandchild = [&](int i) -> Task<> {
        if (i % 100 == 0) co_await sake::yield();
        if (i % 1000 == 1) meter.sample();
    };
    const auto child = [&](int i) -> Task<> { co_await grandchild(i); };
    const auto loop = [&]() -> Task<int> {
        int done = 0;
        for (int i = 0; i < million / 4; ++i) {
            co_await child(i);
            ++done;
        }
        co_return done;
    };
    const auto top = [&]() -> Task<int> {
        const int done = co_await loop();
        co_return done;
    };
    CHECK(run_until_complete(top()) == million / 4);
    CHECK(meter.farthest() < few_kilobytes);
}

TEST_CASE("a chain of a thousand tasks that await each other suspends and comes back") {
    struct Chain {
        static Task<int> link(int left) {
            if (left == 0) {
                co_await sake::yield();
                co_return 0;
            }
            const int below = co_await link(left - 1);
            co_return below + 1;
        }
    };
    CHECK(run_until_complete(Chain::link(1000)) == 1000);
}

TEST_CASE("awaiting a task twice is a logic error, and its arguments go while its exception passes") {
    struct Witness {
        explicit Witness(int& seen) noexcept : in_flight(&seen) {}
        Witness(Witness&& other) noexcept : in_flight(std::exchange(other.in_flight, nullptr)) {}
        Witness& operator=(Witness&&) = delete;
        ~Witness() {
            if (in_flight != nullptr) *in_flight = std::uncaught_exceptions();
        }
        int* in_flight;
    };
    int in_flight = -1;
    const auto fails = [](Witness) -> sake::Task<> {
        co_await sake::yield();
        throw std::runtime_error("no");
    };
    sake::run_until_complete([](auto& failing, int& seen) -> sake::Task<> {
        sake::Task<> task = failing(Witness(seen));
        CHECK(seen == -1);
        const std::string first = co_await harness::failure_of(std::move(task));
        CHECK(first == "no");
        CHECK(seen == 1);
        std::string second;
        try {
            co_await std::move(task);
        } catch (const std::logic_error& error) {
            second = error.what();
        }
        CHECK(second == "a Task is awaited twice, or after it was moved from");
    }(fails, in_flight));
}

TEST_CASE("a task may give a reference") {
    int value = 1;
    const auto refer = [&]() -> sake::Task<int&> { co_return value; };
    const auto fail = [&]() -> sake::Task<int&> {
        if (value == 2) throw std::runtime_error("no");
        co_return value;
    };
    const auto use = [&]() -> sake::Task<> {
        int& given = co_await refer();
        given = 2;
        bool threw = false;
        try {
            static_cast<void>(co_await fail());
        } catch (const std::runtime_error&) {
            threw = true;
        }
        CHECK(threw);
    };
    sake::run_until_complete(use());
    CHECK(value == 2);
}

namespace {

/// What owns a TaskFiber, and counts how often it is told of an end.
struct FiberOwner final : sake::detail::Resumable {
    FiberOwner() { begin_waiting(); }
    void resume() override {
        begin_waiting();
        ++told;
    }
    int told = 0;
};

}  // namespace

TEST_CASE("the task of a TaskFiber tells its owner when it ends, with or without a wait") {
    const auto ends_at_once = []() -> Task<> { co_return; };
    const auto waits = [=]() -> Task<> {
        co_await sake::yield();
        co_await ends_at_once();  // which is not the end of the fiber
        co_await sake::yield();
    };
    const auto fails = [=]() -> Task<> {
        co_await waits();
        throw std::runtime_error("failed");
    };
    const auto run = [](Task<> task) {
        sake::Reactor reactor;
        FiberOwner owner;
        sake::detail::TaskFiber fiber(reactor, owner);
        fiber.take(std::move(task));
        reactor.adopt(fiber);
        reactor.enter([&] { fiber.start(); });
        reactor.run_until([&] { return fiber.has_ended() && owner.told > 0; });
        CHECK(owner.told == 1);
        const std::exception_ptr failure = fiber.take_failure();
        CHECK_FALSE(fiber.has_task());
        CHECK_FALSE(reactor.has_fibers());
        return failure != nullptr;
    };
    CHECK_FALSE(run(ends_at_once()));
    CHECK_FALSE(run(waits()));
    CHECK(run(fails()));
}

TEST_CASE("a TaskFiber refuses an empty task") {
    sake::Reactor reactor;
    FiberOwner owner;
    sake::detail::TaskFiber fiber(reactor, owner);
    Task<> task = []() -> Task<> { co_return; }();
    const Task<> elsewhere = std::move(task);
    CHECK_THROWS_AS(fiber.take(std::move(task)), std::logic_error);  // NOLINT(bugprone-use-after-move)
    CHECK_FALSE(fiber.has_task());
}

}  // namespace test_task
