// timeout: handlers of a route that take too long are cancelled, and answered with 504.
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/observed.hpp"
#include "support/server_fixture.hpp"

namespace test_middleware_timeout {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestResponse;
namespace middleware = sake::middleware;

namespace {

/// A handler that sleeps so long, and notes how it ended.
auto sleeping(std::chrono::milliseconds time, std::string& end) {
    return [time, &end](Context& ctx) -> Task<> {
        end = "cancelled";
        co_await sake::sleep(time);
        end = "finished";
        ctx.text("done");
    };
}

}  // namespace

TEST_CASE("timeout: a handler has the time that its route gives it") {
    for (const auto time : {199ms, 200ms, 201ms}) {
        Log log;
        sake::Engine app(log.config());
        std::string end;
        Answers answers;
        answers.observe(app);
        app.get("/", sleeping(time, end)).use(middleware::timeout(200ms));
        TestClient client(app);
        const TestResponse response = client.get("/");
        if (time > 200ms) {
            CHECK(response.status == 504);
            CHECK(response.header("Content-Type") == "application/problem+json");
            CHECK(response.json()["detail"] == "the request took too long");
            CHECK(end == "cancelled");
            CHECK(log.has("a request took too long in GET /"));
            CHECK(log.has(": it took longer than the 200 ms of middleware::timeout"));
            CHECK(answers.all.at(0).cause == sake::AnswerCause::timeout);
        } else if (time == 200ms) {
            CHECK((response.status == 504) == (end == "cancelled"));  // whichever timer comes first
        } else {
            CHECK(response.status == 200);
            CHECK(response.body == "done");
            CHECK(end == "finished");
        }
        CHECK(client.get("/nowhere").status == 404);
    }
}

TEST_CASE("timeout: routes without it have the time of all requests") {
    Log log;
    sake::Engine app(log.config().with_request_timeout(1s));
    std::string end;
    app.get("/short", sleeping(500ms, end)).use(middleware::timeout(100ms));
    app.get("/long", sleeping(500ms, end)).use(middleware::timeout(1h));
    app.get("/free", sleeping(500ms, end));
    app.get("/slow", sleeping(2s, end)).use(middleware::timeout(1h));
    TestClient client(app);
    CHECK(client.get("/short").status == 504);
    CHECK(client.get("/long").status == 200);
    CHECK(client.get("/free").status == 200);
    CHECK(client.get("/slow").status == 504);
    const auto lines = log.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("a request took too long in GET /short"));
    CHECK(lines[0].ends_with(": it took longer than the 100 ms of middleware::timeout"));
    CHECK(lines[1].starts_with("a request took too long in GET /slow"));
    CHECK(lines[1].ends_with(": it took longer than the 1 s of Config::request_timeout"));
}

TEST_CASE("timeout: the next request is for another connection") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    app.get("/", sleeping(1h, end)).use(middleware::timeout(10ms));
    TestClient client(app);
    for (int i = 0; i < 3; ++i) {
        sake::TestConnection connection = client.connect();
        connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        const TestResponse response = connection.response();
        CHECK(response.status == 504);
        CHECK(response.header("Connection") == "close");
        CHECK(connection.receive_all().empty());
    }
}

TEST_CASE("timeout: middleware outside sees the 504, and what is given to after runs") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    std::vector<std::string> seen;
    app.use(middleware::request_id());
    app.use([&](Context& ctx) {
        ctx.after([&](Context& answered) { seen.push_back(std::to_string(answered.response().status())); });
    });
    app.get("/", sleeping(1h, end)).use(middleware::timeout(10ms));
    TestClient client(app);
    const TestResponse response = client.get("/");
    CHECK(response.status == 504);
    CHECK(response.header("X-Request-Id").size() == 32);
    CHECK(seen == std::vector<std::string>{"504"});
}

TEST_CASE("timeout: what the handler throws is answered as ever") {
    Log log;
    sake::Engine app(log.config());
    app.get("/gone",
            [](Context&) -> Task<> {
                co_await sake::yield();
                throw sake::HttpError(410, "gone");
            })
        .use(middleware::timeout(10ms));
    app.get("/own", [](Context&) -> Task<> { co_await sake::timeout(sake::sleep(1h), 1ms); })
        .use(middleware::timeout(10ms));
    app.get("/plain", [](Context& ctx) { ctx.text("plain"); }).use(middleware::timeout(10ms));
    TestClient client(app);
    CHECK(client.get("/gone").status == 410);
    CHECK(client.get("/own").status == 500);
    CHECK(client.get("/plain").body == "plain");
}

