// Hub: topics, what their subscribers see, and what happens between threads and at the ends of lives.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"

namespace test_hub {

using namespace std::chrono_literals;
using harness::in_coroutine;
using harness::let_the_others_run;
using sake::Hub;
using sake::HubMessage;
using sake::HubOptions;
using sake::SlowSubscriber;
using sake::spawn;
using sake::Subscription;
using sake::Task;
using sake::detail::HubCore;
using sake::detail::HubFrom;
using Texts = std::vector<std::string>;

namespace {

/// What is there now, a stale marker as "(stale N)".
Texts all_of(Subscription& subscription) {
    Texts texts;
    while (auto message = subscription.try_next()) {
        texts.push_back(message->is_stale ? "(stale " + std::to_string(message->lost) + ")"
                                          : std::string(message->data));
    }
    return texts;
}

Task<> collect(Subscription subscription, Texts& into) {
    while (auto message = co_await subscription.next()) into.push_back(message->data);
}

HubOptions keeping(int messages, SlowSubscriber slow = SlowSubscriber::drop_oldest) {
    HubOptions options;
    options.messages = messages;
    options.slow = slow;
    return options;
}

void publish(Hub& hub, const std::string& topic, int first, int last) {
    for (int i = first; i <= last; ++i) hub.publish(topic, std::to_string(i));
}

}  // namespace

TEST_CASE("a message reaches all who subscribe to its topic, and nobody else") {
    Hub hub;
    Subscription a = hub.subscribe("a");
    Subscription b = hub.subscribe("a");
    Subscription other = hub.subscribe("b");
    const std::uint64_t id = hub.publish("a", "hello");
    for (Subscription* each : {&a, &b}) {
        const std::optional<HubMessage> message = each->try_next();
        REQUIRE(message);
        CHECK(message->topic == "a");
        CHECK(message->id == id);
        CHECK(message->data == "hello");
        CHECK_FALSE(message->is_stale);
        CHECK_FALSE(each->try_next());
    }
    CHECK_FALSE(other.try_next());
}

TEST_CASE("all subscribers share one text, which lives as long as a copy of the message") {
    std::optional<HubMessage> kept;
    std::string text;
    {
        Hub hub;
        Subscription a = hub.subscribe("t");
        Subscription b = hub.subscribe("t");
        hub.publish("t", std::string(1000, 'x'));
        kept = a.try_next();
        const auto other = b.try_next();
        REQUIRE((kept && other));
        CHECK(kept->data.data() == other->data.data());
        text = kept->data;
    }
    CHECK(kept->data == text);
    CHECK(kept->topic == "t");
}

TEST_CASE("ids grow over all topics, and are greater than those of a hub that was before") {
    std::uint64_t last = 0;
    for (const std::uint64_t run : {0u, 1u, 2u}) {
        const auto hub = HubFrom{HubCore::id_of_this_moment() + 1000 * run}.make();
        for (const char* topic : {"a", "b", "a"}) {
            const std::uint64_t id = hub->publish(topic, "x");
            CHECK(id > last);
            last = id;
        }
    }
    CHECK(last < std::uint64_t{1} << 53);  // a number of JavaScript's as well
}

TEST_CASE("a subscriber sees what is published from then on, and with an id what came after it") {
    Hub hub;
    const std::uint64_t one = hub.publish("t", "1");
    Subscription live = hub.subscribe("t");
    hub.publish("other", "x");
    const std::uint64_t two = hub.publish("t", "2");
    Subscription after_one = hub.subscribe("t", one);
    Subscription after_two = hub.subscribe("t", two);
    hub.publish("t", "3");
    CHECK(all_of(live) == Texts{"2", "3"});
    CHECK(all_of(after_one) == Texts{"2", "3"});
    CHECK(all_of(after_two) == Texts{"3"});
}

TEST_CASE("who comes again after the ring has moved on is told so once") {
    Hub hub(keeping(3));
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(hub.publish("t", std::to_string(i)));  // 0 and 1 are gone
    const auto after = [&](std::uint64_t id) {
        Subscription subscription = hub.subscribe("t", id);
        return all_of(subscription);
    };
    CHECK(after(ids[0]) == Texts{"(stale 0)", "2", "3", "4"});
    CHECK(after(ids[1]) == Texts{"2", "3", "4"});
    CHECK(after(ids[2]) == Texts{"3", "4"});
    CHECK(after(ids[4]).empty());
}

TEST_CASE(
    "an id of an earlier run, or one that was never given out, gets a stale marker and the whole ring") {
    std::uint64_t earlier = 0;
    earlier = HubFrom{1000}.make()->publish("t", "before");
    const auto later = HubFrom{2000}.make();
    Hub& hub = *later;
    Subscription nothing_yet = hub.subscribe("t", earlier);
    CHECK(all_of(nothing_yet) == Texts{"(stale 0)"});
    hub.publish("t", "1");
    const std::uint64_t last = hub.publish("t", "2");
    for (const std::uint64_t id : {std::uint64_t{1}, earlier, last + 1, ~std::uint64_t{0}}) {
        Subscription subscription = hub.subscribe("t", id);
        CHECK(all_of(subscription) == Texts{"(stale 0)", "1", "2"});
    }
    CHECK(all_of(nothing_yet) == Texts{"1", "2"});
}

TEST_CASE("ids begin behind the time of day in microseconds") {
    // On a loop of virtual time, so that no clock moves in between.
    const auto setup = [](sake::Engine& app) {
        app.get("/", [](sake::Context& ctx) -> sake::Task<> {
            const std::uint64_t moment = HubCore::id_of_this_moment();
            Hub hub;
            ctx.text(std::to_string(hub.publish("t", "x") - moment));
            co_return;
        });
    };
    harness::with_client(setup, [](sake::TestClient& client) { CHECK(client.get("/").body == "1"); });
}

TEST_CASE("after a clock that was put back, ids of the earlier run are unknown, and new ones known") {
    const auto earlier = HubFrom{5000}.make();
    const std::uint64_t seen = earlier->publish("t", "before");
    const auto hub = HubFrom{1000}.make();
    Subscription nothing_yet = hub->subscribe("t", seen);
    CHECK(all_of(nothing_yet) == Texts{"(stale 0)"});
    for (int i = 1; i <= 3; ++i) hub->publish("t", std::to_string(i));
    CHECK(all_of(nothing_yet) == Texts{"1", "2", "3"});
    Subscription again = hub->subscribe("t", seen);
    const auto stale = again.try_next();
    REQUIRE(stale);
    CHECK(stale->is_stale);
    CHECK(stale->id < seen);  // one of this run to go on from
    CHECK(all_of(again) == Texts{"1", "2", "3"});
    Subscription known = hub->subscribe("t", stale->id + 2);
    CHECK(all_of(known) == Texts{"3"});
    for (const std::uint64_t id : {std::uint64_t{999}, std::uint64_t{1004}}) {
        Subscription unknown = hub->subscribe("t", id);
        CHECK(all_of(unknown) == Texts{"(stale 0)", "1", "2", "3"});
    }
    Subscription newest = hub->subscribe("t", 1003);
    CHECK(all_of(newest).empty());
}

TEST_CASE("the id of a stale marker is one to go on from") {
    std::uint64_t id = 0;
    Hub hub(keeping(2));
    Subscription empty = hub.subscribe("t", 1);
    id = empty.try_next()->id;
    publish(hub, "t", 1, 2);
    Subscription again = hub.subscribe("t", id);
    CHECK(all_of(again) == Texts{"1", "2"});
    publish(hub, "t", 3, 4);
    Subscription late = hub.subscribe("t", 1);
    id = late.try_next()->id;
    Subscription later = hub.subscribe("t", id);
    CHECK(all_of(later) == Texts{"3", "4"});
}

TEST_CASE("the ring of a topic has its bounds: one below, at, and one above") {
    for (const int published : {2, 3, 4}) {
        Hub hub(keeping(3));
        Subscription subscription = hub.subscribe("t");
        publish(hub, "t", 1, published);
        const Texts texts = all_of(subscription);
        CHECK(texts.front() == (published <= 3 ? "1" : "(stale 1)"));
        CHECK(texts.back() == std::to_string(published));
        CHECK(texts.size() == static_cast<std::size_t>(published));
    }
    // In bytes, with what a message takes besides its text.
    const std::size_t cost = sizeof(sake::detail::HubPost) + 1 + 100;
    for (const std::size_t bytes : {2 * cost - 1, 2 * cost, 3 * cost - 1, 3 * cost}) {
        HubOptions options;
        options.bytes = bytes;
        Hub hub(options);
        for (int i = 0; i < 5; ++i) hub.publish("t", std::string(100, 'x'));
        Subscription all = hub.subscribe("t", 1);
        CHECK(all_of(all).size() == 1 + bytes / cost);
        hub.publish("t", std::string(10'000, 'x'));  // more than all, and kept all the same
        CHECK(all_of(all).size() == 1);
    }
}

TEST_CASE("a slow subscriber loses the oldest, and is told how many") {
    Hub hub(keeping(4));
    Subscription slow = hub.subscribe("t");
    publish(hub, "t", 1, 10);
    CHECK(all_of(slow) == Texts{"(stale 6)", "7", "8", "9", "10"});
    publish(hub, "t", 11, 11);
    CHECK(all_of(slow) == Texts{"11"});
    CHECK_FALSE(slow.was_too_slow());
}

TEST_CASE("or it is closed, where the hub says so") {
    Hub hub(keeping(4, SlowSubscriber::close));
    Subscription slow = hub.subscribe("t");
    Subscription quick = hub.subscribe("t");
    publish(hub, "t", 1, 4);
    CHECK(all_of(quick).size() == 4);
    publish(hub, "t", 5, 5);
    CHECK_FALSE(slow.try_next());
    CHECK(slow.was_too_slow());
    publish(hub, "t", 6, 6);
    CHECK(all_of(quick) == Texts{"5", "6"});
    CHECK_FALSE(quick.was_too_slow());
    in_coroutine([&slow]() -> Task<> {
        const auto message = co_await slow.next();
        CHECK_FALSE(message);
    });
}

TEST_CASE("next waits for a message, and gives nothing once the hub is closed and all is read") {
    in_coroutine([]() -> Task<> {
        Hub hub;
        Texts texts;
        auto reader = spawn(collect(hub.subscribe("t"), texts));
        co_await let_the_others_run();
        hub.publish("t", "1");
        hub.publish("t", "2");
        co_await let_the_others_run();
        CHECK(texts == Texts{"1", "2"});
        hub.publish("t", "3");
        hub.close();
        CHECK(hub.publish("t", "4") == 0);
        co_await reader;
        CHECK(texts == Texts{"1", "2", "3"});
        Subscription late = hub.subscribe("t");
        const auto nothing = co_await late.next();
        CHECK_FALSE(nothing);
    });
}

TEST_CASE("a reader that is cancelled, or loses in when_any, has taken nothing") {
    in_coroutine([]() -> Task<> {
        Hub hub;
        Subscription subscription = hub.subscribe("t");
        bool has_timed_out = false;
        try {
            const auto message = co_await sake::timeout(subscription.next(), 1ms);
            CHECK_FALSE(message);
        } catch (const sake::TimedOut&) {
            has_timed_out = true;
        }
        CHECK(has_timed_out);
        sake::Event won;
        auto race = [](Subscription& messages, sake::Event& event) -> Task<std::size_t> {
            const auto first = co_await sake::when_any(event.wait(), messages.next());
            co_return first.index();
        };
        auto racing = spawn(race(subscription, won));
        co_await let_the_others_run();
        won.set();
        hub.publish("t", "1");
        const std::size_t winner = co_await racing;
        if (winner == 0) {
            const auto message = co_await subscription.next();
            CHECK(message->data == "1");
        }
        hub.publish("t", "2");
        const auto message = co_await subscription.next();
        CHECK(message->data == "2");
    });
}

TEST_CASE("a loop over messages that are there can be cancelled, and lets others run") {
    in_coroutine([]() -> Task<> {
        Hub hub;
        int turns = 0;
        auto echo = [](Hub& to, int& count) -> Task<> {
            Subscription own = to.subscribe("t");
            to.publish("t", "x");
            for (;;) {
                const auto message = co_await own.next();
                to.publish("t", message->data);
                ++count;
            }
        };
        auto endless = spawn(echo(hub, turns));
        co_await sake::sleep(1ms);
        endless.cancel();
        co_await let_the_others_run();
        CHECK(turns > 0);
        CHECK(endless.is_done());
    });
}

TEST_CASE("a second coroutine that waits on the same subscription is told that it must not") {
    in_coroutine([]() -> Task<> {
        Hub hub;
        Subscription subscription = hub.subscribe("t");
        auto read = [](Subscription& from) -> Task<std::string> {
            const auto message = co_await from.next();
            co_return message->data;
        };
        auto first = spawn(read(subscription));
        co_await let_the_others_run();
        const std::string failure = co_await harness::failure_of(read(subscription));
        CHECK(failure == "Subscription: two coroutines wait for its next message");
        hub.publish("t", "1");
        const std::string text = co_await first;
        CHECK(text == "1");
    });
}

TEST_CASE("topics that nobody uses are forgotten when there are too many, those used longest ago first") {
    HubOptions options;
    options.topics = 2;
    Hub hub(options);
    const std::uint64_t a = hub.publish("a", "1");
    hub.publish("b", "1");
    CHECK(hub.topics() == 2);
    {
        Subscription used = hub.subscribe("a", a);  // from now on, b was used longest ago
        CHECK(hub.subscribers("a") == 1);
        hub.publish("c", "1");
        hub.publish("d", "1");
        CHECK(hub.topics() == 3);  // a is used, and does not count
    }
    CHECK(hub.subscribers("a") == 0);
    CHECK(hub.topics() == 2);
    Subscription kept = hub.subscribe("a", a);
    CHECK(all_of(kept).empty());
    // What was in b is gone: who has an id from before is told that something may be missing.
    Subscription forgotten = hub.subscribe("b", a);
    CHECK(all_of(forgotten) == Texts{"(stale 0)"});
}

TEST_CASE("topics that nobody has published to go with their last subscriber") {
    Hub hub;
    for (int i = 0; i < 100; ++i) {
        Subscription a = hub.subscribe(std::to_string(i));
        Subscription b = hub.subscribe(std::to_string(i));
        CHECK(hub.topics() == 1);
    }
    CHECK(hub.topics() == 0);
}

TEST_CASE("a hub that keeps no unused topics keeps none") {
    HubOptions options;
    options.topics = 0;
    Hub hub(options);
    hub.publish("t", "1");
    CHECK(hub.topics() == 0);
    Subscription subscription = hub.subscribe("t");
    hub.publish("t", "2");
    CHECK(all_of(subscription) == Texts{"2"});
}

TEST_CASE("unused topics keep to their bytes together") {
    HubOptions options;
    options.unused_bytes = 10'000;
    Hub hub(options);
    for (int i = 0; i < 1000; ++i) hub.publish(std::to_string(i), std::string(1000, 'x'));
    CHECK(hub.topics() == 9);
}

TEST_CASE("options that make no sense are refused by name") {
    CHECK_THROWS_WITH(Hub(keeping(0)), "HubOptions: messages must be at least 1, not 0");
    HubOptions options;
    options.topics = -1;
    CHECK_THROWS_WITH(Hub{options}, "HubOptions: topics must be at least 0, not -1");
    options = {};
    options.bytes = 0;
    CHECK_THROWS_AS(Hub{options}, std::invalid_argument);
    options = {};
    options.bytes = std::numeric_limits<std::size_t>::max();
    options.messages = std::numeric_limits<int>::max();
    Hub boundless(options);
    publish(boundless, "t", 1, 3000);
    Subscription all = boundless.subscribe("t", 1);
    CHECK(all_of(all).size() == 3001);
}

TEST_CASE("a subscription moves, and goes on; one that was moved from gives nothing") {
    in_coroutine([]() -> Task<> {
        Hub hub;
        Subscription first = hub.subscribe("t");
        Subscription second = std::move(first);
        hub.publish("t", "1");
        CHECK(hub.subscribers("t") == 1);
        const auto nothing = co_await first.next();  // NOLINT: on purpose
        CHECK_FALSE(nothing);
        CHECK_FALSE(first.try_next());
        const auto message = co_await second.next();
        CHECK(message->data == "1");
        second = hub.subscribe("u");
        CHECK(hub.subscribers("t") == 0);
    });
}

TEST_CASE("a hub that goes ends the waits of its subscribers, which may outlive it") {
    in_coroutine([]() -> Task<> {
        auto hub = std::make_unique<Hub>();
        Texts texts;
        auto reader = spawn(collect(hub->subscribe("t"), texts));
        Subscription unread = hub->subscribe("t");
        co_await let_the_others_run();
        hub->publish("t", "1");
        hub.reset();
        co_await reader;
        CHECK(texts == Texts{"1"});
        CHECK(unread.try_next()->data == "1");
        CHECK_FALSE(unread.try_next());
    });
}

TEST_CASE("a reactor that goes while its coroutines wait takes them off, and publishing goes on") {
    Hub hub;
    for (int round = 0; round < 3; ++round) {
        Texts texts;
        bool is_done = false;
        sake::Reactor reactor;
        reactor.enter([&] { sake::spawn(collect(hub.subscribe("t"), texts)).detach(); });
        reactor.enter([&] {
            sake::spawn([](Hub& to, bool& done) -> Task<> {
                co_await let_the_others_run();
                to.publish("t", "1");
                co_await let_the_others_run();
                done = true;
            }(hub, is_done))
                .detach();
        });
        reactor.run_until([&] { return is_done; });
        CHECK(texts == Texts{"1"});
        CHECK(hub.subscribers("t") == 1);
        hub.publish("t", "2");  // on its way when the reactor goes
    }
    CHECK(hub.subscribers("t") == 0);
    hub.publish("t", "3");
}

TEST_CASE("a subscription is made on one thread and read on another loop, and then on a third") {
    Hub hub;
    Subscription subscription = hub.subscribe("t");
    for (int i = 0; i < 3; ++i) {
        std::thread publisher([&hub, i] { hub.publish("t", std::to_string(i)); });
        const std::string text = sake::run_until_complete([](Subscription& from) -> Task<std::string> {
            const auto message = co_await from.next();
            co_return message->data;
        }(subscription));
        publisher.join();
        CHECK(text == std::to_string(i));
    }
}

TEST_CASE("of 8 threads that publish, subscribers on two loops miss nothing, in one order") {
    constexpr int publishers = 8;
    const int each = static_cast<int>(harness::rounds(20'000));
    const int readers = 5;
    HubOptions options;
    options.messages = publishers * each;
    options.bytes = std::numeric_limits<std::size_t>::max();
    Hub hub(options);
    std::latch subscribed(2);
    std::vector<std::vector<std::string>> seen(2 * readers);
    const auto loop = [&](std::size_t first) {
        sake::run_until_complete([](Hub& from, std::latch& ready, std::vector<std::string>* into, int count,
                                    std::size_t wanted) -> Task<> {
            auto read = [](Subscription own, std::vector<std::string>& all, std::size_t until) -> Task<> {
                while (all.size() < until) {
                    const auto message = co_await own.next();
                    if (!message) co_return;
                    all.push_back(message->data);
                }
            };
            std::vector<Task<>> tasks;
            for (int i = 0; i < count; ++i) tasks.push_back(read(from.subscribe("t"), into[i], wanted));
            ready.count_down();
            co_await sake::when_all(std::move(tasks));
        }(hub, subscribed, seen.data() + first, readers, static_cast<std::size_t>(publishers * each)));
    };
    std::thread one([&] { loop(0); });
    std::thread two([&] { loop(readers); });
    subscribed.wait();
    std::vector<std::thread> threads;
    for (int p = 0; p < publishers; ++p) {
        threads.emplace_back([&hub, p, each] {
            for (int i = 0; i < each; ++i) hub.publish("t", std::to_string(p) + ":" + std::to_string(i));
        });
    }
    for (std::thread& thread : threads) thread.join();
    one.join();
    two.join();
    for (const auto& all : seen) CHECK(all == seen[0]);
    REQUIRE(seen[0].size() == static_cast<std::size_t>(publishers * each));
    std::vector<int> next(publishers, 0);
    for (const std::string& text : seen[0]) {
        const auto publisher = static_cast<std::size_t>(text[0] - '0');
        CHECK(std::stoi(text.substr(2)) == next[publisher]++);
    }
}

TEST_CASE("hubs, subscriptions and reactors end in any order while others publish") {
    const int rounds = static_cast<int>(harness::rounds(2'000));
    for (int round = 0; round < rounds; ++round) {
        auto hub = std::make_unique<Hub>(keeping(8));
        std::atomic<bool> stops = false;
        std::latch reading(2);
        const auto loop = [&] {
            std::size_t read = 0;  // outlives the reactor, at whose end a reader may still take a message
            auto reactor = std::make_unique<sake::Reactor>();
            reactor->enter([&] {
                for (int i = 0; i < 3; ++i) {
                    sake::spawn([](Subscription own, std::size_t& count) -> Task<> {
                        while (auto message = co_await own.next()) ++count;
                    }(hub->subscribe("t"), read))
                        .detach();
                }
            });
            reading.count_down();
            reactor->run_until([&] { return read > 5 || stops; });
        };
        std::thread one(loop);
        std::thread two(loop);
        reading.wait();
        std::vector<std::thread> publishers;
        for (int i = 0; i < 2; ++i) {
            publishers.emplace_back([&] {
                while (!stops) hub->publish("t", "x");
            });
        }
        if (round % 2 == 0) {
            one.join();
            two.join();
            stops = true;
            for (std::thread& each : publishers) each.join();
            hub.reset();
        } else {
            std::this_thread::yield();
            stops = true;
            hub->close();  // wakes the loops, so that they see it
            for (std::thread& each : publishers) each.join();
            hub.reset();
            one.join();
            two.join();
        }
    }
}

TEST_CASE("JSON is published as its text, whatever it is") {
    Hub hub;
    Subscription all = hub.subscribe("t");
    using sake::Json;
    const Json object{{"a", {1, 2.5, nullptr}}};
    Json text = "say \"x\"";
    CHECK(hub.publish("t", object) != 0);
    hub.publish("t", text);
    hub.publish("t", object["a"]);
    hub.publish("t", Json());
    hub.publish("t", Json(7));
    hub.publish("t", "plain \"x\"");
    CHECK(all_of(all) ==
          Texts{R"({"a":[1,2.5,null]})", R"("say \"x\"")", "[1,2.5,null]", "null", "7", "plain \"x\""});
    hub.close();
    CHECK(hub.publish("t", object) == 0);
}

}  // namespace test_hub
