// Middleware and the body: it may answer before the body is asked for, and it adds its fields to answers that
// no handler made.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/common.hpp"

namespace test_on_head {

using namespace std::chrono_literals;
using namespace std::string_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;

namespace {

const std::string one_megabyte = std::to_string(1 << 20);

/// The head of a POST whose body is to come.
std::string head(std::string_view path, std::string_view fields) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) + "\r\n";
}
std::string waiting_head(std::string_view path, std::string_view fields = {}) {
    return head(path, "Expect: 100-continue\r\nContent-Length: 5\r\n" + std::string(fields));
}

sake::Config quiet() {
    return sake::Config().with_log([](sake::LogLevel, std::string_view) {});
}

void require_key(Context& ctx) {
    if (ctx.header("X-Key") != "k") ctx.abort(401).text("no key");
}

}  // namespace

TEST_CASE("no copy of the answer is made for middleware of Sake's own while the body is to come") {
    std::vector<std::uint64_t> counts;
    const auto note = [&](Context&) {
        counts.push_back(harness::allocations::by_this_thread());
        return "all"s;
    };
    counts.reserve(8);
    sake::Engine app;
    app.use([](Context& ctx) { ctx.set_header("X-Long", std::string(1000, 'x')); });
    // Each notes the count before it changes the answer.
    app.use(sake::middleware::rate_limit({.per_second = 1000, .key = note, .name = "a"}));
    app.use(sake::middleware::rate_limit({.per_second = 1000, .key = note, .name = "b"}));
    for (int i = 0; i < 5; ++i) app.use(sake::middleware::body_limit(10));
    app.use(sake::middleware::rate_limit({.per_second = 1000, .key = note, .name = "c"}));
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    for (const bool is_first : {true, false}) {
        counts.clear();
        TestConnection connection = client.connect();
        connection.send(waiting_head("/"));
        CHECK(connection.receive_now().starts_with("HTTP/1.1 100 "));
        connection.send("12345");
        CHECK(connection.response("POST").body == "12345");
        REQUIRE(counts.size() == 3);
        if (is_first) continue;
        CHECK(counts[2] - counts[1] == counts[1] - counts[0]);  // the same fields, and five steps more
    }
}

TEST_CASE("middleware of Sake's own whose function reads the body runs again with it") {
    sake::Engine app(quiet());
    app.use(sake::middleware::rate_limit(
        {.per_minute = 2, .key = [](Context& ctx) { return std::string(ctx.body()); }}));
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    for (const int status : {200, 200, 429}) {
        TestConnection connection = client.connect();
        connection.send(head("/", "Content-Length: 5\r\n"));
        client.advance(10ms);
        connection.send("12345");
        const sake::TestResponse response = connection.response("POST");
        CHECK(response.status == status);
        int policies = 0;
        for (const auto& [name, value] : response.headers) policies += name == "RateLimit-Policy" ? 1 : 0;
        CHECK(policies == 1);
    }
}

