// The retries of http::Client: what is sent again, after which pause, and what stops it.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/scripted_server.hpp"

namespace test_client_retry {

using namespace std::chrono_literals;
namespace http = sake::http;
using harness::answer;
using harness::failure_of;
using harness::outcome;
using harness::ScriptedServer;
using harness::with_script;
using http::Client;
using http::Request;
using http::RetryOptions;
using sake::Task;

namespace {

http::ClientOptions with(RetryOptions retry) {
    http::ClientOptions options;
    options.retry = retry;
    return options;
}

std::string text(std::string_view constant) { return std::string(constant); }

/// What the request of this method gives, and how often it was sent.
std::pair<std::string, std::size_t> sent(std::vector<std::string> answers, http::ClientOptions options,
                                         std::string method = "GET") {
    std::pair<std::string, std::size_t> result;
    with_script(std::move(answers), options, [&](ScriptedServer& server, Client& client) -> Task<> {
        Request request(method, server.origin() + "/");
        result.first = co_await outcome(client, std::move(request));
        result.second = server.count();
    });
    return result;
}

using Sent = std::pair<std::string, std::size_t>;

}  // namespace

TEST_CASE("without the option nothing is sent again") {
    CHECK(sent({answer(503), answer(200)}, {}) == Sent("503 ", 1));
    CHECK(sent({text(ScriptedServer::closes), answer(200)}, {}).second == 1);
}

TEST_CASE("a status that may pass is asked again, any other is the answer") {
    for (const int status : {429, 502, 503, 504}) {
        CAPTURE(status);
        CHECK(sent({answer(status), answer(200, "", "hi")}, with({.attempts = 2})) == Sent("200 hi", 2));
    }
    for (const int status : {200, 204, 304, 400, 401, 404, 408, 409, 500, 501, 505}) {
        CAPTURE(status);
        CHECK(sent({answer(status), answer(418)}, with({.attempts = 2})) ==
              Sent(std::to_string(status) + " ", 1));
    }
}

TEST_CASE("there are as many attempts as allowed, and the last answer is the result") {
    const std::vector<std::string> answers = {answer(502, "", "a"), answer(503, "", "b"),
                                              answer(504, "", "c"), answer(200, "", "d")};
    CHECK(sent(answers, with({.attempts = 1})) == Sent("502 a", 1));
    CHECK(sent(answers, with({.attempts = 2})) == Sent("503 b", 2));
    CHECK(sent(answers, with({.attempts = 3})) == Sent("504 c", 3));
    CHECK(sent(answers, with({.attempts = 4})) == Sent("200 d", 4));
    CHECK(sent(answers, with({.attempts = 5})) == Sent("200 d", 4));
}

TEST_CASE("failures of the connection and time limits are repeated; what is not HTTP is not") {
    http::ClientOptions options = with({.attempts = 2});
    options.response_timeout = 2s;
    options.read_timeout = 2s;
    const std::string whole = answer(200, "", "hi");
    const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    for (const std::string& failure :
         {text(ScriptedServer::closes), text(ScriptedServer::resets), text(ScriptedServer::never), cut}) {
        CAPTURE(failure);
        CHECK(sent({failure, whole}, options) == Sent("200 hi", 2));
    }
    CHECK(
        sent({answer(503), cut}, options) ==
        Sent("http://here: the server ended in the middle of its answer: the peer closed the connection", 2));
    CHECK(sent({answer(503), text(ScriptedServer::never)}, options) ==
          Sent("timed out after 2 s waiting for the response from http://here", 2));
    CHECK(sent({"SSH-2.0-x\r\n\r\n", whole}, options) ==
          Sent("bad response from http://here: bad HTTP version", 1));
    CHECK(sent({"HTTP/1.1 302 X\r\nLocation: https://a/\r\n\r\n", whole}, options).second == 1);
}

TEST_CASE("an address where nobody listens is tried as often as allowed") {
    harness::in_virtual_time([]() -> Task<> {
        std::string url;
        {
            const sake::TcpListener gone("127.0.0.1:0");
            url = "http://127.0.0.1:" + std::to_string(gone.port()) + "/";
        }
        Client client(with({.attempts = 4, .first_delay = 1s}));
        const auto began = sake::now();
        const std::string why = co_await outcome(client, url);
        CHECK(why.find("Connection refused") != std::string::npos);
        CHECK(sake::now() - began > 0s);  // three random pauses are not all zero
        CHECK(sake::now() - began <= 1s + 2s + 4s);
    });
}

TEST_CASE("only requests that are idempotent are repeated, or marked so") {
    const std::vector<std::string> answers = {answer(503), answer(200)};
    for (const std::string method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"}) {
        CAPTURE(method);
        CHECK(sent(answers, with({.attempts = 2}), method) == Sent("200 ", 2));
    }
    for (const std::string method : {"POST", "PATCH", "PURGE", "get"}) {
        CAPTURE(method);
        CHECK(sent(answers, with({.attempts = 2}), method) == Sent("503 ", 1));
    }
    with_script(answers, with({.attempts = 2}), [](ScriptedServer& server, Client& client) -> Task<> {
        Request order("POST", server.origin() + "/orders");
        order.header("Idempotency-Key", "7").body("tea", "text/plain").idempotent();
        const std::string result = co_await outcome(client, std::move(order));
        CHECK(result == "200 ");
        CHECK(server.count() == 2);
        CHECK(server.requests()[0] == server.requests()[1]);
        CHECK(server.has(1, "\r\n\r\ntea"));
    });
}

TEST_CASE("a streamed body is sent once, whatever its request says") {
    with_script({answer(503), answer(200)}, with({.attempts = 2}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    const auto nothing = []() -> Task<std::string> { co_return ""; };
                    Request request("PUT", server.origin() + "/");
                    request.stream(nothing, "text/plain").idempotent();
                    const std::string result = co_await outcome(client, std::move(request));
                    CHECK(result == "503 ");
                    CHECK(server.count() == 1);
                });
}

TEST_CASE("open repeats up to the head of the answer") {
    with_script({answer(503, "", "busy"), text(ScriptedServer::closes), answer(200, "", "hi")},
                with({.attempts = 3}), [](ScriptedServer& server, Client& client) -> Task<> {
                    http::ResponseStream stream = co_await client.open(Request("GET", server.origin() + "/"));
                    CHECK(stream.status == 200);
                    const std::string piece = co_await stream.read();
                    CHECK(piece == "hi");
                    CHECK(server.count() == 3);
                });
}

TEST_CASE("a failure behind a redirect repeats what was asked for there") {
    with_script({"HTTP/1.1 302 X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", answer(503), answer(200)},
                with({.attempts = 2}), [](ScriptedServer& server, Client& client) -> Task<> {
                    const std::string result = co_await outcome(client, server.origin() + "/here");
                    CHECK(result == "200 ");
                    CHECK(server.has(0, "GET /here"));
                    CHECK(server.has(1, "GET /there"));
                    CHECK(server.has(2, "GET /there"));
                });
}

// ---- Pauses ----

TEST_CASE("Retry-After is read as seconds and as a date") {
    const auto now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    const struct {
        const char* field;
        std::chrono::seconds pause;
    } table[] = {
        {"", 0s},
        {"0", 0s},
        {"7", 7s},
        {"007", 7s},
        {"4294967295", 4294967295s},
        {"4294967296", 4294967295s},
        {"99999999999999999999999", 4294967295s},
        {"-1", 0s},
        {"+1", 0s},
        {"1.5", 0s},
        {"1 s", 0s},
        {"soon", 0s},
        {"Thu, 01 Jan 2026 00:00:30 GMT", 30s},
        {"Thursday, 01-Jan-26 00:01:00 GMT", 60s},
        {"Wed, 31 Dec 2025 23:59:59 GMT", 0s},
        {"Thu, 01 Jan 2026 00:00:30", 0s},
    };
    for (const auto& row : table) {
        CAPTURE(row.field);
        http::Headers headers;
        if (*row.field != '\0') headers.set("Retry-After", row.field);
        CHECK(http::detail::wanted_pause(headers, now) == row.pause);
    }
}

TEST_CASE("the server's Retry-After is waited for; a later one than allowed ends the attempts at once") {
    const auto pause = [](const std::string& field) {
        std::chrono::milliseconds passed(-1);
        with_script({answer(503, "Retry-After: " + field + "\r\n"), answer(200)},
                    with({.attempts = 2, .first_delay = 1ms, .max_delay = 3s}),
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        const auto began = sake::now();
                        const std::string result = co_await outcome(client, server.origin() + "/");
                        CHECK(result == (server.count() == 2 ? "200 " : "503 "));
                        if (server.count() == 2)
                            passed = server.pause_before(1);
                        else
                            CHECK(sake::now() == began);
                    });
        return passed;
    };
    CHECK(pause("2") == 2s);
    CHECK(pause("3") == 3s);
    CHECK(pause("4") == -1ms);
    CHECK(pause("99999999999999999999") == -1ms);
    CHECK(pause("Thu, 01 Jan 2026 00:00:03 GMT") == 3s);
    CHECK(pause("Thu, 01 Jan 2026 00:00:04 GMT") == -1ms);
    CHECK(pause("soon") <= 1ms);
}

