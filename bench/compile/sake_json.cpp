// Hello world with a JSON answer and a body that is parsed, to be compiled and measured.
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.json({{"id", id}}); });
    app.post("/users", [](sake::Context& ctx) { ctx.json(ctx.bind()); });
    return app.run(8080);
}
