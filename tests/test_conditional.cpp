// Conditional requests: entity tags, and the fields If-* in the order of RFC 9110 section 13.2.2.
#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_conditional {

using sake::detail::Conditions;
using sake::detail::EntityTag;
using sake::detail::Method;
using sake::detail::Validators;
using Verdict = Conditions::Verdict;

namespace {

constexpr std::int64_t modified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr const char* then = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* later = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr Validators present{"\"a\"", modified, modified + 1000};

std::vector<std::string> tags_of(std::string_view list) {
    std::vector<std::string> tags;
    sake::detail::for_each_tag(list, [&](const EntityTag& tag) {
        tags.push_back((tag.is_weak ? "W/" : "") + std::string(tag.opaque));
    });
    return tags;
}
Verdict if_match(const char* value, Method method = Method::get) {
    Conditions conditions;
    conditions.if_match = value;
    return conditions.verdict(method, present);
}
Verdict if_none_match(const char* value, Method method = Method::get) {
    Conditions conditions;
    conditions.if_none_match = value;
    return conditions.verdict(method, present);
}
Verdict if_modified_since(const char* value, Method method = Method::get) {
    Conditions conditions;
    conditions.if_modified_since = value;
    return conditions.verdict(method, present);
}
Verdict if_unmodified_since(const char* value, Method method = Method::get) {
    Conditions conditions;
    conditions.if_unmodified_since = value;
    return conditions.verdict(method, present);
}
bool if_range(const char* value, const Validators& now = present) {
    Conditions conditions;
    conditions.if_range = value;
    return conditions.allows_range(now);
}

}  // namespace

TEST_CASE("an entity tag has quotes, and may be weak") {
    using Tags = std::vector<std::string>;
    CHECK(tags_of("\"a\"") == Tags{"\"a\""});
    CHECK(tags_of("W/\"a\"") == Tags{"W/\"a\""});
    CHECK(tags_of("\"\"") == Tags{"\"\""});
    CHECK(tags_of("\"a\",\"b\" , W/\"c\"") == Tags{"\"a\"", "\"b\"", "W/\"c\""});
    CHECK(tags_of("\"a,b\", \"c\"") == Tags{"\"a,b\"", "\"c\""});
    CHECK(tags_of(",, \"a\",,") == Tags{"\"a\""});
    CHECK(tags_of("\"\xc3\xa4\"") == Tags{"\"\xc3\xa4\""});
    CHECK(tags_of("a, \"b\"") == Tags{"\"b\""});  // what is no tag is passed over
    for (const char* const none :
         {"", "a", "\"a", "a\"", "w/\"a\"", "W/a", "W/", "\"a b\"", "\"a\"b", "W/ \"a\""}) {
        INFO(none);
        CHECK(tags_of(none).empty());
        CHECK_FALSE(EntityTag::parse(none).has_value());
    }
}

TEST_CASE("only strong tags match strongly, and any weakly") {
    const EntityTag strong{"\"a\""};
    const EntityTag weak{"\"a\"", true};
    const EntityTag other{"\"b\""};
    CHECK(strong.matches_strongly(strong));
    CHECK_FALSE(strong.matches_strongly(weak));
    CHECK_FALSE(weak.matches_strongly(weak));
    CHECK(strong.matches_weakly(weak));
    CHECK(weak.matches_weakly(weak));
    CHECK_FALSE(strong.matches_weakly(other));
}

TEST_CASE("If-Match holds for the same strong tag, and for whatever there is") {
    CHECK(if_match("\"a\"") == Verdict::proceed);
    CHECK(if_match("\"x\", \"a\"") == Verdict::proceed);
    CHECK(if_match("*") == Verdict::proceed);
    CHECK(if_match(" * ") == Verdict::proceed);
    CHECK(if_match("\"b\"") == Verdict::failed);
    CHECK(if_match("W/\"a\"") == Verdict::failed);
    CHECK(if_match("a") == Verdict::failed);
    CHECK(if_match("") == Verdict::failed);
    CHECK(if_match("\"b\"", Method::put) == Verdict::failed);
}

