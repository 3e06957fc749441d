// Channel: order, room, closing, cancellation, and threads: each item arrives exactly once.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/reliability.hpp"

namespace test_channel {

using namespace std::chrono_literals;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Cancelled;
using sake::Channel;
using sake::ChannelClosed;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TaskHandle;

namespace {

using Numbers = std::vector<int>;

Task<> send_each(Channel<int>& channel, int first, int count) {
    for (int i = 0; i < count; ++i) co_await channel.send(first + i);
}

Task<> receive_all(Channel<int>& channel, Numbers& received) {
    while (auto item = co_await channel.receive()) received.push_back(*item);
}

/// "sent", "closed" or "cancelled".
Task<std::string> send_one(Channel<int>& channel, int item) {
    std::string outcome = "sent";
    try {
        co_await channel.send(item);
    } catch (const ChannelClosed&) {
        outcome = "closed";
    } catch (const Cancelled&) {
        outcome = "cancelled";
    }
    co_return outcome;
}

/// The item, -1 for the end, -2 if cancelled.
Task<int> receive_one(Channel<int>& channel) {
    int number = -2;
    try {
        const std::optional<int> item = co_await channel.receive();
        number = item.value_or(-1);
    } catch (const Cancelled&) {
    }
    co_return number;
}

}  // namespace

TEST_CASE("items come out in the order in which they went in, until the channel is closed and drained") {
    for (const int capacity : {1, 2, 3, 1000}) {
        CAPTURE(capacity);
        in_coroutine([&]() -> Task<> {
            Channel<int> channel(capacity);
            CHECK(channel.capacity() == capacity);
            Numbers received;
            auto receiver = spawn(receive_all(channel, received));
            co_await send_each(channel, 0, 100);
            channel.close();
            co_await receiver;
            REQUIRE(received.size() == 100);
            for (int i = 0; i < 100; ++i) CHECK(received[static_cast<std::size_t>(i)] == i);
            const std::optional<int> after = co_await channel.receive();
            CHECK_FALSE(after.has_value());
        });
    }
}

TEST_CASE("a send waits for room: one below, at, and one above the capacity") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(3);
        co_await send_each(channel, 0, 2);
        auto third = spawn(send_one(channel, 2));
        auto fourth = spawn(send_one(channel, 3));
        co_await let_the_others_run();
        CHECK(third.is_done());
        CHECK_FALSE(fourth.is_done());
        CHECK(channel.size() == 3);
        const std::optional<int> first = co_await channel.receive();
        CHECK(first == 0);
        co_await let_the_others_run();
        CHECK(fourth.is_done());
        CHECK(channel.size() == 3);
    });
}

TEST_CASE("a channel without room at all is refused") {
    CHECK_THROWS_WITH_AS(Channel<int>(0), "Channel: capacity must be at least 1, not 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(Channel<int>(-1), std::invalid_argument);
    CHECK_THROWS_AS(Channel<int>(std::int64_t{-1}), std::invalid_argument);
    CHECK_THROWS_AS(Channel<int>(std::numeric_limits<std::size_t>::max() - 1), std::invalid_argument);
}

TEST_CASE("a channel of the largest capacity has no limit, takes memory as it fills, and keeps the order") {
    Channel<std::string> channel(std::numeric_limits<std::size_t>::max());
    CHECK(channel.capacity() == std::numeric_limits<int>::max());
    int sent = 0;
    int received = 0;
    const auto send = [&](int count) {
        for (; count > 0; --count) REQUIRE(channel.try_send(std::to_string(sent++)));
    };
    const auto receive = [&](int count) {
        for (; count > 0; --count) REQUIRE(channel.try_receive() == std::to_string(received++));
    };
    send(700);
    receive(500);  // so that the first of the cells is in the midst of them
    send(5000);
    receive(1000);
    send(20'000);
    CHECK(channel.size() == sent - received);
    receive(sent - received);
    CHECK_FALSE(channel.try_receive().has_value());
    send(3);  // what is left is destroyed with it
}

TEST_CASE("a channel that grows holds as many as its capacity, and not one more") {
    Channel<int> channel(5000);
    for (int i = 0; i < 5000; ++i) REQUIRE(channel.try_send(int{i}));
    CHECK_FALSE(channel.try_send(5000));
    for (int i = 0; i < 5000; ++i) REQUIRE(channel.try_receive() == i);
}

TEST_CASE("senders and receivers that wait are served in the order of coming") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        std::vector<TaskHandle<int>> receivers;
        for (int i = 0; i < 10; ++i) receivers.push_back(spawn(receive_one(channel)));
        co_await let_the_others_run();
        co_await send_each(channel, 0, 10);
        for (int i = 0; i < 10; ++i) {
            const int item = co_await receivers[static_cast<std::size_t>(i)];
            CHECK(item == i);
        }
        std::vector<TaskHandle<std::string>> senders;
        for (int i = 0; i < 10; ++i) senders.push_back(spawn(send_one(channel, i)));
        co_await let_the_others_run();
        for (int i = 0; i < 10; ++i) {
            const int item = co_await receive_one(channel);
            CHECK(item == i);
        }
        for (auto& sender : senders) co_await sender;
    });
}

