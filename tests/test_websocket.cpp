// WebSocket on the server: handlers, sending and receiving, pings, closing, stops, posts from threads and
// subscriptions to a Hub. The bytes are judged in test_ws_reader.cpp and test_websocket_cases.cpp.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/server_fixture.hpp"

namespace test_websocket {

using namespace std::chrono_literals;
using harness::quiet_config;
using harness::with_client;
using sake::Context;
using sake::Engine;
using sake::Hub;
using sake::Message;
using sake::Task;
using sake::TestClient;
using sake::TestWebSocket;
using sake::WebSocket;
using sake::WebSocketOptions;
using sake::WebSocketSender;

namespace {

Task<> echo(WebSocket& ws) {
    while (auto message = co_await ws.receive()) co_await ws.send(*message);
}

/// A route /ws with this handler.
template <class F>
auto route_of(F handler, WebSocketOptions options = {}) {
    return [handler, options](Engine& app) { app.ws("/ws", handler, options); };
}

std::string text_of(const std::optional<Message>& message) { return message ? message->data : "(nothing)"; }

/// What a handler has seen, in order.
struct Notes {
    std::string lines;
    void add(std::string_view line) { lines.append(line).append("|"); }
};

}  // namespace

TEST_CASE("websocket: texts and bytes come back as they were sent") {
    with_client(route_of(echo), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        CHECK(ws.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 section 1.3
        for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 70000U, 1048576U}) {
            const std::string payload(size, 'x');
            ws.send(payload);
            const auto text = ws.receive();
            REQUIRE(text);
            CHECK(text->is_text);
            CHECK(text->data == payload);
        }
        ws.send_binary(std::string("\0\xff\x80", 3));
        const auto bytes = ws.receive();
        REQUIRE(bytes);
        CHECK_FALSE(bytes->is_text);
        CHECK(bytes->data == std::string("\0\xff\x80", 3));
        ws.close();
        CHECK(ws.close_code() == 1000);
    });
}

TEST_CASE("websocket: many messages in one piece come back in order") {
    with_client(route_of(echo), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        for (int i = 0; i < 1000; ++i) ws.send(std::to_string(i));
        for (int i = 0; i < 1000; ++i) CHECK(text_of(ws.receive()) == std::to_string(i));
    });
}

TEST_CASE("websocket: a handler takes the context, path parameters and a query") {
    struct Who {
        std::string name;
    };
    const auto setup = [](Engine& app) {
        app.ws("/rooms/:room/:seat",
               [](Context& ctx, WebSocket& ws, std::string room, int seat, sake::Query<Who> who) -> Task<> {
                   const std::string all = std::string(ctx.param("room")) + "/" + room + "/" +
                                           std::to_string(seat) + "/" + who->name;
                   co_await ws.send(all);
               });
    };
    with_client(setup, [](TestClient& client) {
        TestWebSocket ws = client.websocket("/rooms/red/7?name=ada");
        CHECK(text_of(ws.receive()) == "red/red/7/ada");
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 1000);
        // What does not convert is refused before anything is upgraded.
        CHECK_THROWS_WITH(static_cast<void>(client.websocket("/rooms/red/x?name=ada")),
                          doctest::Contains("400"));
        CHECK_THROWS_WITH(static_cast<void>(client.websocket("/rooms/red/7")), doctest::Contains("422"));
    });
}

TEST_CASE("websocket: a group has them as well") {
    const auto setup = [](Engine& app) { app.group("/api").ws("/ws", echo); };
    with_client(setup, [](TestClient& client) {
        TestWebSocket ws = client.websocket("/api/ws");
        ws.send("hi");
        CHECK(text_of(ws.receive()) == "hi");
    });
}

TEST_CASE("websocket: a request without an upgrade is answered with 426") {
    with_client(route_of(echo), [](TestClient& client) {
        const auto plain = client.get("/ws");
        CHECK(plain.status == 426);
        CHECK(plain.header("Upgrade") == "websocket");
        CHECK(plain.header("Connection") == "Upgrade");
        CHECK(plain.header("Sec-WebSocket-Version") == "13");
        CHECK(client.post("/ws").status == 405);
        sake::http::Headers old;
        old.set("Sec-WebSocket-Version", "8");
        CHECK_THROWS_WITH(static_cast<void>(client.websocket("/ws", old)), doctest::Contains("426"));
    });
}

