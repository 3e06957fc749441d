// The cache of http::Client: what RFC 9111 lets it keep, for whom and how long, and what it never gives away.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/scripted_server.hpp"

namespace test_client_cache {

using namespace std::chrono_literals;
namespace http = sake::http;
namespace detail = sake::http::detail;
using detail::Audience;
using detail::CacheControl;
using detail::CacheQuestion;
using detail::CacheRules;
using detail::Exchange;
using detail::ResponseCache;
using harness::answer;
using harness::outcome;
using harness::ScriptedServer;
using harness::with_script;
using http::CacheOptions;
using http::Client;
using http::Headers;
using http::Request;
using http::Response;
using sake::Task;

namespace {

const std::string new_year = "Thu, 01 Jan 2026 00:00:00 GMT";
constexpr Exchange::Moment start{24h};

/// An answer that took no time, at new year.
Exchange at_new_year() {
    Exchange exchange(start);
    exchange.end(start, std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    return exchange;
}

CacheRules rules_of(const Headers& headers, Audience audience = Audience::shared) {
    return CacheRules(headers, at_new_year(), audience);
}

/// For how many seconds such an answer is fresh, in whole seconds; -1 if it may not be kept.
long fresh_for(const Headers& headers, Audience audience = Audience::shared) {
    const CacheRules rules = rules_of(headers, audience);
    if (!rules.allow_keeping(200, false)) return -1;
    long seconds = 0;
    while (seconds < 1000 && rules.is_fresh({}, start + std::chrono::seconds(seconds))) ++seconds;
    return seconds;
}

http::ClientOptions with(CacheOptions cache) {
    http::ClientOptions options;
    if (cache.max_bytes == 0) cache.max_bytes = 1 << 20;
    options.cache = cache;
    return options;
}

/// A GET of the path "/" with these fields.
Request ask(const ScriptedServer& server, const Headers& headers = {}) {
    Request request("GET", server.origin() + "/");
    for (const auto& [name, value] : headers) request.header(name, value);
    return request;
}

/// How often the server is asked, if both requests are sent one after the other.
std::size_t asked_for(const std::string& fields, const Headers& first, const Headers& second,
                      CacheOptions options = {}) {
    std::size_t count = 0;
    with_script({answer(200, fields, "one"), answer(200, fields, "two")}, with(options),
                [&](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, ask(server, first)));
                    static_cast<void>(co_await outcome(client, ask(server, second)));
                    count = server.count();
                });
    return count;
}

const std::string for_a_minute = "Cache-Control: max-age=60\r\n";

}  // namespace

// ---- What an answer says ----

