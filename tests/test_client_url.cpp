// URLs of the client: taken apart, refused, and resolved where a redirect leads.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"

namespace test_client_url {

namespace http = sake::http;

TEST_CASE("a URL is a host, a port and what to ask for") {
    struct Case {
        const char* text;
        const char* address;
        const char* authority;
        const char* target;
    };
    const Case cases[] = {
        {"http://a", "a:80", "a", "/"},
        {"http://a/", "a:80", "a", "/"},
        {"http://a:8080/b/c?d=e&f", "a:8080", "a:8080", "/b/c?d=e&f"},
        {"http://a?d", "a:80", "a", "/?d"},
        {"HTTP://[::1]:9/x#part", "[::1]:9", "[::1]:9", "/x"},
        {"http://[::1]/x", "[::1]:80", "[::1]", "/x"},
        {"http://a:/x", "a:80", "a:", "/x"},
        {"http://a/%20?q=%C3%A4", "a:80", "a", "/%20?q=%C3%A4"},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const http::Url url = http::parse_url(each.text);
        CHECK(url.address() == each.address);
        CHECK(url.authority == each.authority);
        CHECK(url.target == each.target);
    }
}

TEST_CASE("what is no URL, or could break out of the request, is refused") {
    using namespace std::string_view_literals;
    for (const std::string_view bad : {""sv,
                                       "a"sv,
                                       "/a"sv,
                                       "http:/a"sv,
                                       "http://"sv,
                                       "http:///a"sv,
                                       "http://:80/"sv,
                                       "https://a/"sv,
                                       "ftp://a/"sv,
                                       "http://a b/"sv,
                                       "http://a/b c"sv,
                                       "http://a/\r\nX: y"sv,
                                       "http://a/\0"sv,
                                       "http://user:word@a/"sv,
                                       "http://a:99999/"sv,
                                       "http://a:x/"sv,
                                       "http://a/%2"sv,
                                       "http://a/%zz"sv,
                                       "http://a/\xc3\xa4"sv,
                                       "http://[::1/"sv,
                                       "http://a\r\n/"sv,
                                       " http://a/"sv}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(static_cast<void>(http::parse_url(bad)), std::invalid_argument);
    }
}

TEST_CASE("what is said of a refused URL has no password and no control byte in it") {
    const auto why = [](std::string_view bad) -> std::string {
        try {
            static_cast<void>(http::parse_url(bad));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "not refused";
    };
    const std::string named = "has a user name or password, which belong in a field: Authorization";
    CHECK(why("http://me:secret@a/b") == "the URL \"http://...@a/b\" " + named);
    CHECK(why("http://secret@a") == "the URL \"http://...@a\" " + named);
    CHECK(why("http://a/b\r\nX: y") ==
          "the URL \"http://a/b\\x0d\\x0aX: y\" has a byte that must be percent-encoded");
    for (const char* bad :
         {"http://me:sec@secret@a/", "http://me:w/secret@a/", "http://me:w?secret@a/", "me:secret@a",
          "http://me:w#/secret@a/", "//me:secret@a/", "https://me:secret@a/", "ftp://me:secret@a\n"}) {
        CAPTURE(bad);
        const std::string text = why(bad);
        CHECK(text.find("the URL \"") == 0);
        CHECK(text.find("secret") == std::string::npos);
        CHECK(text.find('\n') == std::string::npos);
    }
    CHECK(http::parse_url("http://a/users/@me").target == "/users/@me");
}

TEST_CASE("a Location leads on from where it was given (RFC 3986 section 5.4)") {
    const http::Url base = http::parse_url("http://a:81/b/c/d;p?q");
    const auto resolved = [&](std::string_view location) {
        return http::resolve_url(base, location).to_string();
    };
    CHECK(resolved("g") == "http://a:81/b/c/g");
    CHECK(resolved("./g") == "http://a:81/b/c/g");
    CHECK(resolved("g/") == "http://a:81/b/c/g/");
    CHECK(resolved("/g") == "http://a:81/g");
    CHECK(resolved("//g") == "http://g/");
    CHECK(resolved("?y") == "http://a:81/b/c/d;p?y");
    CHECK(resolved("g?y#s") == "http://a:81/b/c/g?y");
    CHECK(resolved("") == "http://a:81/b/c/d;p?q");
    CHECK(resolved("#s") == "http://a:81/b/c/d;p?q");
    CHECK(resolved(".") == "http://a:81/b/c/");
    CHECK(resolved("..") == "http://a:81/b/");
    CHECK(resolved("../g") == "http://a:81/b/g");
    CHECK(resolved("../../../../g") == "http://a:81/g");
    CHECK(resolved("/./g/../h") == "http://a:81/h");
    CHECK(resolved("g;x=1/../y") == "http://a:81/b/c/y");
    CHECK(resolved("http://other/x") == "http://other/x");
    CHECK(resolved("/x?to=http://y") == "http://a:81/x?to=http://y");
    CHECK_THROWS_AS(static_cast<void>(resolved("https://a/")), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(resolved("/a b")), std::invalid_argument);
}

}  // namespace test_client_url
