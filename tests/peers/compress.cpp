// Answers that are compressed, for the clients of compress.mjs: the address is logged, SIGTERM ends it.
#include <cstddef>
#include <string>

#include "sake.hpp"

int main() {
    using namespace sake;
    std::string text;
    for (int i = 0; text.size() < 300'000; ++i) text += "line " + std::to_string(i * 7 % 1000) + " of many\n";
    Hub hub;
    Engine app;
    app.use(middleware::compress());
    app.use(middleware::etag());
    app.get("/text/:size", [&text](Context& ctx, std::size_t size) { ctx.text(text.substr(0, size)); });
    app.get("/stream/:size", [&text](Context& ctx, std::size_t size) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        for (std::size_t done = 0; done < size; done += 1000) {
            const std::string piece = text.substr(done, size - done < 1000 ? size - done : 1000);
            co_await out.write(piece);
        }
    });
    app.get("/cut", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        co_await out.write("a line\n");
        throw HttpError(500, "no more");
    });
    app.get("/events", [&hub](Context& ctx) { return hub.serve(ctx, "messages"); });
    app.post("/messages", [&hub](Context& ctx) {
        hub.publish("messages", std::string(ctx.body()));
        ctx.status(202);
    });
    return app.run("127.0.0.1:0");
}
