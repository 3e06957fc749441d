#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"

namespace test_headers {

namespace http = sake::http;
using http::Headers;
using namespace std::string_view_literals;

TEST_CASE("fields keep their order, and names compare without case") {
    Headers headers;
    headers.add("Set-Cookie", "a=1");
    headers.set("X-One", "1");
    headers.add("set-cookie", "b=2");
    CHECK(headers.size() == 3);
    CHECK(headers.get("SET-COOKIE") == "a=1"sv);
    CHECK(headers.get("x-one") == "1"sv);
    CHECK_FALSE(headers.get("x-two").has_value());
    CHECK(headers.contains("Set-cookie"));
    CHECK_FALSE(headers.contains("Set"));
    CHECK(headers.wire() == "Set-Cookie: a=1\r\nX-One: 1\r\nset-cookie: b=2\r\n");
}

TEST_CASE("iteration yields names and values, by reference or by value") {
    Headers headers;
    headers.add("A", "1");
    headers.add("B", "");
    std::string seen;
    for (auto& [name, value] : headers) seen.append(name).append("=").append(value).append(";");
    for (const auto& [name, value] : headers) seen.append(name).append("=").append(value).append(";");
    for (auto [name, value] : headers) seen.append(name).append("=").append(value).append(";");
    CHECK(seen == "A=1;B=;A=1;B=;A=1;B=;");
    CHECK(headers.begin()->first == "A");
    CHECK(Headers().begin() == Headers().end());
}

TEST_CASE("set replaces the first field where it stands and removes the others") {
    Headers headers;
    headers.add("A", "1");
    headers.add("B", "first");
    headers.add("C", "3");
    headers.add("b", "second");
    headers.add("D", "4");
    headers.set("b", "a longer value");
    CHECK(headers.wire() == "A: 1\r\nB: a longer value\r\nC: 3\r\nD: 4\r\n");
    headers.set("B", "");
    CHECK(headers.wire() == "A: 1\r\nB: \r\nC: 3\r\nD: 4\r\n");
    CHECK(headers.get("D") == "4"sv);
    headers.set("D", "5");
    headers.set("E", "6");
    CHECK(headers.wire() == "A: 1\r\nB: \r\nC: 3\r\nD: 5\r\nE: 6\r\n");
}

TEST_CASE("remove takes all fields of a name and says how many") {
    Headers headers;
    for (const auto name : {"X"sv, "A"sv, "x"sv, "B"sv, "X"sv}) headers.add(name, "v");
    CHECK(headers.remove("x") == 3);
    CHECK(headers.wire() == "A: v\r\nB: v\r\n");
    CHECK(headers.remove("x") == 0);
    CHECK(headers.remove("A") == 1);
    CHECK(headers.remove("B") == 1);
    CHECK(headers.empty());
    CHECK(headers.wire().empty());
}

TEST_CASE("white space around a value is not sent") {
    Headers headers;
    headers.add("A", " \tx y\t ");
    CHECK(headers.get("A") == "x y"sv);
    headers.set("A", " \t ");
    CHECK(headers.wire() == "A: \r\n");
}

TEST_CASE("a name or value may be a view into the same headers") {
    Headers headers;
    headers.add("Name-A", "value of a");
    for (int i = 0; i < 20; ++i) {
        headers.add(*headers.get("Name-A") == "value of a" ? headers.begin()->first : "X",
                    *headers.get("Name-A"));
    }
    CHECK(headers.size() == 21);
    for (const auto& [name, value] : headers) {
        CHECK(name == "Name-A");
        CHECK(value == "value of a");
    }
    headers.set("B", *headers.get("Name-A"));
    headers.set(headers.begin()->first, "x");
    CHECK(headers.wire() == "Name-A: x\r\nB: value of a\r\n");
    CHECK(headers.remove(headers.begin()->first) == 1);
    CHECK(headers.wire() == "B: value of a\r\n");
}

namespace {

std::string message_of(std::string_view name, std::string_view value) {
    Headers headers;
    headers.add("Before", "1");
    headers.add("X", "old");
    std::string text;
    for (const bool replace : {false, true}) {
        try {
            if (replace) headers.set(name, value);
            if (!replace) headers.add(name, value);
            return "";
        } catch (const std::invalid_argument& error) {
            text = error.what();
        }
    }
    REQUIRE(headers.wire() == "Before: 1\r\nX: old\r\n");  // a refusal changes nothing
    return text;
}

}  // namespace

TEST_CASE("P6: each of the 256 bytes in a name either passes unchanged or throws") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string name = std::string("ab") + static_cast<char>(byte);
        const bool allowed = sake::is_token(name);
        CHECK(sake::detail::is_valid_field_name(name) == allowed);
        const std::string message = message_of(name, "v");
        CHECK(message.empty() == allowed);
        if (!allowed) CHECK(message.find("header name: byte 2 is ") == 0);
    }
    CHECK(message_of("", "v") == "header name: is empty");
    CHECK_FALSE(sake::detail::is_valid_field_name(""));
}