TEST_CASE("who never has to wait for an item, or for room, lets the others have a turn") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1000);
        for (int i = 0; i < 1000; ++i) CHECK(channel.try_send(int{i}));
        bool had_a_turn = false;
        auto other = sake::spawn(
            [](bool& turn) -> Task<> {
                turn = true;
                co_return;
            },
            std::ref(had_a_turn));
        int received = 0;
        while (!had_a_turn && received < 1000) {
            const auto item = co_await channel.receive();
            CHECK(*item == received);
            ++received;
        }
        CHECK(received <= 65);
        co_await other;
        had_a_turn = false;
        auto another = sake::spawn(
            [](bool& turn) -> Task<> {
                turn = true;
                co_return;
            },
            std::ref(had_a_turn));
        while (channel.try_receive()) {
        }
        int sent = 0;
        while (!had_a_turn && sent < 1000) co_await channel.send(sent++);
        CHECK(sent <= 65);
        co_await another;
    });
}

TEST_CASE("try_send and try_receive never wait, and a refused item stays with its owner") {
    in_coroutine([]() -> Task<> {
        Channel<std::unique_ptr<int>> channel(1);
        CHECK_FALSE(channel.try_receive().has_value());
        auto one = std::make_unique<int>(1);
        auto two = std::make_unique<int>(2);
        CHECK(channel.try_send(std::move(one)));
        CHECK(one == nullptr);
        CHECK_FALSE(channel.try_send(std::move(two)));
        REQUIRE(two != nullptr);
        auto item = channel.try_receive();
        REQUIRE(item.has_value());
        CHECK(**item == 1);
        channel.close();
        CHECK_THROWS_AS(static_cast<void>(channel.try_send(std::move(two))), ChannelClosed);
        CHECK(two != nullptr);
        CHECK_FALSE(channel.try_receive().has_value());
        co_return;
    });
}

TEST_CASE("nobody goes before those who have been woken") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        auto receiver = spawn(receive_one(channel));
        co_await let_the_others_run();
        co_await channel.send(7);  // is for the one who waits, though it has not run yet
        CHECK_FALSE(channel.try_receive().has_value());
        const int item = co_await receiver;
        CHECK(item == 7);
        co_await channel.send(8);
        auto sender = spawn(send_one(channel, 9));
        co_await let_the_others_run();
        CHECK(channel.try_receive() == 8);
        CHECK_FALSE(channel.try_send(10));  // the room is for the one who waits
        co_await sender;
        CHECK(channel.try_receive() == 9);
    });
}

// ---- Closing ----