TEST_CASE("timeout: what a handler answers in spite of its cancellation is dropped") {
    Log log;
    sake::Engine app(log.config());
    app.get("/",
            [](Context& ctx) -> Task<> {
                try {
                    co_await sake::sleep(1h);
                } catch (const sake::Cancelled&) {
                    ctx.text("what I have so far");
                }
            })
        .use(middleware::timeout(10ms));
    TestClient client(app);
    CHECK(client.get("/").status == 504);
}

TEST_CASE("timeout: an answer that has begun to leave is cut off") {
    Log log;
    sake::Engine app(log.config());
    Answers answers;
    answers.observe(app);
    app.get("/",
            [](Context& ctx) -> Task<> {
                auto out = ctx.stream("text/plain");
                co_await out.write("a piece");
                co_await sake::sleep(1h);
            })
        .use(middleware::timeout(10ms));
    TestClient client(app);
    CHECK_THROWS_AS(client.get("/"), std::runtime_error);
    client.advance(1ms);  // the handler ends behind its answer
    REQUIRE(answers.all.size() == 1);
    CHECK(answers.all[0].cause == sake::AnswerCause::cut);
    CHECK(answers.all[0].status == 200);
    CHECK(log.has("a streamed answer took too long in GET /"));
    CHECK(log.has(": it took longer than the 10 ms of middleware::timeout"));
}

TEST_CASE("timeout: an answer in pieces has no more time because its client waits") {
    for (const auto limit : {1s, 3s}) {
        Log log;
        sake::Engine app(log.config());
        Answers answers;
        answers.observe(app);
        app.get("/",
                [](Context& ctx) -> Task<> {
                    auto out = ctx.stream("text/plain");
                    for (int i = 0; i < 4; ++i) {
                        co_await out.write("a piece");
                        co_await sake::sleep(500ms);
                    }
                })
            .use(middleware::timeout(limit));
        TestClient client(app);
        sake::TestConnection connection = client.connect();
        connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        client.advance(4s);
        REQUIRE(answers.all.size() == 1);
        CHECK(answers.all[0].cause == (limit == 1s ? sake::AnswerCause::cut : sake::AnswerCause::handler));
    }
}

TEST_CASE("timeout: the time in which a handler waits for its body counts") {
    for (const bool streams : {true, false}) {
        Log log;
        sake::Engine app(log.config());
        std::string end;
        app.post("/",
                 [&](Context& ctx) -> Task<> {
                     end = "cancelled";
                     while (co_await ctx.read()) continue;
                     end = "finished";
                 })
            .stream_body()
            .use(middleware::timeout(100ms));
        TestClient client(app);
        sake::TestConnection connection = client.connect();
        connection.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 8\r\n\r\n1234");
        client.advance(90ms);
        CHECK(connection.receive_now().empty());
        if (streams) connection.send("5678");
        client.advance(20ms);
        CHECK(connection.response("POST").status == (streams ? 200 : 504));
        CHECK(end == (streams ? "finished" : "cancelled"));
    }
}

TEST_CASE("timeout: a body that is to come does not take the handler's time") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    app.post("/", sleeping(150ms, end)).use(middleware::timeout(200ms));
    TestClient client(app);
    for (const int pause : {100, 3000}) {
        sake::TestConnection connection = client.connect();
        connection.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n12");
        client.advance(std::chrono::milliseconds(pause));
        connection.send("34");
        CHECK(connection.response("POST").status == 200);
        connection.send("GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n");
        CHECK(connection.response().status == 404);
    }
}

TEST_CASE("timeout: a limit for a body that is to come holds, and for this request alone") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    app.post("/short", sleeping(150ms, end)).use(middleware::timeout(100ms));
    app.post("/free", sleeping(150ms, end));
    app.post("/plain", [](Context& ctx) { ctx.text(ctx.body()); }).use(middleware::timeout(100ms));
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    const auto post = [&](std::string path) {
        connection.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n12");
        client.advance(1ms);
        connection.send("34");
        return connection.response("POST").status;
    };
    CHECK(post("/plain") == 200);
    CHECK(post("/free") == 200);
    CHECK(post("/short") == 504);
}

