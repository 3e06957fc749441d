#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_uri {

namespace http = sake::http;
using namespace std::string_view_literals;
using Form = sake::detail::Target::Form;

TEST_CASE("an origin-form target falls into path and query at the first question mark") {
    const auto target = sake::detail::parse_target(sake::detail::Method::get, "/a/b?x=1?y=2");
    REQUIRE(target.has_value());
    CHECK(target->form == Form::origin);
    CHECK(target->path == "/a/b");
    CHECK(target->query == "x=1?y=2");
    CHECK(target->authority.empty());
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "/")->path == "/");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "/?")->query.empty());
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "//evil.example/x")->path ==
          "//evil.example/x");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "/http://a/")->path == "/http://a/");
}

TEST_CASE("an absolute-form target falls into authority, path and query") {
    const auto target =
        sake::detail::parse_target(sake::detail::Method::get, "http://example.com:8080/a?b=c");
    REQUIRE(target.has_value());
    CHECK(target->form == Form::absolute);
    CHECK(target->authority == "example.com:8080");
    CHECK(target->path == "/a");
    CHECK(target->query == "b=c");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "HTTPS://example.com")->path == "/");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "http://example.com?q")->path == "/");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "http://example.com?q")->query == "q");
    CHECK(sake::detail::parse_target(sake::detail::Method::get, "http://[::1]:80/")->authority == "[::1]:80");
}

TEST_CASE("a target that has no form of its method is none") {
    for (const auto bad : {""sv,
                           "a"sv,
                           "a/b"sv,
                           "?q"sv,
                           "*a"sv,
                           "http:/a"sv,
                           "http://"sv,
                           "http:///a"sv,
                           "http://?q"sv,
                           "http://user@host/"sv,
                           "http://user:pw@host/"sv,
                           "http://a b/"sv,
                           "http://a,b/"sv,
                           "http://a:x/"sv,
                           "http://a:99999/"sv,
                           "http://[::1/"sv,
                           "http://%41/"sv,
                           "http://:80/"sv,
                           "ftp://a/"sv,
                           "://a/"sv,
                           "example.com:80"sv,
                           "example.com"sv,
                           "javascript:alert"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::detail::parse_target(sake::detail::Method::get, bad).has_value());
        CHECK_FALSE(sake::detail::parse_target(sake::detail::Method::options, bad).has_value());
    }
    CHECK_FALSE(sake::detail::parse_target(sake::detail::Method::get, "*").has_value());
    CHECK_FALSE(sake::detail::parse_target(sake::detail::Method::other, "*").has_value());
    const auto star = sake::detail::parse_target(sake::detail::Method::options, "*");
    REQUIRE(star.has_value());
    CHECK(star->form == Form::asterisk);
    CHECK(star->path == "*");
}

TEST_CASE("OPTIONS for a URL without a path is about the server, and every other method about its root") {
    const auto path_of = [](sake::detail::Method method, std::string_view text) {
        return std::string(sake::detail::parse_target(method, text)->path);
    };
    CHECK(path_of(sake::detail::Method::options, "http://a").empty());
    CHECK(path_of(sake::detail::Method::options, "http://a:80").empty());
    CHECK(path_of(sake::detail::Method::options, "http://a/") == "/");
    CHECK(path_of(sake::detail::Method::options, "http://a?") == "/");
    CHECK(path_of(sake::detail::Method::options, "http://a?x") == "/");
    CHECK(path_of(sake::detail::Method::get, "http://a") == "/");
}

TEST_CASE("CONNECT takes host and port, and nothing else does") {
    const auto target = sake::detail::parse_target(sake::detail::Method::connect, "example.com:443");
    REQUIRE(target.has_value());
    CHECK(target->form == Form::authority);
    CHECK(target->authority == "example.com:443");
    CHECK(sake::detail::parse_target(sake::detail::Method::connect, "[2001:db8::1]:443").has_value());
    for (const auto bad :
         {""sv, "/"sv, "*"sv, "example.com"sv, "example.com:"sv, ":443"sv, "a:b"sv, "a:443/"sv, "a:0"sv,
          "a:000"sv, "u@a:443"sv, "[::1]"sv, "[::1]:"sv, "http://a:443"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::detail::parse_target(sake::detail::Method::connect, bad).has_value());
    }
}

