// Sake's program in the benchmarks: four small routes with every default left alone.
//
//     hello PORT              serves 127.0.0.1:PORT until SIGTERM

#include <chrono>
#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    const std::string port = argc > 1 ? argv[1] : "8080";
    sake::Engine app;

    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });

    app.get("/json", [](sake::Context& ctx) { ctx.json({{"message", "Hello, World!"}}); });

    app.get("/user/:id", [](sake::Context& ctx) { ctx.text(ctx.param("id")); });

    app.get("/sleep/:ms", [](sake::Context& ctx) -> sake::Task<> {
        const std::chrono::milliseconds pause(ctx.param<int>("ms"));
        co_await sake::sleep(pause);
        ctx.text("awake");
    });

    return app.run("127.0.0.1:" + port);
}
