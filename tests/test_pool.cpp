// Pool: what is lent, made, checked, kept and dropped.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"

namespace test_pool {

using namespace std::chrono_literals;
using harness::failure_of;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Pool;
using sake::PoolOptions;
using sake::spawn;
using sake::Task;

namespace {

/// Something to lend. Counts those that live.
struct Thing {
    static inline int alive = 0;
    explicit Thing(int given) : number(given) { ++alive; }
    Thing(Thing&& other) noexcept : number(other.number), is_good(other.is_good) { ++alive; }
    Thing& operator=(Thing&&) = delete;
    ~Thing() { --alive; }
    int number;
    bool is_good = true;
};

/// Makes things with numbers from 1 on.
struct Maker {
    int made = 0;
    auto make() {
        return [this]() -> Task<Thing> {
            const int number = ++made;
            co_await sake::yield();
            co_return Thing(number);
        };
    }
};

Task<int> number_lent(Pool<Thing>& pool, int turns = 0) {
    auto thing = co_await pool.acquire();
    for (int i = 0; i < turns; ++i) co_await sake::yield();
    co_return thing->number;
}

Task<int> number_of(Task<Pool<Thing>::Lease> acquiring) {
    auto thing = co_await std::move(acquiring);
    co_return thing->number;
}

}  // namespace

TEST_CASE("what has come back is lent again, the last used first") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 3}, maker.make());
        {
            auto one = co_await pool.acquire();
            auto two = co_await pool.acquire();
            CHECK(one->number == 1);
            CHECK((*two).number == 2);
            CHECK_FALSE(one.is_used());
            CHECK(pool.in_use() == 2);
            CHECK(pool.idle() == 0);
        }
        CHECK(pool.in_use() == 0);
        CHECK(pool.idle() == 2);
        auto again = co_await pool.acquire();
        CHECK(again->number == 1);
        CHECK(again.is_used());
        CHECK(maker.made == 2);
        pool.clear();
        CHECK(Thing::alive == 1);
    });
    CHECK(Thing::alive == 0);
}

TEST_CASE("one fewer, as many and one more than the size: the last waits for its turn") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 2, .acquire_timeout = 1h}, maker.make());
        std::vector<sake::TaskHandle<int>> all;
        for (int i = 0; i < 20; ++i) all.push_back(spawn(number_lent(pool, 10)));
        co_await let_the_others_run();
        CHECK(pool.in_use() == 2);
        for (auto& each : all) {
            const int number = co_await each;
            CHECK(number <= 2);
        }
        CHECK(maker.made == 2);
    });
}

TEST_CASE("who waits too long gets TimedOut, and who is cancelled leaves the line") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 1, .acquire_timeout = 1ms}, maker.make());
        auto held = co_await pool.acquire();
        const std::string why = co_await failure_of(number_lent(pool));
        CHECK(why == "timed out after 1 ms waiting for a turn in a pool");
        auto waiting = spawn(failure_of(number_lent(pool)));
        co_await sake::yield();
        co_await sake::yield();
        waiting.cancel();
        const std::string cancelled = co_await waiting;
        CHECK(cancelled == "Cancelled");
        held.discard();
        CHECK(pool.in_use() == 0);
        const int number = co_await number_lent(pool);
        CHECK(number == 2);
    });
}

TEST_CASE("what an exception or a cancellation ends in the middle does not go back") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 1}, maker.make());
        const auto fails = [&]() -> Task<> {
            auto thing = co_await pool.acquire();
            co_await sake::yield();
            throw std::runtime_error("no");
        };
        const std::string why = co_await failure_of(fails());
        CHECK(why == "no");
        CHECK(pool.idle() == 0);
        const auto sleeps = [&]() -> Task<> {
            auto thing = co_await pool.acquire();
            co_await sake::sleep(1h);
        };
        auto sleeping = spawn(failure_of(sleeps()));
        co_await let_the_others_run();
        co_await let_the_others_run();
        sleeping.cancel();
        const std::string cancelled = co_await sleeping;
        CHECK(cancelled == "Cancelled");
        CHECK(pool.idle() == 0);
        CHECK(Thing::alive == 0);
        CHECK(pool.in_use() == 0);
    });
}