TEST_CASE("a Host value is a name or an address, with or without a port") {
    for (const auto good : {""sv,
                            "a"sv,
                            "example.com"sv,
                            "EXAMPLE.com"sv,
                            "a_b.example"sv,
                            "example.com."sv,
                            "127.0.0.1"sv,
                            "127.0.0.1:8080"sv,
                            "localhost:0"sv,
                            "a:"sv,
                            "a:65535"sv,
                            "a:00080"sv,
                            "[::1]"sv,
                            "[::]"sv,
                            "[::1]:80"sv,
                            "[1:2:3:4:5:6:7:8]"sv,
                            "[1::8]"sv,
                            "[1:2:3:4:5:6:7::]"sv,
                            "[::2:3:4:5:6:7:8]"sv,
                            "[fe80::1]"sv,
                            "[::ffff:192.0.2.1]"sv,
                            "[1:2:3:4:5:6:1.2.3.4]"sv,
                            "[ABCD:ef01::]"sv,
                            "[1::1.2.3.4]"sv}) {
        CAPTURE(good);
        CHECK(sake::detail::is_valid_host(good));
    }
    for (const auto bad : {" "sv,
                           "a b"sv,
                           "a,b"sv,
                           "a\tb"sv,
                           "user@a"sv,
                           "a/b"sv,
                           "a?b"sv,
                           "a#b"sv,
                           "a\\b"sv,
                           "\"a\""sv,
                           "'a'"sv,
                           "a%41"sv,
                           "<a>"sv,
                           "a:b"sv,
                           "a:-1"sv,
                           "a:+1"sv,
                           "a:65536"sv,
                           "a:99999999999999999999"sv,
                           "a: 80"sv,
                           "a:80:80"sv,
                           "a:80/"sv,
                           ":"sv,
                           ":80"sv,
                           "::1"sv,
                           "["sv,
                           "]"sv,
                           "[]"sv,
                           "[::1"sv,
                           "::1]"sv,
                           "[::1]a"sv,
                           "[::1]80"sv,
                           "[::1]]"sv,
                           "[[::1]]"sv,
                           "[1:2:3:4:5:6:7]"sv,
                           "[1:2:3:4:5:6:7:8:9]"sv,
                           "[1::2::3]"sv,
                           "[:::]"sv,
                           "[:1]"sv,
                           "[1:]"sv,
                           "[:]"sv,
                           "[12345::]"sv,
                           "[g::]"sv,
                           "[::1%25eth0]"sv,
                           "[::1.2.3]"sv,
                           "[::1.2.3.256]"sv,
                           "[::01.2.3.4]"sv,
                           "[::1.2.3.4:5]"sv,
                           "[1:2:3:4:5:6:7:1.2.3.4]"sv,
                           "[1:2:3:4:5:6:7:8::]"sv,
                           "[127.0.0.1]"sv,
                           "[v1.a]"sv,
                           "a\0"sv,
                           "\xc3\xa9"sv,
                           "a;b"sv,
                           "a(b)"sv,
                           "a&b"sv,
                           "a=b"sv,
                           "a|b"sv,
                           "a`b"sv,
                           "{a}"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::detail::is_valid_host(bad));
    }
}

