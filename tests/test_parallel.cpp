// parallel, for_each, map_reduce: their results whatever the range, what becomes of failures and
// cancellation, and that calls end wherever they come from and however busy the threads are.
#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/coroutines.hpp"
#include "support/dice.hpp"
#include "support/numbers.hpp"
#include "support/reliability.hpp"

extern char** environ;

namespace test_parallel {

using harness::Counted;
using harness::make_what_stays;
using harness::Numbers;
using harness::numbers_up_to;
using harness::Person;
using sake::for_each;
using sake::map_reduce;
using sake::parallel;
using sake::Task;

namespace {

template <class Range>
void check_doubles(Range&& range, int count) {
    const std::vector<long> doubled = parallel(range, [](long x) { return 2 * x; });
    REQUIRE(doubled.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) REQUIRE(doubled[static_cast<std::size_t>(i)] == 2L * i);
}

/// Runs `work` on so many threads, the caller's included, on a pool made for it.
template <class Work>
auto with_threads(int threads, Work work) {
    sake::WorkerPool pool(threads, 1000);
    sake::detail::Crew crew({}, &pool);
    return work(crew);
}

/// Keeps every thread of the pool of the process from doing anything else.
class BusyPool {
  public:
    BusyPool() {
        auto& pool = sake::detail::process_pool();
        for (int i = 0; i < pool.size(); ++i) {
            pool.submit([this] {
                ++busy_;
                busy_.notify_all();
                is_released_.wait(false);
                --busy_;
                busy_.notify_all();
            });
        }
        await(pool.size());
    }
    ~BusyPool() {
        is_released_ = true;
        is_released_.notify_all();
        await(0);
    }
    BusyPool(const BusyPool&) = delete;
    BusyPool& operator=(const BusyPool&) = delete;