TEST_CASE("how long an answer is fresh: max-age, s-maxage, Expires, Date and Age") {
    const std::string later = "Thu, 01 Jan 2026 00:01:40 GMT";
    const struct {
        Headers headers;
        long shared;
        long one_user;
    } table[] = {
        {{{"Cache-Control", "max-age=60"}}, 60, 60},
        {{{"cache-control", "MAX-AGE=60"}}, 60, 60},
        {{{"Cache-Control", "max-age=\"60\""}}, 60, 60},
        {{{"Cache-Control", "max-age = 60"}}, 60, 60},
        {{{"Cache-Control", "max-age=0"}, {"ETag", "\"a\""}}, 0, 0},
        {{{"Cache-Control", "max-age=60, s-maxage=30"}}, 30, 60},
        {{{"Cache-Control", "s-maxage=30"}}, 30, -1},
        {{{"Cache-Control", "max-age=60, max-age=20"}}, 20, 20},
        {{{"Cache-Control", "max-age=60"}, {"Cache-Control", "max-age=20"}}, 20, 20},
        {{{"Cache-Control", "max-age=-1"}}, 0, 0},
        {{{"Cache-Control", "max-age=1.5"}}, 0, 0},
        {{{"Cache-Control", "max-age"}}, 0, 0},
        {{{"Cache-Control", "max-age=99999999999999999999"}}, 1000, 1000},
        {{{"Cache-Control", "x=\"max-age=60\", max-age=5"}}, 5, 5},
        {{{"Cache-Control", "x=\"a, max-age=60\""}}, -1, -1},
        {{{"Cache-Control", "x=\"\\\", max-age=60\""}}, -1, -1},
        {{{"Cache-Control", "max-age=60, x=\"open"}}, -1, -1},  // nobody knows what it says
        {{{"Cache-Control", "max-age=60"}, {"Expires", "0"}}, 60, 60},
        {{{"Expires", later}, {"Date", new_year}}, 100, 100},
        {{{"Expires", later}}, 100, 100},
        {{{"Expires", later}, {"Date", "Thu, 01 Jan 2026 00:00:40 GMT"}}, 60, 60},
        {{{"Expires", new_year}, {"Date", later}}, 0, 0},
        {{{"Expires", "0"}}, 0, 0},
        {{{"Expires", "Thu, 01 Jan 2026 00:01:40"}}, 0, 0},
        {{{"Cache-Control", "max-age=60"}, {"Age", "20"}}, 40, 40},
        {{{"Cache-Control", "max-age=60"}, {"Age", "60"}}, 0, 0},
        {{{"Cache-Control", "max-age=60"}, {"Age", "99999999999999999999"}}, 0, 0},
        {{{"Cache-Control", "max-age=60"}, {"Age", "soon"}}, 60, 60},
        {{{"Cache-Control", "max-age=60"}, {"Date", "Wed, 31 Dec 2025 23:59:50 GMT"}}, 50, 50},
        {{{"Cache-Control", "max-age=60"}, {"Date", "Wed, 31 Dec 2025 23:59:50 GMT"}, {"Age", "20"}}, 40, 40},
        {{{"Cache-Control", "max-age=60"}, {"Date", later}}, 60, 60},  // a clock that is ahead
        {{{"Cache-Control", "no-cache, max-age=60"}}, 0, 0},
        {{{"Cache-Control", "no-cache=\"Set-Cookie\", max-age=60"}}, 0, 0},
        {{{"ETag", "\"a\""}}, 0, 0},
        {{{"Last-Modified", new_year}}, 0, 0},  // no guesses
        {{}, -1, -1},
        {{{"Cache-Control", "no-store, max-age=60"}}, -1, -1},
        {{{"Cache-Control", "max-age=60"}, {"Cache-Control", "No-Store"}}, -1, -1},
        {{{"Cache-Control", "private, max-age=60"}}, -1, 60},
        {{{"Cache-Control", "private=\"X\", max-age=60"}}, -1, 60},
        {{{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}}, -1, 60},
        {{{"Cache-Control", "public, max-age=60"}, {"Set-Cookie", "a=b"}}, -1, 60},
        {{{"Cache-Control", "max-age=60"}, {"Vary", "*"}}, -1, -1},
        {{{"Cache-Control", "max-age=60"}, {"Vary", "Accept, *"}}, -1, -1},
        {{{"Cache-Control", "max-age=60"}, {"Vary", "Accept"}}, 60, 60},
        {{{"Pragma", "x"}}, -1, -1},
    };
    for (const auto& row : table) {
        CAPTURE(std::string(row.headers.wire()));
        CHECK(fresh_for(row.headers) == row.shared);
        CHECK(fresh_for(row.headers, Audience::one_user) == row.one_user);
    }
}

