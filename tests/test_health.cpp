// Engine::health and Engine::ready.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "sake.hpp"
#include "support/client_fixture.hpp"

namespace test_health {

using namespace harness;
using namespace std::chrono_literals;

namespace {

void add_routes(sake::Engine& app) {
    app.health("/health");
    app.ready("/ready");
    app.get("/late", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(5s);
        ctx.text("late");
    });
}

}  // namespace

TEST_CASE("a server that serves is alive and ready, and nobody keeps the answer") {
    with_client(add_routes, [](sake::TestClient& client) {
        const sake::TestResponse health = client.get("/health");
        CHECK(health.status == 200);
        CHECK(health.body == "ok\n");
        CHECK(health.headers.get("Cache-Control") == "no-store");
        CHECK(health.headers.get("Content-Type") == "text/plain; charset=utf-8");
        const sake::TestResponse ready = client.get("/ready");
        CHECK(ready.status == 200);
        CHECK(ready.body == "ready\n");
        CHECK(ready.headers.get("Cache-Control") == "no-store");
        CHECK(client.request("HEAD", "/ready", {}, "").status == 200);
        CHECK(client.request("POST", "/ready", {}, "").status == 405);
    });
}

TEST_CASE("a server that drains is alive, and not ready") {
    const auto status_while_draining = [](const std::string& path) {
        sake::Engine app(quiet_config());
        add_routes(app);
        sake::TestClient client(app);
        sake::TestConnection late = client.connect();
        late.send("GET /late HTTP/1.1\r\nHost: test\r\n\r\n");
        sake::TestConnection asks = client.connect();
        asks.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n");
        CHECK(asks.response().status == 200);
        app.stop();
        client.advance(0s);
        asks.send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
        const sake::TestResponse answer = asks.response();
        CHECK(late.response().body == "late");
        return answer.status;
    };
    CHECK(status_while_draining("/ready") == 503);
    CHECK(status_while_draining("/health") == 200);
}

TEST_CASE("a server that runs again is ready again") {
    sake::Engine app(quiet_config());
    app.ready("/ready");
    {
        sake::TestClient client(app);
        CHECK(client.get("/ready").status == 200);
        client.stop();
    }
    sake::TestClient client(app);
    CHECK(client.get("/ready").status == 200);
}

TEST_CASE("middleware of these routes holds, and they are no part of the API") {
    with_client(
        [](sake::Engine& app) {
            app.health("/health").use([](sake::Context& ctx) { ctx.abort(403).text("not for you"); });
            app.ready(sake::runtime("/ready"));
            app.openapi("/openapi.json", {.title = "API", .version = "1"});
        },
        [](sake::TestClient& client) {
            CHECK(client.get("/health").status == 403);
            CHECK(client.get("/openapi.json").body.find("ready") == std::string::npos);
        });
}

}  // namespace test_health
