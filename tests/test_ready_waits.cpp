// Waits that need not wait: a loop over them lets the others have their turn, and can be cancelled.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_ready_waits {

using namespace harness;
using sake::Cancelled;
using sake::Task;

namespace {

constexpr int most_in_a_turn = 64;

/// So many rounds of `ready()`, which awaits something that is ready, unless it is cancelled.
template <class Ready>
Task<> loop_over(Ready& ready, int& rounds, bool& was_cancelled) {
    try {
        while (rounds < 100'000) {
            co_await ready();
            ++rounds;
        }
    } catch (const Cancelled&) {
        was_cancelled = true;
    }
}

/// A loop over it has turns of some rounds each, and ends by a cancellation from outside, and from inside.
template <class Ready>
Task<> check_gives_way(Ready ready) {
    int rounds = 0;
    bool was_cancelled = false;
    auto loop = sake::spawn(loop_over(ready, rounds, was_cancelled));
    for (int turn = 1; turn <= 10; ++turn) {
        co_await sake::yield();
        CHECK(rounds <= turn * most_in_a_turn);
    }
    const int before = rounds;
    loop.cancel();
    co_await loop;
    CHECK(was_cancelled);
    CHECK(rounds <= before + 1);  // the round that it was in

    rounds = 0;
    was_cancelled = false;
    auto cancelled_early = sake::spawn(loop_over(ready, rounds, was_cancelled));
    cancelled_early.cancel();  // so that no wait is open
    co_await cancelled_early;
    CHECK(was_cancelled);
    CHECK(rounds == 0);
}

template <class Ready>
void gives_way(Ready ready) {
    in_coroutine([&]() -> Task<> { co_await check_gives_way(ready); });
}

Task<int> answer() { co_return 42; }
Task<> nothing() { co_return; }

}  // namespace

TEST_CASE("C1: a sleep of no time, or less, lets everything else run first, and can be cancelled") {
    gives_way([]() -> Task<> { co_await sake::sleep(0ms); });
    gives_way([]() -> Task<> { co_await sake::sleep(-1s); });
    gives_way([]() -> Task<> { co_await sake::sleep(std::chrono::nanoseconds::min()); });
    gives_way([]() -> Task<> { co_await sake::sleep(std::chrono::duration<double>(-0.5)); });
    gives_way([]() -> Task<> { co_await sake::timeout(sake::sleep(0ms), 1s); });
    gives_way([]() -> Task<> { co_await sake::when_all(sake::sleep(0ms), sake::sleep(-1ms)); });

    in_coroutine([]() -> Task<> {
        std::string order;
        const auto note = [&](char name) -> Task<> {
            for (int i = 0; i < 3; ++i) {
                order += name;
                co_await sake::sleep(0ms);
            }
        };
        co_await sake::when_all(note('a'), note('b'));
        CHECK(order == "ababab");
    });
}

TEST_CASE("C1: a loop over an event that is set gives way, and can be cancelled") {
    sake::Event event;
    event.set();
    gives_way([&]() -> Task<> { co_await event.wait(); });
    gives_way([&]() -> Task<> { co_await sake::timeout(event.wait(), 1s); });
    gives_way([&]() -> Task<> { co_await sake::when_any(event.wait(), sake::sleep(1h)); });
}

TEST_CASE("C1: a loop over a lock or a permit that is free gives way, can be cancelled, and loses none") {
    sake::Mutex mutex;
    sake::Semaphore semaphore(2);
    gives_way([&]() -> Task<> { const auto guard = co_await mutex.lock(); });
    gives_way([&]() -> Task<> { const auto permit = co_await semaphore.acquire(); });
    gives_way([&]() -> Task<> { const auto permit = co_await sake::timeout(semaphore.acquire(), 1s); });
    CHECK_FALSE(mutex.is_locked());
    CHECK(semaphore.available() == 2);
}

