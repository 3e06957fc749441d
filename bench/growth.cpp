// Sake's program for the growth of what a request costs: any number of routes, and bodies of any size.
//
//     growth ROUTES PORT      serves 127.0.0.1:PORT until SIGTERM

#include <cstddef>
#include <cstdio>
#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: growth ROUTES PORT\n", stderr);
        return 2;
    }
    constexpr std::size_t largest_body = 64 * 1024 * 1024;
    const int routes = std::stoi(argv[1]);
    sake::Engine app(sake::Config{.max_body = largest_body});

    for (int i = 1; i <= routes; ++i) {
        app.get(sake::runtime("/route/" + std::to_string(i) + "/:id"),
                [](sake::Context& ctx) { ctx.text(ctx.param("id")); });
    }

    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });

    app.post("/length", [](sake::Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });

    const std::string bytes(largest_body, 'x');
    app.get("/bytes/:n", [&](sake::Context& ctx, std::size_t n) {
        ctx.send(std::string_view(bytes).substr(0, n), "application/octet-stream");
    });

    return app.run("127.0.0.1:" + std::string(argv[2]));
}
