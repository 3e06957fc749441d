// UniqueFunction and AtExit: what they own, and when it goes.
#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace test_function {

using sake::detail::AtExit;
using sake::detail::UniqueFunction;

namespace {

int twice(int n) { return 2 * n; }

struct Calls {
    int value = 0;
    int operator()(int n) { return value += n; }
};

}  // namespace

TEST_CASE("a unique function is empty until a callable is put in") {
    UniqueFunction<int(int)> f;
    CHECK_FALSE(f);
    f = twice;
    REQUIRE(f);
    CHECK(f(21) == 42);
}

TEST_CASE("a unique function takes functions, lambdas and objects, and keeps their state") {
    UniqueFunction<int(int)> pointer = &twice;
    UniqueFunction<int(int)> object = Calls{};
    UniqueFunction<int(int)> lambda = [sum = 0](int n) mutable { return sum += n; };
    CHECK(pointer(4) == 8);
    CHECK(object(4) == 4);
    CHECK(object(4) == 8);
    CHECK(lambda(3) == 3);
    CHECK(lambda(3) == 6);
}

TEST_CASE("a unique function copies an lvalue and leaves it alone") {
    Calls calls;
    UniqueFunction<int(int)> f = calls;
    CHECK(f(5) == 5);
    CHECK(calls.value == 0);
    const Calls constant;
    UniqueFunction<int(int)> g = constant;
    CHECK(g(7) == 7);
}

TEST_CASE("a unique function owns captures that only move, and moves with them") {
    auto number = std::make_unique<int>(7);
    UniqueFunction<int()> first = [number = std::move(number)] { return *number; };
    UniqueFunction<int()> second = std::move(first);
    CHECK(second() == 7);
    CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): empty, by its contract
    static_assert(!std::is_copy_constructible_v<UniqueFunction<int()>>);
    static_assert(std::is_nothrow_move_constructible_v<UniqueFunction<int()>>);
}

TEST_CASE("a unique function destroys its callable once: at its end, or when another is put in") {
    const auto token = std::make_shared<int>(0);
    {
        UniqueFunction<void()> f = [token] {};
        CHECK(token.use_count() == 2);
        f = [] {};
        CHECK(token.use_count() == 1);
        f = [token] {};
        UniqueFunction<void()> g = std::move(f);
        CHECK(token.use_count() == 2);
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("a unique function hands on arguments without copies, and references as references") {
    UniqueFunction<std::unique_ptr<int>(std::unique_ptr<int>)> pass = [](std::unique_ptr<int> p) {
        return p;
    };
    auto p = std::make_unique<int>(3);
    const int* const address = p.get();
    CHECK(pass(std::move(p)).get() == address);
    UniqueFunction<void(std::string&)> append = [](std::string& text) { text += "!"; };
    std::string text = "hey";
    append(text);
    CHECK(text == "hey!");
    UniqueFunction<std::string&(std::string&)> same = [](std::string& t) -> std::string& { return t; };
    CHECK(&same(text) == &text);
}

TEST_CASE("a unique function that gives nothing takes a callable that gives something") {
    int calls = 0;
    UniqueFunction<void()> f = [&] { return ++calls; };
    f();
    CHECK(calls == 1);
}

TEST_CASE("a unique function converts the result, and refuses a callable that does not fit") {
    UniqueFunction<std::string()> f = [] { return "text"; };
    CHECK(f() == "text");
    static_assert(!std::is_constructible_v<UniqueFunction<int(int)>, void (*)()>);
    static_assert(!std::is_constructible_v<UniqueFunction<std::string()>, int (*)()>);
    static_assert(!std::is_constructible_v<UniqueFunction<int(int)>, int>);
}

TEST_CASE("an exception passes through a unique function, which can be called again") {
    int calls = 0;
    UniqueFunction<int()> f = [&]() -> int {
        if (++calls == 1) throw std::runtime_error("first");
        return calls;
    };
    CHECK_THROWS_WITH_AS(f(), "first", std::runtime_error);
    CHECK(f() == 2);
}

TEST_CASE("AtExit calls when the scope is left: by its end, a return or an exception, in reverse order") {
    std::vector<int> order;
    const auto early = [&] {
        const AtExit first([&] { order.push_back(1); });
        const AtExit second([&] { order.push_back(2); });
        return order.size();
    };
    CHECK(early() == 0);
    CHECK(order == std::vector<int>{2, 1});
    const auto throwing = [&] {
        const AtExit third([&] { order.push_back(3); });
        throw std::runtime_error("out");
    };
    CHECK_THROWS_AS(throwing(), std::runtime_error);
    CHECK(order == std::vector<int>{2, 1, 3});
}

}  // namespace test_function