TEST_CASE("the time that the answer took counts to its age") {
    Exchange exchange(start);
    exchange.end(start + 10s, std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    const CacheRules rules({{"Cache-Control", "max-age=60"}, {"Age", "5"}}, exchange, Audience::shared);
    CHECK(rules.age(start + 10s) == 15s);
    CHECK(rules.is_fresh({}, start + 54s));
    CHECK_FALSE(rules.is_fresh({}, start + 55s));
}

TEST_CASE("which statuses may be kept") {
    const CacheRules rules = rules_of({{"Cache-Control", "max-age=60"}});
    for (const int status : {200, 203, 204, 300, 301, 308, 404, 405, 410}) {
        CHECK(rules.allow_keeping(status, false));
    }
    for (const int status : {201, 206, 302, 303, 304, 307, 400, 401, 403, 429, 500, 502, 503, 504}) {
        CHECK_FALSE(rules.allow_keeping(status, false));
    }
}

TEST_CASE("the answer to a request with credentials is kept only if it says that it is for all") {
    const auto may = [](const char* control, Audience audience) {
        return rules_of({{"Cache-Control", control}}, audience).allow_keeping(200, true);
    };
    CHECK_FALSE(may("max-age=60", Audience::shared));
    CHECK_FALSE(may("max-age=60, must-revalidate", Audience::shared));
    CHECK_FALSE(may("private, max-age=60", Audience::shared));
    CHECK_FALSE(may("private, public, max-age=60", Audience::shared));
    CHECK(may("public, max-age=60", Audience::shared));
    CHECK(may("s-maxage=60", Audience::shared));
    CHECK(may("max-age=60", Audience::one_user));
    CHECK(may("private, max-age=60", Audience::one_user));
    CHECK_FALSE(may("no-store, public, max-age=60", Audience::one_user));
}

TEST_CASE("what a stale answer may stand in for, and for how long") {
    const auto seconds = [](const char* control, std::chrono::milliseconds allowed,
                            Audience audience = Audience::shared) {
        const CacheRules rules = rules_of({{"Cache-Control", control}, {"ETag", "\"a\""}}, audience);
        int count = 0;
        while (count < 1000 && rules.may_stand_in(allowed, start + 10s + std::chrono::seconds(count)))
            ++count;
        return count;
    };
    CHECK(seconds("max-age=10", 0ms) == 0);
    CHECK(seconds("max-age=10", 20s) == 20);
    CHECK(seconds("max-age=10, stale-if-error=30", 0ms) == 30);
    CHECK(seconds("max-age=10, stale-if-error=30", 20s) == 30);
    CHECK(seconds("max-age=10, stale-if-error=0", 20s) == 0);
    CHECK(seconds("max-age=10, must-revalidate", 20s) == 0);
    CHECK(seconds("max-age=10, no-cache", 20s) == 0);
    CHECK(seconds("max-age=10, proxy-revalidate", 20s) == 0);
    CHECK(seconds("s-maxage=10", 20s) == 0);
    CHECK(seconds("max-age=10, proxy-revalidate", 20s, Audience::one_user) == 20);
    CHECK(seconds("max-age=10", std::chrono::milliseconds::max()) == 1000);
}

// ---- The table of answers ----

namespace {

struct Bench {
    explicit Bench(CacheOptions options) : cache(options) {}

    static CacheQuestion question(const std::string& url, const Headers& headers = {}) {
        return CacheQuestion(http::parse_url(url), headers);
    }
    void keep(const std::string& url, std::string body, const Headers& asked = {},
              std::string_view vary = "") {
        Response response;
        response.status = 200;
        response.headers.set("Cache-Control", "max-age=60");
        if (!vary.empty()) response.headers.set("Vary", vary);
        response.body = std::move(body);
        cache.keep(question(url, asked), response, at_new_year());
    }
    std::string found(const std::string& url, const Headers& asked = {}) {
        const ResponseCache::Kept kept = cache.find(question(url, asked));
        return kept ? kept->response.body : "(none)";
    }

    ResponseCache cache;
};

}  // namespace

TEST_CASE("the key of a URL is that of no other") {
    const auto key = [](const char* url) { return CacheQuestion::key_of(http::parse_url(url)); };
    CHECK(key("http://a/b") == "1:a/b");
    CHECK(key("http://a:80/b#c") == key("http://A/b"));
    CHECK(key("http://a/b") != key("http://a/B"));
    CHECK(key("http://a/b?c") != key("http://a/b"));
    CHECK(key("http://a:81/b") != key("http://a:8/1/b"));
    CHECK(key("http://1/1:a") != key("http://11/:a"));
}

TEST_CASE("an answer is found by its URL and by the fields that it varies with") {
    Bench bench({.max_bytes = 1 << 20});
    bench.keep("http://a/", "english", {{"Accept-Language", "en"}}, "accept-language");
    bench.keep("http://a/", "german", {{"Accept-Language", "de"}}, "Accept-Language , Accept");
    bench.keep("http://a/", "any", {}, "Accept-Language");
    CHECK(bench.found("http://a/", {{"Accept-Language", "en"}}) == "english");
    CHECK(bench.found("http://a/", {{"accept-language", "en"}}) == "english");
    CHECK(bench.found("http://a/", {{"Accept-Language", "de"}}) == "german");
    CHECK(bench.found("http://a/", {{"Accept-Language", "de"}, {"Accept", "x"}}) == "(none)");
    CHECK(bench.found("http://a/", {{"Accept-Language", "fr"}}) == "(none)");
    CHECK(bench.found("http://a/", {{"Accept-Language", ""}}) == "(none)");  // "" is not none
    CHECK(bench.found("http://a/") == "any");
    CHECK(bench.found("http://b/") == "(none)");
    // The two fields are the one that a list of both is.
    bench.keep("http://c/", "both", {{"X", "1"}, {"X", "2"}}, "X");
    CHECK(bench.found("http://c/", {{"X", "1,2"}}) == "both");
    CHECK(bench.found("http://c/", {{"X", "1"}}) == "(none)");
}

TEST_CASE("a URL has so many variants at most, and the oldest is dropped") {
    Bench bench({.max_bytes = 1 << 20});
    const auto language = [](int i) { return Headers{{"X", std::to_string(i)}}; };
    for (int i = 0; i < 16; ++i) bench.keep("http://a/", std::to_string(i), language(i), "X");
    bench.keep("http://b/", "b");
    CHECK(bench.cache.size() == 17);
    CHECK(bench.found("http://a/", language(0)) == "0");
    bench.keep("http://a/", "16", language(16), "X");
    CHECK(bench.cache.size() == 17);
    CHECK(bench.found("http://a/", language(0)) == "(none)");
    for (int i = 1; i <= 16; ++i) CHECK(bench.found("http://a/", language(i)) == std::to_string(i));
    CHECK(bench.found("http://b/") == "b");
}

TEST_CASE("a body may be as large as allowed, and all together as many bytes; the least recent is dropped") {
    Bench small({.max_bytes = 1 << 20, .max_response = 100});
    for (const std::size_t size : {99u, 100u, 101u}) {
        small.keep("http://a/", std::string(size, 'x'));
        CHECK(small.cache.size() == (size <= 100 ? 1 : 0));  // the one before is dropped in any case
    }
    Bench probe({.max_bytes = 1 << 20});
    probe.keep("http://a/", std::string(1000, 'x'));
    const std::size_t one = probe.cache.bytes();
    CHECK(one > 1000);
    for (const std::size_t most : {one - 1, one, 3 * one - 1, 3 * one, 3 * one + 1}) {
        CAPTURE(most);
        Bench bench({.max_bytes = most});
        for (const char* url : {"http://a/", "http://b/", "http://c/"}) {
            bench.keep(url, std::string(1000, url[7]));
            CHECK(bench.cache.bytes() <= most);
        }
        CHECK(bench.cache.size() == most / one);
    }
    Bench bench({.max_bytes = 3 * one});
    for (const char* url : {"http://a/", "http://b/", "http://c/"}) bench.keep(url, std::string(1000, 'x'));
    CHECK(bench.found("http://a/") != "(none)");  // now the most recent
    bench.keep("http://d/", std::string(1000, 'x'));
    CHECK(bench.found("http://a/") != "(none)");
    CHECK(bench.found("http://b/") == "(none)");
    bench.keep("http://e/", std::string(3500, 'x'));
    CHECK(bench.cache.size() == 1);
}

TEST_CASE("the table grows, and every answer stays where it is found") {
    Bench bench({.max_bytes = 8 << 20});
    for (int i = 0; i < 3000; ++i) bench.keep("http://a/" + std::to_string(i), std::to_string(i));
    CHECK(bench.cache.size() == 3000);
    for (int i = 0; i < 3000; ++i) {
        REQUIRE(bench.found("http://a/" + std::to_string(i)) == std::to_string(i));
    }
    for (int i = 0; i < 3000; i += 2) bench.cache.forget(http::parse_url("http://a/" + std::to_string(i)));
    CHECK(bench.cache.size() == 1500);
    for (int i = 0; i < 3000; ++i) {
        REQUIRE((bench.found("http://a/" + std::to_string(i)) == "(none)") == (i % 2 == 0));
    }
    for (int i = 1; i < 3000; i += 2) bench.cache.forget(http::parse_url("http://a/" + std::to_string(i)));
    CHECK(bench.cache.bytes() == 0);
}

TEST_CASE("what belongs to a connection is not kept, nor the age that an answer had") {
    Bench bench({.max_bytes = 1 << 20});
    Response response;
    response.status = 200;
    response.headers = {{"Cache-Control", "max-age=60"},
                        {"Connection", "close, X-Hop"},
                        {"X-Hop", "1"},
                        {"Transfer-Encoding", "chunked"},
                        {"Keep-Alive", "timeout=5"},
                        {"X-Kept", "1"},
                        {"Age", "7"}};
    const CacheQuestion question = Bench::question("http://a/");
    bench.cache.keep(question, response, at_new_year());
    const Response kept = bench.cache.find(question)->answer(start + 3s);
    CHECK(kept.headers.wire() == "Cache-Control: max-age=60\r\nX-Kept: 1\r\nAge: 10\r\n");
}

// ---- Over sockets ----

TEST_CASE("an answer that is fresh is given again, with its age, and asked for when its time is over") {
    with_script({answer(200, for_a_minute, "one"), answer(200, for_a_minute, "two")}, with({}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    const std::string url = server.origin() + "/";
                    const Response first = co_await client.get(url);
                    CHECK(first.body == "one");
                    CHECK_FALSE(first.headers.contains("Age"));
                    co_await sake::sleep(59s);
                    const Response second = co_await client.get(url + "#part");
                    CHECK(second.status == 200);
                    CHECK(second.body == "one");
                    CHECK(second.headers.get("Age") == "59");
                    CHECK(server.count() == 1);
                    co_await sake::sleep(1s);
                    const Response third = co_await client.get(url);
                    CHECK(third.body == "two");
                    CHECK(server.count() == 2);
                });
}

TEST_CASE("without the option nothing is kept") {
    with_script({answer(200, for_a_minute)}, {}, [](ScriptedServer& server, Client& client) -> Task<> {
        for (int i = 0; i < 2; ++i) static_cast<void>(co_await outcome(client, ask(server)));
        CHECK(server.count() == 2);
    });
}

TEST_CASE("requests that are answered of what is kept, and requests that are not") {
    const Headers plain;
    CHECK(asked_for(for_a_minute, plain, plain) == 1);
    CHECK(asked_for("Cache-Control: no-store\r\n", plain, plain) == 2);
    const Headers own[] = {
        {{"Range", "bytes=0-1"}},          {{"If-None-Match", "\"a\""}}, {{"If-Match", "*"}},
        {{"If-Modified-Since", new_year}}, {{"If-Range", "\"a\""}},      {{"If-Unmodified-Since", new_year}},
        {{"Cache-Control", "no-store"}}};
    for (const Headers& headers : own) {
        CAPTURE(std::string(headers.wire()));
        CHECK(asked_for(for_a_minute, plain, headers) == 2);
        CHECK(asked_for(for_a_minute, headers, plain) == 2);
    }
    CHECK(asked_for(for_a_minute, plain, {{"Cache-Control", "no-cache"}}) == 2);
    CHECK(asked_for(for_a_minute, {{"Cache-Control", "no-cache"}}, plain) == 1);
    CHECK(asked_for("Cache-Control: max-age=60\r\nAge: 10\r\n", plain, {{"Cache-Control", "max-age=9"}}) ==
          2);
    CHECK(asked_for("Cache-Control: max-age=60\r\nAge: 10\r\n", plain, {{"Cache-Control", "max-age=10"}}) ==
          1);
    CHECK(asked_for(for_a_minute + "Vary: X\r\n", {{"X", "1"}}, {{"X", "1"}}) == 1);
    CHECK(asked_for(for_a_minute + "Vary: X\r\n", {{"X", "1"}}, {{"X", "2"}}) == 2);
}

TEST_CASE("one user's answer is not given to another, nor to nobody") {
    const Headers plain;
    const Headers ann{{"Authorization", "Bearer ann"}};
    const Headers bob{{"Authorization", "Bearer bob"}};
    const Headers cookie{{"Cookie", "session=1"}};
    const std::string shared = "Cache-Control: public, max-age=60\r\n";
    for (const Headers& each : {ann, cookie}) {
        CHECK(asked_for(for_a_minute, each, each) == 2);
        CHECK(asked_for(for_a_minute, each, plain) == 2);
        CHECK(asked_for(for_a_minute, each, bob) == 2);
        CHECK(asked_for(for_a_minute, plain, each) == 2);  // who is known may see more
        CHECK(asked_for(shared, each, plain) == 1);
        CHECK(asked_for(shared, plain, each) == 1);
        CHECK(asked_for("Cache-Control: private, max-age=60\r\n", each, each) == 2);
        CHECK(asked_for("Cache-Control: private, max-age=60\r\n", each, each, {.is_private = true}) == 1);
        CHECK(asked_for(for_a_minute, each, each, {.is_private = true}) == 1);
    }
    CHECK(asked_for("Cache-Control: private, max-age=60\r\n", plain, plain) == 2);
    CHECK(asked_for(for_a_minute + "Set-Cookie: session=1\r\n", plain, plain) == 2);
}

TEST_CASE("other methods are neither kept nor answered of what is kept, and open asks always") {
    for (const std::string method : {"HEAD", "OPTIONS", "QUERY", "get"}) {
        CAPTURE(method);
        with_script({answer(200, for_a_minute)}, with({}),
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        static_cast<void>(co_await outcome(client, ask(server)));
                        for (int i = 0; i < 2; ++i) {
                            Request other(method, server.origin() + "/");
                            static_cast<void>(co_await outcome(client, std::move(other)));
                        }
                        CHECK(server.count() == 3);
                    });
    }
    with_script({answer(200, for_a_minute)}, with({}), [](ScriptedServer& server, Client& client) -> Task<> {
        for (int i = 0; i < 2; ++i) {
            const http::ResponseStream stream = co_await client.open(ask(server));
            CHECK(stream.status == 200);
        }
        static_cast<void>(co_await outcome(client, ask(server)));
        CHECK(server.count() == 3);
        Request body("GET", server.origin() + "/");
        body.body("which?", "text/plain");
        static_cast<void>(co_await outcome(client, std::move(body)));
        CHECK(server.count() == 4);
    });
}