TEST_CASE(
    "C1: a loop over a channel that need not be waited for gives way, can be cancelled, loses nothing") {
    sake::Channel<int> large(1'000'000);
    int sent = 0;
    gives_way([&]() -> Task<> {
        co_await large.send(sent);
        ++sent;
    });
    CHECK(large.size() == sent);
    int received = 0;
    gives_way([&]() -> Task<> {
        const auto item = co_await large.receive();
        if (!item) co_return;
        CHECK(*item == received);
        ++received;
    });
    CHECK(large.size() == sent - received);
    sake::Channel<int> closed(1);
    closed.close();
    gives_way([&]() -> Task<> { static_cast<void>(co_await closed.receive()); });
    gives_way([&]() -> Task<> {
        try {
            co_await closed.send(1);
        } catch (const sake::ChannelClosed&) {
        }
    });
}

TEST_CASE("C1: a loop over a pool that has something idle gives way, can be cancelled, and loses nothing") {
    in_coroutine([]() -> Task<> {
        sake::Pool<int> pool({.max_size = 2}, []() -> Task<int> { co_return 1; });
        const auto borrow = [&]() -> Task<> { const auto lease = co_await pool.acquire(); };
        co_await check_gives_way(borrow);
        CHECK(pool.in_use() == 0);
        CHECK(pool.idle() <= 2);
    });
}

TEST_CASE("C1: a loop over handles of tasks and threads that have ended gives way, and can be cancelled") {
    in_coroutine([]() -> Task<> {
        auto done = sake::spawn(nothing());
        co_await let_the_others_run();
        const auto join = [&]() -> Task<> { co_await done; };
        co_await check_gives_way(join);

        auto result = sake::spawn(answer());
        co_await let_the_others_run();
        int value = 0;
        const auto take = [&]() -> Task<> { value = co_await result; };
        auto cancelled = sake::spawn(take);
        cancelled.cancel();
        const std::string why =
            co_await failure_of([](auto& handle) -> Task<> { co_await handle; }(cancelled));
        CHECK(why == "Cancelled");
        CHECK(value == 0);
        co_await take();
        CHECK(value == 42);  // the wait that was cancelled has not taken it
    });
    in_coroutine([]() -> Task<> {
        auto thread = sake::thread::spawn([] { return 42; });
        while (!thread.is_done()) std::this_thread::yield();
        int value = 0;
        const auto take = [&]() -> Task<> { value = co_await thread; };
        auto cancelled = sake::spawn(take);
        cancelled.cancel();
        const std::string why =
            co_await failure_of([](auto& handle) -> Task<> { co_await handle; }(cancelled));
        CHECK(why == "Cancelled");
        co_await take();
        CHECK(value == 42);
    });
}

TEST_CASE("C1: a loop over combinations of tasks that are ready gives way, and can be cancelled") {
    gives_way([]() -> Task<> { static_cast<void>(co_await sake::when_all(answer(), nothing())); });
    gives_way([]() -> Task<> { static_cast<void>(co_await sake::when_any(answer(), nothing())); });
    gives_way([]() -> Task<> { static_cast<void>(co_await sake::timeout(answer(), 1s)); });
    gives_way([]() -> Task<> {
        std::vector<Task<int>> none;
        static_cast<void>(co_await sake::when_all(std::move(none)));
    });
    gives_way([]() -> Task<> {
        std::vector<Task<int>> one;
        one.push_back(answer());
        static_cast<void>(co_await sake::when_any(std::move(one)));
    });
    gives_way([]() -> Task<> {
        const auto body = [](sake::TaskGroup&) -> Task<> { co_return; };
        co_await sake::TaskGroup::run(body);
    });
}

