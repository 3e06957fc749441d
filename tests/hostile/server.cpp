// What the hostile clients beside this file are let loose on: a small answer, a large one, and a body that is
// read.
#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    // A hundred of the large answers at once: by default most of them would be cut off at once, for their
    // memory.
    sake::Engine app(sake::Config().with_max_buffered(2'000'000'000));
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.post("/", [](sake::Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
    app.get("/large", [](sake::Context& ctx) { ctx.text(std::string(10'000'000, 'x')); });
    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