TEST_CASE("If-None-Match is 304 for a read, and fails for everything else") {
    CHECK(if_none_match("\"a\"") == Verdict::not_modified);
    CHECK(if_none_match("W/\"a\"") == Verdict::not_modified);
    CHECK(if_none_match("\"b\", W/\"a\"") == Verdict::not_modified);
    CHECK(if_none_match("*") == Verdict::not_modified);
    CHECK(if_none_match("*", Method::head) == Verdict::not_modified);
    CHECK(if_none_match("\"a\"", Method::put) == Verdict::failed);
    CHECK(if_none_match("*", Method::post) == Verdict::failed);
    CHECK(if_none_match("\"b\"") == Verdict::proceed);
    CHECK(if_none_match("a") == Verdict::proceed);  // without quotes it is no tag
    CHECK(if_none_match("\"A\"") == Verdict::proceed);
}

TEST_CASE("dates are compared by the second, and what is no date is ignored") {
    CHECK(if_modified_since(then) == Verdict::not_modified);
    CHECK(if_modified_since(later) == Verdict::not_modified);
    CHECK(if_modified_since(before) == Verdict::proceed);
    CHECK(if_modified_since("Sunday, 06-Nov-94 08:49:37 GMT") == Verdict::not_modified);
    CHECK(if_modified_since("Sun Nov  6 08:49:37 1994") == Verdict::not_modified);
    CHECK(if_modified_since("yesterday") == Verdict::proceed);
    CHECK(if_modified_since("") == Verdict::proceed);
    CHECK(if_modified_since(then, Method::post) == Verdict::proceed);
    CHECK(if_unmodified_since(then) == Verdict::proceed);
    CHECK(if_unmodified_since(later) == Verdict::proceed);
    CHECK(if_unmodified_since(before) == Verdict::failed);
    CHECK(if_unmodified_since("784111776") == Verdict::proceed);
    CHECK(if_unmodified_since(before, Method::put) == Verdict::failed);
}

TEST_CASE("a tag comes before a date, and what must hold before what may be spared") {
    Conditions conditions;
    conditions.if_none_match = "\"b\"";
    conditions.if_modified_since = then;  // not heeded beside If-None-Match
    CHECK(conditions.verdict(Method::get, present) == Verdict::proceed);
    conditions.if_none_match = "\"a\"";
    conditions.if_modified_since = before;
    CHECK(conditions.verdict(Method::get, present) == Verdict::not_modified);
    conditions.if_match = "\"b\"";
    CHECK(conditions.verdict(Method::get, present) == Verdict::failed);
    conditions.if_match = "\"a\"";
    conditions.if_unmodified_since = before;  // not heeded beside If-Match
    CHECK(conditions.verdict(Method::get, present) == Verdict::not_modified);
    CHECK(Conditions{}.verdict(Method::get, present) == Verdict::proceed);
}

TEST_CASE("without a tag or a date of its own, a thing has none that matches") {
    const Validators nothing{};
    Conditions conditions;
    conditions.if_none_match = "\"\"";
    CHECK(conditions.verdict(Method::get, nothing) == Verdict::proceed);
    conditions.if_none_match = "*";
    CHECK(conditions.verdict(Method::get, nothing) == Verdict::not_modified);
    Conditions dates;
    dates.if_modified_since = then;
    dates.if_unmodified_since = before;
    CHECK(dates.verdict(Method::get, nothing) == Verdict::proceed);
}

TEST_CASE("If-Range heeds strong validators alone") {
    CHECK(if_range("\"a\""));
    CHECK_FALSE(if_range("W/\"a\""));
    CHECK_FALSE(if_range("\"b\""));
    CHECK_FALSE(if_range("\"a\", \"b\""));
    CHECK_FALSE(if_range("*"));
    CHECK_FALSE(if_range("a"));
    CHECK_FALSE(if_range(""));
    CHECK(if_range(then));
    CHECK_FALSE(if_range(before));
    CHECK_FALSE(if_range(later));
    CHECK_FALSE(if_range(then, {"\"a\"", modified, modified}));  // it may change in the same second
    CHECK(if_range(then, {"\"a\"", modified, modified + 1}));
    CHECK_FALSE(if_range("\"a\"", {"W/\"a\"", modified, modified + 1000}));
    CHECK(Conditions{}.allows_range(present));
}

}  // namespace test_conditional