TEST_CASE("timeout: of several limits the shortest holds, and none makes another longer") {
    Log log;
    sake::Engine app(log.config().with_request_timeout(1s));
    app.use([](Context& ctx) -> Task<> {
        co_await sake::sleep(900ms);
        co_await ctx.next();
    });
    std::string end;
    app.get("/", sleeping(500ms, end)).use(middleware::timeout(600ms));
    app.get("/two", sleeping(50ms, end)).use(middleware::timeout(20ms)).use(middleware::timeout(1h));
    TestClient client(app);
    CHECK(client.get("/").status == 504);
    CHECK(client.get("/two").status == 504);
}

TEST_CASE("timeout: the answer does not wait for a job in the background") {
    Log log;
    std::promise<void> release;
    with_server(
        [&](sake::Engine& app) {
            app.get("/",
                    [released = release.get_future().share()](Context& ctx) -> Task<> {
                        co_await sake::background([&] { released.wait_for(10s); });
                        ctx.text("late");
                    })
                .use(middleware::timeout(20ms));
        },
        [&](TestServer& server) {
            CHECK(server.get("/").status == 504);
            release.set_value();
        },
        log.config());
}

TEST_CASE("timeout: an answer in pieces is cut off before its job in the background ends") {
    Log log;
    std::promise<void> release;
    with_server(
        [&](sake::Engine& app) {
            app.get("/",
                    [released = release.get_future().share()](Context& ctx) -> Task<> {
                        auto out = ctx.stream("text/plain");
                        co_await out.write("a piece");
                        co_await sake::background([&] { released.wait_for(10s); });
                        co_await out.write("late");
                    })
                .use(middleware::timeout(20ms));
        },
        [&](TestServer& server) {
            RawClient client(server.port());
            client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
            const std::string all = client.read_until_close(5s);
            CHECK(all.ends_with("a piece\r\n"));
            release.set_value();
        },
        log.config());
}

TEST_CASE("timeout: what stands behind it refuses a body before it is asked for") {
    Log log;
    sake::Engine app(log.config());
    app.use(middleware::timeout(1s));
    app.use(middleware::body_limit(10));
    app.post("/", [](Context& ctx) -> Task<> {
        ctx.text(ctx.body());
        co_return;
    });
    TestClient client(app);
    for (const int size : {10, 11}) {
        sake::TestConnection connection = client.connect();
        connection.send("POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: " +
                        std::to_string(size) + "\r\n\r\n");
        const std::string expected = size == 10 ? "HTTP/1.1 100 " : "HTTP/1.1 413 ";
        CHECK(connection.receive_now().starts_with(expected));
    }
}

TEST_CASE("timeout: an answer in pieces that is quick enough is whole, and so is a body") {
    sake::Engine app;
    app.post("/",
             [](Context& ctx) -> Task<> {
                 auto out = ctx.stream("text/plain");
                 while (auto piece = co_await ctx.read()) {
                     const std::string text(*piece);
                     co_await out.write(text);
                 }
             })
        .stream_body()
        .use(middleware::timeout(1s));
    TestClient client(app);
    CHECK(client.post("/", std::string(100'000, 'b')).body == std::string(100'000, 'b'));
}

TEST_CASE("timeout: a worker's late answer is dropped") {
    Log log;
    std::promise<void> release;  // as the worker's thread is real, so is the time
    with_server(
        [&](sake::Engine& app) {
            app.get("/",
                    [released = release.get_future().share()](Context& ctx) {
                        released.wait();
                        ctx.text("late");
                    })
                .worker()
                .use(middleware::timeout(20ms));
        },
        [&](TestServer& server) {
            CHECK(server.get("/").status == 504);
            release.set_value();
        },
        log.config());
}

TEST_CASE("timeout: a client that leaves ends the handler at once") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    app.get("/", sleeping(1h, end)).use(middleware::timeout(30min));
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    client.advance(1s);
    connection.reset();
    client.advance(1s);
    CHECK(end == "cancelled");
}

TEST_CASE("timeout: the limit must be positive") {
    CHECK_THROWS_AS(static_cast<void>(middleware::timeout(0s)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(middleware::timeout(-1s)), std::invalid_argument);
    static_cast<void>(middleware::timeout(1ns));
    static_cast<void>(middleware::timeout(std::chrono::hours::max()));
}

}  // namespace test_middleware_timeout
