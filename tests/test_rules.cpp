// Rules beside a type: what each of them accepts, at its ends, and the faults that it finds.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_rules {
namespace {

using Texts = std::vector<std::string>;

struct Plain {
    std::string text = "abc";
    int stars = 3;
    std::string color = "red";
    std::string mail = "ada@example.org";
    std::vector<int> list = {1};
};
struct Optionals {
    std::optional<std::string> text;
    std::unique_ptr<int> stars;
    std::shared_ptr<std::string> color;
    std::optional<std::string> mail;
    std::optional<std::vector<int>> list;
};
struct Lists {
    Texts text;
    std::map<std::string, int> stars;
    std::deque<std::optional<std::string>> color;
    std::vector<std::vector<std::string>> mail;
    std::array<int, 3> list = {1, 2, 3};
};
struct Numbers {
    std::int8_t tiny = 0;
    std::int64_t low = 0;
    std::uint64_t high = std::numeric_limits<std::uint64_t>::max();
    float single = 0.5F;
    double number = 0;
    long double wide = 0;
    int size = 1;
    std::uint64_t code = 0;
};
struct Counts {
    std::string any;
    std::string some = "a";
    std::string one = "a";
    std::string five = "abcde";
    std::map<std::string, int> map;
    std::vector<int> filled = {1};
};
struct Point {
    int x = 0;
    std::string name;
};
struct Uniques {
    Texts texts;
    std::vector<double> numbers;
    std::vector<Point> points;
    std::optional<std::vector<std::vector<int>>> lists;
    std::vector<std::optional<int>> optionals;
    std::vector<std::chrono::sys_seconds> times;
};
struct Without {
    int number = 0;
};
struct Many {
    Texts texts;
    int number = 0;
};

}  // namespace
}  // namespace test_rules

template <>
inline constexpr auto sake::rules<test_rules::Plain> =
    sake::fields(sake::length(&test_rules::Plain::text, 2, 4), sake::range(&test_rules::Plain::stars, 1, 5),
                 sake::one_of(&test_rules::Plain::color, "red", "green"),
                 sake::format(&test_rules::Plain::mail, sake::Format::email),
                 sake::items(&test_rules::Plain::list, 1, 2), sake::unique(&test_rules::Plain::list));
template <>
inline constexpr auto sake::rules<test_rules::Optionals> = sake::fields(
    sake::length(&test_rules::Optionals::text, 2, 4), sake::range(&test_rules::Optionals::stars, 1, 5),
    sake::one_of(&test_rules::Optionals::color, "red", "green"),
    sake::format(&test_rules::Optionals::mail, sake::Format::email),
    sake::items(&test_rules::Optionals::list, 1, 2), sake::unique(&test_rules::Optionals::list));
template <>
inline constexpr auto sake::rules<test_rules::Lists> = sake::fields(
    sake::length(&test_rules::Lists::text, 2, 4), sake::items(&test_rules::Lists::text, 0, 3),
    sake::range(&test_rules::Lists::stars, 1, 5), sake::one_of(&test_rules::Lists::color, "red", "green"),
    sake::format(&test_rules::Lists::mail, sake::Format::email), sake::unique(&test_rules::Lists::list),
    sake::range(&test_rules::Lists::list, 0, 9));
template <>
inline constexpr auto sake::rules<test_rules::Numbers> = sake::fields(
    sake::range(&test_rules::Numbers::tiny, -128, 100),
    sake::range(&test_rules::Numbers::low, std::numeric_limits<std::int64_t>::min() + 1,
                std::numeric_limits<std::int64_t>::max() - 1),
    sake::range(&test_rules::Numbers::high, 1, std::numeric_limits<std::uint64_t>::max() - 1),
    sake::range(&test_rules::Numbers::single, 0.1, 1), sake::range(&test_rules::Numbers::number, -0.5, 1e300),
    sake::range(&test_rules::Numbers::wide, -1.5, 2), sake::one_of(&test_rules::Numbers::size, -1, 1, 2, 4),
    sake::one_of(&test_rules::Numbers::code, 0, 18'446'744'073'709'551'615U));
template <>
inline constexpr auto sake::rules<test_rules::Counts> =
    sake::fields(sake::length(&test_rules::Counts::any, 0, std::string_view::npos),
                 sake::length(&test_rules::Counts::some, 1, std::string_view::npos),
                 sake::length(&test_rules::Counts::one, 0, 1), sake::length(&test_rules::Counts::five, 5, 5),
                 sake::items(&test_rules::Counts::map, 0, 1), sake::items(&test_rules::Counts::filled, 1, 1));
