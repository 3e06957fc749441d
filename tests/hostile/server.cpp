// What the hostile clients beside this file are let loose on: a small answer, a large one, and a body that is
// read.
#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.post("/", [](sake::Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
    app.get("/large", [](sake::Context& ctx) { ctx.text(std::string(10'000'000, 'x')); });
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