TEST_CASE("a 304 makes an answer fresh again, with the fields that it brings") {
    const std::string fields = "Cache-Control: max-age=60\r\nETag: \"a\"\r\nLast-Modified: " + new_year +
                               "\r\nX: old\r\nY: kept\r\n";
    const std::string confirmed =
        "HTTP/1.1 304 X\r\nCache-Control: max-age=120\r\nETag: \"a\"\r\nX: new\r\n"
        "X: newer\r\nContent-Type: text/x\r\n\r\n";
    with_script({answer(200, fields, "one"), confirmed, answer(200, "", "two")}, with({}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    const std::string url = server.origin() + "/";
                    static_cast<void>(co_await client.get(url));
                    CHECK_FALSE(server.has(0, "If-"));
                    co_await sake::sleep(60s);
                    for (const auto* const age : {"", "119"}) {
                        const Response response = co_await client.get(url);
                        CHECK(response.status == 200);
                        CHECK(response.body == "one");
                        CHECK(response.headers.get("X") == "new");
                        CHECK(response.headers.get("Y") == "kept");
                        CHECK(response.headers.get("Content-Length") == "3");
                        CHECK_FALSE(response.headers.contains("Content-Type"));
                        CHECK(response.headers.get("Age").value_or("") == age);
                        co_await sake::sleep(119s);
                    }
                    CHECK(server.count() == 2);
                    CHECK(server.has(1, "If-None-Match: \"a\"\r\n"));
                    CHECK(server.has(1, "If-Modified-Since: " + new_year + "\r\n"));
                    const std::string last = co_await outcome(client, url);
                    CHECK(last == "200 two");
                });
}

