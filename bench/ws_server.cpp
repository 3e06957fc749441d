// Sake's program in the benchmarks of WebSockets, with every default left alone.
//
//     ws_server PORT              serves 127.0.0.1:PORT until SIGTERM
//
// /echo sends back what comes. What comes to /publish is sent to all that are connected to /topic.

#include <string>

#include "sake.hpp"

int main(int argc, char** argv) {
    sake::Hub hub;
    sake::Engine app;

    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });

    app.ws("/echo", [](sake::WebSocket& ws) -> sake::Task<> {
        while (auto message = co_await ws.receive()) co_await ws.send(message->data);
    });

    app.ws("/topic", [&](sake::WebSocket& ws) -> sake::Task<> {
        ws.subscribe(hub, "topic");
        while (co_await ws.receive()) continue;
    });

    app.ws("/publish", [&](sake::WebSocket& ws) -> sake::Task<> {
        while (auto message = co_await ws.receive()) hub.publish("topic", std::move(message->data));
    });

    return app.run(std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "8080"));
}
