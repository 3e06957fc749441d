// stream: steps one after the other, in order or not, of ranges without end, and with little memory; what
// becomes of failures and cancellation in each of its stages.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/numbers.hpp"
#include "support/reliability.hpp"

namespace test_stream {

using harness::compute;
using harness::Counted;
using harness::Numbers;
using harness::numbers_up_to;
using harness::people_up_to;
using harness::Person;
using sake::stream;
using sake::Task;

namespace {

const auto twice = [](int x) { return 2 * x; };
const auto is_even = [](int x) { return x % 2 == 0; };
const auto is_third = [](int x) { return x % 3 == 0; };
const auto as_it_is = [](int x) { return x; };

/// Every third of the first numbers.
std::vector<int> thirds(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = 3 * i;
    return numbers;
}

}  // namespace

TEST_CASE("steps are made of every item, and order is kept") {
    for (const int count : {0, 1, 2, 7, 1000, 20'000}) {
        const std::vector<int> numbers = numbers_up_to(count);
        const std::vector<int> expected = thirds((count + 2) / 3);
        CHECK(stream(numbers).collect() == numbers);
        CHECK(stream(numbers).filter(is_third).collect() == expected);
        CHECK(stream(Numbers(count)).filter(is_third).collect() == expected);
        CHECK(stream(std::list<int>(numbers.begin(), numbers.end())).filter(is_third).collect() == expected);
        const auto texts = stream(numbers)
                               .map(twice)
                               .filter(is_third)
                               .map([](int x) { return std::to_string(x); })
                               .collect();
        REQUIRE(texts.size() == expected.size());
        for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(texts[i] == std::to_string(2 * expected[i]));
    }
}

TEST_CASE("nothing happens before the verb at the end") {
    int called = 0;
    Numbers numbers(100);
    auto lazy = stream(numbers).map([&](int x) { return x + ++called; }).filter(is_even).take(3);
    CHECK(called == 0);
    CHECK(numbers.read_so_far() == 0);
    static_cast<void>(std::move(lazy));
}

TEST_CASE("unordered gives the same items, in any order") {
    const std::vector<int> numbers = numbers_up_to(20'000);
    auto found = stream(numbers).filter(is_third).unordered().collect();
    std::sort(found.begin(), found.end());
    CHECK(found == thirds(6667));
    std::atomic<long> sum = 0;
    stream(Numbers(20'000)).unordered().map(as_it_is).for_each([&](int x) { sum += x; });
    CHECK(sum == 199'990'000);
    const auto some = stream(numbers).unordered().filter(is_third).take(50).collect();
    CHECK(some.size() == 50);
    CHECK(std::set<int>(some.begin(), some.end()).size() == 50);
    std::size_t items = 0;
    for (const auto& chunk : stream(numbers).unordered().map(as_it_is).chunks(7).collect())
        items += chunk.size();
    CHECK(items == numbers.size());
}

TEST_CASE("for_each gets the items in order and one at a time, slow ones too") {
    int next = 0;
    std::atomic<int> inside = 0;
    stream(Numbers(3000))
        .map([](int x) {
            if (x % 500 == 3) compute(1'000'000);
            return x;
        })
        .for_each([&](int x) {
            REQUIRE(inside++ == 0);
            REQUIRE(x == next++);
            if (x % 700 == 0) compute(500'000);
            --inside;
        });
    CHECK(next == 3000);
}

TEST_CASE("take ends a range without end, wherever it stands") {
    CHECK(stream(Numbers(Numbers::endless)).take(1000).collect() == numbers_up_to(1000));
    CHECK(stream(Numbers(Numbers::endless)).filter(is_third).take(1000).collect() == thirds(1000));
    CHECK(stream(Numbers(Numbers::endless))
              .filter(is_third)
              .take(1000)
              .filter(is_even)
              .take(10)
              .map(twice)
              .collect() == stream(thirds(10)).map([](int x) { return 4 * x; }).collect());
    CHECK(stream(Numbers(5)).filter(is_third).take(1000).collect() == thirds(2));
    CHECK(stream(Numbers(Numbers::endless)).take(0).collect().empty());
    CHECK(stream(Numbers(Numbers::endless)).filter(is_even).take(0).collect().empty());
    CHECK(stream(Numbers(Numbers::endless)).take(10).take(3).take(7).collect() == numbers_up_to(3));
    int called = 0;
    stream(Numbers(Numbers::endless)).filter(is_even).take(10).for_each([&](int) { ++called; });
    CHECK(called == 10);
    CHECK(stream(Numbers(Numbers::endless)).filter(is_third).take(4).reduce(std::plus(), 0) == 18);
}

TEST_CASE("where only maps stand in front of take, no item too many is read") {
    Numbers numbers(Numbers::endless);
    std::atomic<int> called = 0;
    const auto count = [&](int x) {
        ++called;
        return x;
    };
    CHECK(stream(numbers).map(count).map(twice).take(10).collect().size() == 10);
    CHECK(called == 10);
    CHECK(numbers.read_so_far() == 10);
}

TEST_CASE("chunks are full, the last excepted, and in order") {
    for (const int count : {0, 1, 6, 7, 8, 5000}) {
        const auto chunks = stream(Numbers(count)).map(as_it_is).chunks(7).collect();
        REQUIRE(chunks.size() == static_cast<std::size_t>((count + 6) / 7));
        int next = 0;
        for (const auto& chunk : chunks) {
            if (&chunk != &chunks.back()) REQUIRE(chunk.size() == 7);
            for (const int x : chunk) REQUIRE(x == next++);
        }
        CHECK(next == count);
        const int sum = stream(numbers_up_to(count)).reduce(std::plus(), 0);
        CHECK(stream(Numbers(count))
                  .chunks(7)
                  .map([](const std::vector<int>& chunk) {
                      return std::accumulate(chunk.begin(), chunk.end(), 0);
                  })
                  .reduce(std::plus(), 0) == sum);
    }
    CHECK_THROWS_WITH_AS(static_cast<void>(stream(Numbers(5)).chunks(0)),
                         "stream: the size of chunks must be at least 1, not 0", std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(stream(Numbers(5)).take(-1)),
                         "stream: the count of take must be at least 0, not -1", std::invalid_argument);
}

TEST_CASE("what comes behind chunks runs on several threads, too") {
    if (sake::usable_cpus() < 2) return;
    std::atomic<int> here = 0;
    const auto meet = [&](const std::vector<int>& chunk) {
        ++here;
        here.notify_all();
        for (int seen = here; seen < 2; seen = here) here.wait(seen);
        return chunk.size();
    };
    CHECK(stream(numbers_up_to(4)).chunks(2).map(meet).collect() == std::vector<std::size_t>{2, 2});
}

TEST_CASE("reduce gives the same floating-point sum every time, and init for nothing") {
    const auto part = [](int x) { return 1.0 / (x + 1); };
    const auto sum = [&](auto&& range) {
        return stream(range)
            .map(part)
            .filter([](double x) { return x < 0.3; })
            .chunks(3)
            .map([](const std::vector<double>& c) { return std::accumulate(c.begin(), c.end(), 0.0); })
            .reduce(std::plus(), 0.25);
    };
    const double first = sum(Numbers(30'000));
    for (int i = 0; i < 10; ++i) REQUIRE(sum(Numbers(30'000)) == first);
    CHECK(stream(Numbers(0)).map(part).reduce(std::plus(), 0.25) == 0.25);
    CHECK(stream(Numbers(9)).map(part).filter([](double) { return false; }).reduce(std::plus(), 0.25) ==
          0.25);
}

TEST_CASE("items may move only, in every stage") {
    const auto own = [](int x) { return std::make_unique<int>(x); };
    const auto is_kept = [](const std::unique_ptr<int>& owner) { return *owner % 2 == 0; };
    auto owners = stream(Numbers(1000)).map(own).filter(is_kept).take(400).chunks(9).collect();
    int next = 0;
    for (auto& chunk : owners)
        for (auto& owner : chunk) REQUIRE(*owner == std::exchange(next, next + 2));
    CHECK(next == 800);
    int seen = 0;
    stream(std::move(owners))
        .map([](auto& chunk) { return std::move(chunk); })
        .for_each([&](std::vector<std::unique_ptr<int>> chunk) {
            for (const auto& owner : chunk) seen += *owner == std::exchange(next, next + 2) - 800 ? 1 : 0;
        });
    CHECK(seen == 400);
}

TEST_CASE("bits are items: what is made of them, and collected, is bool") {
    std::vector<bool> bits(5000);
    std::vector<bool> inverse(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) inverse[i] = !(bits[i] = i % 3 == 0);
    const auto invert = [](bool bit) { return !bit; };
    const auto same = [](auto bit) { return bit; };
    const auto is_set = [](bool bit) { return bit; };
    const auto holds = [&]<class Result>(const Result& result, const std::vector<bool>& expected) {
        static_assert(std::is_same_v<Result, std::vector<bool>>);
        return result == expected;
    };
    CHECK(holds(stream(bits).collect(), bits));
    CHECK(holds(stream(std::as_const(bits)).collect(), bits));
    CHECK(holds(stream(std::vector<bool>(bits)).map(invert).collect(), inverse));
    CHECK(holds(stream(bits).map(same).collect(), bits));
    CHECK(holds(stream(bits).filter(is_set).collect(), std::vector<bool>(1667, true)));
    CHECK(holds(stream(bits).filter(is_set).take(9).map(invert).collect(), std::vector<bool>(9, false)));
    CHECK(holds(stream(numbers_up_to(5000)).map(is_third).collect(), bits));
    CHECK(holds(stream(Numbers(5000)).map(is_third).filter(is_set).take(3).collect(), {true, true, true}));
    const auto count = [](const std::vector<bool>& chunk) {
        return std::count(chunk.begin(), chunk.end(), true);
    };
    CHECK(stream(bits).chunks(6).map(count).reduce(std::plus(), 0L) == 1667);
    CHECK(stream(bits).map(invert).chunks(7).collect().back() == std::vector<bool>{false, true});
    CHECK(stream(bits).reduce(std::plus(), 0) == 1667);
    std::vector<bool> seen;
    stream(bits).for_each([&](bool bit) { seen.push_back(bit); });
    CHECK(seen == bits);
    seen.clear();
    stream(bits).map(invert).for_each([&](auto&& bit) {
        static_assert(std::is_same_v<decltype(bit), bool&&>);
        seen.push_back(bit);
    });
    CHECK(seen == inverse);
}

TEST_CASE("the items of a range that a stream refers to are not copied on their way") {
    std::vector<Person> people = people_up_to(3000);
    const auto age = [](const Person& person) { return person.age; };
    std::vector<int> ages;
    stream(people).filter(&Person::is_adult).take(2000).for_each([&](Person& person) {
        ages.push_back(person.age++);
    });
    CHECK(ages.size() == 2000);
    CHECK(ages.back() == 2017);
    CHECK(people[2017].age == 2018);
    CHECK(stream(std::as_const(people))
              .filter(&Person::is_adult)
              .take(10)
              .filter(&Person::is_adult)
              .map(age)
              .collect()
              .back() == 28);
    CHECK(stream(std::list<Person>(std::make_move_iterator(people.begin()),
                                   std::make_move_iterator(people.end())))
              .filter(&Person::is_adult)
              .take(2)
              .map(age)
              .reduce(std::plus(), 0) == 19 + 20);
    CHECK(Person::copies == 0);
    people = people_up_to(50);
    CHECK(stream(people).filter(&Person::is_adult).take(20).collect().back().name == "person 37");
    CHECK(Person::copies == 20);
    CHECK(stream(people).chunks(20).collect().size() == 3);
    CHECK(Person::copies == 70);
}

TEST_CASE("items that move only may stay in the range, and be looked at and changed there") {
    std::vector<std::unique_ptr<int>> owners;
    for (int i = 0; i < 3000; ++i) owners.push_back(std::make_unique<int>(i));
    const auto value = [](const std::unique_ptr<int>& owner) { return *owner; };
    const auto is_kept = [](const std::unique_ptr<int>& owner) { return *owner % 2 == 0; };
    CHECK(stream(owners).map(value).collect() == numbers_up_to(3000));
    CHECK(stream(std::as_const(owners)).filter(is_kept).take(10).map(value).collect().back() == 18);
    int next = 0;
    stream(owners).for_each([&](const auto& owner) { REQUIRE(*owner == next++); });
    CHECK(next == 3000);
    stream(owners).filter(is_kept).for_each([](std::unique_ptr<int>& owner) { owner.reset(); });
    for (const auto& owner : owners) next -= owner == nullptr ? 2 : 0;
    CHECK(next == 0);
}

TEST_CASE("pointers to members are functions of every step") {
    const std::vector<Person> people = people_up_to(100);
    const std::vector<std::string> names =
        stream(people).filter(&Person::is_adult).map(&Person::name).collect();
    REQUIRE(names.size() == 82);
    CHECK(names.front() == "person 18");
    std::vector<std::reference_wrapper<const Person>> references(people.begin(), people.end());
    CHECK(stream(references).map(&Person::age).reduce(std::plus(), 0) == 4950);
    std::vector<std::vector<int>> lists(5, std::vector<int>(3));
    stream(lists).for_each(&std::vector<int>::clear);
    for (const auto& list : lists) CHECK(list.empty());
    CHECK(Person::copies == 0);
}

TEST_CASE("only so many items are under way, however long the input and however slow one of them") {
    std::atomic<int> begun = 0;
    std::atomic<int> most = 0;
    int ended = 0;
    std::atomic<bool> is_late = false;
    const int count = harness::rounds(1'000'000);
    stream(Numbers(count))
        .map([&](int x) {
            ++begun;
            if (x == 0) {  // all that may pass it has done so once nobody begins anything more
                for (int before = -1, same = 0; same < 20'000; ++same) {
                    std::this_thread::yield();
                    if (begun != std::exchange(before, begun)) same = 0;
                }
                most = begun.load();
                is_late = true;
            }
            return Counted(x);
        })
        .for_each([&](Counted counted) {
            REQUIRE(counted.value == ended++);
            REQUIRE(is_late);
        });
    CHECK(ended == count);
    CHECK(most <= 4 * (sake::usable_cpus() + 1) * 4096);
    CHECK(Counted::alive == 0);
}

TEST_CASE("a failure in any stage is thrown on, and no item is left behind") {
    harness::make_what_stays();
    static_cast<void>(stream(numbers_up_to(100)).filter(is_even).take(3).collect());
    const auto before = harness::allocations::live_blocks();
    {
        for (const int k : {0, 1, 500, 9999}) {
            const auto make = [](int x) { return Counted(x); };
            const auto fails = [&](const Counted& x) {
                if (x.value == k) throw std::runtime_error("no more");
                return true;
            };
            const auto count_it = [&](const Counted& x) { static_cast<void>(fails(x)); };
            CHECK_THROWS_WITH(static_cast<void>(stream(Numbers(10'000)).map(make).filter(fails).collect()),
                              "no more");
            CHECK_THROWS_WITH(stream(Numbers(10'000)).map(make).for_each(count_it), "no more");
            CHECK_THROWS_WITH(stream(Numbers(10'000)).map(make).unordered().for_each(count_it), "no more");
            CHECK_THROWS_WITH(stream(Numbers(10'000)).map(make).chunks(3).for_each([&](const auto& chunk) {
                for (const auto& each : chunk) count_it(each);
            }),
                              "no more");
            CHECK_THROWS_WITH(
                static_cast<void>(stream(Numbers(20'000)).map(make).filter(fails).take(15'000).collect()),
                "no more");
            Numbers range(10'000, k);
            CHECK_THROWS_WITH(static_cast<void>(stream(range).map(make).chunks(3).collect()),
                              "the range fails");
            CHECK(range.touched_after_failure() == 0);
            CHECK(Counted::alive == 0);
        }
    }
    CHECK(harness::is_back_at(before));
}

TEST_CASE("a stop token ends a stream without end by Cancelled, in any stage") {
    for (const bool is_mapping : {true, false}) {
        std::stop_source stop;
        std::atomic<int> called = 0;
        const auto stops = [&](int x) {
            if (++called == 1000) stop.request_stop();
            return x;
        };
        const auto all = [&](int x) { return is_mapping ? stops(x) : x; };
        const auto nothing = [](int) { return false; };
        CHECK_THROWS_AS(stream(Numbers(Numbers::endless)).map(all).for_each(stops, stop.get_token()),
                        sake::Cancelled);
        CHECK_THROWS_AS(
            static_cast<void>(
                stream(Numbers(Numbers::endless)).filter(nothing).take(1).collect(stop.get_token())),
            sake::Cancelled);
    }
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    const auto nothing = [](int) { return false; };
    CHECK_THROWS_AS(static_cast<void>(
                        stream(Numbers(Numbers::endless)).filter(nothing).take(1).collect(stop.get_token())),
                    sake::Cancelled);
}

TEST_CASE("what is slow behind a quick stage is abandoned promptly, too") {
    std::stop_source stop;
    std::atomic<int> called = 0;
    const auto slow = [&](int) {
        if (++called == 10) stop.request_stop();
        if (called > 10) compute(100'000);
    };
    CHECK_THROWS_AS(stream(Numbers(100'000)).for_each(slow, stop.get_token()), sake::Cancelled);
    CHECK(called < 100);
    called = 0;
    const auto fails = [&](int x) {
        if (++called == 10) throw std::runtime_error("the tenth");
        if (called > 10) compute(100'000);
        return x;
    };
    CHECK_THROWS_WITH(
        static_cast<void>(stream(Numbers(100'000)).filter(is_even).take(40'000).map(fails).collect()),
        "the tenth");
    CHECK(called < 100);
}

TEST_CASE("streams nest, and run in the background") {
    const auto sum_up_to = [](int x) { return stream(Numbers(x % 50)).map(as_it_is).reduce(std::plus(), 0); };
    harness::in_coroutine([&]() -> Task<> {
        const auto sums = co_await sake::background(
            [&] { return stream(Numbers(500)).map(sum_up_to).filter(is_even).take(100).collect(); });
        REQUIRE(sums.size() == 100);
        for (const int sum : sums) REQUIRE(sum % 2 == 0);
        const auto first = co_await sake::background([&] {
            return stream(numbers_up_to(20))
                .map([&](int x) { return sake::parallel(Numbers(x), sum_up_to).size(); })
                .collect();
        });
        CHECK(first.back() == 19);
    });
}

TEST_CASE("ten million items pass through all stages") {
    const int count = harness::rounds(10'000'000);
    long sum = 0;
    stream(Numbers(count))
        .map(twice)
        .filter(is_third)
        .chunks(100)
        .for_each([&](const std::vector<int>& chunk) {
            for (const int x : chunk) sum += x / 6;
        });
    const long last = (count - 1) / 3;
    CHECK(sum == last * (last + 1) / 2);
}

TEST_CASE("an ordered collection takes memory for what it gives, not for what it drops") {
    const auto rare = [](int x) { return x % 100'000 == 0; };
    const auto found = stream(Numbers(1'000'000)).filter(rare).collect();
    CHECK(found.size() == 10);
    CHECK(std::is_sorted(found.begin(), found.end()));
}

TEST_CASE("the largest count of take and of chunks means all, and a negative one is refused") {
    constexpr auto largest = std::numeric_limits<std::size_t>::max();
    CHECK(stream(Numbers(1000)).take(largest).collect().size() == 1000);
    CHECK(stream(Numbers(1000)).filter(is_third).take(largest).collect().size() == 334);
    const auto one = stream(Numbers(1000)).chunks(largest).collect();
    REQUIRE(one.size() == 1);
    CHECK(one.front().size() == 1000);
    CHECK_THROWS_AS(static_cast<void>(stream(Numbers(3)).take(-1)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(stream(Numbers(3)).take(largest - 1)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(stream(Numbers(3)).chunks(-1)), std::invalid_argument);
}

// clang before 16 does not compile the views of libstdc++
// (https://github.com/llvm/llvm-project/issues/44178).
#if !defined(__clang__) || __clang_major__ >= 16

TEST_CASE("a range of more items than a size counts is streamed until enough have come") {
    const auto first = stream(std::views::iota(std::uint64_t{0}, ~std::uint64_t{0})).take(5).collect();
    CHECK(first == std::vector<std::uint64_t>{0, 1, 2, 3, 4});
    const auto after_all = [](std::uint64_t x) { return x > 9'000; };
    const auto later = stream(std::views::iota(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()))
                           .map([](std::int64_t x) { return static_cast<std::uint64_t>(x); })
                           .filter(after_all)
                           .take(2)
                           .collect();
    CHECK(later == std::vector<std::uint64_t>{9'001, 9'002});
}

#endif

}  // namespace test_stream