TEST_CASE("an answer that must always be asked about is confirmed each time") {
    const std::string confirmed = "HTTP/1.1 304 X\r\n\r\n";
    with_script({answer(200, "Cache-Control: no-cache\r\nETag: W/\"a\"\r\n", "one"), confirmed}, with({}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    for (std::size_t i = 1; i <= 3; ++i) {
                        const std::string result = co_await outcome(client, ask(server));
                        CHECK(result == "200 one");
                        CHECK(server.count() == i);
                    }
                    CHECK(server.has(2, "If-None-Match: W/\"a\"\r\n"));
                });
}

TEST_CASE("a 304 about another tag confirms nothing: the answer is asked for without conditions") {
    with_script({answer(200, "ETag: \"a\"\r\n", "one"), "HTTP/1.1 304 X\r\nETag: \"b\"\r\n\r\n",
                 answer(200, "ETag: \"b\"\r\n", "two")},
                with({}), [](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, ask(server)));
                    const std::string result = co_await outcome(client, ask(server));
                    CHECK(result == "200 two");
                    CHECK(server.count() == 3);
                    CHECK(server.has(1, "If-None-Match: \"a\""));
                    CHECK_FALSE(server.has(2, "If-None-Match"));
                });
}

TEST_CASE("a stale answer that is not found any more is forgotten; one that fails is kept") {
    const std::string stale = answer(200, "Cache-Control: max-age=0\r\nETag: \"a\"\r\n", "one");
    with_script({stale, answer(404), answer(200)}, with({}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    for (int i = 0; i < 3; ++i) static_cast<void>(co_await outcome(client, ask(server)));
                    CHECK(server.has(1, "If-None-Match"));
                    CHECK_FALSE(server.has(2, "If-None-Match"));
                });
    for (const int status : {429, 500, 503}) {
        CAPTURE(status);
        with_script({stale, answer(status), answer(200)}, with({}),
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        for (int i = 0; i < 3; ++i) {
                            const std::string result = co_await outcome(client, ask(server));
                            if (i == 1) CHECK(result == std::to_string(status) + " ");
                        }
                        CHECK(server.has(2, "If-None-Match"));
                    });
    }
}

