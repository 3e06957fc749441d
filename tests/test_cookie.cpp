#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_cookie {

namespace http = sake::http;
using sake::detail::cookie_value;
using namespace std::chrono_literals;

TEST_CASE("a cookie is found by its whole name") {
    const std::string_view header = "a=1; session=xyz; ab=2; empty=; quoted=\"v w\"; eq=k=v";
    CHECK(cookie_value(header, "a") == "1");
    CHECK(cookie_value(header, "ab") == "2");
    CHECK(cookie_value(header, "session") == "xyz");
    CHECK(cookie_value(header, "empty") == "");
    CHECK(cookie_value(header, "quoted") == "v w");
    CHECK(cookie_value(header, "eq") == "k=v");
    CHECK_FALSE(cookie_value(header, "b").has_value());
    CHECK_FALSE(cookie_value(header, "SESSION").has_value());
    CHECK_FALSE(cookie_value(header, "xyz").has_value());
    CHECK_FALSE(cookie_value("", "a").has_value());
}

TEST_CASE("odd cookie fields do no harm") {
    CHECK(cookie_value("a=1;b=2", "b") == "2");
    CHECK(cookie_value(" ;; a = 1 ;", "a") == "1");
    CHECK(cookie_value("a=1; a=2", "a") == "1");
    CHECK(cookie_value("a=\"", "a") == "\"");
    CHECK(cookie_value("a=\"\"", "a") == "");
    CHECK(cookie_value("a=\"x", "a") == "\"x");
    CHECK_FALSE(cookie_value("a", "a").has_value());
    CHECK_FALSE(cookie_value(";;;", "a").has_value());
    CHECK_FALSE(cookie_value("b; c", "a").has_value());
}

TEST_CASE("Set-Cookie is written with safe defaults") {
    CHECK(http::to_string(http::SetCookie{.name = "id", .value = "42"}) ==
          "id=42; Path=/; HttpOnly; SameSite=Lax");
}

TEST_CASE("Set-Cookie carries every attribute asked for") {
    http::SetCookie cookie;
    cookie.name = "id";
    cookie.value = "a.b-c";
    cookie.path = "/app";
    cookie.domain = "example.com";
    cookie.max_age = 1h;
    cookie.secure = true;
    cookie.same_site = http::SameSite::strict;
    CHECK(http::to_string(cookie) ==
          "id=a.b-c; Path=/app; Domain=example.com; Max-Age=3600; Secure; HttpOnly; SameSite=Strict");
    cookie = {
        .name = "id", .path = "", .max_age = 0s, .http_only = false, .same_site = http::SameSite::unset};
    CHECK(http::to_string(cookie) == "id=; Max-Age=0");
    cookie = {.name = "id", .secure = true, .same_site = http::SameSite::none};
    CHECK(http::to_string(cookie) == "id=; Path=/; Secure; HttpOnly; SameSite=None");
}

TEST_CASE("a cookie that browsers would drop without a word is refused") {
    const auto refusal = [](const http::SetCookie& cookie) {
        try {
            return http::to_string(cookie);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
    };
    CHECK(refusal({.name = "id", .same_site = http::SameSite::none}) ==
          "cookie: SameSite=None needs Secure, browsers drop it otherwise");
    for (const std::string name : {"__Host-id", "__Secure-id"}) {
        CHECK(refusal({.name = name}) ==
              "cookie: this prefix of the name needs Secure, browsers drop it otherwise");
        CHECK(refusal({.name = name, .secure = true}).starts_with(name + "=; Path=/; Secure"));
    }
    const std::string host_only =
        "cookie: __Host- needs the path / and no domain, browsers drop it otherwise";
    CHECK(refusal({.name = "__Host-id", .path = "/a", .secure = true}) == host_only);
    CHECK(refusal({.name = "__Host-id", .domain = "a.b", .secure = true}) == host_only);
    CHECK(refusal({.name = "__Secure-id", .path = "/a", .domain = "a.b", .secure = true})
              .starts_with("__Secure-id=; Path=/a"));
    for (const int seconds : {-1, 0, 1}) {
        const std::string text = refusal({.name = "id", .max_age = std::chrono::seconds(seconds)});
        CAPTURE(text);
        CHECK((text == "cookie max_age: must be at least 0, which deletes it") == (seconds < 0));
    }
}

TEST_CASE("P6: each of the 256 bytes in a cookie either passes unchanged or throws") {
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const char c = static_cast<char>(byte);
        const std::string part = std::string("a") + c + "b";
        const bool printable = byte > 32 && byte < 127;
        const auto throws = [](const http::SetCookie& cookie) {
            try {
                const std::string text = http::to_string(cookie);
                REQUIRE(sake::detail::is_valid_field_value(text));
                return false;
            } catch (const std::invalid_argument& error) {
                REQUIRE(std::string(error.what()).find("byte 1") != std::string::npos);
                return true;
            }
        };
        const auto is_one_of = [&](std::string_view set) { return set.find(c) != std::string_view::npos; };
        const bool letter_or_digit =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        CHECK(throws({.name = part}) == !(letter_or_digit || is_one_of("!#$%&'*+-.^_`|~")));
        CHECK(throws({.name = "n", .value = part}) == !(printable && !is_one_of("\",;\\")));
        CHECK(throws({.name = "n", .path = part}) ==
              ((byte < 32 && byte != '\t') || byte == 127 || c == ';'));
        CHECK(throws({.name = "n", .domain = part}) == !(letter_or_digit || is_one_of("-._~")));
    }
    CHECK_THROWS_AS(static_cast<void>(http::to_string(http::SetCookie{})), std::invalid_argument);
}

}  // namespace test_cookie