TEST_CASE("what a task owns that fails, or is cancelled, does not go back either") {
    using Lease = Pool<Thing>::Lease;
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 1}, maker.make());
        const auto fails = [](Lease) -> Task<> {
            co_await sake::yield();
            throw std::runtime_error("no");
        };
        const auto sleeps = [](Lease) -> Task<> { co_await sake::sleep(1h); };

        auto first = co_await pool.acquire();
        const std::string late = co_await failure_of(sake::timeout(sleeps(std::move(first)), 1ms));
        CHECK(late == sake::TimedOut().what());
        CHECK(pool.idle() == 0);

        auto second = co_await pool.acquire();
        const std::string of_all =
            co_await failure_of(sake::when_all(fails(std::move(second)), sake::sleep(0s)));
        CHECK(of_all == "no");
        CHECK(pool.idle() == 0);

        auto third = co_await pool.acquire();
        auto closure = [lease = std::move(third)]() -> Task<> {
            co_await sake::yield();
            throw std::runtime_error("no");
        };
        auto handle = spawn(std::move(closure));
        std::string spawned;
        try {
            co_await handle;
        } catch (const std::runtime_error& error) {
            spawned = error.what();
        }
        CHECK(spawned == "no");
        CHECK(pool.idle() == 0);

        auto fourth = co_await pool.acquire();
        auto named = fails(std::move(fourth));
        const std::string why = co_await failure_of(std::move(named));
        CHECK(why == "no");
        CHECK(pool.idle() == 0);
        CHECK(pool.in_use() == 0);
        CHECK(maker.made == 4);
    });
}

TEST_CASE("a lease that outlives its loop drops what it has") {
    Maker maker;
    Pool<Thing> pool({.max_size = 1}, maker.make());
    {
        auto lease = sake::run_until_complete(pool.acquire());
        CHECK(lease->number == 1);
    }
    CHECK(Thing::alive == 0);
    CHECK(pool.idle() == 0);
}

TEST_CASE("leases move, and one that is assigned to gives back what it had") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 2}, maker.make());
        auto one = co_await pool.acquire();
        auto two = co_await pool.acquire();
        one = std::move(two);
        CHECK(one->number == 2);
        CHECK(pool.idle() == 1);
        CHECK(pool.in_use() == 1);
    });
}

TEST_CASE("what is not healthy, or of which the check throws, goes") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        const auto check = [](Thing& thing) -> Task<bool> {
            co_await sake::yield();
            if (thing.number == 2) throw std::runtime_error("dead");
            co_return thing.is_good;
        };
        Pool<Thing> pool({.max_size = 3}, maker.make(), check);
        {
            auto one = co_await pool.acquire();
            auto two = co_await pool.acquire();
            auto three = co_await pool.acquire();
            one->is_good = false;
        }
        CHECK(pool.idle() == 3);
        auto first = co_await pool.acquire();
        CHECK(first->number == 3);
        CHECK(pool.idle() == 0);
        auto second = co_await pool.acquire();
        CHECK(second->number == 4);

        Pool<Thing> plain({.max_size = 1}, maker.make(), [](Thing& thing) { return thing.is_good; });
        const int before = maker.made;
        for (const bool is_good : {true, false, true}) {
            auto thing = co_await plain.acquire();
            thing->is_good = is_good;
        }
        CHECK(maker.made == before + 2);
    });
}

TEST_CASE("a failure to make one reaches who asked, and nobody else's turn is lost") {
    in_coroutine([]() -> Task<> {
        bool is_down = true;
        const auto make = [&]() -> Task<Thing> {
            co_await sake::yield();
            if (is_down) throw std::runtime_error("no server");
            co_return Thing(1);
        };
        Pool<Thing> pool({.max_size = 1}, make);
        for (int i = 0; i < 3; ++i) {
            const std::string why = co_await failure_of(number_lent(pool));
            CHECK(why == "no server");
        }
        is_down = false;
        const int number = co_await number_lent(pool);
        CHECK(number == 1);
    });
}

TEST_CASE("what nobody wants for long enough goes by itself") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        Pool<Thing> pool({.max_size = 2, .idle_timeout = 1ms}, maker.make());
        {
            auto one = co_await pool.acquire();
            auto two = co_await pool.acquire();
        }
        while (Thing::alive > 0) co_await sake::yield();
        CHECK(pool.idle() == 0);
        const int number = co_await number_lent(pool);
        CHECK(number == 3);
    });
}

