// The value that may or may not be there.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "sake.hpp"

namespace test_maybe {

using sake::detail::Maybe;

namespace {

/// Counts those of its kind that live.
struct Counted {
    explicit Counted(int& living, bool fails = false) : count(living) {
        if (fails) throw std::runtime_error("no");
        ++count;
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --count; }
    int& count;
};

constexpr Maybe<int> half_of(int number) {
    if (number % 2 != 0) return {};
    return number / 2;
}

}  // namespace

TEST_CASE("a Maybe begins with nothing, or with the value that it is given") {
    const Maybe<std::string> nothing;
    CHECK_FALSE(nothing.has_value());
    const Maybe<std::string> text = std::string("a text that is longer than what a string holds in itself");
    REQUIRE(text.has_value());
    CHECK(text->size() == 56);
    CHECK(*text == "a text that is longer than what a string holds in itself");
}

TEST_CASE("a Maybe is given back by functions, also while compiling") {
    static_assert(half_of(4).has_value());
    static_assert(*half_of(4) == 2);
    static_assert(!half_of(3).has_value());
    CHECK(*half_of(10) == 5);
}

TEST_CASE("a Maybe destroys its value once: with it, by reset, or for the next") {
    int living = 0;
    {
        Maybe<Counted> counted;
        counted.reset();
        CHECK(living == 0);
        CHECK(&counted.emplace(living) == &*counted);
        CHECK(living == 1);
        counted.emplace(living);
        CHECK(living == 1);
        counted.reset();
        CHECK(living == 0);
        counted.emplace(living);
        CHECK(living == 1);
    }
    CHECK(living == 0);
}

TEST_CASE("a Maybe has nothing after a value that failed to be made") {
    int living = 0;
    Maybe<Counted> counted;
    counted.emplace(living);
    CHECK_THROWS_AS(counted.emplace(living, true), std::runtime_error);
    CHECK_FALSE(counted.has_value());
    CHECK(living == 0);
}

}  // namespace test_maybe