TEST_CASE("middleware that refuses on the head is answered before the body is asked for") {
    sake::Engine app;
    app.use(require_key);
    app.post("/plain", [](Context& ctx) { ctx.text(ctx.body()); });
    app.post("/coroutine", [](Context& ctx) -> Task<> {
        co_await sake::yield();
        ctx.text(ctx.body());
    });
    app.post("/worker", [](Context& ctx) { ctx.text(ctx.body()); }).worker();
    TestClient client(app);
    for (const auto path : {"/plain", "/coroutine", "/worker"}) {
        CAPTURE(path);
        TestConnection refused = client.connect();
        refused.send(waiting_head(path));
        const std::string all = refused.receive_all();
        CHECK(all.starts_with("HTTP/1.1 401 "));
        CHECK(all.find("Connection: close\r\n") != std::string::npos);
        CHECK(all.ends_with("no key"));

        TestConnection asked = client.connect();
        asked.send(waiting_head(path, "X-Key: k\r\n"));
        CHECK(asked.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
        asked.send("12345");
        CHECK(asked.response("POST").body == "12345");
        asked.send(waiting_head(path, "X-Key: k\r\n") + "67890");
        CHECK(asked.response("POST").body == "67890");
    }
}

TEST_CASE("a large body is not read when middleware has refused its head") {
    sake::Engine app;
    app.use(require_key);
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    for (const std::string& framing : {"Content-Length: " + one_megabyte + "\r\n",
                                       "Transfer-Encoding: chunked\r\n"s, "Content-Length: 65537\r\n"s}) {
        CAPTURE(framing);
        TestConnection connection = client.connect();
        connection.send(head("/", framing));
        const sake::TestResponse answer = connection.response("POST");
        CHECK(answer.status == 401);
        CHECK(answer.header("Connection") == "close");
        connection.send(std::string(5000, 'x'));  // dropped, without a reset
    }
}

TEST_CASE("a small body is read although middleware has refused its head, and the connection goes on") {
    sake::Engine app;
    app.use(require_key);
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    TestConnection connection = client.connect();
    for (int i = 0; i < 3; ++i) {
        connection.send(head("/", "Content-Length: 65536\r\n"));
        CHECK(connection.receive_now().empty());
        connection.send(std::string(65536, 'x'));
        const sake::TestResponse answer = connection.response("POST");
        CHECK(answer.status == 401);
        CHECK(answer.body == "no key");
        connection.send(head("/", "X-Key: k\r\nContent-Length: 2\r\n"));
        connection.send("ok");
        CHECK(connection.response("POST").body == "ok");
    }
}

TEST_CASE("what middleware throws on the head is answered as ever") {
    std::string logged;
    sake::Engine app(sake::Config().with_log([&](sake::LogLevel, std::string_view line) { logged += line; }));
    app.use([](Context& ctx) {
        ctx.after([](Context& c) { c.set_header("X-After", "1"); });
        if (ctx.path() == "/error") throw sake::HttpError(403, "not you");
        if (ctx.path() == "/failure") throw std::runtime_error("broken");
    });
    app.post("/error", [] {});
    app.post("/failure", [] {});
    TestClient client(app);
    TestConnection error = client.connect();
    error.send(waiting_head("/error"));
    const sake::TestResponse forbidden = error.response("POST");
    CHECK(forbidden.status == 403);
    CHECK(forbidden.header("X-After") == "1");
    CHECK(logged.empty());
    TestConnection failure = client.connect();
    failure.send(waiting_head("/failure"));
    CHECK(failure.response("POST").status == 500);
    CHECK(logged.find("broken") != std::string::npos);
}

TEST_CASE("middleware that reads the body runs when the body is here, and its first try leaves no trace") {
    int runs = 0;
    std::vector<std::string> order;
    sake::Engine app;
    app.use([&](Context& ctx) {
        order.emplace_back("outer");
        ctx.add_header("X-Outer", "1");
    });
    app.use([&](Context& ctx) {
        ++runs;
        ctx.add_header("X-Reader", "1");
        ctx.after([&](Context&) { order.emplace_back("after"); });
        try {
            if (ctx.body() == "bad") ctx.abort(400).text("bad body");
        } catch (...) {
            ctx.abort(418);  // swallows what tells it that the body is not here
        }
        order.emplace_back("reader");
    });
    app.use([&](Context& ctx) {
        order.emplace_back("inner");
        ctx.set("size", ctx.body().size());
    });
    app.post("/", [&](Context& ctx) { ctx.text("got " + std::to_string(ctx.get<int>("size"))); });
    TestClient client(app);
    for (const int expected_runs : {2, 3}) {  // it is known after the first time
        TestConnection connection = client.connect();
        connection.send(waiting_head("/"));
        CHECK(connection.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
        order.clear();
        connection.send("12345");
        const sake::TestResponse answer = connection.response("POST");
        CHECK(answer.status == 200);
        CHECK(answer.body == "got 5");
        CHECK(answer.header("X-Reader") == "1");
        CHECK(answer.header("X-Outer") == "1");
        CHECK(order == std::vector<std::string>{"reader", "inner", "after"});
        CHECK(runs == expected_runs);
    }
    CHECK(client.post("/", "bad").status == 400);
}

TEST_CASE("middleware behind a coroutine waits for the body") {
    sake::Engine app;
    app.use([](Context& ctx) -> Task<> {
        co_await ctx.next();
        ctx.set_header("X-Wrapped", "1");
    });
    app.use(require_key);
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    TestConnection connection = client.connect();
    connection.send(waiting_head("/"));
    CHECK(connection.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("12345");
    const sake::TestResponse answer = connection.response("POST");
    CHECK(answer.status == 401);
    CHECK(answer.header("X-Wrapped") == "1");
}

TEST_CASE("each middleware runs once, whether the body comes with its head or later") {
    std::string order;
    sake::Engine app;
    for (const char name : {'a', 'b'}) app.use([&order, name](Context&) { order += name; });
    app.post("/",
             [&](Context& ctx) {
                 order += 'h';
                 ctx.text(ctx.body());
             })
        .use([&](Context&) { order += 'r'; });
    TestClient client(app);
    TestConnection connection = client.connect();
    const std::string request = head("/", "Content-Length: 5\r\n") + "12345";
    for (std::size_t cut = 0; cut <= request.size(); ++cut) {
        CAPTURE(cut);
        order.clear();
        if (cut > 0) connection.send(request.substr(0, cut));
        CHECK((connection.receive_now().empty() || cut == request.size()));
        if (cut < request.size()) {
            connection.send(request.substr(cut));
            CHECK(connection.response("POST").body == "12345");
        }
        CHECK(order == "abrh");
    }
}

TEST_CASE("a request that is refused while it is read has the fields of the engine's middleware") {
    std::string order;
    sake::Engine app(quiet().with_max_body(10).with_max_header_block(300));
    app.use([](Context& ctx) { ctx.set_header("Access-Control-Allow-Origin", "*"); });
    app.use([&](Context& ctx) {
        ctx.after([&](Context& c) {
            order += "after " + std::to_string(c.response().status()) + ";";
            c.set_header("X-Request-Id", "7");
        });
    });
    app.use([](Context& ctx) { static_cast<void>(ctx.bind()); });
    app.use([](Context& ctx) {
        ctx.set_header("X-Path", ctx.path().empty() ? "none" : ctx.path());
        ctx.abort(401).text("an answer that does not count");
    });
    app.use([](Context&) { FAIL("the request is aborted before this"); });
    app.post("/", [](Context&) { FAIL("the handler of a refused request runs"); });
    TestClient client(app);
    struct Row {
        std::string request;
        int status;
    };
    const Row rows[] = {
        {head("/", "Content-Length: 11\r\n"), 413},
        {head("/", "Transfer-Encoding: chunked\r\n") + "b\r\n", 413},
        {head("/none", "Content-Length: 11\r\n"), 413},
        {head("/", "Content-Length: x\r\n"), 400},
        {"\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost t\r\n\r\n", 400},
        {head("/", "X: " + std::string(400, 'x') + "\r\n"), 431},
        {head("/", "Expect: tea\r\nContent-Length: 1\r\n"), 417},
        {"GET https://t/ HTTP/1.1\r\nHost: t\r\n\r\n", 421},
        {head("/", "Transfer-Encoding: gzip, chunked\r\n"), 501},
        {"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505},
    };
    for (const Row& row : rows) {
        CAPTURE(row.request);
        order.clear();
        TestConnection connection = client.connect();
        connection.send(row.request);
        const sake::TestResponse answer = connection.response("POST");
        CHECK(answer.status == row.status);
        CHECK(answer.header("Access-Control-Allow-Origin") == "*");
        CHECK(answer.header("X-Request-Id") == "7");
        CHECK(answer.header("Content-Type") == "application/problem+json");
        CHECK(answer.json().at("status") == row.status);
        CHECK(order == "after " + std::to_string(row.status) + ";");
    }
}

TEST_CASE(
    "a request whose time is up has the fields of its middleware, and what was given to after runs once") {
    int afters = 0;
    sake::Engine app(quiet().with_request_timeout(100ms).with_header_timeout(200ms));
    app.use([&](Context& ctx) {
        ctx.set_header("Access-Control-Allow-Origin", "*");
        ctx.after([&](Context& c) {
            ++afters;
            c.set_header("X-Status", std::to_string(c.response().status()));
        });
    });
    app.get("/slow", [](Context& ctx) -> Task<> {
        ctx.set_header("ETag", "\"of the handler\"");
        try {
            co_await sake::sleep(10s);
        } catch (const sake::Cancelled&) {
            ctx.text("too late");
        }
    });
    TestClient client(app);
    const sake::TestResponse answer = client.get("/slow");
    CHECK(answer.status == 504);
    CHECK(answer.header("Access-Control-Allow-Origin") == "*");
    CHECK(answer.header("X-Status") == "504");
    CHECK(answer.header("ETag").empty());
    client.advance(1s);
    CHECK(afters == 1);

    TestConnection slow = client.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: t\r\n");
    client.advance(1s);
    const sake::TestResponse late = slow.response();
    CHECK(late.status == 408);
    CHECK(late.header("Access-Control-Allow-Origin") == "*");
    CHECK(late.header("X-Status") == "408");
    CHECK(afters == 2);
}

TEST_CASE("a body that ends too late or is too large adds nothing twice to what its middleware has set") {
    int runs = 0;
    sake::Engine app(quiet().with_max_body(10));
    app.use([&](Context& ctx) {
        ++runs;
        ctx.add_header("X-Once", "1");
    });
    app.post("/", [](Context&) { FAIL("the handler of a refused request runs"); });
    TestClient client(app);
    TestConnection connection = client.connect();
    connection.send(head("/", "Transfer-Encoding: chunked\r\n"));
    CHECK(connection.receive_now().empty());
    CHECK(runs == 1);
    connection.send("b\r\n12345678901\r\n");
    const std::string all = connection.receive();
    CHECK(all.starts_with("HTTP/1.1 413 "));
    CHECK(all.find("X-Once: 1\r\n") == all.rfind("X-Once: 1\r\n"));
    CHECK(all.find("X-Once: 1\r\n") != std::string::npos);
    CHECK(runs == 1);
}

TEST_CASE("an observer sees the refusal as it leaves") {
    std::string seen;
    sake::Engine app(quiet().with_max_body(1));
    app.on_answered([&](const sake::Answered& answered) {
        seen = std::to_string(answered.status) + " " + std::string(to_string(answered.cause)) + " " +
               std::to_string(answered.ctx.response().status()) + " " +
               std::to_string(answered.ctx.response().headers().contains("X-Id"));
        static_cast<void>(answered.ctx.body());
    });
    app.use([](Context& ctx) { ctx.set_header("X-Id", "1"); });
    app.post("/", [] {});
    TestClient client(app);
    CHECK(client.post("/", "too much").status == 413);
    CHECK(seen == "413 refused 413 1");
}

TEST_CASE("a request whose time is up before it has passed its middleware never reaches its handler") {
    int ran = 0;
    sake::Engine app(quiet().with_request_timeout(100ms));
    app.use([](Context& ctx) -> Task<> {
        try {
            co_await sake::sleep(10s);
        } catch (const sake::Cancelled&) {
            // Swallows it, and goes on.
        }
        co_await ctx.next();
    });
    app.use([](Context&) { throw sake::HttpError(401, "no"); });
    app.get("/", [&] { ++ran; });
    TestClient client(app);
    CHECK(client.get("/").status == 504);
    client.advance(1s);
    CHECK(ran == 0);
}

TEST_CASE("on a refusal, what follows middleware that throws or aborts is not run") {
    for (const bool throws : {true, false}) {
        int passed = 0;
        sake::Engine app(quiet().with_max_body(10));
        app.use([](Context& ctx) { ctx.set_header("X-First", "1"); });
        app.use([throws](Context& ctx) {
            if (throws) throw sake::HttpError(401, "no");
            ctx.abort(401);
        });
        app.use([&](Context&) { ++passed; });
        app.post("/", [&] { ++passed; });
        TestClient client(app);
        const sake::TestResponse refused = client.post("/", "more than ten bytes");
        CHECK(refused.status == 413);
        CHECK(refused.header("X-First") == "1");
        CHECK(client.post("/", "few").status == 401);
        CHECK(passed == 0);
    }
}

TEST_CASE("a 404 or 405 is answered before the body is asked for, behind middleware too") {
    sake::Engine app;
    app.use([](Context& ctx) { ctx.set_header("X-Middleware", "1"); });
    app.get("/get", [] {});
    TestClient client(app);
    for (const auto& [path, status] : {std::pair("/none", 404), std::pair("/get", 405)}) {
        TestConnection connection = client.connect();
        connection.send(waiting_head(path));
        const std::string all = connection.receive_all();
        CHECK(all.starts_with("HTTP/1.1 " + std::to_string(status)));
        CHECK(all.find("X-Middleware: 1\r\n") != std::string::npos);
    }
}

TEST_CASE("an answer that waits for a small body leaves when the body does not come in time") {
    sake::Engine app(quiet());
    app.use(require_key);
    app.post("/", [] {});
    TestClient client(app);
    TestConnection connection = client.connect();
    connection.send(head("/", "Content-Length: 5\r\n"));
    CHECK(connection.receive_now().empty());
    client.advance(60s);
    const sake::TestResponse answer = connection.response("POST");
    CHECK(answer.status == 401);
    CHECK(answer.header("Connection") == "close");
}

}  // namespace test_on_head