TEST_CASE("a pool outlives its reactor, keeps nothing of it, and serves the next") {
    Maker maker;
    Pool<Thing> pool({.max_size = 2}, maker.make());
    CHECK(sake::run_until_complete(number_lent(pool)) == 1);
    CHECK(Thing::alive == 0);
    CHECK(sake::run_until_complete(number_lent(pool)) == 2);
    CHECK_THROWS_WITH_AS(Pool<Thing>({.max_size = 0}, maker.make()),
                         "PoolOptions::max_size must be at least 1, not 0", std::invalid_argument);
    CHECK_THROWS_WITH_AS(Pool<Thing>({.acquire_timeout = -1ms}, maker.make()),
                         "PoolOptions::acquire_timeout must be at least 0 ms, not -1 ms",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(Pool<Thing>({.idle_timeout = -1ms}, maker.make()),
                         "PoolOptions::idle_timeout must be at least 0 ms, not -1 ms", std::invalid_argument);
}

TEST_CASE("two reactors may not use a pool at the same time") {
    Maker maker;
    Pool<Thing> pool({.max_size = 2}, maker.make());
    sake::Reactor one;
    auto first = sake::detail::spawn_on(one, number_lent(pool));
    one.run_until([&] { return first.is_done(); });
    CHECK_THROWS_AS(sake::run_until_complete(number_lent(pool)), std::logic_error);
    CHECK(first.take() == 1);
}

TEST_CASE("a lease that outlives its pool destroys what it has") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        auto pool = std::make_unique<Pool<Thing>>(PoolOptions{}, maker.make());
        auto lent = co_await pool->acquire();
        {
            auto idle = co_await pool->acquire();
        }
        CHECK(Thing::alive == 2);
        pool.reset();
        CHECK(Thing::alive == 1);
        CHECK(lent->number == 1);
        auto moved = std::move(lent);
        {
            const auto last = std::move(moved);
        }
        CHECK(Thing::alive == 0);
    });
}

TEST_CASE("whoever waits for a pool that is destroyed is cancelled, whatever it waits for") {
    in_coroutine([]() -> Task<> {
        enum class Waits { turn, turn_granted, make, check, begins_later };
        for (const Waits waits :
             {Waits::turn, Waits::turn_granted, Waits::make, Waits::check, Waits::begins_later}) {
            CAPTURE(static_cast<int>(waits));
            bool is_slow = false;
            sake::Event never;
            int made = 0;
            const auto make = [&]() -> Task<Thing> {
                ++made;
                if (is_slow) co_await never.wait();
                co_return Thing(made);
            };
            const auto check = [&](Thing&) -> Task<bool> {
                if (is_slow) co_await never.wait();
                co_return true;
            };
            auto pool = std::make_unique<Pool<Thing>>(PoolOptions{.max_size = 1}, make, check);
            auto held = co_await pool->acquire();
            if (waits == Waits::check) {
                const auto back = std::move(held);
            }
            if (waits == Waits::make) held.discard();
            is_slow = true;
            auto later = number_of(pool->acquire());
            auto waiting = spawn(failure_of(number_lent(*pool)));
            co_await let_the_others_run();
            if (waits == Waits::turn_granted) held.discard();
            pool.reset();
            const std::string why = co_await waiting;
            CHECK(why == "Cancelled");
            const std::string late = co_await failure_of(std::move(later));
            CHECK(late == "Cancelled");
            CHECK(made == (waits == Waits::make ? 2 : 1));
        }
        CHECK(Thing::alive == 0);
    });
}

TEST_CASE("a task whose pool is destroyed goes on from there, and is cancelled once") {
    in_coroutine([]() -> Task<> {
        Maker maker;
        auto pool = std::make_unique<Pool<Thing>>(PoolOptions{.max_size = 1}, maker.make());
        auto held = co_await pool->acquire();
        const auto wait = [&]() -> Task<std::string> {
            std::string first = co_await failure_of(number_lent(*pool));
            co_await sake::yield();
            co_await sake::yield();
            co_return first + ", then went on";
        };
        auto waiting = spawn(wait());
        co_await let_the_others_run();
        held.discard();  // its turn has come, and it has yet to see that
        pool.reset();
        const std::string outcome = co_await waiting;
        CHECK(outcome == "Cancelled, then went on");
    });
}

TEST_CASE("a lease that outlives its reactor, and a pool with a name of its own") {
    Maker maker;
    auto pool = std::make_unique<Pool<Thing>>(
        PoolOptions{.max_size = 1, .acquire_timeout = 1ms, .name = "a thing"}, maker.make());
    const auto lend = [&]() -> Task<Pool<Thing>::Lease> {
        auto lease = co_await pool->acquire();
        const std::string why = co_await failure_of(number_lent(*pool));
        CHECK(why == "timed out after 1 ms waiting for a thing");
        co_return std::move(lease);
    };
    {
        auto lease = sake::run_until_complete(lend());
        pool.reset();
        CHECK(Thing::alive == 1);
    }
    CHECK(Thing::alive == 0);
}

}  // namespace test_pool
