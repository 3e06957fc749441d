// TimerQueue: the order of deadlines, moving and cancelling them, on a clock that the test makes up.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace test_timer {

using sake::detail::TimePoint;
using sake::detail::Timer;
using sake::detail::TimerQueue;

namespace {

TimePoint at(int milliseconds) { return TimePoint(std::chrono::milliseconds(milliseconds)); }

/// Notes its number when it goes off.
struct Probe : Timer {
    Probe(int number, std::vector<int>& order) : Timer(&went_off), id(number), log(&order) {}
    static void went_off(Timer& timer) noexcept {
        auto& self = static_cast<Probe&>(timer);
        self.was_set_inside = self.is_set();
        self.log->push_back(self.id);
    }
    int id;
    std::vector<int>* log;
    bool was_set_inside = true;
};

using Order = std::vector<int>;

}  // namespace

TEST_CASE("an empty queue has nothing to do, ever") {
    TimerQueue queue;
    CHECK(queue.next() == TimePoint::max());
    queue.expire(TimePoint::max());
    CHECK(queue.next() == TimePoint::max());
}

TEST_CASE("a timer goes off once, at its deadline and not before, and is not set any more") {
    Order order;
    Probe timer(1, order);
    TimerQueue queue;
    CHECK_FALSE(timer.is_set());
    queue.set(timer, at(10));
    CHECK(timer.is_set());
    CHECK(timer.deadline() == at(10));
    CHECK(queue.next() == at(10));
    queue.expire(at(9));
    CHECK(order.empty());
    queue.expire(at(10));
    CHECK(order == Order{1});
    CHECK_FALSE(timer.was_set_inside);
    CHECK_FALSE(timer.is_set());
    queue.expire(at(1000));
    CHECK(order == Order{1});
    CHECK(queue.next() == TimePoint::max());
}

TEST_CASE("timers go off in the order of their deadlines, however late they are looked at") {
    Order order;
    TimerQueue queue;
    Probe a(1, order), b(2, order), c(3, order), d(4, order);
    queue.set(c, at(30));
    queue.set(a, at(10));
    queue.set(d, at(40));
    queue.set(b, at(20));
    CHECK(queue.next() == at(10));
    queue.expire(at(35));
    CHECK(order == Order{1, 2, 3});
    CHECK(queue.next() == at(40));
    queue.cancel(d);
}

TEST_CASE("timers with equal deadlines all go off in one go") {
    Order order;
    TimerQueue queue;
    std::vector<std::unique_ptr<Probe>> timers;
    for (int i = 0; i < 100; ++i) {
        timers.push_back(std::make_unique<Probe>(i, order));
        queue.set(*timers.back(), at(5));
    }
    queue.expire(at(4));
    CHECK(order.empty());
    queue.expire(at(5));
    CHECK(std::set<int>(order.begin(), order.end()).size() == 100);
    CHECK(order.size() == 100);
}

TEST_CASE("moving a deadline away only writes the timer: the queue finds out at the old one") {
    Order order;
    Probe timer(1, order);
    TimerQueue queue;
    queue.set(timer, at(10));
    queue.set(timer, at(50));
    queue.set(timer, at(30));
    CHECK(timer.deadline() == at(30));
    CHECK(queue.next() == at(10));  // lazy: this is what makes a request of a keep-alive connection cheap
    queue.expire(at(10));
    CHECK(order.empty());
    CHECK(timer.is_set());
    CHECK(queue.next() == at(30));
    queue.expire(at(29));
    CHECK(order.empty());
    queue.expire(at(30));
    CHECK(order == Order{1});
}

TEST_CASE("a timer moved away lets the others pass at their time") {
    Order order;
    Probe a(1, order), b(2, order), c(3, order);
    TimerQueue queue;
    queue.set(a, at(10));
    queue.set(b, at(20));
    queue.set(c, at(30));
    queue.set(a, at(25));
    queue.expire(at(40));
    CHECK(order == Order{2, 1, 3});
}

TEST_CASE("moving a deadline nearer takes effect at once, after a move away too") {
    Order order;
    Probe a(1, order), b(2, order);
    TimerQueue queue;
    queue.set(b, at(20));
    queue.set(a, at(40));
    queue.set(a, at(90));
    queue.set(a, at(5));
    CHECK(queue.next() == at(5));
    queue.expire(at(5));
    CHECK(order == Order{1});
    queue.cancel(b);
}

