// A server of WebSockets for the clients of websocket.mjs, websocket.py, websocket_hostile.py and
// websocket_page.py: its address is logged, SIGTERM ends it.
//
//   websocket [ORIGIN]      an origin whose pages may connect to /open
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace {

using sake::Context;
using sake::Message;
using sake::Task;
using sake::WebSocket;
using sake::WebSocketCompression;
using sake::WebSocketOptions;

Task<> echo(WebSocket& ws) {
    while (auto message = co_await ws.receive()) co_await ws.send(*message);
}

/// The number of messages and of bytes, once the client says so.
Task<> count(WebSocket& ws) {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    while (auto message = co_await ws.receive()) {
        if (message->is_text) break;
        ++messages;
        bytes += message->data.size();
    }
    co_await ws.send(std::to_string(messages) + " " + std::to_string(bytes));
}

constexpr int pieces = 512;

/// 32 MiB, each piece of a letter of its own.
Task<> send_pieces(WebSocket& ws) {
    for (int i = 0; i < pieces; ++i) {
        const std::string piece(std::size_t{64} * 1024, static_cast<char>('a' + i % 26));
        co_await ws.send(piece);
    }
}

/// Posts until that is refused. The number of posts that were not.
int fill(const WebSocket& ws) {
    const std::string piece(std::size_t{64} * 1024, 'x');
    int posted = 0;
    while (ws.post(piece)) ++posted;
    return posted;
}

/// Posts of eight threads at once, each in order: "THREAD NUMBER".
void post_from_threads(const sake::WebSocketSender& sender, std::vector<std::jthread>& threads) {
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([i, sender] {
            for (int j = 0; j < 2000; ++j) sender.post(std::to_string(i) + " " + std::to_string(j));
        });
    }
}

WebSocketOptions dedicated(int window_bits) {
    WebSocketOptions options;
    options.compression = WebSocketCompression::dedicated;
    options.window_bits = window_bits;
    return options;
}

WebSocketOptions hasty() {
    WebSocketOptions options;
    options.ping_after = std::chrono::milliseconds(200);
    options.pong_timeout = std::chrono::seconds(10);
    return options;
}

/// What clients say and are told.
void add_echoes(sake::Engine& app, const std::string& origin) {
    WebSocketOptions plain;
    plain.compression = WebSocketCompression::off;
    app.ws("/echo", echo, plain);
    app.ws("/deflate-shared", echo);
    for (const int bits : {9, 12, 15}) {
        app.ws(sake::runtime("/deflate-dedicated-" + std::to_string(bits)), echo, dedicated(bits));
    }
    app.ws("/hasty", echo, hasty());
    WebSocketOptions open;
    open.origins = {origin};
    app.ws("/open", echo, open);
    WebSocketOptions spoken;
    spoken.protocols = {"chat.v2", "chat.v1"};
    app.ws("/proto", [](WebSocket& ws) -> Task<> { co_await ws.send(ws.protocol()); }, spoken);
}

/// How a connection ends.
void add_ends(sake::Engine& app, sake::Channel<std::string>& ends) {
    app.ws("/close/:code", [](WebSocket& ws, int code) -> Task<> {
        const std::string reason = "because of " + std::to_string(code) + " \u9152";
        co_await ws.close(code, reason);
    });
    app.ws("/fails", [](WebSocket& ws) -> Task<> {
        co_await ws.receive();
        throw sake::HttpError(500, "as it should");
    });
    app.ws("/told", [&ends](WebSocket& ws) -> Task<> {
        co_await echo(ws);
        const std::string end = std::to_string(ws.close_code()) + " " + std::string(ws.close_reason());
        co_await ends.send(end);
    });
    app.get("/ends", [&ends](Context& ctx) -> Task<> {
        const auto end = co_await ends.receive();
        ctx.text(*end);
    });
    app.ws("/guarded", echo).use([](Context& ctx) {
        if (ctx.header("Authorization") != "Bearer x") throw sake::HttpError(401, "who are you?");
    });
}

/// Clients that are slower than the program, and a program that is slower than its clients.
void add_slow(sake::Engine& app, sake::Channel<std::string>& ends, sake::Event& may_read,
              std::vector<std::jthread>& threads) {
    app.ws("/slow", [&may_read](WebSocket& ws) -> Task<> {
        co_await may_read.wait();
        co_await count(ws);
    });
    app.post("/read", [&may_read](Context& ctx) {
        may_read.set();
        may_read.reset();
        ctx.status(204);
    });
    app.ws("/pieces", send_pieces);
    app.ws("/flood", [&ends](WebSocket& ws) -> Task<> {
        const std::string posted = std::to_string(fill(ws));
        co_await ends.send(posted);
    });
    WebSocketOptions lossy;
    lossy.slow = sake::SlowSocket::drop;
    app.ws(
        "/drop",
        [](WebSocket& ws) -> Task<> {
            const std::string words = std::to_string(fill(ws)) + " posted";
            co_await ws.receive();
            co_await ws.send(words);
        },
        lossy);
    app.ws("/push", [&threads](WebSocket& ws) -> Task<> {
        post_from_threads(ws.sender(), threads);
        while (auto message = co_await ws.receive()) co_await ws.send(message->data);
    });
}

}  // namespace

int main(int argc, char** argv) {
    sake::Channel<std::string> ends(1000);
    sake::Event may_read;
    std::vector<std::jthread> threads;
    sake::Engine app;
    app.metrics("/metrics");
    app.get("/", [](Context& ctx) { ctx.html("<!doctype html><title>WebSockets</title>"); });
    add_echoes(app, argc > 1 ? argv[1] : "http://elsewhere.example");
    add_ends(app, ends);
    add_slow(app, ends, may_read, threads);
    return app.run("127.0.0.1:0");
}