TEST_CASE("websocket: middleware may refuse the handshake, and sees the answer") {
    std::vector<int> statuses;
    const auto setup = [&](Engine& app) {
        app.use([](Context& ctx) {
            if (ctx.path() == "/ws" && ctx.query("key") != "right") ctx.abort(401).text("no");
        });
        app.use([](Context& ctx) -> Task<> { co_await ctx.next(); });
        app.use([&](Context& ctx) {
            if (ctx.path() != "/ws") return;
            ctx.after([&](Context& done) { statuses.push_back(done.response().status()); });
        });
        app.ws("/ws", echo);
    };
    with_client(setup, [&](TestClient& client) {
        CHECK_THROWS_WITH(static_cast<void>(client.websocket("/ws")), doctest::Contains("401"));
        TestWebSocket ws = client.websocket("/ws?key=right");
        ws.send("hi");
        CHECK(text_of(ws.receive()) == "hi");
        CHECK(statuses == std::vector<int>{101});
        std::vector<int>().swap(statuses);
    });
}

TEST_CASE("websocket: a page of another origin may not connect unless it is listed") {
    const auto with_origin = [](TestClient& client, const char* origin) {
        sake::http::Headers headers;
        headers.set("Host", "app.example");
        headers.set("Origin", origin);
        return client.websocket("/ws", headers);
    };
    with_client(route_of(echo), [&](TestClient& client) {
        CHECK_NOTHROW(with_origin(client, "http://app.example"));
        CHECK_NOTHROW(with_origin(client, "https://app.example"));
        for (const char* origin : {"http://evil.example", "http://app.example.evil", "null",
                                   "http://app.example:8080", "file://", "app.example"}) {
            CHECK_THROWS_WITH(static_cast<void>(with_origin(client, origin)), doctest::Contains("403"));
        }
    });
    with_client(route_of(echo, {.origins = {"https://a.example"}}), [&](TestClient& client) {
        CHECK_NOTHROW(with_origin(client, "https://a.example"));
        CHECK_NOTHROW(with_origin(client, "https://app.example"));
        CHECK_THROWS(static_cast<void>(with_origin(client, "http://a.example")));
    });
    with_client(route_of(echo, {.origins = {"*"}}), [&](TestClient& client) {
        CHECK_NOTHROW(with_origin(client, "https://anything.example"));
        CHECK_NOTHROW(with_origin(client, "null"));
    });
}

TEST_CASE("websocket: the first of the server's subprotocols that is offered is agreed on") {
    const auto protocol = [](WebSocket& ws) -> Task<> { co_await ws.send(ws.protocol()); };
    with_client(route_of(protocol, {.protocols = {"v2", "v1"}}), [](TestClient& client) {
        const auto offer = [&](const char* list) {
            sake::http::Headers headers;
            headers.set("Sec-WebSocket-Protocol", list);
            TestWebSocket ws = client.websocket("/ws", headers);
            return std::string(ws.protocol()) + "|" + text_of(ws.receive());
        };
        CHECK(offer("v1, v2") == "v2|v2");
        CHECK(offer("v0, v1") == "v1|v1");
        CHECK(offer("V1") == "|");
    });
}

TEST_CASE("websocket: options that make no sense are refused by name") {
    const auto refused = [](const WebSocketOptions& options, const char* name) {
        Engine app;
        CHECK_THROWS_WITH_AS(app.ws("/ws", echo, options), doctest::Contains(name), std::invalid_argument);
    };
    refused({.max_message = 0}, "max_message");
    refused({.max_fragments = 0}, "max_fragments");
    refused({.ping_after = 0s}, "ping_after");
    refused({.window_bits = 8}, "window_bits");
    refused({.window_bits = 16}, "window_bits");
    refused({.origins = {"a.example"}}, "origins");
    refused({.protocols = {"a b"}}, "protocols");
}

TEST_CASE("websocket: messages of one byte more than the limit close with 1009") {
    with_client(route_of(echo, {.max_message = 100}), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        ws.send(std::string(99, 'x')).send(std::string(100, 'x'));
        CHECK(text_of(ws.receive()).size() == 99);
        CHECK(text_of(ws.receive()).size() == 100);
        ws.send(std::string(101, 'x'));
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 1009);
    });
}