TEST_CASE("pauses are random up to a time that doubles, up to the longest") {
    http::detail::Retries retries({.attempts = 10,
                                   .first_delay = 100ms,
                                   .max_delay = 1s,
                                   .max_total = 1h,
                                   .budget_percent = 100,
                                   .budget_reserve = 10'000});
    const std::vector<std::chrono::milliseconds> longest = {100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s, 1s};
    std::vector<std::set<std::chrono::milliseconds>> seen(longest.size());
    const sake::detail::TimePoint now{};
    for (int i = 0; i < 200; ++i) {
        http::detail::Attempts attempts(retries, now);
        for (std::size_t at = 0; at < longest.size(); ++at) {
            const auto pause = attempts.next_pause(0s, now);
            REQUIRE(pause);
            REQUIRE(*pause >= 0ms);
            REQUIRE(*pause <= longest[at]);
            seen[at].insert(*pause);
        }
        REQUIRE_FALSE(attempts.next_pause(0s, now));
    }
    for (std::size_t at = 0; at < longest.size(); ++at) {
        CAPTURE(at);
        // Each half is met by one of 200 with a probability of 1 - 2^-200.
        CHECK(*seen[at].begin() <= longest[at] / 2);
        CHECK(*seen[at].rbegin() >= longest[at] / 2);
        CHECK(seen[at].size() > 10);
    }
}

TEST_CASE("the longest limits do not overflow") {
    constexpr auto never = std::chrono::milliseconds::max();
    http::detail::Retries retries(
        {.attempts = 10, .first_delay = never, .max_delay = never, .max_total = never});
    http::detail::Attempts attempts(retries, sake::detail::TimePoint{});
    for (int i = 0; i < 9; ++i) {
        const auto pause = attempts.next_pause(4294967295s, sake::detail::TimePoint{});
        REQUIRE(pause);
        REQUIRE(*pause >= 4294967295s);
    }
}

TEST_CASE("no attempt begins after the time for all of them") {
    const auto pauses = [](std::chrono::seconds wanted, std::chrono::milliseconds passed) {
        http::detail::Retries retries({.attempts = 2, .first_delay = 1ms, .max_delay = 10s, .max_total = 5s});
        http::detail::Attempts attempts(retries, sake::detail::TimePoint{});
        return attempts.next_pause(wanted, sake::detail::TimePoint{passed}).has_value();
    };
    CHECK(pauses(4s, 999ms));
    CHECK(pauses(4s, 1000ms));
    CHECK_FALSE(pauses(4s, 1001ms));
    CHECK(pauses(5s, 0ms));
    CHECK_FALSE(pauses(6s, 0ms));
    CHECK_FALSE(pauses(0s, 5001ms));
    http::ClientOptions options = with({.attempts = 5, .first_delay = 1ms, .max_total = 5s});
    options.response_timeout = 2s;
    // Attempts begin after 0, 2 and 4 s, and some milliseconds.
    CHECK(sent({text(ScriptedServer::never)}, options) ==
          Sent("timed out after 2 s waiting for the response from http://here", 3));
}

TEST_CASE("a request that is cancelled in its pause ends at once") {
    with_script({answer(503, "Retry-After: 60\r\n")},
                with({.attempts = 2, .max_delay = 60s, .max_total = 60s}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    const auto began = sake::now();
                    auto asking = client.get(server.origin() + "/");
                    const std::string why = co_await failure_of(sake::timeout(std::move(asking), 1s));
                    CHECK(why == sake::TimedOut().what());
                    CHECK(sake::now() - began == 1s);
                    CHECK(server.count() == 1);
                });
}

// ---- The budget ----

TEST_CASE("retries are a share of the requests, and a reserve") {
    const auto retries_of = [](int requests, RetryOptions options) {
        options.attempts = 2;
        http::detail::Retries retries(options);
        int count = 0;
        for (int i = 0; i < requests; ++i) {
            http::detail::Attempts attempts(retries, sake::detail::TimePoint{});
            if (attempts.next_pause(0s, sake::detail::TimePoint{})) ++count;
        }
        return count;
    };
    // The first request finds the reserve full.
    CHECK(retries_of(1000, {.budget_percent = 20, .budget_reserve = 10}) == 209);
    CHECK(retries_of(1000, {.budget_percent = 20, .budget_reserve = 0}) == 200);
    CHECK(retries_of(1000, {.budget_percent = 1, .budget_reserve = 0}) == 10);
    CHECK(retries_of(99, {.budget_percent = 1, .budget_reserve = 0}) == 0);
    CHECK(retries_of(100, {.budget_percent = 1, .budget_reserve = 0}) == 1);
    CHECK(retries_of(1000, {.budget_percent = 100, .budget_reserve = 0}) == 1000);
    CHECK(retries_of(1000, {.budget_percent = 0, .budget_reserve = 3}) == 3);
    CHECK(retries_of(1000, {.budget_percent = 0, .budget_reserve = 0}) == 0);
}

TEST_CASE("no more is saved than the reserve, however many requests were well") {
    http::detail::Retries retries({.attempts = 2, .budget_percent = 100, .budget_reserve = 3});
    for (int i = 0; i < 1000; ++i) retries.earn();
    int count = 0;
    while (retries.spend()) ++count;
    CHECK(count == 3);
}

TEST_CASE("a client whose budget is spent gives the first answer") {
    with_script({answer(503)}, with({.attempts = 3, .budget_percent = 0, .budget_reserve = 3}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    for (const std::size_t all : {3u, 5u, 6u, 7u}) {  // 2, 1, 0 and 0 retries
                        const std::string result = co_await outcome(client, server.origin() + "/");
                        CHECK(result == "503 ");
                        CHECK(server.count() == all);
                    }
                });
}

// ---- Options ----

TEST_CASE("options of a habit that make no sense are refused by name") {
    const auto refused = [](http::ClientOptions options) -> std::string {
        try {
            const Client client(options);
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "not refused";
    };
    const auto must = [](const std::string& field) { return "http::ClientOptions::" + field; };
    CHECK(refused({.retry = {.attempts = 0}}) == must("retry.attempts must be at least 1, not 0"));
    CHECK(refused({.retry = {.attempts = 10}}) == "not refused");
    CHECK(refused({.retry = {.attempts = 11}}) == must("retry.attempts must be at most 10, not 11"));
    CHECK(refused({.retry = {.first_delay = 0ms}}) ==
          must("retry.first_delay must be at least 1 ms, not 0 ms"));
    CHECK(refused({.retry = {.first_delay = 1ms, .max_delay = 1ms, .max_total = 1ms}}) == "not refused");
    CHECK(refused({.retry = {.max_delay = 0ms}}) == must("retry.max_delay must be at least 1 ms, not 0 ms"));
    CHECK(refused({.retry = {.max_total = -1s}}) ==
          must("retry.max_total must be at least 1 ms, not -1000 ms"));
    CHECK(refused({.retry = {.budget_percent = -1}}) ==
          must("retry.budget_percent must be at least 0, not -1"));
    CHECK(refused({.retry = {.budget_percent = 100, .budget_reserve = 0}}) == "not refused");
    CHECK(refused({.retry = {.budget_percent = 101}}) ==
          must("retry.budget_percent must be at most 100, not 101"));
    CHECK(refused({.retry = {.budget_reserve = -1}}) ==
          must("retry.budget_reserve must be at least 0, not -1"));
    CHECK(refused({.breaker = {.failures = -1}}) == must("breaker.failures must be at least 0, not -1"));
    CHECK(refused({.breaker = {.failures = 1, .open_time = 1ms, .max_origins = 1}}) == "not refused");
    CHECK(refused({.breaker = {.open_time = 0ms}}) ==
          must("breaker.open_time must be at least 1 ms, not 0 ms"));
    CHECK(refused({.breaker = {.max_origins = 0}}) == must("breaker.max_origins must be at least 1, not 0"));
    const auto negative = static_cast<std::size_t>(-2);
    CHECK(refused({.cache = {.max_bytes = negative}}) == must("cache.max_bytes must be at least 0, not -2"));
    CHECK(refused({.cache = {.max_response = negative}}) ==
          must("cache.max_response must be at least 0, not -2"));
    CHECK(refused({.cache = {.stale_if_error = -1ms}}) ==
          must("cache.stale_if_error must be at least 0 ms, not -1 ms"));
    constexpr int most = std::numeric_limits<int>::max();
    constexpr auto largest = std::numeric_limits<std::size_t>::max();
    constexpr auto never = std::chrono::milliseconds::max();
    CHECK(
        refused(
            {.retry = {.first_delay = never, .max_delay = never, .max_total = never, .budget_reserve = most},
             .breaker = {.failures = most, .open_time = never, .max_origins = most},
             .cache = {.max_bytes = largest, .max_response = largest, .stale_if_error = never}}) ==
        "not refused");
}

}  // namespace test_client_retry
