// Engine::metrics: what is counted, and how the page says it.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"

namespace test_metrics {

using namespace std::chrono_literals;

TEST_CASE("durations fall into the bucket whose end they do not exceed") {
    using sake::detail::DurationCounts;
    for (std::size_t i = 0; i < DurationCounts::ends.size(); ++i) {
        DurationCounts counts;
        const std::chrono::nanoseconds end(DurationCounts::ends[i]);
        counts.add(end - 1ns);
        counts.add(end);
        counts.add(end + 1ns);
        CHECK(counts.counts()[i] == 2);
        CHECK(counts.counts()[i + 1] == 1);
    }
}

TEST_CASE("a snapshot has every route with its answers, and what the loop and its connections do") {
    sake::Engine app;
    auto& figures = sake::detail::EngineInside::observatory(app);
    sake::detail::Snapshot taken;
    app.get("/a", [](sake::Context& ctx) { ctx.text("a"); });
    app.get("/bad", [](sake::Context& ctx) { ctx.text(500, "bad"); });
    app.get("/take", [&](sake::Context& ctx) -> sake::Task<> {
        taken = co_await sake::detail::take_snapshot<>(app, figures);
        ctx.text("taken");
    });
    app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(2s);
        ctx.text("slow");
    });
    sake::TestClient client(app);
    sake::TestConnection idle = client.connect();
    idle.send("GET /a HTTP/1.1\r\nHost: test\r\n\r\n");
    CHECK(idle.response().status == 200);
    sake::TestConnection reading = client.connect();
    reading.send("GET /a HT");
    client.get("/a");
    client.get("/bad");
    client.get("/slow");
    client.get("/nothing");
    client.get("/take");
    REQUIRE(taken.routes.size() == 5);
    CHECK(taken.routes[0].pattern == "unmatched");
    CHECK(taken.routes[0].count == 1);
    CHECK(taken.routes[1].pattern == "/a");
    CHECK(taken.routes[1].method == "GET");
    CHECK(taken.routes[1].count == 2);
    CHECK(taken.routes[2].errors == 1);
    CHECK(taken.routes[3].count == 0);
    CHECK(taken.routes[4].durations.quantile(0.5) > 1.5);
    CHECK(taken.connections.idle == 1);
    CHECK(taken.connections.reading == 1);
    CHECK(taken.connections.handling == 1);
    CHECK(taken.connections.open() == 3);
    REQUIRE(taken.slow.size() == 1);
    CHECK(taken.slow[0].route->pattern() == "/slow");
    CHECK(taken.slow[0].duration == 2s);
    CHECK(taken.loop.turns.total() > 0);
    CHECK(taken.memory.limit == app.config().max_buffered);
}

TEST_CASE("show") {
    sake::Engine app;
    app.metrics("/metrics");
    app.health("/health");
    app.ready("/ready");
    app.post("/work", [](sake::Context& ctx) { ctx.text("done"); }).worker();
    sake::TestClient client(app);
    client.get("/health");
    client.post("/work", "abc");
    MESSAGE(client.get("/metrics").body);
    MESSAGE(client.request("GET", "/metrics", {{"Accept", "application/openmetrics-text"}}).body);
}

}  // namespace test_metrics
