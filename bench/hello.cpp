// Sake's program in the benchmarks: the routes of every scenario with every default left alone.
//
//     hello PORT              serves 127.0.0.1:PORT until SIGTERM
//
// It has no static files: the one that MEBIBYTE names is read once.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "sake.hpp"

namespace {

std::string contents(const char* path) {
    std::ifstream file(path != nullptr ? path : "", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Message {
    std::string message;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string port = argc > 1 ? argv[1] : "8080";
    const std::string mebibyte = contents(std::getenv("MEBIBYTE"));
    std::uint64_t passed = 0;
    sake::Engine app;

    const auto hello = [](sake::Context& ctx) { ctx.text("Hello, World!"); };

    app.get("/", hello);

    app.get("/json", [](sake::Context& ctx) { ctx.json(Message{"Hello, World!"}); });

    app.get("/tree", [](sake::Context& ctx) { ctx.json({{"message", "Hello, World!"}}); });

    app.get("/user/:id", [](sake::Context& ctx) { ctx.text(ctx.param("id")); });

    app.post("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });

    app.get("/files/mebibyte", [&](sake::Context& ctx) { ctx.send(mebibyte, "application/octet-stream"); });

    for (int i = 1; i <= 100; ++i) app.get(sake::runtime("/route/" + std::to_string(i)), hello);

    auto plain = app.group("/plain");
    for (int i = 0; i < 10; ++i) plain.use([&](sake::Context&) { ++passed; });
    plain.get("/hello", hello);

    auto onion = app.group("/onion");
    for (int i = 0; i < 10; ++i) {
        onion.use([&](sake::Context& ctx) -> sake::Task<> {
            co_await ctx.next();
            ++passed;
        });
    }
    onion.get("/hello", hello);

    app.get("/sleep/:ms", [](sake::Context& ctx) -> sake::Task<> {
        const std::chrono::milliseconds pause(ctx.param<int>("ms"));
        co_await sake::sleep(pause);
        ctx.text("awake");
    });

    return app.run("127.0.0.1:" + port);
}