TEST_CASE("percent_decode takes two hex digits after every percent sign") {
    CHECK(http::percent_decode("") == "");
    CHECK(http::percent_decode("a%20b") == "a b");
    CHECK(http::percent_decode("%2F%2f") == "//");
    CHECK(http::percent_decode("a+b") == "a+b");
    CHECK(sake::detail::percent_decode_form("a+b%2B") == "a b+");
    CHECK(http::percent_decode("%00") == std::string(1, '\0'));
    CHECK(http::percent_decode("%252e") == "%2e");  // once only
    for (const auto bad : {"%"sv, "a%"sv, "%4"sv, "a%4"sv, "%zz"sv, "%4z"sv, "%z4"sv, "% 41"sv, "%%41"sv,
                           "%u0041"sv, "%-1"sv, "%+1"sv, "%0x"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(http::percent_decode(bad).has_value());
    }
}

TEST_CASE("in a query or form, a percent sign that begins no escape is itself") {
    using sake::detail::percent_decode_form;
    for (const auto same :
         {"%"sv, "a%"sv, "%4"sv, "a%4"sv, "%zz"sv, "%4z"sv, "%z4"sv, "%u0041"sv, "%-1"sv, "%0x"sv, "%%"sv}) {
        CAPTURE(same);
        CHECK(percent_decode_form(same) == same);
        CHECK(sake::detail::decodes_to(same, same));
        CHECK_FALSE(sake::detail::decodes_to(same, same.substr(1)));
    }
    CHECK(percent_decode_form("%%41") == "%A");
    CHECK(percent_decode_form("%4%41%") == "%4A%");
    CHECK(percent_decode_form("%+1") == "% 1");
    CHECK(percent_decode_form("%2+%2B") == "%2 +");
    CHECK(percent_decode_form("%25zz") == "%zz");  // once only
    CHECK(sake::detail::decodes_to("%%41+%", "%A %"));
}

TEST_CASE("a text becomes a URI reference: what may not stand in one is escaped, once") {
    CHECK(sake::detail::escape_reference("https://[::1]:80/a;b/c?d=e&f=%2F#g") ==
          "https://[::1]:80/a;b/c?d=e&f=%2F#g");
    for (const auto good : {"//[::1]/a"sv, "http://[::1]"sv, "a:b#c"sv, "?q//x"sv, "#"sv, "a//b:c"sv}) {
        CHECK(sake::detail::escape_reference(good) == good);
    }
    CHECK(sake::detail::escape_reference("/a[1]?b[]=2#c[3]") == "/a%5B1%5D?b%5B%5D=2#c%5B3%5D");
    CHECK(sake::detail::escape_reference("http://[::1]/[2]") == "http://[::1]/%5B2%5D");
    CHECK(sake::detail::escape_reference("//a?[") == "//a?%5B");
    CHECK(sake::detail::escape_reference("a//[b]") == "a//%5Bb%5D");
    CHECK(sake::detail::escape_reference("/a#b#c#") == "/a#b%23c%23");
    CHECK(sake::detail::escape_reference("") == "");
    CHECK(sake::detail::escape_reference("/a b\t\"<>\\^`{|}") == "/a%20b%09%22%3C%3E%5C%5E%60%7B%7C%7D");
    CHECK(sake::detail::escape_reference("/caf\xC3\xA9/\xFF") == "/caf%C3%A9/%FF");
    CHECK(sake::detail::escape_reference("%zz%4%41%") == "%25zz%254%41%25");
    const std::string once = sake::detail::escape_reference("/a b%");
    CHECK(sake::detail::escape_reference(once) == once);
    CHECK(sake::detail::escape_reference("a\r\nb") == "a\r\nb");  // for a header to refuse
}

TEST_CASE("percent_encode and percent_decode bring all 256 bytes back") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    const std::string coded = http::percent_encode(all);
    CHECK(http::percent_decode(coded) == all);
    for (const char c : coded) {
        CHECK((c == '%' || sake::ascii::is(c, sake::ascii::segment)));
    }
    CHECK(http::percent_encode("a/b c?d#e%") == "a%2Fb%20c%3Fd%23e%25");
    CHECK(http::percent_encode("A-z_0.9~") == "A-z_0.9~");
}

