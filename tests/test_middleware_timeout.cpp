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
            CHECK(log.has("GET / took too long"));
            CHECK(answers.all.at(0).cause == sake::AnswerCause::timeout);
        } else if (time < 200ms) {
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
}

TEST_CASE("timeout: the connection serves the next request") {
    Log log;
    sake::Engine app(log.config());
    std::string end;
    app.get("/", sleeping(1h, end)).use(middleware::timeout(10ms));
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    for (int i = 0; i < 3; ++i) {
        connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        CHECK(connection.response().status == 504);
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

TEST_CASE("timeout: a handler that answers in spite of its cancellation is not lost") {
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
    CHECK(client.get("/").body == "what I have so far");
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
    REQUIRE(answers.all.size() == 1);
    CHECK(answers.all[0].cause == sake::AnswerCause::cut);
    CHECK(log.has("took too long"));
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