TEST_CASE("websocket: the handler learns once that the client has closed, and with what") {
    Notes notes;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        while (auto message = co_await ws.receive()) notes.add(message->data);
        notes.add(std::to_string(ws.close_code()) + " " + std::string(ws.close_reason()));
        const auto more = co_await ws.receive();
        CHECK_FALSE(more);
        CHECK_FALSE(ws.is_open());
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket one = client.websocket("/ws");
        one.send("a");
        one.close(4000, "bye");
        CHECK(one.close_code() == 4000);
        TestWebSocket two = client.websocket("/ws");
        two.vanish();
        client.advance(0s);
        TestWebSocket three = client.websocket("/ws");
        three.reset();
        client.advance(0s);
        TestWebSocket four = client.websocket("/ws");
        four.send_raw(std::string_view("\x88\x80\0\0\0\0", 6));  // a Close without a code
        CHECK_FALSE(four.receive());
        CHECK(four.close_code() == 1005);
        client.advance(0s);
        CHECK(notes.lines == "a|4000 bye|1006 |1006 |1005 |");
        std::string().swap(notes.lines);
    });
}

TEST_CASE("websocket: close says why, and waits for the other side") {
    bool is_over = false;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        co_await ws.close(4001, "enough");
        is_over = true;
        const bool was_sent = co_await ws.send("too late");
        CHECK_FALSE(was_sent);
        CHECK(ws.close_code() == 4001);
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        client.advance(0s);
        CHECK_FALSE(is_over);
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 4001);
        CHECK(ws.close_reason() == "enough");
        client.advance(0s);
        CHECK(is_over);
    });
}

TEST_CASE("websocket: a client that does not answer a Close is left after close_timeout") {
    int code = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        co_await ws.close();
        code = ws.close_code();
    };
    with_client(route_of(handler), [&](TestClient& client) {
        sake::TestConnection raw = client.connect();
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        client.advance(4999ms);
        CHECK(code == 0);
        client.advance(2ms);
        CHECK(code == 1006);
        CHECK(raw.receive_all().ends_with("\x88\x02\x03\xe8"));
    });
}

TEST_CASE("websocket: codes and reasons that may not be sent throw") {
    const auto handler = [](WebSocket& ws) -> Task<> {
        for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000}) {
            CHECK_THROWS_AS(static_cast<void>(ws.close(code)), std::invalid_argument);
        }
        CHECK_THROWS_AS(static_cast<void>(ws.close(1000, std::string(124, 'x'))), std::invalid_argument);
        CHECK_THROWS_AS(static_cast<void>(ws.close(1000, "\xff")), std::invalid_argument);
        CHECK_THROWS_AS(static_cast<void>(ws.send("\xff")), std::invalid_argument);
        CHECK_THROWS_AS(ws.post("\xff"), std::invalid_argument);
        co_await ws.close(3000, std::string(123, 'x'));
    };
    with_client(route_of(handler), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 3000);
        CHECK(ws.close_reason() == std::string(123, 'x'));
    });
}

TEST_CASE("websocket: a handler that throws closes with 1011, and the log says where") {
    std::string log;
    log.reserve(1000);  // before the balance is taken
    sake::Config config = quiet_config();
    config.log = [&](sake::LogLevel, std::string_view line) { log += line; };
    const auto handler = [](WebSocket& ws) -> Task<> {
        const auto message = co_await ws.receive();
        throw std::runtime_error("no such " + message->data);
    };
    with_client(
        route_of(handler),
        [](TestClient& client) {
            TestWebSocket ws = client.websocket("/ws");
            ws.send("thing");
            CHECK_FALSE(ws.receive());
            CHECK(ws.close_code() == 1011);
            CHECK(ws.close_reason().empty());
        },
        config);
    CHECK(log.find("no such thing") != std::string::npos);
    CHECK(log.find("GET /ws (") != std::string::npos);
}

