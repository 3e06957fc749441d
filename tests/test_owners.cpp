// OwningPtr, CountedPtr, Array and Row: who owns, when it is destroyed, and what stays when memory or a copy
// fails.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace test_owners {

using sake::detail::Array;
using sake::detail::Counted;
using sake::detail::CountedPtr;
using sake::detail::OwningPtr;
using sake::detail::Row;

namespace {

/// Counts those that live.
struct Alive {
    explicit Alive(int its_value = 0) : value(its_value) { ++count; }
    Alive(const Alive& other) : value(other.value) {
        if (copies_left-- == 0) throw std::runtime_error("no more copies");
        ++count;
    }
    Alive(Alive&& other) noexcept : value(std::exchange(other.value, -1)) { ++count; }
    Alive& operator=(const Alive&) = default;
    Alive& operator=(Alive&& other) noexcept {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~Alive() { --count; }
    int value;
    static inline int count = 0;
    static inline int copies_left = -1;
};

struct Base {
    virtual ~Base() = default;
};
struct Derived final : Base {
    Alive alive;
};
struct Shared : Counted {
    Alive alive;
};

Array<Alive> array_of(int size) {
    Array<Alive> all;
    for (int i = 0; i < size; ++i) all.push_back(Alive(i));
    return all;
}
std::string values_of(const Array<Alive>& all) {
    std::string text;
    for (const Alive& each : all) text += std::to_string(each.value) + " ";
    return text;
}

}  // namespace

TEST_CASE("an OwningPtr destroys what it has: at its end, when it gets another, and as its base") {
    {
        OwningPtr<Alive> one(new Alive(1));
        OwningPtr<Alive> two(std::move(one));
        CHECK(one == nullptr);
        CHECK(two->value == 1);
        two.reset(new Alive(2));
        CHECK(Alive::count == 1);
        one = std::move(two);
        OwningPtr<Alive>& same = one;
        one = std::move(same);
        REQUIRE(one != nullptr);
        CHECK((*one).value == 2);
        const OwningPtr<Base> base = OwningPtr<Derived>(new Derived);
        CHECK(Alive::count == 2);
        Alive* const released = one.release();
        CHECK_FALSE(static_cast<bool>(one));
        delete released;
    }
    CHECK(Alive::count == 0);
}

TEST_CASE("the last CountedPtr destroys what all of them own") {
    {
        CountedPtr<Shared> one(new Shared);
        CountedPtr<const Shared> reader = one;
        CountedPtr<Shared> two = one;
        CHECK(one == two);
        one = std::move(two);
        CountedPtr<Shared>& same = one;
        one = same;
        one.reset();
        CHECK(one == nullptr);
        CHECK(Alive::count == 1);
        const CountedPtr<Shared> again(new Shared(*reader));  // a copy has owners of its own
        reader.reset();
        CHECK(Alive::count == 1);
    }
    CHECK(Alive::count == 0);
}

TEST_CASE("threads share a CountedPtr") {
    CountedPtr<Shared> shared(new Shared);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([shared] {
            for (int round = 0; round < 1000; ++round) {
                const CountedPtr<Shared> mine = shared;
                CHECK(mine->alive.value == 0);
            }
        });
    }
    shared.reset();
    for (std::thread& each : threads) each.join();
    threads.clear();
    CHECK(Alive::count == 0);
}

TEST_CASE("a Row shows the items of an Array, or a part of others, and owns none") {
    Array<int> all;
    for (int i = 0; i < 3; ++i) all.push_back(i);
    const Row<int> row = all;
    CHECK(row.size() == 3);
    CHECK(row.begin() == all.begin());
    CHECK(row.end() == all.end());
    row[1] = 7;
    CHECK(all[1] == 7);
    const Row<const int> last(all.begin() + 2, 1);
    CHECK(last.size() == 1);
    CHECK(last[0] == 2);
    CHECK(Row<int>().empty());
    CHECK_FALSE(last.empty());
}

TEST_CASE("an Array grows, and items are put in and taken out anywhere") {
    {
        Array<Alive> all = array_of(5);
        all.insert(all.begin(), Alive(10));
        all.insert(all.begin() + 3, Alive(11));
        all.insert(all.end(), Alive(12));
        CHECK(values_of(all) == "10 0 1 11 2 3 4 12 ");
        all.erase(all.begin() + 1);
        all.erase(all.begin() + 1, all.begin() + 3);
        CHECK(values_of(all) == "10 2 3 4 12 ");
        all.erase(all.begin(), all.begin());
        all.erase(all.end(), all.end());
        CHECK(values_of(all) == "10 2 3 4 12 ");
        all.erase(all.begin() + 3, all.end());
        CHECK(values_of(all) == "10 2 3 ");
        all.push_back(Alive(all.front()));
        all.resize(6, all[1]);
        CHECK(values_of(all) == "10 2 3 10 2 2 ");
        const Array<Alive> copy = all;
        all.clear();
        CHECK(all.empty());
        CHECK(values_of(copy) == "10 2 3 10 2 2 ");
        CHECK(Alive::count == 6);
    }
    CHECK(Alive::count == 0);
}

TEST_CASE("an item may be added that is in the Array itself, also when that grows") {
    Array<std::string> all;
    all.push_back(std::string(100, 'x'));
    while (all.size() < 40) all.push_back(all.front());
    all.resize(100, all.back());
    for (const std::string& each : all) CHECK(each == std::string(100, 'x'));
}

TEST_CASE("a copy that fails in its middle leaves nothing behind") {
    {
        const Array<Alive> all = array_of(5);
        Alive::copies_left = 3;
        CHECK_THROWS_WITH_AS(static_cast<void>(Array<Alive>{all}), "no more copies", std::runtime_error);
        Alive::copies_left = -1;
        CHECK(Alive::count == 5);
        CHECK(values_of(all) == "0 1 2 3 4 ");
    }
    CHECK(Alive::count == 0);
}

}  // namespace test_owners
