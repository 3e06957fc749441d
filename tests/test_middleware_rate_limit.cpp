// rate_limit: who may send how much when, what the answers say, and that no flood frees a key.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/machinery.hpp"
#include "support/refusals.hpp"

namespace test_middleware_rate_limit {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Json;
using sake::TestClient;
using sake::TestResponse;
using sake::detail::Hash128;
using sake::detail::RateTable;
using sake::middleware::rate_limit;
using sake::middleware::RateLimitOptions;

namespace {

constexpr std::int64_t second = 1'000'000'000;

/// The key of the field X-Key.
std::string key_of(Context& ctx) { return std::string(ctx.header("X-Key")); }

/// How many of so many requests are answered with 200.
int allowed(TestClient& client, int requests, std::string_view key = "a") {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += client.get("/", {{"X-Key", key}}).status == 200 ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("rate_limit: a burst passes, and then one request each interval") {
    sake::Engine app;
    app.use(rate_limit({.per_minute = 60, .burst = 5}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    CHECK(allowed(client, 4) == 4);
    CHECK(allowed(client, 1) == 1);
    CHECK(allowed(client, 1) == 0);
    client.advance(999ms);
    CHECK(allowed(client, 1) == 0);
    client.advance(1ms);
    CHECK(allowed(client, 2) == 1);
    client.advance(3s);
    CHECK(allowed(client, 9) == 3);
    client.advance(1h);
    CHECK(allowed(client, 9) == 5);
}

TEST_CASE("rate_limit: what the answers say") {
    sake::Engine app;
    app.use(rate_limit({.per_minute = 30, .burst = 3, .name = "search"}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    const auto check = [](const TestResponse& response, std::string_view limit) {
        CHECK(response.header("RateLimit-Policy") == "\"search\";q=3;w=6");
        CHECK(response.header("RateLimit") == limit);
    };
    check(client.get("/"), "\"search\";r=2;t=2");
    check(client.get("/"), "\"search\";r=1;t=4");
    const TestResponse last = client.get("/");
    check(last, "\"search\";r=0;t=6");
    CHECK(last.header("Retry-After").empty());
    client.advance(500ms);
    const TestResponse refused = client.get("/");
    check(refused, "\"search\";r=0;t=6");
    CHECK(refused.status == 429);
    CHECK(refused.header("Retry-After") == "2");
    CHECK(refused.header("Content-Type") == "application/problem+json");
    CHECK(refused.json()["status"] == 429);
    CHECK(refused.json()["title"] == "Too Many Requests");
    CHECK(refused.json()["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded");
    CHECK(refused.json()["violated-policies"] == Json{"search"});
    client.advance(1499ms);
    CHECK(client.get("/").header("Retry-After") == "1");
    client.advance(1ms);
    CHECK(client.get("/").status == 200);
}

TEST_CASE("rate_limit: on_error gives the 429 the shape of other errors") {
    sake::Engine app;
    app.use(rate_limit({.per_minute = 1}));
    app.get("/", [] { return "hello"; });
    app.on_error([](Context& ctx) { ctx.json({{"error", ctx.response().status()}}); });
    TestClient client(app);
    CHECK(client.get("/").status == 200);
    const TestResponse refused = client.get("/");
    CHECK(refused.status == 429);
    CHECK(refused.body == "{\"error\":429}");
    CHECK(refused.header("Retry-After") == "60");
    CHECK(refused.header("RateLimit") == "\"default\";r=0;t=60");
    CHECK(refused.header("RateLimit-Policy") == "\"default\";q=1;w=60");
}

TEST_CASE("rate_limit: each key has an allowance of its own") {
    sake::Engine app;
    app.use(rate_limit({.per_second = 2, .key = key_of}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    CHECK(allowed(client, 5, "a") == 2);
    CHECK(allowed(client, 5, "b") == 2);
    CHECK(allowed(client, 5, "") == 2);
    client.advance(500ms);
    CHECK(allowed(client, 5, "a") == 1);
}

TEST_CASE("rate_limit: a refused request does not prolong the ban") {
    sake::Engine app;
    app.use(rate_limit({.per_minute = 1, .burst = 1}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    CHECK(allowed(client, 100) == 1);
    client.advance(59'999ms);
    CHECK(allowed(client, 100) == 0);
    client.advance(1ms);
    CHECK(allowed(client, 100) == 1);
}

TEST_CASE("rate_limit: routes that are given the same step share its limit, others have their own") {
    sake::Engine app;
    const auto limit = rate_limit({.per_second = 1});
    app.get("/a", [] { return "a"; }).use(limit);
    app.get("/b", [] { return "b"; }).use(limit);
    app.get("/c", [] { return "c"; }).use(rate_limit({.per_second = 1}));
    TestClient client(app);
    CHECK(client.get("/a").status == 200);
    CHECK(client.get("/b").status == 429);
    CHECK(client.get("/c").status == 200);
}

TEST_CASE("rate_limit: refusals have its fields, and count") {
    for_each_refusal([](sake::Engine& app) { app.use(rate_limit({.per_minute = 60})); },
                     [](const TestResponse& response) {
                         CHECK(response.header("RateLimit").starts_with("\"default\";r="));
                         CHECK(response.header("RateLimit-Policy") == "\"default\";q=60;w=60");
                     });
    sake::Engine app;
    app.use(rate_limit({.per_second = 1}));
    TestClient client(app);
    CHECK(client.get("/nowhere").status == 404);
    CHECK(client.get("/nowhere").status == 429);
}

TEST_CASE("rate_limit: a refused body is not read") {
    sake::Engine app;
    app.use(rate_limit({.per_second = 1}));
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    CHECK(client.post("/", "body").status == 200);
    sake::TestConnection connection = client.connect();
    connection.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
    CHECK(connection.response().status == 429);
}

TEST_CASE("rate_limit: addresses of one IPv6 network share a key, and no others do") {
    using sake::detail::PeerAddress;
    const auto key_of_address = [](const char* text) {
        const auto address = PeerAddress::parse(text);
        return sake::detail::address_key({1, 2}, address ? *address : PeerAddress());  // else of "unix"
    };
    const auto same = [&](const char* a, const char* b) { return key_of_address(a) == key_of_address(b); };
    CHECK(same("2001:db8::1", "2001:db8::2"));
    CHECK(same("2001:db8:0:0:1:2:3:4", "2001:db8::ffff:ffff:ffff:ffff"));
    CHECK_FALSE(same("2001:db8::1", "2001:db8:0:1::1"));
    CHECK_FALSE(same("::1", "1::1"));
    CHECK_FALSE(same("10.0.0.1", "10.0.0.2"));
    CHECK(same("10.0.0.1", "10.0.0.1"));
    CHECK_FALSE(same("unix", "10.0.0.1"));
    CHECK_FALSE(same("10.0.0.0", "a00::"));
    CHECK(same("::ffff:10.0.0.1", "10.0.0.1"));
    CHECK_FALSE(same("10.0.0.1", "3130:2e30:2e30:2e31::5"));  // the bytes of that text
}

TEST_CASE("rate_limit: behind a trusted proxy, the client counts") {
    sake::Engine app;
    app.use(sake::middleware::trusted_proxies({"127.0.0.1"})).use(rate_limit({.per_second = 1}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    const auto status = [&](std::string_view address) {
        return client.get("/", {{"X-Forwarded-For", address}}).status;
    };
    CHECK(status("203.0.113.7") == 200);
    CHECK(status("203.0.113.8") == 200);
    CHECK(status("203.0.113.7") == 429);
    CHECK(status("2001:db8::1") == 200);
    CHECK(status("2001:db8::2") == 429);
    CHECK(status("2001:db8:0:1::2") == 200);
}

TEST_CASE("rate_limit: no flood of other keys frees one that is spent") {
    for (const std::size_t max_keys : {16U, 17U, 1024U}) {
        RateTable table(second, 2, max_keys);
        const Hash128 banned{1, 1};
        CHECK(table.take(banned, 0).is_allowed);
        CHECK(table.take(banned, 0).is_allowed);
        CHECK_FALSE(table.take(banned, 0).is_allowed);
        const sake::detail::HashKey key{1, 2};
        std::size_t passed = 0;
        for (int i = 0; i < 100'000; ++i) {
            if (table.take(hash_of(key, std::to_string(i)), 1).is_allowed) ++passed;
        }
        CHECK_FALSE(table.take(banned, 2).is_allowed);
        const std::size_t groups = (max_keys == 17 ? 32 : max_keys) / 8;
        CHECK(passed == groups * 15 - 1 +
                            groups * 2);  // a place each, and for those that have none an allowance a group
        CHECK(table.take(banned, second).is_allowed);
        CHECK(table.take({9, 9}, 3 * second).is_allowed);  // by then there is room again
        CHECK(table.take({9, 9}, 3 * second).remaining == 0);
    }
}

TEST_CASE("rate_limit: as many keys as the table is for have a place, but for one in a thousand") {
    constexpr std::size_t max_keys = 65'536;
    RateTable table(second, 1, max_keys);
    const sake::detail::HashKey key{1, 2};
    std::size_t refused = 0;
    for (std::size_t i = 0; i < max_keys; ++i) {
        if (!table.take(hash_of(key, std::to_string(i)), 1).is_allowed) ++refused;
    }
    CHECK(refused < max_keys / 1000);
    std::size_t forgotten = 0;
    for (std::size_t i = 0; i < max_keys; ++i) {
        if (table.take(hash_of(key, std::to_string(i)), 2).is_allowed) ++forgotten;
    }
    CHECK(forgotten == 0);
}

TEST_CASE("rate_limit: keys without a place share an allowance with those of their group alone") {
    constexpr std::uint64_t groups = 128;
    RateTable table(second, 2, groups * 8);
    for (std::uint64_t group = 0; group < groups; ++group) {
        for (std::uint64_t i = 1; i <= 15; ++i) CHECK(table.take({i, group}, 1).is_allowed);
    }
    int passed = 0;
    for (std::uint64_t i = 100; i < 200; ++i) passed += table.take({i, 7}, 1).is_allowed ? 1 : 0;
    CHECK(passed == 2);
    for (std::uint64_t group = 0; group < groups; ++group) {
        CHECK(table.take({200, group}, 1).is_allowed == (group != 7));
    }
}

TEST_CASE("rate_limit: a key keeps its place while other threads look for one") {
    for (int round = 0; round < 200; ++round) {
        RateTable table(second, 1, 16);
        std::atomic<bool> begins{false};
        std::atomic<int> wrong{0};
        const auto take_own = [&](std::uint64_t own) {
            while (!begins) continue;
            int passed = 0;
            for (int i = 0; i < 100; ++i) {
                for (std::uint64_t each = own; each < own + 5; ++each) {
                    passed += table.take({each, 0}, 1).is_allowed ? 1 : 0;
                }
            }
            if (passed != 5) ++wrong;
        };
        std::thread other(take_own, 10);
        std::thread third(take_own, 20);
        begins = true;
        take_own(30);
        other.join();
        third.join();
        CHECK(wrong == 0);
    }
}

TEST_CASE("rate_limit: threads that meet count every request") {
    constexpr int burst = 1000;
    RateTable table(second, burst, 16);
    std::atomic<int> passed{table.take({1, 1}, 0).is_allowed ? 1 : 0};
    const auto spend = [&] {
        for (int i = 0; i < 2000; ++i) {
            if (table.take({1, 1}, 0).is_allowed) ++passed;
        }
    };
    std::thread other(spend);
    spend();
    other.join();
    CHECK(passed == burst);
}

TEST_CASE("rate_limit: a request that passes costs no allocation") {
    sake::Engine app;
    std::uint64_t before = 0;
    std::uint64_t cost = 1;
    app.use([&](Context& ctx) {
        static_cast<void>(ctx.client_ip());
        before = allocations::by_this_thread();
    });
    app.use(rate_limit({.per_second = 10'000'000, .name = std::string(64, 'n')}));
    app.use([&](Context&) { cost = allocations::by_this_thread() - before; });
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    for (int i = 0; i < 3; ++i) {  // from the second on, the memory of fields is there
        connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        CHECK(connection.response().header("RateLimit").starts_with("\"nnn"));
    }
    CHECK(cost == 0);
}

TEST_CASE("rate_limit: the largest numbers do not overflow") {
    RateTable table(60 * second, 10'000'000, 16);
    for (std::int64_t left = 9'999'999; left >= 9'999'990; --left) {
        CHECK(table.take({1, 1}, second).remaining == left);
    }
    sake::Engine app;
    app.use(rate_limit({.per_second = 10'000'000}));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    CHECK(client.get("/").header("RateLimit-Policy") == "\"default\";q=10000000;w=1");
}

TEST_CASE("rate_limit: options that make no sense are refused") {
    const auto refuses = [](const RateLimitOptions& options) {
        CHECK_THROWS_AS(static_cast<void>(rate_limit(options)), std::invalid_argument);
    };
    CHECK_THROWS_WITH_AS(static_cast<void>(rate_limit({})),
                         "rate_limit: set one of per_second and per_minute", std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(rate_limit({.per_second = 1, .per_minute = 1})),
                         "rate_limit: set only one of per_second and per_minute", std::invalid_argument);
    refuses({.per_second = -1});
    refuses({.per_minute = -1});
    refuses({.per_second = 1, .burst = -1});
    refuses({.per_second = 10'000'001});
    refuses({.per_minute = 10'000'001});
    refuses({.per_second = 1, .burst = 10'000'001});
    refuses({.per_second = 1, .max_keys = 15});
    refuses({.per_second = 1, .max_keys = static_cast<std::size_t>(-5)});
    for (const char* name : {"a\"b", "a\\b", "a\nb", "\x7f", "\xc3\xa9"})
        refuses({.per_second = 1, .name = name});
    refuses({.per_second = 1, .name = std::string(65, 'n')});
    static_cast<void>(rate_limit({.per_second = 1, .name = std::string(64, 'n')}));
    static_cast<void>(rate_limit({.per_second = 1, .name = std::string(63, 'n')}));
    static_cast<void>(rate_limit({.per_second = 10'000'000, .burst = 10'000'000, .max_keys = 16}));
}

}  // namespace test_middleware_rate_limit