TEST_CASE("websocket: a handler may end before it has waited, in any way") {
    const auto code_of = [](auto handler) {
        int code = 0;
        with_client(route_of(handler), [&](TestClient& client) {
            TestWebSocket ws = client.websocket("/ws");
            CHECK_FALSE(ws.receive());
            code = ws.close_code();
        });
        return code;
    };
    CHECK(code_of([](WebSocket&) -> Task<> { co_return; }) == 1000);
    CHECK(code_of([](WebSocket&) -> Task<> {
              throw sake::Cancelled();
              co_return;
          }) == 1001);
    CHECK(code_of([](WebSocket&) -> Task<> {
              throw std::runtime_error("at once");
              co_return;
          }) == 1011);
    // Functions that are no coroutines.
    CHECK(code_of([](WebSocket&) -> Task<> { throw sake::Cancelled(); }) == 1001);
    CHECK(code_of([](WebSocket&) -> Task<> { throw std::runtime_error("at once"); }) == 1011);
}

TEST_CASE(
    "websocket: a handler that returns a Task it has moved from closes with 1011, and the log says why") {
    std::string log;
    log.reserve(1000);  // before the balance is taken
    sake::Config config = quiet_config();
    config.log = [&](sake::LogLevel, std::string_view line) { log += line; };
    const auto handler = [](WebSocket& ws) -> Task<> {
        Task<> task = echo(ws);
        const Task<> elsewhere = std::move(task);
        return task;  // NOLINT(bugprone-use-after-move): the mistake of this test
    };
    with_client(
        route_of(handler),
        [](TestClient& client) {
            TestWebSocket ws = client.websocket("/ws");
            CHECK_FALSE(ws.receive());
            CHECK(ws.close_code() == 1011);
        },
        config);
    CHECK(log.find("a Task is awaited twice, or after it was moved from") != std::string::npos);
}

TEST_CASE("websocket: what send returned may be awaited again only if it has not waited") {
    bool is_over = false;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        auto small = ws.send("small");
        co_await small;
        co_await small;
        const std::string text(200'000, 'x');
        auto large = ws.send(text);
        co_await large;
        CHECK_THROWS_AS(co_await large, std::logic_error);
        is_over = true;
    };
    with_client(route_of(handler), [&](TestClient& client) {
        sake::TestConnection raw = client.connect(4096);
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        client.advance(0s);
        CHECK_FALSE(is_over);
        const std::string all = raw.receive_all();
        CHECK(all.size() > 200'000);
        CHECK(is_over);
    });
}

TEST_CASE("websocket: pings are answered while the handler does something else") {
    const auto handler = [](WebSocket& ws) -> Task<> {
        co_await sake::sleep(1h);
        co_await ws.send("awake");
    };
    with_client(route_of(handler), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        ws.ping("one").ping("two");
        CHECK(ws.pongs() == 2);
        CHECK(ws.last_pong() == "two");
        CHECK(text_of(ws.receive()) == "awake");
    });
}

TEST_CASE("websocket: a silent client is sent a ping, and is left if it stays silent") {
    with_client(route_of(echo, {.ping_after = 10s, .pong_timeout = 5s}), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        client.advance(9999ms);
        CHECK(ws.pings() == 0);
        client.advance(2ms);
        CHECK(ws.pings() == 1);  // and is answered
        client.advance(9999ms);
        CHECK(ws.pings() == 1);
        client.advance(2ms);
        ws.answer_pings(false);
        CHECK(ws.pings() == 2);
        client.advance(4990ms);
        CHECK_FALSE(ws.is_closed());
        client.advance(10ms);
        CHECK(ws.is_closed());
        CHECK(ws.close_code() == 1006);
    });
}

TEST_CASE("websocket: a test client that looks after the server has closed sees how it ended") {
    with_client(route_of(echo, {.ping_after = 10s, .pong_timeout = 5s}), [](TestClient& client) {
        TestWebSocket lost = client.websocket("/ws");
        client.advance(16s);
        CHECK(lost.close_code() == 1006);  // its pong found nobody
        CHECK(lost.pings() == 1);
        TestWebSocket told = client.websocket("/ws");
        CHECK(client.stop() == 0);
        CHECK(told.close_code() == 1001);  // its Close found nobody
    });
}