TEST_CASE("closing ends senders that wait with ChannelClosed, and receivers that wait with nothing") {
    in_coroutine([]() -> Task<> {
        Channel<int> full(1);
        co_await full.send(1);
        auto a = spawn(send_one(full, 2));
        auto b = spawn(send_one(full, 3));
        co_await let_the_others_run();
        full.close();
        full.close();
        CHECK(full.is_closed());
        const std::string of_a = co_await a;
        const std::string of_b = co_await b;
        CHECK(of_a == "closed");
        CHECK(of_b == "closed");
        const std::string late = co_await send_one(full, 4);
        CHECK(late == "closed");
        const int inside = co_await receive_one(full);
        const int end = co_await receive_one(full);
        CHECK(inside == 1);
        CHECK(end == -1);

        Channel<int> empty(1);
        auto c = spawn(receive_one(empty));
        auto d = spawn(receive_one(empty));
        co_await let_the_others_run();
        empty.close();
        const int of_c = co_await c;
        const int of_d = co_await d;
        CHECK(of_c == -1);
        CHECK(of_d == -1);
    });
}

TEST_CASE("a sender that has been given room, but not used it when the channel is closed, has not sent") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        co_await channel.send(1);
        auto sender = spawn(send_one(channel, 2));
        co_await let_the_others_run();
        CHECK(channel.try_receive() == 1);
        channel.close();
        const std::string outcome = co_await sender;
        CHECK(outcome == "closed");
        const int end = co_await receive_one(channel);
        CHECK(end == -1);
    });
}

TEST_CASE("a receiver is not told the end while another may still give its item back") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        auto a = spawn(receive_one(channel));
        co_await let_the_others_run();
        co_await channel.send(5);  // a is woken for it
        channel.close();
        auto b = spawn(receive_one(channel));
        a.cancel();
        const int of_a = co_await a;
        const int of_b = co_await b;
        CHECK(of_a == -2);
        CHECK(of_b == 5);
    });
}

// ---- Cancelling ----

TEST_CASE("a receiver cancelled at any turn has its item or has left it: none is lost, none comes twice") {
    for (int turn = 0; turn < 12; ++turn) {
        CAPTURE(turn);
        for (const bool cancels_first : {false, true}) {
            in_coroutine([&]() -> Task<> {
                Channel<int> channel(2);
                auto a = spawn(receive_one(channel));
                auto b = spawn(receive_one(channel));
                auto sender = spawn(send_each(channel, 1, 2));
                for (int i = 0; i < turn; ++i) co_await sake::yield();
                (cancels_first ? a : b).cancel();
                const int of_a = co_await a;
                int sum = std::max(of_a, 0);
                if (cancels_first || b.is_done()) {
                    const int of_b = co_await b;
                    sum += std::max(of_b, 0);
                } else {
                    co_await let_the_others_run();
                    const int of_b = co_await b;
                    sum += std::max(of_b, 0);
                }
                co_await sender;
                while (auto item = channel.try_receive()) sum += *item;
                CHECK(sum == 3);
            });
        }
    }
}

TEST_CASE("a receiver that is cancelled after it was woken leaves the item to the next") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        auto a = spawn(receive_one(channel));
        auto b = spawn(receive_one(channel));
        co_await let_the_others_run();
        co_await channel.send(1);
        a.cancel();
        const int of_a = co_await a;
        const int of_b = co_await b;
        CHECK(of_a == -2);
        CHECK(of_b == 1);
    });
}

TEST_CASE("a sender that is cancelled, before or after it was woken, has not sent, and leaves its room") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        co_await channel.send(1);
        auto a = spawn(send_one(channel, 2));
        auto b = spawn(send_one(channel, 3));
        auto c = spawn(send_one(channel, 4));
        co_await let_the_others_run();
        a.cancel();  // it waits
        CHECK(channel.try_receive() == 1);
        b.cancel();  // the room is b's
        const std::string of_a = co_await a;
        const std::string of_b = co_await b;
        const std::string of_c = co_await c;
        CHECK(of_a == "cancelled");
        CHECK(of_b == "cancelled");
        CHECK(of_c == "sent");
        CHECK(channel.try_receive() == 4);
        CHECK_FALSE(channel.try_receive().has_value());
    });
}