TEST_CASE("a redirect takes neither the conditions of the cache along, nor its answer in") {
    with_script({answer(200, "ETag: \"a\"\r\n", "one"), answer(302, "Location: /there\r\n"),
                 answer(200, for_a_minute, "two"), answer(200, for_a_minute, "three")},
                with({}), [](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, ask(server)));
                    const std::string second = co_await outcome(client, ask(server));
                    CHECK(second == "200 two");
                    CHECK(server.has(1, "If-None-Match"));
                    CHECK(server.has(2, "GET /there"));
                    CHECK_FALSE(server.has(2, "If-None-Match"));
                    const std::string third = co_await outcome(client, ask(server));
                    CHECK(third == "200 three");
                });
}

TEST_CASE("a request that changes something forgets what is kept of its URL, unless it is refused") {
    for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "PURGE"}) {
        for (const bool is_stream : {false, true}) {
            for (const int status : {200, 302, 400, 404, 500}) {
                CAPTURE(method);
                CAPTURE(status);
                with_script({answer(200, for_a_minute), answer(status), answer(200)}, with({}),
                            [&](ScriptedServer& server, Client& client) -> Task<> {
                                static_cast<void>(co_await outcome(client, ask(server)));
                                Request change(method, server.origin() + "/");
                                if (is_stream)
                                    static_cast<void>(co_await client.open(std::move(change)));
                                else
                                    static_cast<void>(co_await client.send(std::move(change)));
                                static_cast<void>(co_await outcome(client, ask(server)));
                                CHECK(server.count() == (status < 400 ? 3 : 2));
                            });
            }
        }
    }
}