TEST_CASE("websocket: time in which the handler does not receive does not count as silence") {
    const auto handler = [](WebSocket& ws) -> Task<> {
        co_await sake::sleep(1h);
        while (auto message = co_await ws.receive()) co_await ws.send(message->data);
    };
    with_client(route_of(handler, {.ping_after = 10s, .pong_timeout = 5s}), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        ws.answer_pings(false);
        ws.send("one").send("two");  // the second stays where it is
        client.advance(59min);
        CHECK_FALSE(ws.is_closed());
        CHECK(text_of(ws.receive()) == "one");
        CHECK(text_of(ws.receive()) == "two");
    });
}

TEST_CASE("websocket: a stop closes with 1001, and waits for the handlers") {
    Notes notes;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        while (auto message = co_await ws.receive()) notes.add(message->data);
        co_await sake::sleep(2s);  // cleans up
        notes.add("done");
    };
    const auto setup = [&](Engine& app) {
        app.ws("/ws", handler);
        app.get("/stop", [&app](Context&) { app.stop(); });
    };
    const int exit_code = with_client(setup, [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        ws.send("a");
        client.advance(0s);
        static_cast<void>(client.get("/stop"));
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 1001);
        CHECK(client.stop() == 0);
        CHECK(notes.lines == "a|done|");
        std::string().swap(notes.lines);
    });
    CHECK(exit_code == 0);
}

TEST_CASE("websocket: a stop ends within five seconds if the clients do not answer") {
    sake::Config config = quiet_config();
    config.shutdown_grace = 60s;
    with_client(
        route_of(echo),
        [](TestClient& client) {
            auto connections = harness::connections_of(
                client, 100,
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
            client.advance(0s);
            CHECK(client.stop() == 0);
            for (auto& each : connections) CHECK(each.receive_all().find("\x03\xe9") != std::string::npos);
        },
        config);
}

TEST_CASE("websocket: a loop that ignores that the client has left ends all the same") {
    int sent = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        for (;;) {
            co_await ws.send("tick");
            ++sent;
            co_await sake::sleep(1s);
        }
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        CHECK(text_of(ws.receive()) == "tick");
        CHECK(text_of(ws.receive()) == "tick");
        ws.vanish();
        client.advance(10s);
        CHECK(sent <= 4);
    });
}

TEST_CASE("websocket: sending waits while the client does not read") {
    int sent = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        const std::string text(10'000, 'x');
        for (int i = 0; i < 100; ++i) {
            co_await ws.send(text);
            ++sent;
        }
    };
    with_client(route_of(handler), [&](TestClient& client) {
        sake::TestConnection raw = client.connect(4096);
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        client.advance(0s);
        CHECK(sent > 0);
        CHECK(sent < 20);  // about 64 KiB, not a megabyte
        const std::string all = raw.receive_all();
        CHECK(all.size() > 1'000'000);
        CHECK(sent == 100);
    });
}

TEST_CASE("websocket: a client that takes nothing is left after write_timeout") {
    sake::Config config = quiet_config();
    config.write_timeout = 10s;
    int code = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        const std::string text(100'000, 'x');
        while (co_await ws.send(text)) continue;
        code = ws.close_code();
    };
    with_client(
        route_of(handler),
        [&](TestClient& client) {
            sake::TestConnection raw = client.connect(4096);
            raw.send(
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
            client.advance(9s);
            CHECK(code == 0);
            client.advance(2s);
            CHECK(code == 1006);
        },
        config);
}

TEST_CASE(
    "websocket: receive may be given up again and again, even as its message comes, and has taken nothing") {
    Notes notes;
    sake::Event has_come;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            auto receiving = sake::timeout(ws.receive(), 1s);
            CHECK_THROWS_AS(co_await std::move(receiving), sake::TimedOut);
        }
        const auto receive = [&]() -> Task<> { notes.add(text_of(co_await ws.receive())); };
        auto receiving = sake::spawn(receive());
        co_await has_come.wait();
        receiving.cancel();
        CHECK_THROWS_AS(co_await receiving, sake::Cancelled);
        while (auto message = co_await ws.receive()) notes.add(message->data);
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        client.advance(4s);
        ws.send("a");
        has_come.set();
        client.advance(0s);
        ws.send("b");
        ws.close();
        client.advance(0s);
        CHECK(notes.lines == "a|b|");
        std::string().swap(notes.lines);
    });
}