TEST_CASE("what was cancelled late is not cancelled again at its next wait") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        const auto waits_twice = [&]() -> Task<int> {
            const int first = co_await receive_one(channel);
            const int second = co_await receive_one(channel);
            co_return 10 * first + second;
        };
        auto handle = spawn(waits_twice);
        co_await let_the_others_run();
        co_await channel.send(4);
        handle.cancel();
        const int result = co_await handle;
        CHECK(result == -20 + 4);
    });
}

TEST_CASE("a receive or send that loses in when_any, or comes too late, has not happened") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        sake::Event event;
        const auto both_at_once = [&]() -> Task<> {
            event.set();
            CHECK(channel.try_send(1));
            co_return;
        };
        auto setter = spawn(both_at_once);
        auto first = co_await sake::when_any(event.wait(), channel.receive());
        CHECK(first.index() == 0);
        co_await setter;
        CHECK(channel.try_receive() == 1);

        co_await channel.send(2);
        event.reset();
        const auto makes_room = [&]() -> Task<> {
            event.set();
            CHECK(channel.try_receive() == 2);
            co_return;
        };
        auto other = spawn(makes_room);
        auto second = co_await sake::when_any(event.wait(), channel.send(3));
        CHECK(second.index() == 0);
        co_await other;
        CHECK_FALSE(channel.try_receive().has_value());

        bool timed_out = false;
        try {
            co_await sake::timeout(channel.receive(), 1ms);
        } catch (const sake::TimedOut&) {
            timed_out = true;
        }
        CHECK(timed_out);
        auto third = co_await sake::when_any(channel.receive(), channel.send(9));
        CHECK(third.index() == 1);
        CHECK(channel.try_receive() == 9);
    });
}

// ---- What an item is ----

TEST_CASE("an item is moved on, never copied, and destroyed once") {
    struct Item {
        explicit Item(int n) : number(n), held(std::make_unique<std::string>(40, 'x')) {}
        int number;
        std::unique_ptr<std::string> held;
    };
    in_coroutine([]() -> Task<> {
        Channel<Item> channel(2);
        const auto sends = [&]() -> Task<> {
            for (int i = 0; i < 10; ++i) co_await channel.send(Item(i));
            channel.close();
        };
        auto sender = spawn(sends);
        int sum = 0;
        while (auto item = co_await channel.receive()) {
            sum += item->number;
            CHECK(item->held->size() == 40);
        }
        CHECK(sum == 45);
        co_await sender;
        Channel<Item> abandoned(3);
        co_await abandoned.send(Item(1));
        co_await abandoned.send(Item(2));
        const std::optional<Item> one = co_await abandoned.receive();
        co_await abandoned.send(Item(3));
        co_await abandoned.send(Item(4));
        static_cast<void>(abandoned.send(Item(5)));  // has not begun
    });
}

TEST_CASE("a channel is neither copied nor moved, and sending needs no memory") {
    static_assert(!std::is_copy_constructible_v<Channel<int>> && !std::is_move_constructible_v<Channel<int>>);
    in_coroutine([]() -> Task<> {
        Channel<int> channel(4);
        const auto before = harness::allocations::by_this_thread();
        for (int i = 0; i < 100; ++i) {
            co_await channel.send(i);
            static_cast<void>(co_await channel.receive());
        }
        CHECK(harness::allocations::by_this_thread() == before);
    });
}

// ---- Threads ----

TEST_CASE("a thread sends, a coroutine receives, and the other way round") {
    for (const int capacity : {1, 16}) {
        in_coroutine([&]() -> Task<> {
            Channel<int> requests(capacity);
            Channel<int> answers(capacity);
            std::thread thread([&] {
                while (auto item = requests.receive_blocking()) answers.send_blocking(2 * *item);
                answers.close();
            });
            auto sender = spawn(send_each(requests, 0, 1000));
            for (int i = 0; i < 1000; ++i) {
                const int answer = co_await receive_one(answers);
                CHECK(answer == 2 * i);
            }
            co_await sender;
            requests.close();
            const int end = co_await receive_one(answers);
            CHECK(end == -1);
            thread.join();
        });
    }
}