TEST_CASE("a stale answer stands in for a server that fails, if that is allowed, and no longer") {
    http::ClientOptions options = with({.stale_if_error = 30s});
    options.response_timeout = 1s;
    const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    for (const std::string& failure :
         {answer(500), answer(502), answer(503), answer(504), std::string(ScriptedServer::closes),
          std::string(ScriptedServer::never), cut, std::string("SSH-2.0-x\r\n\r\n")}) {
        CAPTURE(failure);
        with_script({answer(200, for_a_minute, "one"), failure}, options,
                    [](ScriptedServer& server, Client& client) -> Task<> {
                        static_cast<void>(co_await outcome(client, ask(server)));
                        co_await sake::sleep(88s);
                        const Response response = co_await client.send(ask(server));
                        CHECK(response.body == "one");
                        CHECK(server.count() == 2);
                        co_await sake::sleep(2s);
                        const std::string late = co_await outcome(client, ask(server));
                        CHECK(late != "200 one");
                    });
    }
    for (const int status : {400, 404, 501}) {
        CAPTURE(status);
        with_script({answer(200, for_a_minute, "one"), answer(status)}, options,
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        static_cast<void>(co_await outcome(client, ask(server)));
                        co_await sake::sleep(61s);
                        const std::string result = co_await outcome(client, ask(server));
                        CHECK(result == std::to_string(status) + " ");
                    });
    }
}