TEST_CASE("websocket: two coroutines may not receive at a time, and may send") {
    const auto handler = [](WebSocket& ws) -> Task<> {
        const auto receive = [](WebSocket& socket) -> Task<> {
            static_cast<void>(co_await socket.receive());
        };
        const auto send = [](WebSocket& socket, std::string text) -> Task<> { co_await socket.send(text); };
        auto one = sake::spawn(receive(ws));
        auto two = sake::spawn(receive(ws));
        auto three = sake::spawn(send(ws, "three"));
        CHECK_THROWS_AS(co_await two, std::logic_error);
        co_await three;
        one.cancel();
        CHECK_THROWS_AS(co_await one, sake::Cancelled);
    };
    with_client(route_of(handler), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        CHECK(text_of(ws.receive()) == "three");
        CHECK_FALSE(ws.receive());
    });
}

TEST_CASE("websocket: published messages are sent by themselves") {
    const auto before = harness::allocations::live_blocks();
    {
        Hub hub;
        const auto handler = [&](WebSocket& ws) -> Task<> {
            ws.subscribe(hub, "news");
            ws.subscribe(hub, "news");  // no effect
            while (auto message = co_await ws.receive()) {
                if (message->data == "leave") ws.unsubscribe(hub, "news");
                if (message->data == "join") ws.subscribe(hub, "news");
                co_await ws.send("ok");
            }
        };
        with_client(route_of(handler), [&](TestClient& client) {
            harness::allocations::Exempt exempt;  // the hub keeps its messages
            TestWebSocket one = client.websocket("/ws");
            TestWebSocket two = client.websocket("/ws");
            client.advance(0s);
            hub.publish("news", "a");
            hub.publish("other", "x");
            hub.publish("news", "b");
            for (TestWebSocket* each : {&one, &two}) {
                CHECK(text_of(each->receive()) == "a");
                CHECK(text_of(each->receive()) == "b");
            }
            one.send("leave");
            CHECK(text_of(one.receive()) == "ok");
            hub.publish("news", "c");
            CHECK(text_of(two.receive()) == "c");
            CHECK_FALSE(one.receive_now());
            one.send("join");
            CHECK(text_of(one.receive()) == "ok");
            hub.publish("news", "d");
            CHECK(text_of(one.receive()) == "d");
            CHECK(hub.subscribers("news") == 2);
            two.vanish();
            client.advance(0s);
            CHECK(hub.subscribers("news") == 1);
            one.close();
            client.advance(0s);
            CHECK(hub.subscribers("news") == 0);
        });
    }
    CHECK(harness::is_back_at(before));
}

TEST_CASE("websocket: what is published and is no UTF-8 is sent as bytes") {
    Hub hub;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        ws.subscribe(hub, "news");
        co_await ws.receive();
    };
    with_client(route_of(handler), [&](TestClient& client) {
        harness::allocations::Exempt exempt;  // the hub keeps its messages
        TestWebSocket ws = client.websocket("/ws");
        client.advance(0s);
        hub.publish("news", "\xff\xfe");
        hub.publish("news", "text");
        const auto bytes = ws.receive();
        REQUIRE(bytes);
        CHECK_FALSE(bytes->is_text);
        CHECK(bytes->data == "\xff\xfe");
        const auto text = ws.receive();
        REQUIRE(text);
        CHECK(text->is_text);
    });
}

TEST_CASE("websocket: a subscription that the hub closes for being slow closes with 1013") {
    Hub hub({.messages = 4, .slow = sake::SlowSubscriber::close});
    const auto handler = [&](WebSocket& ws) -> Task<> {
        ws.subscribe(hub, "news");
        while (auto message = co_await ws.receive()) continue;
    };
    with_client(route_of(handler), [&](TestClient& client) {
        harness::allocations::Exempt exempt;
        TestWebSocket ws = client.websocket("/ws");
        client.advance(0s);
        for (int i = 0; i < 10; ++i) hub.publish("news", "x");
        while (ws.receive()) continue;
        CHECK(ws.close_code() == 1013);
    });
}

