// A server whose figures Prometheus reads: routes of all kinds, a pool, a stream.
#include <chrono>

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Engine app;
    app.metrics("/metrics");
    app.health("/health");
    app.ready("/ready");
    app.get("/users/:id", [](sake::Context& ctx) { ctx.text(ctx.param("id")); });
    app.post("/work", [](sake::Context& ctx) { ctx.text(ctx.body()); }).worker();
    app.get("/fails", [](sake::Context&) { throw sake::HttpError(503, "not now"); });
    app.get("/events", [](sake::Context& ctx) -> sake::Task<> {
        sake::EventStream events = ctx.events();
        for (;;) {
            co_await events.send("tick");
            co_await sake::sleep(std::chrono::seconds(1));
        }
    });
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:0");
}
