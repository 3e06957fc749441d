// URLs of the client: taken apart, refused, and resolved where a redirect leads.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

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
        // Two spellings of one origin.
        {"http://a:/x", "a:80", "a", "/x"},
        {"http://a:80/x", "a:80", "a", "/x"},
        {"http://a:00080", "a:80", "a", "/"},
        {"http://a:80?d", "a:80", "a", "/?d"},
        {"http://a:08080/x", "a:8080", "a:8080", "/x"},
        {"http://a:0/x", "a:0", "a:0", "/x"},
        {"http://A.Example:65535/X", "a.example:65535", "a.example:65535", "/X"},
        {"http://[FE80::A]:80/x", "[fe80::a]:80", "[fe80::a]", "/x"},
        {"http://[::1]:/x", "[::1]:80", "[::1]", "/x"},
        {"http://unix/x", "unix:80", "unix", "/x"},
        {"http://unix:8080/x", "unix:8080", "unix:8080", "/x"},
        {"http://a/%20?q=%C3%A4", "a:80", "a", "/%20?q=%C3%A4"},
        // What may not stand in a request is escaped, once.
        {"http://a/b c", "a:80", "a", "/b%20c"},
        {"http://a/b c?d e#f g", "a:80", "a", "/b%20c?d%20e"},
        {"http://a/\xc3\xa4?\xf0\x9f\x8d\xb6=\xff", "a:80", "a", "/%C3%A4?%F0%9F%8D%B6=%FF"},
        {"http://a/\"<>^`{|}?\"<>\\^`{|}", "a:80", "a",
         "/%22%3C%3E%5E%60%7B%7C%7D?%22%3C%3E%5C%5E%60%7B%7C%7D"},
        {"http://a? ", "a:80", "a", "/?%20"},
        {"http://a/[1]?b[]=2", "a:80", "a", "/[1]?b[]=2"},
        {"http://a/100%", "a:80", "a", "/100%25"},
        {"http://a/%2?%zz%41", "a:80", "a", "/%252?%25zz%41"},
        // As browsers read them.
        {"http://a/b\tc?d\te\t", "a:80", "a", "/bc?de"},
        {"ht\ttp:/\t/\ta\t:8\t1/", "a:81", "a:81", "/"},
        {"http://a/b\\c\\..\\d?e\\f#g\\h", "a:80", "a", "/b/c/../d?e%5Cf"},
        {"http://a/\\b", "a:80", "a", "//b"},
        {"http://a?b\\c", "a:80", "a", "/?b%5Cc"},
        {"http://a#\\", "a:80", "a", "/"},
        // One address of IPv6.
        {"http://[0:0:0:0:0:0:0:1]/x", "[::1]:80", "[::1]", "/x"},
        {"http://[0::0001]:81/x", "[::1]:81", "[::1]:81", "/x"},
        {"http://[2001:0DB8:0:0::1]/", "[2001:db8::1]:80", "[2001:db8::1]", "/"},
        {"http://[::FFFF:7F00:1]/", "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]", "/"},
        {"http://[::]/", "[::]:80", "[::]", "/"},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const http::Url url = http::parse_url(each.text);
        CHECK(url.address() == each.address);
        CHECK(url.authority == each.authority);
        CHECK(url.target == each.target);
        CHECK(http::parse_url(url.to_string()) == url);
    }
}