TEST_CASE("websocket: posts from eight threads arrive, each thread's in its order") {
    constexpr int threads = 8;
    constexpr int each = 500;
    std::atomic<int> refused = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        const WebSocketSender sender = ws.sender();
        std::vector<std::thread> publishers;
        for (int t = 0; t < threads; ++t) {
            publishers.emplace_back([&, t, sender] {
                for (int i = 0; i < each; ++i) {
                    if (!sender.post(std::to_string(t) + ":" + std::to_string(i))) ++refused;
                }
            });
        }
        const auto go = co_await ws.receive();
        CHECK(go);
        for (std::thread& publisher : publishers) publisher.join();
        while (auto message = co_await ws.receive()) continue;
        CHECK_FALSE(sender.post("too late"));
        CHECK_FALSE(ws.post("too late"));
        CHECK_FALSE(sender.is_open());
    };
    harness::with_server(
        route_of(handler, {.max_backlog = 64 * 1024 * 1024}), [&](harness::TestServer& server) {
            harness::RawClient client = server.connect();
            client.send(
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
            CHECK(client.read_response().status == 101);
            client.send(std::string_view("\x81\x82\0\0\0\0go", 8));
            std::vector<int> next(threads, 0);
            for (int i = 0; i < threads * each; ++i) {
                const std::string head = client.read_exactly(2);
                REQUIRE(head[0] == '\x81');
                const std::string text = client.read_exactly(static_cast<unsigned char>(head[1]));
                const auto colon = text.find(':');
                const auto thread = static_cast<std::size_t>(std::stoi(text.substr(0, colon)));
                CHECK(std::stoi(text.substr(colon + 1)) == next[thread]++);
            }
            CHECK(refused == 0);
            client.send(std::string_view("\x88\x80\0\0\0\0", 6));
            CHECK(client.read_until_close() == std::string("\x88\x00", 2));
        });
}

TEST_CASE("websocket: a post that does not fit closes with 1013, or is dropped") {
    for (const sake::SlowSocket slow : {sake::SlowSocket::close, sake::SlowSocket::drop}) {
        std::vector<bool> results;
        const auto handler = [&](WebSocket& ws) -> Task<> {
            const std::string text(40'000, 'x');
            for (int i = 0; i < 6; ++i) results.push_back(ws.post(text));
            while (auto message = co_await ws.receive()) continue;
        };
        with_client(route_of(handler, {.max_backlog = 100'000, .slow = slow}), [&](TestClient& client) {
            sake::TestConnection raw = client.connect(4096);
            raw.send(
                "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
            client.advance(0s);
            CHECK(results.size() == 6);
            CHECK(results[0]);
            CHECK_FALSE(results[5]);
            if (slow == sake::SlowSocket::close) {
                CHECK(raw.receive_all().find(std::string("\x88\x18\x03\xf5", 4)) != std::string::npos);
            } else {
                raw.reset();
            }
            std::vector<bool>().swap(results);
        });
    }
}

TEST_CASE("websocket: what a handler sends at once leaves with one send") {
    // Also before a wait that is no wait for the client.
    const auto handler = [](WebSocket& ws) -> Task<> {
        for (int i = 0; i < 10; ++i) co_await ws.send("x");
        co_await sake::sleep(1h);
    };
    with_client(route_of(handler), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        for (int i = 0; i < 10; ++i) CHECK(text_of(ws.receive_now()) == "x");
    });
}

TEST_CASE("websocket: a handler may move its WebSocket elsewhere, and go on") {
    bool is_over = false;
    const auto handler = [&](Context& ctx, WebSocket& ws) -> Task<> {
        {
            WebSocket mine = std::move(ws);
            co_await mine.send("mine");
            CHECK_THROWS_AS(static_cast<void>(ws.receive()), std::logic_error);
            CHECK_THROWS_AS(ws.post("x"), std::logic_error);
        }
        co_await sake::sleep(1min);
        CHECK(ctx.path() == "/ws");
        is_over = true;
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        CHECK(text_of(ws.receive()) == "mine");
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 1000);
        ws.vanish();
        client.advance(2min);
        CHECK(is_over);
    });
}