TEST_CASE("no stale answer stands in for one that is longer than the client allows") {
    http::ClientOptions options = with({.stale_if_error = 30s});
    options.max_body = 4;
    with_script({answer(200, for_a_minute, "one"), answer(200, for_a_minute, "12345")}, options,
                [](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, ask(server)));
                    co_await sake::sleep(61s);
                    const std::string result = co_await outcome(client, ask(server));
                    CHECK(result.find("is longer than 4 bytes") != std::string::npos);
                });
}

TEST_CASE("all three habits together: retries, then an open circuit, and the answer that is kept") {
    http::ClientOptions options = with({.stale_if_error = 1h});
    options.retry = {.attempts = 3};
    options.breaker = {.failures = 3, .open_time = 30s};
    with_script(
        {answer(200, for_a_minute, "one"), answer(503), answer(503), answer(503), answer(200, "", "two")},
        options, [](ScriptedServer& server, Client& client) -> Task<> {
            static_cast<void>(co_await outcome(client, ask(server)));
            co_await sake::sleep(61s);
            for (int i = 0; i < 3; ++i) {
                const std::string result = co_await outcome(client, ask(server));
                CHECK(result == "200 one");
                CHECK(server.count() == 4);
            }
            const std::string other = co_await outcome(client, server.origin() + "/other");
            CHECK(other.find("refused, as 3 requests in a row have failed") != std::string::npos);
            co_await sake::sleep(30s);
            const std::string well = co_await outcome(client, ask(server));
            CHECK(well == "200 two");
        });
}

TEST_CASE("requests at the same time, one of which drops what another is about to give") {
    with_script({answer(200, "ETag: \"a\"\r\n", "one"), std::string(ScriptedServer::never), answer(200)},
                with({.stale_if_error = 1h}), [](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, ask(server)));
                    auto waiting = sake::spawn(outcome(client, ask(server)));
                    co_await sake::sleep(1s);
                    static_cast<void>(co_await client.del(server.origin() + "/"));
                    co_await sake::sleep(30s);  // until its time limit
                    const std::string result = co_await waiting;
                    CHECK(result == "200 one");
                });
}

}  // namespace test_client_cache