  private:
    void await(int count) {
        for (int now = busy_; now != count; now = busy_) busy_.wait(now);
    }
    std::atomic<int> busy_ = 0;
    std::atomic<bool> is_released_ = false;
};

/// Ends when as many items run at the same time as there are CPUs. Gives how many ran in all, 4 for each CPU.
int members_meet() {
    const int cpus = sake::usable_cpus();
    std::atomic<int> here = 0;
    for_each(numbers_up_to(4 * cpus), [&](int) {
        if (++here > cpus) return;
        here.notify_all();
        for (int seen = here; seen < cpus; seen = here) here.wait(seen);
    });
    return here;
}

long nested_sum(int depth, int width) {
    if (depth == 0) return 1;
    const auto parts = parallel(numbers_up_to(width), [&](int) { return nested_sum(depth - 1, width); });
    return std::accumulate(parts.begin(), parts.end(), 0L);
}

}  // namespace

TEST_CASE("the results come in the order of the items, from any kind of range") {
    for (const int count : {0, 1, 2, 3, 10, 1000, 10'000}) {
        const std::vector<int> vector = numbers_up_to(count);
        check_doubles(vector, count);
        check_doubles(std::span(vector), count);
        check_doubles(std::deque<int>(vector.begin(), vector.end()), count);
        check_doubles(std::list<int>(vector.begin(), vector.end()), count);
        check_doubles(std::forward_list<int>(vector.begin(), vector.end()), count);
        check_doubles(std::set<int>(vector.begin(), vector.end()), count);
        check_doubles(Numbers(count), count);
    }
    const int array[] = {0, 1, 2, 3};
    check_doubles(array, 4);
    const std::map<std::string, int> named = {{"a", 1}, {"b", 2}};
    CHECK(parallel(named, [](const auto& entry) { return entry.first; }) ==
          std::vector<std::string>{"a", "b"});
    CHECK(parallel(std::string_view("abc"), [](char c) { return static_cast<char>(c + 1); }) ==
          std::vector<char>{'b', 'c', 'd'});
}

TEST_CASE("items may be changed in place, and every one is visited once") {
    std::vector<int> numbers = numbers_up_to(50'000);
    for_each(numbers, [](int& x) { x = x * 2 + 1; });
    for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == 2 * static_cast<int>(i) + 1);
    std::list<int> list(numbers.begin(), numbers.end());
    for_each(list, [](int& x) { ++x; });
    int expected = 2;
    for (const int x : list) REQUIRE(x == std::exchange(expected, expected + 2));
    std::atomic<long> sum = 0;
    for_each(Numbers(1000), [&](int x) { sum += x; });
    CHECK(sum == 499'500);
    for_each(std::vector<int>(), [](int) { FAIL("there is nothing to visit"); });
    for_each(Numbers(0), [](int) { FAIL("there is nothing to visit"); });
}

TEST_CASE("results may move only, lack a default constructor, be no more than bits, or be views") {
    const std::vector<int> numbers = numbers_up_to(3000);
    const auto owned = parallel(numbers, [](int x) { return std::make_unique<int>(x); });
    struct Odd {
        explicit Odd(int x) : value(x) {}
        Odd(Odd&&) = default;
        const int value;
    };
    const auto odd = parallel(numbers, [](int x) { return Odd(x); });
    const std::vector<bool> bits = parallel(numbers, [](int x) { return x % 3 == 0; });
    const std::vector<std::vector<int>> vectors = parallel(numbers, [](int x) { return std::vector(3, x); });
    const auto copies = parallel(numbers, [&](const int& x) -> const int& { return x; });
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        REQUIRE(*owned[i] == numbers[i]);
        REQUIRE(odd[i].value == numbers[i]);
        REQUIRE(bits[i] == (i % 3 == 0));
        REQUIRE(vectors[i] == std::vector(3, numbers[i]));
        REQUIRE(copies[i] == numbers[i]);
    }
}

TEST_CASE("bits are items, also where the function gives a reference to one") {
    std::vector<bool> bits(3000);
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 == 0;
    const auto same = parallel(bits, [](auto bit) { return bit; });
    static_assert(std::is_same_v<decltype(same), const std::vector<bool>>);
    CHECK(same == bits);
    CHECK(parallel(std::as_const(bits), [](bool bit) { return !bit; })[1]);
    CHECK(map_reduce(bits, [](bool bit) { return bit ? 1 : 0; }, std::plus(), 0) == 1000);
    CHECK(map_reduce(bits, [](auto bit) { return bit; }, std::plus(), 0) == 1000);
    std::atomic<int> set = 0;
    for_each(bits, [&](bool bit) { set += bit ? 1 : 0; });
    CHECK(set == 1000);
}

TEST_CASE("pointers to members are functions, of objects and of what points or refers to them") {
    const auto check = [](auto&& people) {
        const std::vector<std::string> names = parallel(people, &Person::name);
        const std::vector<bool> adults = parallel(people, &Person::is_adult);
        REQUIRE(names.size() == 100);
        CHECK(names[42] == "person 42");
        CHECK_FALSE(adults[17]);
        CHECK(adults[18]);
        CHECK(map_reduce(people, &Person::age, std::plus(), 0) == 4950);
        for_each(people, &Person::is_adult);
    };
    std::vector<Person> people = harness::people_up_to(100);
    struct Employee : Person {
        explicit Employee(const Person& person) : Person(person.age, person.name) {}
    };
    std::vector<const Person*> pointers;
    for (const Person& person : people) pointers.push_back(&person);
    check(people);
    check(std::as_const(people));
    check(std::vector<Employee>(people.begin(), people.end()));
    check(pointers);
    check(std::vector<std::reference_wrapper<Person>>(people.begin(), people.end()));
    CHECK(Person::copies == 0);
}

TEST_CASE("items of a range that is read once are moved out of it, move-only ones too") {
    std::vector<std::unique_ptr<int>> owners;
    for (int i = 0; i < 1000; ++i) owners.push_back(std::make_unique<int>(i));
    struct Moved {
        std::move_iterator<std::vector<std::unique_ptr<int>>::iterator> first, last;
        [[nodiscard]] auto begin() const { return first; }
        [[nodiscard]] auto end() const { return last; }
    };
    const Moved range{std::make_move_iterator(owners.begin()), std::make_move_iterator(owners.end())};
    const auto taken = parallel(range, [](std::unique_ptr<int> owner) { return owner; });
    for (std::size_t i = 0; i < taken.size(); ++i) REQUIRE(*taken[i] == static_cast<int>(i));
    CHECK(owners[0] == nullptr);
}

TEST_CASE("a sum of floating-point numbers is the same with any number of threads, every time") {
    harness::Dice dice(7);
    std::vector<double> numbers(100'000);
    for (double& x : numbers)
        x = std::ldexp(static_cast<double>(dice.below(1'000'000)), -static_cast<int>(dice.below(60)));
    const std::list<double> list(numbers.begin(), numbers.end());
    const auto half = [](double x) { return x / 3; };
    const auto add = [](double a, double b) { return a + b; };
    const double sum = map_reduce(numbers, half, add, 0.5);
    const double listed = map_reduce(list, half, add, 0.5);
    CHECK(std::abs(sum - listed) < 1e-9 * sum);
    for (int threads = 1; threads <= 8; ++threads) {
        for (int round = 0; round < 5; ++round) {
            REQUIRE(with_threads(threads, [&](auto& crew) {
                        return sake::detail::map_reduce(crew, numbers, half, add, 0.5);
                    }) == sum);
            REQUIRE(with_threads(threads, [&](auto& crew) {
                        return sake::detail::map_reduce(crew, list, half, add, 0.5);
                    }) == listed);
        }
    }
}

TEST_CASE("map_reduce joins neighbours in their order, starts with init, and gives init for nothing") {
    const auto text = [](int x) { return std::to_string(x) + ","; };
    const auto join = [](std::string a, std::string b) { return std::move(a) + b; };
    for (const int count : {0, 1, 2, 3, 511, 512, 513, 5000}) {
        std::string expected = "start:";
        for (int i = 0; i < count; ++i) expected += text(i);
        const std::vector<int> numbers = numbers_up_to(count);
        CHECK(map_reduce(numbers, text, join, std::string("start:")) == expected);
        CHECK(map_reduce(Numbers(count), text, join, std::string("start:")) == expected);
        CHECK(map_reduce(std::list<int>(numbers.begin(), numbers.end()), text, join, std::string("start:")) ==
              expected);
    }
    const auto owned = map_reduce(
        numbers_up_to(1000), [](int x) { return std::make_unique<int>(x); },
        [](std::unique_ptr<int> a, std::unique_ptr<int> b) { return *a > *b ? std::move(a) : std::move(b); },
        std::make_unique<int>(-1));
    CHECK(*owned == 999);
}

TEST_CASE("what f throws at item k is thrown on, the rest is abandoned, and nothing is left behind") {
    make_what_stays();
    const auto before = harness::allocations::live_blocks();
    {
        const std::vector<int> numbers = numbers_up_to(100'000);
        for (const int k : {0, 1, 17, 50'000, 99'999}) {
            std::atomic<int> called = 0;
            const auto fails = [&](int x) {
                ++called;
                if (x == k) throw std::runtime_error("item " + std::to_string(k));
                return Counted(x);
            };
            CHECK_THROWS_WITH(static_cast<void>(parallel(numbers, fails)),
                              ("item " + std::to_string(k)).c_str());
            CHECK_THROWS_WITH(static_cast<void>(parallel(Numbers(100'000), fails)),
                              ("item " + std::to_string(k)).c_str());
            CHECK(Counted::alive == 0);
            const auto fails_too = [&](int x) { return fails(x).value; };
            CHECK_THROWS_WITH(static_cast<void>(map_reduce(numbers, fails_too, std::plus(), 0)),
                              ("item " + std::to_string(k)).c_str());
        }
        std::atomic<int> called = 0;
        const auto slow = [&](int x) {
            if (++called == 1) throw std::runtime_error("at once");
            harness::compute(50'000);
            return x;
        };
        CHECK_THROWS_WITH(static_cast<void>(parallel(numbers, slow)), "at once");
        CHECK(called < 1000);
        const auto no_sum = [](int, int) -> int { throw std::runtime_error("no sum"); };
        CHECK_THROWS_WITH(
            static_cast<void>(map_reduce(numbers, [](int x) { return x; }, no_sum, 0)), "no sum");
    }
    CHECK(harness::is_back_at(before));
}

TEST_CASE("what the range throws is thrown on, and nobody touches the range again") {
    for (const int k : {0, 1, 100, 5000}) {
        std::atomic<int> called = 0;
        Numbers range(10'000, k);
        const auto count = [&](int x) {
            ++called;
            return Counted(x);
        };
        CHECK_THROWS_WITH(static_cast<void>(parallel(range, count)), "the range fails");
        CHECK(called <= k);
        CHECK(Counted::alive == 0);
        CHECK(range.touched_after_failure() == 0);
    }
}

TEST_CASE("a stop token ends the call by Cancelled, soon, unless all is done") {
    const std::vector<int> numbers = numbers_up_to(100'000);
    std::stop_source stop;
    std::atomic<int> called = 0;
    const auto stops = [&](int x) {
        if (++called == 100) stop.request_stop();
        return x;
    };
    CHECK_THROWS_AS(static_cast<void>(parallel(numbers, stops, stop.get_token())), sake::Cancelled);
    CHECK(called < 20'000);
    called = 0;
    const auto count = [&](int x) { return called += x; };
    CHECK_THROWS_AS(static_cast<void>(parallel(numbers, count, stop.get_token())), sake::Cancelled);
    CHECK_THROWS_AS(for_each(Numbers(5), count, stop.get_token()), sake::Cancelled);
    CHECK_THROWS_AS(static_cast<void>(map_reduce(numbers, count, std::plus(), 0, stop.get_token())),
                    sake::Cancelled);
    CHECK(called == 0);
    CHECK(parallel(std::vector<int>(), count, stop.get_token()).empty());
}

TEST_CASE("of slow items nobody begins more than one when a call is to stop, however they are shared out") {
    const std::vector<int> numbers = numbers_up_to(100'000);
    const auto begun_late = [](auto run) {
        std::stop_source stop;
        std::atomic<int> begun = 0;
        std::atomic<int> late = 0;
        const auto slow = [&](int x) {
            if (stop.stop_requested()) ++late;
            if (++begun == 10) stop.request_stop();
            harness::compute(20'000);
            return x;
        };
        CHECK_THROWS_AS(run(slow, stop.get_token()), sake::Cancelled);
        return late.load();
    };
    const int members = sake::usable_cpus();
    CHECK(begun_late([&](auto& slow, auto stop) { for_each(numbers, slow, stop); }) <= members);
    CHECK(begun_late([&](auto& slow, auto stop) { for_each(Numbers(100'000), slow, stop); }) <= members);
    CHECK(begun_late([&](auto& slow, auto stop) {
              static_cast<void>(map_reduce(numbers, slow, std::plus(), 0, stop));
          }) <= members);
}

TEST_CASE("one item runs on the calling thread, and calls nobody") {
    const auto home = std::this_thread::get_id();
    const auto before = sake::detail::process_pool().stats();
    for (int i = 0; i < 1000; ++i) {
        const auto where = parallel(std::array{1}, [](int) { return std::this_thread::get_id(); });
        REQUIRE(where[0] == home);
    }
    for_each(std::list{1}, [&](int) { REQUIRE(std::this_thread::get_id() == home); });
    CHECK(map_reduce(std::array{1}, [](int x) { return x; }, std::plus(), 1) == 2);
    const auto after = sake::detail::process_pool().stats();
    const auto taken = [](const sake::WorkerPool::Stats& stats) {
        return stats.done + static_cast<std::uint64_t>(stats.running + stats.queued);
    };
    CHECK(taken(after) == taken(before));
}

TEST_CASE("items run at the same time, if there are threads") {
    if (sake::usable_cpus() < 2) return;
    std::atomic<int> here = 0;
    for_each(numbers_up_to(2), [&](int) {
        ++here;
        here.notify_all();
        for (int seen = here; seen < 2; seen = here) here.wait(seen);
    });
    CHECK(here == 2);
}

TEST_CASE("as many items run at the same time as there are CPUs, from every thread that calls") {
    const int cpus = sake::usable_cpus();
    const auto meet = [] { return members_meet(); };
    CHECK(meet() == 4 * cpus);
    CHECK(sake::thread::spawn(meet).join() == 4 * cpus);
    harness::in_coroutine([&]() -> Task<> {
        const int from_the_pool = co_await sake::background(meet);
        CHECK(from_the_pool == 4 * cpus);
        const int from_the_loop = meet();
        CHECK(from_the_loop == 4 * cpus);
    });
    // From a pool of more threads, each of whom calls others of the same one.
    sake::WorkerPool pool(5, 100);
    std::atomic<int> together = 0;
    std::atomic<bool> is_done = false;
    pool.submit([&] {
        sake::detail::Crew crew({}, &pool);
        const std::vector<int> numbers = numbers_up_to(20);
        const auto wait_for_five = [&](int) {
            if (++together > 5) return 0;
            together.notify_all();
            for (int seen = together; seen < 5; seen = together) together.wait(seen);
            return 1;
        };
        std::plus<> add;
        CHECK(sake::detail::map_reduce(crew, numbers, wait_for_five, add, 0) == 5);
        is_done = true;
        is_done.notify_all();
    });
    is_done.wait(false);
}

TEST_CASE("nested calls end, three deep, also while every thread of the pool is busy") {
    CHECK(nested_sum(3, 12) == 12 * 12 * 12);
    {
        const BusyPool busy;
        CHECK(nested_sum(3, 12) == 12 * 12 * 12);
        CHECK(map_reduce(Numbers(1000), [](int x) { return x; }, std::plus(), 0) == 499'500);
    }
    CHECK(nested_sum(3, 12) == 12 * 12 * 12);
}

TEST_CASE("a call from many threads at once, from the pool itself, and from the background") {
    std::vector<std::jthread> threads;
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) right += nested_sum(2, 10) == 100 ? 1 : 0;
        });
    }
    threads.clear();
    CHECK(right == 160);

    std::atomic<int> done = 0;
    const int jobs = 4 * sake::usable_cpus();
    for (int i = 0; i < jobs; ++i) {
        sake::detail::process_pool().submit([&] {
            static_cast<void>(nested_sum(2, 10));
            ++done;
            done.notify_all();
        });
    }
    for (int seen = done; seen < jobs; seen = done) done.wait(seen);

    harness::in_coroutine([]() -> Task<> {
        const std::vector<int> numbers = numbers_up_to(1000);
        const auto sum = [](int x) { return nested_sum(1, x % 10); };
        const auto sums = co_await sake::background([&] { return parallel(numbers, sum); });
        REQUIRE(sums.size() == 1000);
        CHECK(sums[19] == 9);
        const std::string why = co_await harness::failure_of(sake::background([&] {
            for_each(numbers, [](int x) {
                if (x == 500) throw std::runtime_error("item 500");
            });
        }));
        CHECK(why == "item 500");
    });
}

TEST_CASE("a call in a worker's handler uses the pool of the process") {
    const auto routes = [](sake::Engine& app) {
        app.get("/sum", [](sake::Context& ctx) { ctx.json({{"sum", nested_sum(3, 8)}}); }).worker();
    };
    harness::with_server(routes, [](harness::TestServer& server) {
        std::vector<std::jthread> clients;
        std::atomic<int> right = 0;
        for (int i = 0; i < 8; ++i)
            clients.emplace_back([&] { right += server.get("/sum").body == R"({"sum":512})" ? 1 : 0; });
        clients.clear();
        CHECK(right == 8);
    });
}

TEST_CASE("a reduce may give a reference to what it was given") {
    const std::vector<int> numbers = numbers_up_to(1000);
    const auto text = [](int x) { return std::to_string(x) + ", which is no short text any more"; };
    const auto longest = [](std::string&& a, std::string&& b) -> std::string&& {
        return a.size() > b.size() || (a.size() == b.size() && a > b) ? std::move(a) : std::move(b);
    };
    CHECK(map_reduce(numbers, text, longest, std::string()) == text(999));
}

TEST_CASE("uneven items are shared out, and all are done once") {
    harness::Dice dice(11);
    std::vector<int> rounds(static_cast<std::size_t>(harness::rounds(10'000)));
    for (int& each : rounds) each = dice.one_in(50) ? 20'000 : static_cast<int>(dice.below(50));
    std::atomic<int> done = 0;
    const auto spin = [&](int count) {
        std::uint64_t x = 1;
        for (int i = 0; i < count; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
        ++done;
        return x;
    };
    const auto results = parallel(rounds, spin);
    CHECK(done == static_cast<int>(rounds.size()));
    for (std::size_t i = 0; i < rounds.size(); ++i) REQUIRE(results[i] == spin(rounds[i]));
}

TEST_CASE("ten million items, of an indexed range and of one that is read once") {
    const int count = harness::rounds(10'000'000);
    const std::vector<int> numbers = numbers_up_to(count);
    const auto twice = parallel(numbers, [](int x) { return 2L * x; });
    for (int i = 0; i < count; ++i) {
        if (twice[static_cast<std::size_t>(i)] != 2L * i) FAIL("item ", i, " is wrong");
    }
    const auto once = parallel(Numbers(count), [](int x) { return x; });
    CHECK(once == numbers);
    const auto sum = map_reduce(Numbers(count), [](int x) { return long{x}; }, std::plus(), 0L);
    CHECK(sum == long{count} * (count - 1) / 2);
}

TEST_CASE("many short calls leave nothing behind") {
    make_what_stays();
    const std::vector<int> numbers = numbers_up_to(100);
    static_cast<void>(nested_sum(2, 5));
    harness::Oracle oracle;
    for (int i = 0; i < harness::rounds(20'000); ++i) {
        const std::size_t some = static_cast<std::size_t>(i) % numbers.size();
        const auto all = parallel(std::span(numbers).first(some), [](int x) { return x + 1; });
        if (all.size() != some || (some > 0 && all.back() != static_cast<int>(some)))
            FAIL("wrong results for ", some, " items");
    }
    CHECK(oracle.check_returned_to_baseline());
}

// ---- what happens once per process: these run as programs of their own ----

namespace {

/// Runs a test case of this program, one that is skipped otherwise, in a process of its own.
int run_alone(const std::string& name) {
    std::string program = "/proc/self/exe";
    std::string filter = "--test-case=" + name;
    std::string skip = "--no-skip=true";
    std::string quiet = "--minimal=true";
    char* arguments[] = {program.data(), filter.data(), skip.data(), quiet.data(), nullptr};
    pid_t child = 0;
    REQUIRE(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct AtTheEnd {
    ~AtTheEnd() {
        const auto sum = map_reduce(numbers_up_to(1000), [](int x) { return x; }, std::plus(), 0);
        if (sum != 499'500) ::_exit(3);
    }
};

}  // namespace

TEST_CASE("alone: nothing starts before it is used" * doctest::skip()) {
    const int before = harness::Snapshot::take_in_calm().threads;
    CHECK(parallel(std::array{1}, [](int x) { return x; }) == std::vector{1});
    CHECK(harness::Snapshot::take().threads == before);
    CHECK(parallel(std::array{1, 2}, [](int x) { return x; }) == std::vector{1, 2});
    CHECK(harness::Snapshot::take().threads == before + sake::usable_cpus());
}

TEST_CASE("alone: a destructor of a static computes" * doctest::skip()) {
    static const AtTheEnd at_the_end;
    CHECK(parallel(std::array{1, 2}, [](int x) { return x; }) == std::vector{1, 2});
}

TEST_CASE("the pool starts when it is used, and lasts as long as the process") {
    CHECK(run_alone("alone: nothing starts before it is used") == 0);
    CHECK(run_alone("alone: a destructor of a static computes") == 0);
}

// clang before 16 does not compile the views of libstdc++
// (https://github.com/llvm/llvm-project/issues/44178).
#if !defined(__clang__) || __clang_major__ >= 16

namespace {

/// Calls `work(f)`, where `f(item)` throws once it was called for item 5000, and returns what it threw.
template <class Work>
std::string first_of_many(Work work) {
    std::atomic<int> calls = 0;
    try {
        work([&](auto x) -> std::uint64_t {
            if (++calls > 5000) throw std::runtime_error("enough");
            return static_cast<std::uint64_t>(x);
        });
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "ended after " + std::to_string(calls);
}

}  // namespace

TEST_CASE("a range of more items than a size counts is worked on from its beginning") {
    const auto check = [](auto range) {
        CHECK(first_of_many([&](auto f) { for_each(range, f); }) == "enough");
        CHECK(first_of_many([&](auto f) {
                  static_cast<void>(map_reduce(range, f, std::plus(), std::uint64_t{0}));
              }) == "enough");
        CHECK(first_of_many([&](auto f) { sake::stream(range).map(f).for_each([](std::uint64_t) {}); }) ==
              "enough");
    };
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    check(std::views::iota(std::uint64_t{0}, most));
    check(std::views::iota(std::uint64_t{0}, most - 1));
    check(std::views::iota(std::uint64_t{0}, most - 511));
    check(std::views::iota(std::int64_t{0}, highest));
    check(std::views::iota(lowest, highest));
    check(std::views::iota(std::int64_t{0}, (std::int64_t{1} << 32) + 5));
    check(std::views::iota(std::uint64_t{0}));
}

TEST_CASE("results that a vector cannot hold are refused in words, before anything is called") {
    const auto refusal = [](auto range, auto result) {
        int calls = 0;
        try {
            static_cast<void>(parallel(range, [&](auto) {
                ++calls;
                return result;
            }));
        } catch (const std::length_error& error) {
            CHECK(calls == 0);
            return std::string(error.what());
        }
        return std::string("taken");
    };
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    CHECK(
        refusal(std::views::iota(std::uint64_t{0}, most), std::uint64_t{0}) ==
        "parallel: 18446744073709551615 results are more than a vector can hold; use for_each or map_reduce");
    CHECK(refusal(std::views::iota(std::uint64_t{0}, most), true).find("more than a vector") !=
          std::string::npos);
    CHECK(refusal(std::views::iota(std::uint64_t{0}, most / 16 + 2), std::string())
              .find("more than a vector") != std::string::npos);
    CHECK(sake::detail::count_of(std::uint64_t{7}) == 7);
#if defined(__SIZEOF_INT128__)
    __extension__ using Wide = __int128;
    CHECK(sake::detail::count_of(Wide{1} << 100) == most);
    CHECK(sake::detail::count_of(Wide{most}) == most);
    CHECK(sake::detail::count_of(Wide{most} - 1) == most - 1);
#endif
}

#endif

}  // namespace test_parallel