TEST_CASE("blocking on a reactor's thread is a logic error, and the item has not been sent") {
    in_coroutine([]() -> Task<> {
        Channel<int> channel(1);
        CHECK_THROWS_AS(channel.send_blocking(1), std::logic_error);
        CHECK_THROWS_AS(static_cast<void>(channel.receive_blocking()), std::logic_error);
        CHECK(channel.size() == 0);
        co_return;
    });
}

TEST_CASE("closing wakes threads that block") {
    Channel<int> full(1);
    full.send_blocking(1);
    Channel<int> empty(1);
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            try {
                full.send_blocking(2);
            } catch (const ChannelClosed&) {
                ++closed;
            }
        });
        threads.emplace_back([&] {
            if (!empty.receive_blocking()) ++closed;
        });
    }
    full.close();
    empty.close();
    for (std::thread& thread : threads) thread.join();
    CHECK(closed == 8);
    CHECK(full.receive_blocking() == 1);
    CHECK_FALSE(full.receive_blocking().has_value());
    CHECK_THROWS_AS(full.send_blocking(3), ChannelClosed);
}

TEST_CASE("the reactor may go as soon as what it waited for has come, though the sender is still at it") {
    const int times = harness::rounds(2000);
    for (int i = 0; i < times; ++i) {
        Channel<int> channel(1);
        std::thread thread([&] { channel.send_blocking(i); });
        const int item = run_until_complete(receive_one(channel));
        thread.join();
        REQUIRE(item == i);
    }
}

namespace {

/// What the receivers of one kind got: numbers of the form producer * items + i.
class Tally {
  public:
    Tally(int producers, int items) : items_(items), seen_(static_cast<std::size_t>(producers * items)) {}

    /// One receiver's view, in which the items of each producer come in order.
    class View {
      public:
        explicit View(Tally& tally) : tally_(tally), last_(tally.seen_.size(), -1) {}
        void note(int number) {
            ++tally_.seen_[static_cast<std::size_t>(number)];
            int& last = last_[static_cast<std::size_t>(number / tally_.items_)];
            if (number <= last) ++tally_.out_of_order;
            last = number;
        }

      private:
        Tally& tally_;
        Numbers last_;
    };

    [[nodiscard]] int seen_once() const {
        int count = 0;
        for (const auto& times : seen_) count += times == 1 ? 1 : 0;
        return count;
    }
    std::atomic<int> out_of_order{0};

  private:
    int items_;
    std::vector<std::atomic<int>> seen_;
};

}  // namespace

