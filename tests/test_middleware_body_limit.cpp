// body_limit: bodies that come whole, later, in chunks and in pieces.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_body_limit {

using namespace harness;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;
using sake::middleware::body_limit;

namespace {

sake::Config quiet() {
    return sake::Config().with_log([](sake::LogLevel, std::string_view) {});
}

void add_routes(sake::Engine& app) {
    app.post("/whole", [](Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
    app.post("/coroutine", [](Context& ctx) -> Task<> {
        co_await sake::yield();
        ctx.text(std::to_string(ctx.body().size()));
    });
    app.post("/streamed",
             [](Context& ctx) -> Task<> {
                 std::size_t size = 0;
                 for (;;) {
                     const auto piece = co_await ctx.read();
                     if (!piece) break;
                     size += piece->size();
                 }
                 ctx.text(std::to_string(size));
             })
        .stream_body();
}

std::string chunk(std::size_t size) {
    char digits[20] = {};
    std::snprintf(digits, sizeof digits, "%zx\r\n", size);
    return digits + std::string(size, 'x') + "\r\n";
}

}  // namespace

TEST_CASE("body_limit answers 413 to bodies beyond it, however they come") {
    sake::Engine app(quiet());
    app.use(body_limit(1000));
    add_routes(app);
    TestClient client(app);
    for (const std::string path : {"/whole", "/coroutine", "/streamed"}) {
        CAPTURE(path);
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{999}, std::size_t{1000},
                                       std::size_t{1001}, std::size_t{50'000}}) {
            CAPTURE(size);
            const int expected = size <= 1000 ? 200 : 413;
            const auto check = [&](const TestResponse& answer) {
                CHECK(answer.status == expected);
                if (expected == 200) CHECK(answer.body == std::to_string(size));
                if (expected == 413) CHECK(answer.json()["detail"] == "the body is larger than 1000 bytes");
            };
            check(client.request("POST", path, {}, std::string(size, 'x')));
            // Behind its head.
            TestConnection late = client.connect();
            late.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(size) +
                      "\r\n\r\n");
            if (expected == 200) late.send(std::string(size, 'x'));
            check(late.response("POST"));
            // In chunks, which announce nothing.
            if (size == 0) continue;
            TestConnection chunked = client.connect();
            chunked.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
            CHECK(chunked.receive_now().empty());
            chunked.send(chunk((size + 1) / 2));
            if (size / 2 > 0 && size < 2000) chunked.send(chunk(size / 2));
            if (expected == 200) chunked.send("0\r\n\r\n");
            check(chunked.response("POST"));
        }
    }
}

TEST_CASE("body_limit answers on the head, before the body is asked for") {
    sake::Engine app(quiet());
    app.use(body_limit(4));
    add_routes(app);
    TestClient client(app);
    const auto head = [](int size) {
        return "POST /whole HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: " +
               std::to_string(size) + "\r\n\r\n";
    };
    TestConnection fits = client.connect();
    fits.send(head(4));
    CHECK(fits.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    TestConnection refused = client.connect();
    refused.send(head(5));
    CHECK(refused.receive_all().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("body_limit is of its group, and the next request on a connection has none of it") {
    sake::Engine app(quiet().with_max_body(100));
    auto group = app.group("/small");
    group.use(body_limit(10));
    add_routes(app);
    group.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    TestConnection connection = client.connect();
    const auto post = [&](std::string_view path, std::size_t size) {
        connection.send("POST " + std::string(path) +
                        " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
        CHECK(connection.receive_now().empty());
        connection.send(chunk(size)).send("0\r\n\r\n");
        return connection.response("POST").status;
    };
    CHECK(post("/small/", 10) == 200);
    CHECK(post("/whole", 11) == 200);
    CHECK(post("/whole", 100) == 200);
    CHECK(post("/small/", 11) == 413);
}

TEST_CASE("body_limit makes other limits tighter and never wider, and the smallest holds") {
    sake::Engine app(quiet().with_max_body(100));
    app.use(body_limit(1000)).use(body_limit(50)).use(body_limit(70));
    app.post("/", [] {});
    app.post("/wide", [] {}).max_body(5000);
    app.post("/narrow", [] {}).max_body(20);
    TestClient client(app);
    const auto status = [&](std::string_view path, std::size_t size) {
        return client.request("POST", path, {}, std::string(size, 'x')).status;
    };
    CHECK(status("/", 50) == 200);
    CHECK(status("/", 51) == 413);
    CHECK(status("/wide", 50) == 200);
    CHECK(status("/wide", 51) == 413);
    CHECK(status("/narrow", 20) == 200);
    CHECK(status("/narrow", 21) == 413);
}

TEST_CASE("a body_limit behind what has read the body already refuses it all the same") {
    sake::Engine app(quiet());
    app.use([](Context& ctx) { static_cast<void>(ctx.body()); });
    app.use([](Context& ctx) -> Task<> { co_await ctx.next(); });
    app.use(body_limit(10));
    add_routes(app);
    TestClient client(app);
    CHECK(client.request("POST", "/whole", {}, std::string(10, 'x')).status == 200);
    CHECK(client.request("POST", "/whole", {}, std::string(11, 'x')).status == 413);
}

TEST_CASE("a body_limit behind middleware that has read pieces of a stream refuses the rest") {
    sake::Engine app(quiet());
    app.use([](Context& ctx) -> Task<> {
        const auto first = co_await ctx.read();
        static_cast<void>(first);
        co_await ctx.next();
    });
    app.use(body_limit(10));
    add_routes(app);
    TestClient client(app);
    TestConnection connection = client.connect();
    connection.send("POST /streamed HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(chunk(20));
    CHECK(connection.receive_now().empty());
    connection.send(chunk(1));
    CHECK(connection.response("POST").status == 413);
}

TEST_CASE("body_limit takes 0, which allows no body, and refuses less") {
    sake::Engine app(quiet());
    app.use(body_limit(0));
    app.any("/", [] {});
    TestClient client(app);
    CHECK(client.get("/").status == 200);
    CHECK(client.request("POST", "/").status == 200);
    CHECK(client.request("POST", "/", {}, "x").status == 413);
    CHECK_THROWS_WITH_AS(static_cast<void>(body_limit(-1)), "body_limit: it must be at least 0, not -1",
                         std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(body_limit(std::numeric_limits<std::int64_t>::min())),
                    std::invalid_argument);
    static_cast<void>(body_limit(std::numeric_limits<std::uint64_t>::max()));
    expect_no_change(body_limit(std::numeric_limits<std::size_t>::max()), {});
}

}  // namespace test_middleware_body_limit
