// parse_json and dump_json: any bytes in, a value or a JsonError that says where; any value out, always
// UTF-8.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/dice.hpp"
#include "support/faults.hpp"

namespace test_json {

using namespace std::string_view_literals;
using sake::dump_json;
using sake::Json;
using sake::JsonError;
using sake::parse_json;

namespace {

std::string nested(std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
}

std::string error_of(std::string_view text, std::size_t limit = 64) {
    try {
        static_cast<void>(parse_json(text, limit));
    } catch (const JsonError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("JSON of every kind survives parse and dump") {
    for (const char* text :
         {"null", "true", "false", "0", "-1", "1.5", "\"\"", "\"a\\\"b\\\\c\\n\"", "[]", "{}", "[1,[2,[3]]]",
          R"({"a":1,"b":[true,null],"c":{"d":"e"}})", "9223372036854775807", "-9223372036854775808",
          "18446744073709551615", "\"gr\xc3\xbc\xc3\x9f\"", "\"\xf0\x9f\x8d\xb6\""}) {
        CAPTURE(text);
        CHECK(dump_json(parse_json(text)) == text);
    }
}

TEST_CASE("white space around and inside a JSON text is accepted") {
    CHECK(dump_json(parse_json(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n")) == R"({"a":[1,2]})");
}

TEST_CASE("what is not JSON is refused, with the byte where it went wrong") {
    CHECK(error_of("") == "invalid JSON at byte 1");
    CHECK(error_of("nope") == "invalid JSON at byte 2");
    CHECK(error_of("{\"a\":}") == "invalid JSON at byte 6");
    CHECK(error_of("[1,2") == "invalid JSON at byte 5");
    for (const char* text :
         {" ",     "{",     "}",   "[",      "]",       "[1,]",      "{,}",         "{\"a\"}",  "{\"a\":1,}",
          "{a:1}", "'a'",   "\"",  "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\n\"",   "+1",
          "01",    "1.",    ".5",  "1e",     "-",       "0x10",      "NaN",         "Infinity", "-Infinity",
          "nul",   "truee", "1 2", "[] []",  "// c\n1", "/**/1",     "[1}",         "{]"}) {
        CAPTURE(text);
        CHECK(error_of(text).starts_with("invalid JSON at byte "));
    }
}

TEST_CASE("W8: text that is not UTF-8 is refused") {
    for (const char* text : {"\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
                             "\"\xf4\x90\x80\x80\"", "\xff", "[\"a\x80\"]", "{\"\xff\":1}"}) {
        CAPTURE(text);
        CHECK(error_of(text).starts_with("invalid JSON at byte "));
    }
}

TEST_CASE("a NUL byte does not end the text: whatever follows it counts") {
    for (const std::string_view text : {"{}\0"sv, "{}\0[]"sv, "\0"sv,
                                        "1\0"
                                        "2"sv,
                                        "[1,\0 2]"sv, "\"a\0b\""sv}) {
        CAPTURE(text.size());
        const auto nul = text.find('\0');
        CHECK(error_of(text) == "invalid JSON at byte " + std::to_string(nul + 1));
    }
    CHECK(parse_json("\"a\\u0000b\"").get<std::string>() == "a\0b"sv);
}

TEST_CASE("W8: a number beyond every type of number is refused, and is no other exception") {
    for (const char* text : {"1e999", "-1e999", "[1,2,1e400]", "{\"a\":1e309}"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(static_cast<void>(parse_json(text)), JsonError);
    }
    CHECK(parse_json("1e308").get<double>() == 1e308);
    CHECK(parse_json("1e-999").get<double>() == 0.0);
}

TEST_CASE("W8: integers round 2^63 and 2^64 stay what they are") {
    CHECK(parse_json("9223372036854775808").get<std::uint64_t>() == std::uint64_t{1} << 63U);
    CHECK(parse_json("18446744073709551615").is_number_unsigned());
    CHECK(parse_json("18446744073709551616").is_number_float());
    CHECK(parse_json("-9223372036854775808").get<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("P7: arrays and objects may nest as deep as the limit, and no deeper") {
    for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, std::size_t{63}, std::size_t{64}}) {
        CAPTURE(limit);
        CHECK(error_of(nested(limit - 1, '[', ']') + (limit == 1 ? "1" : ""), limit).empty());
        CHECK(error_of(nested(limit, '[', ']'), limit).empty());
        CHECK(error_of(nested(limit + 1, '[', ']'), limit) == "JSON nests deeper than " +
                                                                  std::to_string(limit) + " levels at byte " +
                                                                  std::to_string(limit + 1));
    }
    std::string objects = "1";
    for (int i = 0; i < 64; ++i) objects = "{\"a\":" + objects + "}";
    CHECK(parse_json(objects).is_object());
    CHECK(error_of("[" + objects + "]") == "JSON nests deeper than 64 levels at byte 317");
    CHECK(error_of("[]", 0) == "JSON nests deeper than 0 levels at byte 1");
    CHECK(parse_json("7", 0) == 7);
}

TEST_CASE("P7: a million opening brackets are refused without a deep stack") {
    CHECK(error_of(std::string(1'000'000, '[')) == "JSON nests deeper than 64 levels at byte 65");
    CHECK(error_of(nested(1'000'000, '{', '}')) == "JSON nests deeper than 64 levels at byte 65");
}

TEST_CASE("brackets side by side or inside strings are not nesting") {
    std::string flat = "[[]";
    for (int i = 0; i < 1000; ++i) flat += ",[],{}";
    CHECK(parse_json(flat + "]", 2).size() == 2001);
    CHECK(parse_json("[\"[[[[\",\"{{\\\"{{\",\"\\\\\",[]]", 2).size() == 4);
    CHECK(error_of("[\"\\\\\",[[]]]", 2) == "JSON nests deeper than 2 levels at byte 8");
    CHECK(error_of("]]]][[[", 2) == "JSON nests deeper than 2 levels at byte 7");
}

TEST_CASE("a key that comes twice keeps its last value") {
    CHECK(parse_json(R"({"a":1,"a":2})") == Json{{"a", 2}});
}

TEST_CASE("a JsonError is a std::exception with its text") {
    const JsonError error("where it went wrong");
    const std::exception& base = error;
    CHECK(std::string_view(base.what()) == "where it went wrong");
}

TEST_CASE("dumping never fails on text that is not UTF-8: the bytes become U+FFFD") {
    CHECK(dump_json(Json("a\xff"
                         "b")) ==
          "\"a\xef\xbf\xbd"
          "b\"");
    CHECK(dump_json(Json{{"k\x80", "v\xc3"}}) == "{\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\"}");
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string text = dump_json(Json(std::string(1, static_cast<char>(byte))));
        CHECK(sake::is_valid_utf8(text));
        CHECK_NOTHROW(static_cast<void>(parse_json(text)));
    }
}

TEST_CASE("dumping is compact, keeps UTF-8 as it is, and writes what is not a number as null") {
    CHECK(dump_json({{"b", {1, 2}}, {"a", "\xc3\xbc"}}) == "{\"a\":\"\xc3\xbc\",\"b\":[1,2]}");
    CHECK(dump_json(std::numeric_limits<double>::quiet_NaN()) == "null");
    CHECK(dump_json(std::numeric_limits<double>::infinity()) == "null");
    CHECK(dump_json(Json()) == "null");
    CHECK(dump_json(Json("\x01\x1f\"\\/")) == R"("\u0001\u001f\"\\/")");
}

TEST_CASE("dumping writes what nlohmann's dump does") {
    const auto dumped_by_nlohmann = [](const Json& value) {
        return value.dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    const Json values[] = {
        {{"b", {1, -2, true}}, {"", nullptr}, {"a", {{"c", Json::object()}, {"d", Json::array()}}}},
        std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::uint64_t>::max(),
        Json::binary({0, 127, 255}),
        Json::binary({}, 42),
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        1e-4,
        9.9e-5,
        999999999999999.0,
        1e15,
        1e16,
        1e22,
        123456789.125,
        std::numeric_limits<double>::max(),
        std::numeric_limits<double>::denorm_min(),
    };
    for (const Json& value : values) CHECK(dump_json(value) == dumped_by_nlohmann(value));
    for (int byte = 0; byte < 128; ++byte) {
        const Json value(std::string(1, static_cast<char>(byte)));
        CHECK(dump_json(value) == dumped_by_nlohmann(value));
    }
    harness::Dice dice(1);
    for (int i = 0; i < 2000; ++i) {
        const double number =
            std::ldexp(static_cast<double>(dice.next()), static_cast<int>(dice.below(200)) - 160);
        CAPTURE(number);
        CHECK(Json::parse(dump_json(number)) == Json(number));
    }
}

TEST_CASE("what is not UTF-8 is replaced as the Unicode standard recommends, and the rest stays") {
    const std::pair<std::string, std::string> cases[] = {{"\xe2\x82x", "?x"},
                                                         {"\xf0\x9f\x98", "?"},
                                                         {"\xe0\x80\xaf", "???"},
                                                         {"\xed\xa0\x80", "???"},
                                                         {"\xf4\x90\x80\x80", "????"},
                                                         {"\xc3\xc3\xa4", "?\xc3\xa4"},
                                                         {"\xc0\xaf", "??"},
                                                         {"a\xff"
                                                          "b",
                                                          "a?b"},
                                                         {"\xf1\x80\x80\xe1\x80\xc2"
                                                          "b",
                                                          "???b"}};
    for (const auto& [bytes, expected] : cases) {
        std::string text = sake::replace_invalid_utf8(bytes);
        for (std::size_t at = 0; (at = text.find("\xef\xbf\xbd")) != std::string::npos;)
            text.replace(at, 3, "?");
        CHECK(text == expected);
    }
}

TEST_CASE("every prefix of a JSON text is refused or read, and nothing else happens") {
    const std::string text = R"({"a":[1,2.5e3,"x\u00e9\n",true,null,{"b":{}}],"c":-0})";
    CHECK(parse_json(text).size() == 2);
    for (std::size_t length = 0; length < text.size(); ++length) {
        CAPTURE(length);
        CHECK_THROWS_AS(static_cast<void>(parse_json(std::string_view(text).substr(0, length))), JsonError);
    }
}

TEST_CASE("P7: a text may have as many values as the limit, and no more, wherever they are") {
    const auto refused = [](std::string_view text, std::size_t limit) {
        try {
            static_cast<void>(parse_json(text, 64, limit));
            return false;
        } catch (const JsonError& error) {
            CHECK(std::string_view(error.what()).starts_with("JSON has more than "));
            return true;
        }
    };
    struct Row {
        std::string_view text;
        std::size_t values;
    };
    for (const Row& row : {Row{"1", 1}, Row{"[]", 1}, Row{" [ ] ", 1}, Row{"{}", 1}, Row{"[1]", 2},
                           Row{"[[]]", 2}, Row{"[{}]", 2}, Row{R"({"a":1})", 2},
                           Row{R"({"a":[1,{}],"b":"[,,[{"})", 5}, Row{R"([ 1 , [ 2 ] , "\"," ])", 5}}) {
        CAPTURE(row.text);
        CHECK_FALSE(refused(row.text, row.values));
        CHECK(refused(row.text, row.values - 1));
    }
    CHECK(refused("[" + std::string(2'000'000, ','), 1'000'000));
}

TEST_CASE("a value is emptied without memory, however wide, up to 256 levels deep") {
    std::string wide = "[[1]";
    for (int i = 0; i < 1000; ++i) wide += R"(,[1],{"a":[{"b":{}}]})";
    wide += "]";
    for (const std::string& text :
         {wide, nested(200, '[', ']'), std::string("7"), std::string(R"({"a":{"b":[]}})")}) {
        Json value = parse_json(text, 256);
        const bool is_structured = value.is_structured();
        const auto before = harness::allocations::by_this_thread();
        sake::detail::dismantle(value);
        CHECK(harness::allocations::by_this_thread() == before);
        CHECK(value.empty() == is_structured);
    }
}

TEST_CASE("memory that runs out, and stays out, while a text is parsed is a bad_alloc and no end") {
    const std::string text =
        R"([[{"count":1},{"real":[[2.5]]},{"a":{"b":["a text that is not short at all"]}}],[[[3]]],
                              {"twice":[1,[2,[3]]],"twice":[[3],{"x":{"y":[4]}}]},"and one more that is not short"])";
    std::uint64_t failures = 0;
    for (std::uint64_t n = 1;; ++n) {
        REQUIRE(n < 1000);
        const auto live = harness::allocations::live_blocks();
        const harness::allocations::ScopedFailure failure(n, 1'000'000);
        std::thread([&] {
            harness::faults::apply_to_this_thread();
            try {
                sake::detail::JsonOwner<> document;
                document.value = parse_json(text);
            } catch (const std::bad_alloc&) {
                ++failures;
            }
        }).join();
        CHECK(harness::allocations::live_blocks() == live);
        if (!failure.fired()) break;
    }
    CHECK(failures > 30);
}

}  // namespace test_json