TEST_CASE("W9 producers and consumers on threads and on two loops: each item once, in order per producer") {
    const int items = harness::rounds(20'000);
    constexpr int producers = 6;
    for (const int capacity : {1, 2, 64}) {
        CAPTURE(capacity);
        Channel<int> channel(capacity);
        Tally tally(producers, items);
        std::atomic<int> left{producers};
        const auto ended = [&] {
            if (--left == 0) channel.close();
        };
        const auto produce = [&](int producer) -> Task<> {
            co_await send_each(channel, producer * items, items);
            ended();
        };
        const auto consume = [&]() -> Task<> {
            Tally::View view(tally);
            while (auto item = co_await channel.receive()) view.note(*item);
        };
        const auto loop = [&](int first_producer) -> Task<> {
            co_await sake::when_all(produce(first_producer), consume(), produce(first_producer + 1),
                                    consume());
        };
        std::vector<std::thread> threads;
        for (const int first : {0, 2}) threads.emplace_back([&, first] { run_until_complete(loop(first)); });
        for (const int producer : {4, 5}) {
            threads.emplace_back([&, producer] {
                for (int i = 0; i < items; ++i) channel.send_blocking(producer * items + i);
                ended();
            });
            threads.emplace_back([&] {
                Tally::View view(tally);
                while (auto item = channel.receive_blocking()) view.note(*item);
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(tally.seen_once() == producers * items);
        CHECK(tally.out_of_order == 0);
        CHECK(channel.size() == 0);
    }
}

TEST_CASE("receivers and senders that give up all the time lose nothing between threads") {
    const int items = harness::rounds(20'000);
    Channel<int> channel(2);
    constexpr int producers = 3;
    Tally tally(producers, items);
    std::atomic<int> left{producers};
    const auto ended = [&] {
        if (--left == 0) channel.close();
    };
    const auto produce = [&](int producer) -> Task<> {
        for (int i = 0; i < items;) {
            auto first = co_await sake::when_any(channel.send(producer * items + i), let_the_others_run());
            if (first.index() == 0) ++i;
        }
        ended();
    };
    const auto consume = [&]() -> Task<> {
        Tally::View view(tally);
        for (;;) {
            auto first = co_await sake::when_any(channel.receive(), let_the_others_run());
            if (first.index() != 0) continue;
            const auto& item = std::get<0>(first);
            if (!item) break;
            view.note(*item);
        }
    };
    std::vector<std::thread> threads;
    threads.emplace_back([&] { run_until_complete(produce(0)); });
    threads.emplace_back([&] { run_until_complete(sake::when_all(produce(1), consume())); });
    threads.emplace_back([&] { run_until_complete(consume()); });
    threads.emplace_back([&] {
        for (int i = 0; i < items; ++i) channel.send_blocking(2 * items + i);
        ended();
    });
    for (std::thread& thread : threads) thread.join();
    CHECK(tally.seen_once() == producers * items);
    CHECK(tally.out_of_order == 0);
}

TEST_CASE("what was posted for fibers that were destroyed is not looked at any more") {
    Channel<int> channel(1);
    sake::Reactor reactor;
    reactor.enter([&] {
        spawn([](Channel<int>& from) -> Task<> { static_cast<void>(co_await from.receive()); },
              std::ref(channel))
            .detach();
    });
    int turns = 0;
    reactor.run_until([&] { return ++turns == 2; });
    std::thread([&] { channel.send_blocking(1); }).join();
    reactor.destroy_fibers();
    turns = 0;
    reactor.run_until([&] { return ++turns == 2; });
    CHECK(channel.size() == 1);
}

TEST_CASE("what is posted for fibers while they are destroyed is dropped") {
    // The first to go has its end posted; the second one's comes when the first has gone.
    std::atomic<bool> may_end{false};
    sake::Reactor reactor;
    const auto blocks = [](std::atomic<bool>& flag) -> Task<> {
        co_await sake::background([&] { flag.wait(false); });
    };
    reactor.enter([&] {
        spawn(blocks, std::ref(may_end)).detach();
        spawn(blocks, std::ref(may_end)).detach();
    });
    int turns = 0;
    reactor.run_until([&] { return ++turns == 2; });
    std::thread opener([&] {
        may_end = true;
        may_end.notify_all();
    });
    reactor.destroy_fibers();
    opener.join();
    bool goes_on = false;
    reactor.post([&] { goes_on = true; });
    reactor.run_until([&] { return goes_on; });
}

TEST_CASE("a thread that ends in the middle of a send or receive leaves the line, and gives back its claim") {
    Channel<int> channel(1);
    std::thread([&] {
        sake::Reactor reactor;
        reactor.enter([&] {
            spawn(receive_one(channel)).detach();
            spawn(receive_one(channel)).detach();
        });
        int turns = 0;
        reactor.run_until([&] { return ++turns == 2; });
        channel.send_blocking(1);
        reactor.destroy_fibers();
    }).join();
    CHECK(channel.try_receive() == 1);
    CHECK(channel.try_send(2));
    CHECK(channel.try_receive() == 2);
}

}  // namespace test_channel