TEST_CASE("needs_decoding sees escapes, and in forms the plus sign too") {
    CHECK_FALSE(sake::detail::needs_decoding("/plain/path+x"));
    CHECK(sake::detail::needs_decoding("/a%20b"));
    CHECK(sake::detail::needs_form_decoding("a+b"));
    CHECK(sake::detail::needs_form_decoding("a%20b"));
    CHECK_FALSE(sake::detail::needs_form_decoding("plain"));
}

TEST_CASE("a path must decode to UTF-8 without NUL") {
    CHECK(sake::detail::decode_path("/caf%C3%A9") == "/caf\xc3\xa9");
    CHECK(sake::detail::decode_path("/a%2Fb") == "/a/b");
    for (const auto bad :
         {"/%00"sv, "/%C3"sv, "/%C0%AF"sv, "/%FF"sv, "/%ED%A0%80"sv, "/%F4%90%80%80"sv, "/%"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(sake::detail::decode_path(bad).has_value());
    }
}

namespace {

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

Pairs pairs_of(std::string_view query) {
    Pairs pairs;
    for (auto& [key, value] : sake::detail::QueryPairs(query)) pairs.emplace_back(key, value);
    return pairs;
}

}  // namespace

TEST_CASE("query pairs come in order and raw") {
    CHECK(pairs_of("a=1&b=2&a=3") == Pairs{{"a", "1"}, {"b", "2"}, {"a", "3"}});
    CHECK(pairs_of("a=%20&b+c=d") == Pairs{{"a", "%20"}, {"b+c", "d"}});
    CHECK(pairs_of("").empty());
    CHECK(pairs_of("&&&").empty());
    CHECK(pairs_of("&a&&b=&=c&=&") == Pairs{{"a", ""}, {"b", ""}, {"", "c"}, {"", ""}});
    CHECK(pairs_of("a=b=c") == Pairs{{"a", "b=c"}});
    CHECK(pairs_of("a;b=1") == Pairs{{"a;b", "1"}});
}

TEST_CASE("query_value compares decoded keys and decodes the value") {
    const std::string_view query = "plain=1&sp+ace=a+b&p%6Cus=%2B&empty=&flag&last=%e2%82%ac";
    CHECK(sake::detail::query_value(query, "plain") == "1");
    CHECK(sake::detail::query_value(query, "sp ace") == "a b");
    CHECK(sake::detail::query_value(query, "plus") == "+");
    CHECK(sake::detail::query_value(query, "empty") == "");
    CHECK(sake::detail::query_value(query, "flag") == "");
    CHECK(sake::detail::query_value(query, "last") == "\xe2\x82\xac");
    CHECK_FALSE(sake::detail::query_value(query, "sp+ace").has_value());
    CHECK_FALSE(sake::detail::query_value(query, "p%6Cus").has_value());
    CHECK_FALSE(sake::detail::query_value(query, "plai").has_value());
    CHECK_FALSE(sake::detail::query_value(query, "plain1").has_value());
    CHECK_FALSE(sake::detail::query_value(query, "").has_value());
    CHECK(sake::detail::query_value("a=1&a=2", "a") == "1");
}

TEST_CASE("a query that ends in the middle of an escape is read to its end and no further") {
    for (const auto half : {"a=%"sv, "a=%4"sv, "a=x%"sv}) {
        CHECK(sake::detail::query_value(half, "a") == half.substr(2));
        CHECK(sake::detail::query_value(half.substr(0, half.size() - 1), "a") ==
              half.substr(2, half.size() - 3));
    }
    CHECK(sake::detail::query_value("a%=1", "a%") == "1");
    CHECK(sake::detail::query_value("%4=%4", "%4") == "%4");
    for (const auto bad : {"%=1"sv, "a%=1"sv, "%4=1"sv, "%"sv}) {
        CHECK_FALSE(sake::detail::query_value(bad, "a").has_value());
        CHECK_FALSE(sake::detail::query_value(bad, "").has_value());
    }
}

}  // namespace test_uri