TEST_CASE("P6: each of the 256 bytes in a value either passes unchanged or throws") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const std::string value = std::string("abc") + static_cast<char>(byte) + "d";
        const bool allowed = byte == '\t' || (byte >= 32 && byte != 127);
        CHECK(sake::detail::is_valid_field_value(value) == allowed);
        const std::string message = message_of("X", value);
        CHECK(message.empty() == allowed);
        if (!allowed) CHECK(message.find("header value: byte 3 is ") == 0);
        if (allowed) {
            Headers headers;
            headers.set("X", value);
            CHECK(headers.wire() == "X: " + value + "\r\n");
        }
    }
    CHECK(sake::detail::is_valid_field_value(""));
}

TEST_CASE("the refusal names the kind of byte and never repeats the value") {
    CHECK(message_of("X", "a\r\nSet-Cookie: evil=1") == "header value: byte 1 is a carriage return (0x0d)");
    CHECK(message_of("X", "\n") == "header value: byte 0 is a line feed (0x0a)");
    CHECK(message_of("X", "ab\0"sv) == "header value: byte 2 is a NUL (0x00)");
    CHECK(message_of("X", "\x7f") == "header value: byte 0 is a control character (0x7f)");
    CHECK(message_of("X Y", "v") == "header name: byte 1 is a space (0x20)");
    CHECK(message_of("X:", "v") == "header name: byte 1 is a colon (0x3a)");
    CHECK(message_of("X(", "v") == "header name: byte 1 is a character that is not allowed there (0x28)");
    CHECK(message_of("\xc3\xa9", "v") == "header name: byte 0 is not ASCII (0xc3)");
}

TEST_CASE("a warm object does not allocate") {
    Headers headers;
    const auto fill = [&] {
        headers.clear();
        headers.set("Content-Type", "application/problem+json");
        headers.add("Set-Cookie", "session=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax");
        headers.set("X-Request-Id", "0123456789abcdef0123456789abcdef");
        headers.set("content-type", "text/plain; charset=utf-8");
        headers.remove("X-Request-Id");
    };
    fill();
    const auto before = harness::allocations::by_this_thread();
    for (int i = 0; i < 100; ++i) fill();
    CHECK(harness::allocations::by_this_thread() == before);
    CHECK(headers.size() == 2);
}

TEST_CASE("setting one field again and again takes no more room") {
    Headers headers;
    headers.set("A", "0123456789");
    const std::size_t size = headers.wire().size();
    for (int i = 0; i < 1000; ++i) headers.set("A", i % 2 == 0 ? "0" : "0123456789");
    CHECK(headers.wire().size() == size);
    CHECK(headers.size() == 1);
}

TEST_CASE("comma lists fall into trimmed items, and empty ones are passed over") {
    const auto items = [](std::string_view list) {
        std::vector<std::string> found;
        sake::detail::for_each_list_item(list, [&](std::string_view item) { found.emplace_back(item); });
        return found;
    };
    using List = std::vector<std::string>;
    CHECK(items("a") == List{"a"});
    CHECK(items(" a ,\tb,c ") == List{"a", "b", "c"});
    CHECK(items(",, a,,b ,") == List{"a", "b"});
    CHECK(items("").empty());
    CHECK(items(" , ,").empty());
    CHECK(sake::detail::list_contains("keep-alive, Upgrade", "upgrade"));
    CHECK_FALSE(sake::detail::list_contains("keep-alive, Upgrades", "upgrade"));
    CHECK_FALSE(sake::detail::list_contains("", "close"));
}

}  // namespace test_headers
