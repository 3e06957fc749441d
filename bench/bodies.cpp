// Sake's program for what large bodies and files cost: each way to receive a body and to send one.
//
//     bodies DIRECTORY PORT      serves 127.0.0.1:PORT until SIGTERM, the directory's files below /files

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "sake.hpp"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: bodies DIRECTORY PORT\n", stderr);
        return 2;
    }
    constexpr std::size_t largest_body = 64 * 1024 * 1024;
    sake::Engine app(sake::Config{.max_body = largest_body});

    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });

    // Receiving.
    app.post("/whole", [](sake::Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
    app.post("/pieces",
             [](sake::Context& ctx) -> sake::Task<> {
                 std::size_t size = 0;
                 for (;;) {
                     const auto piece = co_await ctx.read();
                     if (!piece) break;
                     size += piece->size();
                 }
                 ctx.text(std::to_string(size));
             })
        .stream_body();

    // Sending. What is returned has to be made first, so /made makes it and sends only how long it is.
    const std::string bytes(largest_body, 'x');
    app.get("/streamed/:n", [&](sake::Context& ctx, std::size_t n) -> sake::Task<> {
        sake::BodyWriter out = ctx.stream("application/octet-stream");
        co_await out.write(std::string_view(bytes).substr(0, n));
    });
    app.get("/returned/:n", [](std::size_t n) { return std::string(n, 'x'); });
    app.get("/made/:n", [](sake::Context& ctx, std::size_t n) {
        const std::string made(n, 'x');
        ctx.text(std::to_string(made.size()));
    });
    app.get("/copied/:n", [&](sake::Context& ctx, std::size_t n) {
        ctx.send(std::string_view(bytes).substr(0, n), "application/octet-stream");
    });

    app.static_files("/files", argv[1]);

    return app.run("127.0.0.1:" + std::string(argv[2]));
}
