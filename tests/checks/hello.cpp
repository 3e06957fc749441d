// The smallest program of a user: it starts, stops and says whether that went well.
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.listen("127.0.0.1:0");
    app.stop();
    return app.run();
}
