// Hello world, to be compiled and measured.
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    return app.run(8080);
}