TEST_CASE("C1: a loop over descriptors and streams that are ready gives way, and can be cancelled") {
    in_coroutine([]() -> Task<> {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const auto write = [&]() -> Task<> { co_await sake::writable(ends[1]); };
        co_await check_gives_way(write);
        ::close(ends[1]);
        const auto read = [&]() -> Task<> { co_await sake::readable(ends[0]); };
        co_await check_gives_way(read);
        ::close(ends[0]);
    });
    in_coroutine([]() -> Task<> {
        sake::TcpListener listener("127.0.0.1:0");
        auto accepting = sake::spawn(listener.accept());
        auto stream = co_await sake::TcpStream::connect("127.0.0.1:" + std::to_string(listener.port()), 10s);
        auto other = co_await accepting;
        const std::string lines(8'000, '\n');
        co_await other.write_all(lines);
        while (stream.unread().size() < lines.size()) static_cast<void>(co_await stream.read_more());
        const auto line = [&]() -> Task<> { static_cast<void>(co_await stream.read_until("\n")); };
        co_await check_gives_way(line);
        char byte = 0;
        const auto one = [&]() -> Task<> { static_cast<void>(co_await stream.read({&byte, 1})); };
        co_await check_gives_way(one);
        const auto exactly = [&]() -> Task<> { static_cast<void>(co_await stream.read_exactly(1)); };
        co_await check_gives_way(exactly);
        const auto nothing_to_write = [&]() -> Task<> { co_await stream.write_all(""); };
        co_await check_gives_way(nothing_to_write);
        CHECK_FALSE(stream.unread().empty());  // all of it was without a wait
        other.close();
        stream.skip(stream.unread().size());
        const auto end = [&]() -> Task<> { static_cast<void>(co_await stream.read({&byte, 1})); };
        co_await check_gives_way(end);
    });
}

TEST_CASE(
    "a permit that was taken by a task which lets others have their turn comes back if its frame goes") {
    sake::Semaphore semaphore(1);
    const auto loop = [&]() -> Task<> {
        for (;;) const auto permit = co_await semaphore.acquire();
    };
    sake::Reactor reactor;
    reactor.enter([&] { sake::detail::spawn_on(reactor, loop()).detach(); });
    int turns = 0;
    reactor.run_until([&] { return ++turns > 3; });
    CHECK(semaphore.available() == 0);
    reactor.destroy_fibers();
    CHECK(semaphore.available() == 1);
}

TEST_CASE(
    "G2: handlers that loop over waits that are ready starve nobody, time out, and do not hold up a stop") {
    for (const std::string path : {"/sleep", "/event", "/mutex", "/all"}) {
        CAPTURE(path);
        sake::Event event;
        event.set();
        sake::Mutex mutex;
        std::atomic<int> cancelled = 0;
        const auto loop = [&](auto ready) {
            return [&cancelled, ready](sake::Context&) -> Task<> {
                try {
                    for (;;) co_await ready();
                } catch (const Cancelled&) {
                    ++cancelled;
                    throw;
                }
            };
        };
        const auto setup = [&](sake::Engine& app) {
            app.get("/sleep", loop([]() -> Task<> { co_await sake::sleep(0ms); }));
            app.get("/event", loop([&]() -> Task<> { co_await event.wait(); }));
            app.get("/mutex", loop([&]() -> Task<> { const auto guard = co_await mutex.lock(); }));
            app.get("/all", loop([]() -> Task<> {
                        static_cast<void>(co_await sake::when_all(nothing(), answer()));
                    }));
        };
        with_server(
            setup,
            [&](TestServer& server) {
                RawClient spinning = server.connect();
                spinning.send(get_request(path));
                CHECK(server.ping());
                CHECK(spinning.read_response().status == 504);
                CHECK(eventually([&] { return cancelled == 1; }));
            },
            quiet_config().with_request_timeout(100ms));
        with_server(
            setup,
            [&](TestServer& server) {
                RawClient spinning = server.connect();
                spinning.send(get_request(path));
                CHECK(server.ping());
                CHECK(server.stop() == 1);
                CHECK(cancelled == 2);
            },
            quiet_config().with_shutdown_grace(50ms));
    }
}

}  // namespace test_ready_waits
