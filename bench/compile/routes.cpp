// A file of a larger project: it has routes and no engine. To be compiled and measured.
#include "sake.hpp"

void add_routes(sake::RouterGroup& app);
void add_routes(sake::RouterGroup& app) {
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.text("user " + std::to_string(id)); });
}