TEST_CASE("host and port of a URL") {
    const auto check = [](const char* text, std::string_view host, int port) {
        const http::Url url = http::parse_url(text);
        CHECK(url.host() == host);
        CHECK(url.port() == port);
        CHECK(url.origin() == "http://" + url.address());
    };
    check("http://a", "a", 80);
    check("http://a:81", "a", 81);
    check("http://a:0", "a", 0);
    check("http://[::1]", "::1", 80);
    check("http://[::1]:65535/x:7", "::1", 65535);
    check("http://unix:9", "unix", 9);
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
                                       "http://a/\r\nX: y"sv,
                                       "http://a/\0"sv,
                                       "http://a\0b/"sv,
                                       "http://a/?\0"sv,
                                       "http://a/?\r"sv,
                                       "http://a/\n"sv,
                                       "http://a/\x7f"sv,
                                       "http://a/\x1b[0m"sv,
                                       "http://\xc3\xa4/"sv,
                                       "http://a%20b/"sv,
                                       "http://a\\@b/"sv,
                                       "http://a\\b"sv,
                                       "http://a:80\\b"sv,
                                       "http://\\a/"sv,
                                       "http:\\\\a/"sv,
                                       "http:/\\a/"sv,
                                       "http:\\/a/"sv,
                                       "http:/\t\\a/"sv,
                                       "\\\\a/"sv,
                                       "http://[::1]\\a"sv,
                                       "http://a\\"sv,
                                       "http:\\a"sv,
                                       "http://user:word@a/"sv,
                                       "http://a:99999/"sv,
                                       "http://a:x/"sv,
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
    const std::string backslash = "has a backslash at its host";
    CHECK(why("http://a\\@b/") == "the URL \"http://...@b/\" " + backslash);
    CHECK(why("http:\\\\a\\b") == "the URL \"http:\\\\a\\b\" " + backslash);
    CHECK(why("http://a/b\r\nX: y") == "the URL \"http://a/b\\x0d\\x0aX: y\" has a control character");
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
    // Escaped where it must be, as browsers do.
    CHECK(resolved("/a b") == "http://a:81/a%20b");
    CHECK(resolved("caf\xc3\xa9/\xff?x=\"y z\"#no \xc3\xa9") ==
          "http://a:81/b/c/caf%C3%A9/%FF?x=%22y%20z%22");
    CHECK(resolved("?a b") == "http://a:81/b/c/d;p?a%20b");
    CHECK(resolved("//g/a b") == "http://g/a%20b");
    CHECK(resolved("http://g:80/{|}%") == "http://g/%7B%7C%7D%25");
    // A backslash is a slash, but not at a host, and not in a query.
    CHECK(resolved("\\x") == "http://a:81/x");
    CHECK(resolved("x\\y\\..\\z?\\#\\") == "http://a:81/b/c/x/z?%5C");
    CHECK(resolved("..\\..\\x") == "http://a:81/x");
    CHECK(resolved("//g/\\x") == "http://g//x");
    CHECK(resolved("?\\\\x") == "http://a:81/b/c/d;p?%5C%5Cx");
    CHECK(resolved("\\?//x") == "http://a:81/?//x");
    // A tab is nothing.
    CHECK(resolved("/a\tb?c\td\t") == "http://a:81/ab?cd");
    CHECK(resolved("/\t/g\t/x") == "http://g/x");
    CHECK(resolved("\t") == "http://a:81/b/c/d;p?q");
    // The scheme alone leads nowhere else.
    CHECK(resolved("http:/z") == "http://a:81/z");
    CHECK(resolved("HTTP:\\z") == "http://a:81/z");
    CHECK(resolved("http:z?y#x") == "http://a:81/b/c/z?y");
    CHECK(resolved("http:") == "http://a:81/b/c/d;p?q");
    CHECK(resolved("http:?y") == "http://a:81/b/c/d;p?y");
    CHECK(resolved("http:#s") == "http://a:81/b/c/d;p?q");
    CHECK(resolved("http:../g") == "http://a:81/b/g");
    CHECK(resolved("http:1:2") == "http://a:81/b/c/1:2");
    CHECK(resolved("http:mailto:x") == "http://a:81/b/c/mailto:x");
    CHECK(resolved("h\tttp:\t//g/") == "http://g/");
    CHECK(resolved("../ g/./h") == "http://a:81/b/%20g/h");
    CHECK(resolved("/%20%zz") == "http://a:81/%20%25zz");
    // A colon makes a scheme only behind what can be one.
    CHECK(resolved("a b:c") == "http://a:81/b/c/a%20b:c");
    CHECK(resolved("1:2") == "http://a:81/b/c/1:2");
    CHECK(resolved("\xc3\xa9:2") == "http://a:81/b/c/%C3%A9:2");
    CHECK(resolved(":2") == "http://a:81/b/c/:2");
    using namespace std::string_view_literals;
    for (const auto bad :
         {"mailto:a"sv,       "a-1+.:b"sv,    "/a\r\nX: b"sv,  "/\0"sv,       "b\nc"sv,     "//a b/"sv,
          "//\xc3\xa9/"sv,    "//a:b/"sv,     "//user@a/"sv,   "http:///x"sv, "/\x7f"sv,    "///x"sv,
          "\\\\g"sv,          "/\\g"sv,       "\\/g"sv,        "/\t\\g"sv,    "//g\\x"sv,   "//g\\@h/"sv,
          "http:\\\\g/"sv,    "http:/\\g/"sv, "http://g\\x"sv, "\\\\\\g"sv,   "https:/z"sv, "c:\\x"sv,
          "http:/\r\nX: b"sv, "http:\0"sv}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(static_cast<void>(resolved(bad)), std::invalid_argument);
    }
}

TEST_CASE("whatever a Location is made of, every reader sees the same host, and the request stays whole") {
    const http::Url base = http::parse_url("http://base:81/b/c?q");
    const auto resolved = [&](const std::string& location) -> std::optional<http::Url> {
        try {
            return http::resolve_url(base, location);
        } catch (const std::invalid_argument&) {
            return std::nullopt;
        }
    };
    const auto with = [](std::string text, const std::string& backslash) {
        const std::size_t path_end = std::min(text.find_first_of("?#"), text.size());
        for (std::size_t at = path_end; at-- > 0;) {
            if (text[at] == '\\') text.replace(at, 1, backslash);
        }
        return text;
    };
    const std::vector<std::string> pieces = {"\\", "/", ":", "@",     "?",  "#",
                                             "\t", "%", "a", "http:", "..", "[::1]"};
    int followed = 0;
    const auto check = [&](const std::string& location) {
        const auto url = resolved(location);
        if (!url) return;
        ++followed;
        INFO(location);
        REQUIRE(url->target.front() == '/');
        REQUIRE(
            std::all_of(url->target.begin(), url->target.end(), [](char c) { return c > ' ' && c < 127; }));
        REQUIRE(url->authority.find_first_of("\\/@?#%\t") == std::string::npos);
        REQUIRE(http::parse_url(url->to_string()) == *url);
        const auto as_slash = resolved(with(location, "/"));
        REQUIRE(as_slash == url);
        // To a reader of RFC 3986, it is a character like others.
        const auto as_character = resolved(with(location, "%5C"));
        REQUIRE(as_character.has_value());
        REQUIRE(as_character->authority == url->authority);
    };
    std::vector<std::string> all = {""};
    for (std::size_t begin = 0, length = 0; length < 4; ++length) {
        const std::size_t end = all.size();
        for (; begin < end; ++begin) {
            for (const std::string& piece : pieces) all.push_back(all[begin] + piece);
        }
    }
    for (const std::string& location : all) check(location);
    CHECK(followed > 1000);
}

}  // namespace test_client_url
