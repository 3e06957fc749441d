// The other of two units with the header in them; see two_units.
#include "sake.hpp"

void add_routes(sake::Engine& app);

void add_routes(sake::Engine& app) {
    app.get("/b", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(std::chrono::milliseconds(1));
        ctx.json({{"unit", "b"}});
    });
    app.get("/work", [](sake::Context& ctx) { ctx.text(ctx.in_worker_pool() ? "pool" : "reactor"); });
}