template <>
inline constexpr auto sake::rules<test_rules::Uniques> =
    sake::fields(sake::unique(&test_rules::Uniques::texts), sake::unique(&test_rules::Uniques::numbers),
                 sake::unique(&test_rules::Uniques::points), sake::unique(&test_rules::Uniques::lists),
                 sake::unique(&test_rules::Uniques::optionals), sake::unique(&test_rules::Uniques::times));
template <>
inline constexpr auto sake::rules<test_rules::Many> =
    sake::fields(sake::length(&test_rules::Many::texts, 0, 0), sake::defaulted(&test_rules::Many::number),
                 sake::range(&test_rules::Many::number, 1, 2));

namespace test_rules {
namespace {

using sake::detail::Rule;
using sake::detail::RuleKind;
using sake::detail::ShapeOf;

// The rules are constant data, at whose values the shape points.
constexpr const sake::detail::ObjectShape& plain = ShapeOf<Plain>::value;
static_assert(plain.rule_count == 6);
static_assert(plain.rules[0].kind == RuleKind::length && plain.rules[0].member == 0);
static_assert(plain.rules[0].values[0].natural == 2 && plain.rules[0].values[1].natural == 4);
static_assert(plain.rules[2].value_count == 2 && plain.rules[2].values[1].text == "green");
static_assert(plain.rules[3].format == sake::Format::email && plain.rules[3].member == 3);
static_assert(ShapeOf<Without>::value.rule_count == 0);
static_assert(sake::detail::find_rule(plain.rules, plain.rule_count, 4, RuleKind::unique) == &plain.rules[5]);
static_assert(sake::detail::find_rule(plain.rules, plain.rule_count, 4, RuleKind::length) == nullptr);
static_assert(sake::detail::find_rule(nullptr, 0, 0, RuleKind::length) == nullptr);

/// Each fault of an object as "pointer code: detail".
template <class T>
Texts faults_of(const T& object, const std::vector<std::size_t>& unsound = {}) {
    const sake::detail::ObjectShape& shape = ShapeOf<T>::value;
    std::array<const void*, sake::detail::most_aggregate_members> members{};
    std::array<bool, sake::detail::most_aggregate_members> is_sound{};
    is_sound.fill(true);
    for (const std::size_t each : unsound) is_sound[each] = false;
    shape.locate(&object, members.data());
    sake::detail::Faults faults;
    sake::detail::check_rules(shape, members.data(), is_sound.data(), {}, faults);
    Texts found;
    for (const auto& each : faults) found.push_back(each.pointer + " " + each.code + ": " + each.detail);
    return found;
}

std::string repeat(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all.append(text);
    return all;
}

}  // namespace

TEST_CASE("a length counts characters, from its least to its most") {
    for (const std::string_view character : {"a", "é", "日", "😀"}) {
        CAPTURE(character);
        for (std::size_t count = 0; count <= 6; ++count) {
            CAPTURE(count);
            Plain object;
            object.text = repeat(character, count);
            const Texts faults = faults_of(object);
            if (count >= 2 && count <= 4)
                CHECK(faults.empty());
            else
                CHECK(faults ==
                      Texts{"/text length: must have 2 to 4 characters, but has " + std::to_string(count)});
        }
    }
}

TEST_CASE("the words for a length or a number of elements are plain") {
    CHECK(faults_of(Counts{}).empty());
    Counts object;
    object.any = std::string(100'000, 'a');
    object.some = "";
    object.one = "ab";
    object.five = "abcd";
    object.map = {{"a", 1}, {"b", 2}};
    object.filled = {};
    CHECK(faults_of(object) == Texts{"/some length: must have at least 1 character, but has 0",
                                     "/one length: must have at most 1 character, but has 2",
                                     "/five length: must have exactly 5 characters, but has 4",
                                     "/map items: must have at most 1 element, but has 2",
                                     "/filled items: must have exactly 1 element, but has 0"});
}

TEST_CASE("a range includes both of its ends") {
    for (int stars = 0; stars <= 6; ++stars) {
        CAPTURE(stars);
        Plain object;
        object.stars = stars;
        const Texts faults = faults_of(object);
        if (stars == 0)
            CHECK(faults == Texts{"/stars range: must be at least 1"});
        else if (stars == 6)
            CHECK(faults == Texts{"/stars range: must be at most 5"});
        else
            CHECK(faults.empty());
    }
}

TEST_CASE("the bounds of a range are exact for every type of numbers") {
    const auto check = [](auto member, auto value, std::string_view words) {
        Numbers object;
        object.high = 1;
        object.*member = value;
        const Texts faults = faults_of(object);
        CAPTURE(words);
        if (words.empty())
            CHECK(faults.empty());
        else
            CHECK((faults.size() == 1 && faults[0].ends_with(words)));
    };
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
    constexpr double infinity = std::numeric_limits<double>::infinity();
    check(&Numbers::tiny, std::int8_t{-128}, "");
    check(&Numbers::tiny, std::int8_t{100}, "");
    check(&Numbers::tiny, std::int8_t{101}, "/tiny range: must be at most 100");
    check(&Numbers::low, least, "/low range: must be at least -9223372036854775807");
    check(&Numbers::low, least + 1, "");
    check(&Numbers::low, std::int64_t{-1}, "");
    check(&Numbers::low, most - 1, "");
    check(&Numbers::low, most, "/low range: must be at most 9223372036854775806");
    check(&Numbers::high, std::uint64_t{0}, "/high range: must be at least 1");
    check(&Numbers::high, std::uint64_t{1}, "");
    check(&Numbers::high, std::uint64_t{1} << 63U, "");
    check(&Numbers::high, highest - 1, "");
    check(&Numbers::high, highest, "/high range: must be at most 18446744073709551614");
    check(&Numbers::single, 0.1F, "");
    check(&Numbers::single, 0.099F, "/single range: must be at least 0.1");
    check(&Numbers::single, 1.0F, "");
    check(&Numbers::single, std::nextafter(1.0F, 2.0F), "/single range: must be at most 1");
    check(&Numbers::number, -0.5, "");
    check(&Numbers::number, std::nextafter(-0.5, -1.0), "/number range: must be at least -0.5");
    check(&Numbers::number, 1e300, "");
    check(&Numbers::number, infinity, "/number range: must be at most 1e+300");
    check(&Numbers::number, std::numeric_limits<double>::quiet_NaN(), "range: must be at least -0.5");
    check(&Numbers::wide, -1.5L, "");
    check(&Numbers::wide, 2.0L, "");
    check(&Numbers::wide, std::nextafter(2.0L, 3.0L), "/wide range: must be at most 2");
}

TEST_CASE("one_of knows texts and integers, and never repeats what a client sent") {
    Plain object;
    for (const std::string_view color : {"red", "green"}) {
        object.color = color;
        CHECK(faults_of(object).empty());
    }
    for (const std::string_view color : {"", "re", "redd", "Red", "green, red", "<script>"}) {
        object.color = color;
        CHECK(faults_of(object) == Texts{"/color one_of: must be one of: red, green"});
    }
    Numbers numbers;
    numbers.high = 1;
    for (int size = -2; size <= 5; ++size) {
        CAPTURE(size);
        numbers.size = size;
        const bool is_known = size == -1 || size == 1 || size == 2 || size == 4;
        CHECK(faults_of(numbers) ==
              (is_known ? Texts{} : Texts{"/size one_of: must be one of: -1, 1, 2, 4"}));
    }
    numbers.size = 1;
    numbers.code = std::numeric_limits<std::uint64_t>::max();
    CHECK(faults_of(numbers).empty());
    --numbers.code;
    CHECK(faults_of(numbers) == Texts{"/code one_of: must be one of: 0, 18446744073709551615"});
}

TEST_CASE("a text that has not its format is a fault in plain words") {
    Plain object;
    object.mail = "ada";
    CHECK(faults_of(object) == Texts{"/mail format: is not an e-mail address"});
}

TEST_CASE("items counts elements, and unique names the first that is there before") {
    Plain object;
    object.list = {1, 2};
    CHECK(faults_of(object).empty());
    object.list = {1, 2, 3};
    CHECK(faults_of(object) == Texts{"/list items: must have 1 to 2 elements, but has 3"});
    object.list = {};
    CHECK(faults_of(object) == Texts{"/list items: must have 1 to 2 elements, but has 0"});
    object.list = {7, 7};
    CHECK(faults_of(object) == Texts{"/list unique: must not have equal elements, but has them at 0 and 1"});
    object.list = {5, 7, 5, 7};
    CHECK(faults_of(object) == Texts{"/list items: must have 1 to 2 elements, but has 4",
                                     "/list unique: must not have equal elements, but has them at 0 and 2"});
}

TEST_CASE("unique compares elements of any type") {
    using namespace std::chrono_literals;
    Uniques object;
    CHECK(faults_of(object).empty());
    object.texts = {"", "a", "b", "ab", "é"};
    object.numbers = {0, 0.5, 1, -1, 1e300};
    object.points = {{1, "a"}, {1, "b"}, {2, "a"}};
    object.lists = {{}, {1}, {1, 2}, {2, 1}};
    object.optionals = {std::nullopt, 0, 1};
    object.times = {std::chrono::sys_seconds(0s), std::chrono::sys_seconds(1s)};
    CHECK(faults_of(object).empty());
    object.texts.emplace_back("");
    object.numbers.push_back(0.5);
    object.points.push_back({1, "b"});
    object.lists->push_back({1, 2});
    object.optionals.push_back(std::nullopt);
    object.times.push_back(object.times[1]);
    const std::string words = " unique: must not have equal elements, but has them at ";
    CHECK(faults_of(object) == Texts{"/texts" + words + "0 and 5", "/numbers" + words + "1 and 5",
                                     "/points" + words + "1 and 3", "/lists" + words + "2 and 4",
                                     "/optionals" + words + "0 and 3", "/times" + words + "1 and 2"});
}

TEST_CASE("unique is quick for long lists, whatever is in them") {
    Uniques object;
    for (std::size_t i = 0; i < 50'000; ++i) {
        object.texts.push_back(std::to_string(i * 7919 % 50'021));
        object.numbers.push_back(static_cast<double>(i));
    }
    CHECK(faults_of(object).empty());
    object.texts.assign(50'000, "the same");
    object.numbers.push_back(49'999);
    const std::string words = " unique: must not have equal elements, but has them at ";
    CHECK(faults_of(object) == Texts{"/texts" + words + "0 and 1", "/numbers" + words + "49999 and 50000"});
}

TEST_CASE("a rule for an optional member is for the value that is there") {
    Optionals object;
    CHECK(faults_of(object).empty());
    object.text = "abc";
    object.stars = std::make_unique<int>(5);
    object.color = std::make_shared<std::string>("green");
    object.mail = "a@b";
    object.list = {1, 2};
    CHECK(faults_of(object).empty());
    object.text = "a";
    *object.stars = 6;
    *object.color = "blue";
    object.mail = "a@";
    object.list = {1, 1, 1};
    CHECK(faults_of(object) ==
          Texts{"/text length: must have 2 to 4 characters, but has 1", "/stars range: must be at most 5",
                "/color one_of: must be one of: red, green", "/mail format: is not an e-mail address",
                "/list items: must have 1 to 2 elements, but has 3",
                "/list unique: must not have equal elements, but has them at 0 and 1"});
}

TEST_CASE("a rule for values is for each element of a list or map, and names its place") {
    Lists object;
    CHECK(faults_of(object).empty());
    object.text = {"ab", "a", "abcd", "abcde"};
    object.stars = {{"a/b", 0}, {"c", 5}, {"", 6}};
    object.color = {"red", std::nullopt, "blue"};
    object.mail = {{}, {"a@b", "a"}};
    object.list = {3, 10, 3};
    CHECK(faults_of(object) ==
          Texts{"/text/1 length: must have 2 to 4 characters, but has 1",
                "/text/3 length: must have 2 to 4 characters, but has 5",
                "/text items: must have at most 3 elements, but has 4", "/stars/ range: must be at most 5",
                "/stars/a~1b range: must be at least 1", "/color/2 one_of: must be one of: red, green",
                "/mail/1/1 format: is not an e-mail address",
                "/list unique: must not have equal elements, but has them at 0 and 2",
                "/list/1 range: must be at most 9"});
}

TEST_CASE("a member that is not sound is not checked, and defaulted is no check") {
    Plain object;
    object.text = "";
    object.stars = 0;
    CHECK(faults_of(object, {0}) == Texts{"/stars range: must be at least 1"});
    CHECK(faults_of(object, {0, 1}).empty());
    CHECK(faults_of(Many{}, {1}).empty());
}

TEST_CASE("a hundred faults are noted and no more") {
    for (const std::size_t count : {98U, 99U, 100U, 101U, 5000U}) {
        CAPTURE(count);
        Many object;
        object.texts.assign(count, "a");
        const Texts faults = faults_of(object);
        CHECK(faults.size() == std::min<std::size_t>(count + 1, 100));
        CHECK(faults[97] == "/texts/97 length: must have exactly 0 characters, but has 1");
        CHECK((faults.back() == "/number range: must be at least 1") == (count < 100));
    }
}

}  // namespace test_rules