TEST_CASE("a cancelled timer does not go off, wherever it was; cancelling twice does nothing") {
    for (int victim = 0; victim < 15; ++victim) {
        CAPTURE(victim);
        Order order;
        TimerQueue queue;
        std::vector<std::unique_ptr<Probe>> timers;
        for (int i = 0; i < 15; ++i) {
            timers.push_back(std::make_unique<Probe>(i, order));
            queue.set(*timers.back(), at(10 + i));
        }
        auto& cancelled = *timers[static_cast<std::size_t>(victim)];
        queue.cancel(cancelled);
        queue.cancel(cancelled);
        CHECK_FALSE(cancelled.is_set());
        queue.expire(at(100));
        CHECK(order.size() == 14);
        CHECK(std::is_sorted(order.begin(), order.end()));
        CHECK(std::find(order.begin(), order.end(), victim) == order.end());
    }
}

TEST_CASE("a timer can be set again, after it went off and after it was cancelled") {
    Order order;
    Probe timer(1, order);
    TimerQueue queue;
    queue.set(timer, at(1));
    queue.expire(at(1));
    queue.set(timer, at(2));
    queue.cancel(timer);
    queue.set(timer, at(3));
    queue.expire(at(2));
    CHECK(order == Order{1});
    queue.expire(at(3));
    CHECK(order == Order{1, 1});
}

TEST_CASE("a timer that goes off may set itself, set others and cancel others") {
    static TimerQueue* queue_in_use;
    static Probe* other;
    struct Periodic : Timer {
        Periodic() : Timer(&tick) {}
        static void tick(Timer& timer) noexcept {
            auto& self = static_cast<Periodic&>(timer);
            ++self.ticks;
            if (self.ticks < 3) queue_in_use->set(self, self.deadline() + std::chrono::milliseconds(10));
            if (self.ticks == 2) queue_in_use->cancel(*other);
            if (self.ticks == 3) queue_in_use->set(*other, self.deadline());
        }
        int ticks = 0;
    };
    Order order;
    TimerQueue queue;
    Probe victim(7, order);
    Periodic periodic;
    queue_in_use = &queue;
    other = &victim;
    queue.set(periodic, at(10));
    queue.set(victim, at(20));
    queue.set(victim, at(21));
    queue.expire(at(20));
    CHECK(periodic.ticks == 2);
    CHECK_FALSE(victim.is_set());
    queue.expire(at(30));
    CHECK(periodic.ticks == 3);
    CHECK(order == Order{7});  // its new deadline had come already
    CHECK(queue.next() == TimePoint::max());
}

TEST_CASE("a deadline at the end of time never comes and can be cancelled or moved") {
    Order order;
    Probe timer(1, order);
    TimerQueue queue;
    queue.set(timer, TimePoint::max());
    CHECK(queue.next() == TimePoint::max());
    queue.expire(at(1'000'000'000));
    CHECK(timer.is_set());
    queue.set(timer, at(1));
    queue.expire(at(1));
    CHECK(order == Order{1});
    queue.set(timer, TimePoint::max());
    queue.cancel(timer);
    CHECK_FALSE(timer.is_set());
}

TEST_CASE("thousands of timers, set, moved and cancelled at random, behave as a sorted list would") {
    constexpr int count = 3000;
    constexpr unsigned seed = 20260101;
    CAPTURE(seed);
    std::mt19937 random(seed);
    Order order;
    TimerQueue queue;
    std::vector<std::unique_ptr<Probe>> timers;
    for (int i = 0; i < count; ++i) timers.push_back(std::make_unique<Probe>(i, order));
    std::map<int, int> deadlines;  // the model: which timer is due when
    int now = 0;
    bool agrees = true;
    for (int step = 0; step < 60'000; ++step) {
        const int who = static_cast<int>(random() % count);
        auto& timer = *timers[static_cast<std::size_t>(who)];
        const auto what = random() % 100;
        if (what < 70) {
            const int when = now + 1 + static_cast<int>(random() % 500);
            queue.set(timer, at(when));
            deadlines[who] = when;
        } else if (what < 90) {
            queue.cancel(timer);
            deadlines.erase(who);
        } else {
            now += static_cast<int>(random() % 20);
            order.clear();
            queue.expire(at(now));
            int last = 0;
            for (const int id : order) {
                const auto found = deadlines.find(id);
                agrees = agrees && found != deadlines.end() && found->second <= now && found->second >= last;
                if (!agrees) break;
                last = found->second;
                deadlines.erase(found);
            }
            for (const auto& [id, when] : deadlines) agrees = agrees && when > now;
        }
        agrees = agrees && timer.is_set() == deadlines.contains(who);
        REQUIRE(agrees);
    }
    order.clear();
    queue.expire(at(now + 1000));
    CHECK(order.size() == deadlines.size());
    CHECK(queue.next() == TimePoint::max());
}

}  // namespace test_timer