TEST_CASE("websocket: a handshake while the server stops is closed with 1001 at once") {
    const auto setup = [](Engine& app) {
        app.ws("/ws", echo);
        app.get("/stop", [&app](Context&) { app.stop(); });
    };
    const int exit_code = with_client(setup, [](TestClient& client) {
        sake::TestConnection late = client.connect();
        late.send("GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(late.response().status == 200);
        static_cast<void>(client.get("/stop"));
        late.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        CHECK(late.receive_all().find("\x03\xe9the server is stopping") != std::string::npos);
        CHECK(client.stop() == 0);
    });
    CHECK(exit_code == 0);
}

TEST_CASE("websocket: the log of a stop counts WebSockets apart from requests") {
    std::string log;
    log.reserve(1000);
    Engine app(
        sake::Config().with_log([&](sake::LogLevel, std::string_view line) { log.append(line) += '\n'; }));
    app.ws("/ws", echo);
    app.get("/slow", [](Context&) -> Task<std::string> {
        co_await sake::sleep(1s);
        co_return "late";
    });
    TestClient client(app);
    TestWebSocket one = client.websocket("/ws");
    TestWebSocket other = client.websocket("/ws");
    sake::TestConnection slow = client.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    client.advance(0s);
    CHECK(client.stop() == 0);
    CHECK(log.find("waiting up to 30 s for 1 request and 2 WebSockets\n") != std::string::npos);
}

TEST_CASE("websocket: a worker route cannot be one") {
    Engine app;
    CHECK_THROWS_WITH_AS(app.ws("/ws", echo).worker(), doctest::Contains("cannot be a worker route"),
                         std::invalid_argument);
}

TEST_CASE("websocket: a client that does not read its pongs gets no more of them") {
    with_client(route_of(echo), [](TestClient& client) {
        sake::TestConnection raw = client.connect(4096);
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        const std::string ping = std::string("\x89\xfd\0\0\0\0", 6) + std::string(125, 'p');
        std::string many;
        for (int i = 0; i < 100; ++i) many += ping;
        for (int i = 0; i < 50; ++i) raw.send(many);  // 5,000, whose pongs are 635 kB
        client.advance(0s);
        std::string all;
        while (all.size() < 60'000) all += raw.receive();
        client.advance(0s);
        for (std::string more = raw.receive_now(); !more.empty(); more = raw.receive_now()) all += more;
        CHECK(all.size() < 100'000);
        raw.reset();
    });
}

TEST_CASE("websocket: a close from elsewhere does not wait for a message that nobody takes") {
    std::optional<WebSocketSender> sender;
    int code = 0;
    const auto handler = [&](WebSocket& ws) -> Task<> {
        sender.emplace(ws.sender());
        co_await sake::sleep(1h);
        const auto message = co_await ws.receive();
        CHECK_FALSE(message);
        code = ws.close_code();
    };
    with_client(route_of(handler), [&](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        ws.send("unread");
        client.advance(0s);
        sender->close(4000, "enough");
        CHECK_FALSE(ws.receive());
        CHECK(ws.close_code() == 4000);
        sender.reset();
        client.advance(2h);
        CHECK(code == 4000);
    });
}

TEST_CASE("websocket: a client that reads slowly is neither pinged to death nor cut at the end") {
    const auto handler = [](WebSocket& ws) -> Task<> { co_await ws.send(std::string(400'000, 'x')); };
    with_client(route_of(handler, {.ping_after = 10s, .pong_timeout = 5s}), [](TestClient& client) {
        sake::TestConnection raw = client.connect(4096);
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        std::string all;
        while (all.size() < 400'000) {
            const std::string some = raw.receive();
            REQUIRE_FALSE(some.empty());
            all += some;
            client.advance(1s);
        }
        all += raw.receive_all();
        CHECK(all.ends_with(std::string("\x88\x02\x03\xe8", 4)));
    });
}

TEST_CASE("websocket: a client that answers pings is pinged again after ping_after, whatever pong_timeout") {
    with_client(route_of(echo, {.ping_after = 10s, .pong_timeout = 60s}), [](TestClient& client) {
        TestWebSocket ws = client.websocket("/ws");
        for (int i = 0; i < 60; ++i) {
            client.advance(1s);
            static_cast<void>(ws.receive_now());
        }
        CHECK(ws.pings() >= 5);
    });
}

}  // namespace test_websocket
