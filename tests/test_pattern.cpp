#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"

namespace test_pattern {

using sake::detail::check_pattern;
using sake::detail::PatternError;

namespace {

constexpr PatternError error_of(std::string_view text) { return check_pattern(text).error; }

std::string refusal(const std::string& pattern) {
    sake::Engine app;
    try {
        app.get(sake::runtime(pattern), [](sake::Context&) {});
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "(taken)";
}

std::string with_params(int count) {
    std::string pattern;
    for (int i = 0; i < count; ++i) pattern += "/:p" + std::to_string(i);
    return pattern;
}

}  // namespace

TEST_CASE("patterns are checked by a grammar that works while compiling") {
    static_assert(error_of("/") == PatternError::none);
    static_assert(error_of("/users/:id") == PatternError::none);
    static_assert(error_of("/files/*path") == PatternError::none);
    static_assert(error_of("/*all") == PatternError::none);
    static_assert(error_of("//a//") == PatternError::none);
    static_assert(error_of("/a%3Ab/c%2Ad/%3Aid") == PatternError::none, "these signs as text");
    static_assert(error_of("/wiki/Foo_(bar)/$metadata/a,b;c=d/@x/~y/k\xc3\xa4se") == PatternError::none);
    static_assert(check_pattern("/:user-id/:a_1/*rest-of-it").params == 3);
    static_assert(check_pattern("/:a/x/:b/*c").params == 3);

    static_assert(error_of("") == PatternError::must_start_with_slash);
    static_assert(error_of("users") == PatternError::must_start_with_slash);
    static_assert(error_of(":id") == PatternError::must_start_with_slash);
    static_assert(error_of("/:") == PatternError::name_missing);
    static_assert(error_of("/a/*") == PatternError::name_missing);
    static_assert(error_of("/:a/:a") == PatternError::name_used_twice);
    static_assert(error_of("/:a/b/*a") == PatternError::name_used_twice);
    static_assert(error_of("/*a/b") == PatternError::wildcard_not_last);
    static_assert(error_of("/*a/") == PatternError::wildcard_not_last);
    static_assert(error_of("/*a/*b") == PatternError::wildcard_not_last);
    static_assert(error_of("/a?b=:c") == PatternError::has_query);
    static_assert(error_of("/a%20b") == PatternError::has_escape);
    static_assert(error_of("/100%") == PatternError::has_escape);
    static_assert(error_of("/%25%2F%2") == PatternError::has_escape);
    static_assert(error_of("/100%25/a%2Fb") == PatternError::none);
    static_assert(error_of("/a#b") == PatternError::has_query);
    using namespace std::string_view_literals;
    static_assert(error_of("/\xff") == PatternError::not_text);
    static_assert(error_of("/a\0b"sv) == PatternError::not_text);
    static_assert(error_of("/\xe2\x82\xac/\xf0\x9f\x8d\xb6/\xed\x9f\xbf/\xf4\x8f\xbf\xbf") ==
                  PatternError::none);
    for (const auto not_text :
         {"/\0"sv, "/a/\0"sv, "/\xc3"sv, "/\xc3/\xa9"sv, "/\xa9"sv, "/\xc0\xaf"sv, "/a\xe2\x82"sv,
          "/\xed\xa0\x80"sv, "/\xf4\x90\x80\x80"sv, "/:\xff"sv, "/*\xff"sv, "/:a\0"sv, "/x?\0"sv}) {
        CHECK(error_of(not_text) == PatternError::not_text);
    }
    for (const auto other_frameworks :
         {"/{id}", "/users/{id:int}", "/<id>", "/<int:id>", "/[id]", "/[...rest]", "/a\\b"}) {
        CHECK(error_of(other_frameworks) == PatternError::has_bracket);
    }
    for (const auto inside : {"/u-:id", "/user:id", "/:a-:b", "/:a:b", "/files/a*", "/**", "/(.*)"}) {
        CHECK(error_of(inside) == PatternError::inside_segment);
    }
    for (const auto regex : {"/:id(\\d+)", "/:id(x)", "/a/:id([0-9]{3})/b"}) {
        CHECK(error_of(regex) == PatternError::has_expression);
    }
    CHECK(error_of("/a(b)/:id") == PatternError::none);
    for (const auto bad_name : {"/:id.json", "/:a,b", "/:id+", "/:a b", "/*.js"}) {
        CHECK(error_of(bad_name) == PatternError::bad_name);
    }
    CHECK(error_of("/users/:id") == PatternError::none);
}

TEST_CASE("a runtime pattern that is wrong throws and says what is wrong") {
    CHECK(refusal("users") == "pattern \"users\" must start with a slash");
    CHECK(refusal("") == "pattern \"\" must start with a slash");
    CHECK(refusal("/a/:") == "pattern \"/a/:\" has a ':' or '*' without a name");
    CHECK(refusal("/:x/:x") == "pattern \"/:x/:x\" uses a parameter name twice");
    CHECK(refusal("/a?b") ==
          "pattern \"/a?b\" has a '?' or '#': a pattern is of the path alone, ctx.query reads the query");
    CHECK(refusal("/p%41th") ==
          "pattern \"/p%41th\" has a '%' that is not of %25, %2A, %2F or %3A: write what the escape stands "
          "for");
    CHECK(refusal("/*x/y") == "pattern \"/*x/y\" has a '*' that is not in its last segment");
    CHECK(refusal("/\xff") == "pattern \"/\xff\" is not UTF-8 without NUL, as every path is");
    CHECK(refusal(std::string("/a\0b", 4)) ==
          "pattern \"/a\\x00b\" is not UTF-8 without NUL, as every path is");
    CHECK(refusal("/users/:id") == "(taken)");
}

TEST_CASE("a pattern may have 16 parameters and not 17") {
    CHECK(error_of(with_params(16)) == PatternError::none);
    CHECK(check_pattern(with_params(16)).params == 16);
    CHECK(error_of(with_params(17)) == PatternError::too_many_params);
    CHECK(refusal(with_params(17)) == "pattern \"" + with_params(17) + "\" has more than 16 parameters");
}

TEST_CASE("parameters are named by position") {
    using sake::detail::take_param_name;
    std::string_view rest = "/users/:id/files/*path";
    CHECK(take_param_name(rest) == "id");
    CHECK(take_param_name(rest) == "path");
    CHECK(take_param_name(rest).empty());
    rest = "/";
    CHECK(take_param_name(rest).empty());
}

TEST_CASE("a group's prefix may be empty and is checked otherwise") {
    sake::Engine app;
    const auto grouping = [&](const std::string& prefix) {
        return [&app, prefix] { static_cast<void>(app.group(sake::runtime(prefix))); };
    };
    CHECK_NOTHROW(grouping("")());
    CHECK_NOTHROW(grouping("/")());
    CHECK_NOTHROW(grouping("/api/:version")());
    CHECK_THROWS_AS(grouping("api")(), std::invalid_argument);
    CHECK_THROWS_AS(grouping("/:")(), std::invalid_argument);
    CHECK_THROWS_AS(grouping("/:a/:a")(), std::invalid_argument);
    CHECK_THROWS_AS(grouping("/\xff")(), std::invalid_argument);
    CHECK_THROWS_AS(grouping(std::string("/\0", 2))(), std::invalid_argument);
    CHECK_THROWS_AS(grouping(std::string("\0", 1))(), std::invalid_argument);
}

TEST_CASE("what a prefix and a pattern make together is checked too") {
    sake::Engine app;
    const auto handler = [](sake::Context&) {};
    sake::RouterGroup group = app.group("/u/:id");
    CHECK_THROWS_AS(group.get("/:id", handler), std::invalid_argument);
    sake::RouterGroup under_rest = app.group("/files/*path");
    CHECK_THROWS_AS(under_rest.get("/x", handler), std::invalid_argument);
    CHECK_NOTHROW(group.get("/:other", handler));
}

}  // namespace test_pattern
