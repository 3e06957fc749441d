// http::websocket, the client of WebSockets: its handshake against a server that says what a test wants, and
// the connection after it, against that server and against Sake's.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/scripted_server.hpp"
#include "support/server_fixture.hpp"

namespace test_client_websocket {

using namespace std::chrono_literals;
namespace http = sake::http;
using harness::failure_of;
using harness::in_virtual_time;
using harness::let_the_others_run;
using http::WebSocketRequest;
using sake::Task;
using sake::TcpListener;
using sake::TcpStream;
using sake::WebSocket;
using sake::WebSocketOptions;
using sake::detail::WsOpcode;

namespace {

// --- A server that says what a test wants ---

/// The value of a field in a request; "" if there is none.
std::string field_of(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}

std::string accept_of(const std::string& request) {
    return "Sec-WebSocket-Accept: " + sake::detail::ws_accept_key(field_of(request, "Sec-WebSocket-Key")) +
           "\r\n";
}

/// The right answer, with more fields.
std::string accepted(const std::string& request, const std::string& fields = "") {
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
           accept_of(request) + fields + "\r\n";
}

/// A frame as a server sends it.
std::string frame(WsOpcode opcode, std::string_view payload, bool is_last = true) {
    return std::string(sake::detail::WsHeadText(opcode, payload.size(), is_last).view()) +
           std::string(payload);
}
std::string close_frame(int code, std::string_view reason = "") {
    return frame(WsOpcode::close, sake::detail::WsCloseText(code, reason).view());
}

/// What is in the next frame of a client, which must be short and masked: its opcode as a digit, and its
/// payload.
Task<std::string> read_frame(TcpStream& stream) {
    const std::string head = co_await stream.read_exactly(6);
    CHECK((static_cast<unsigned char>(head[0]) & 0xf0) == 0x80);
    const unsigned length = static_cast<unsigned char>(head[1]);
    CHECK(length >= 0x80);
    CHECK(length - 0x80 < 126);
    std::string payload = co_await stream.read_exactly(length - 0x80);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<char>(payload[i] ^ head[2 + i % 4]);
    }
    co_return std::to_string(head[0] & 0x0f) + payload;
}
/// What a frame with this code looks like in that.
std::string closing(int code, std::string_view reason = "") {
    return "8" + std::string(sake::detail::WsCloseText(code, reason).view());
}

/// Reads up to the end of the connection, which comes next.
Task<> its_end(TcpStream& stream) {
    const std::string why = co_await failure_of(stream.read_exactly(1));
    CHECK(why.find("the peer closed the connection") != std::string::npos);
}

using Serve = std::function<Task<>(TcpStream&, const std::string&)>;

/// Serves one connection, and then closes it.
Task<> serve_one(TcpListener& listener, const Serve& serve) {
    TcpStream stream = co_await listener.accept();
    const auto head = co_await stream.read_until("\r\n\r\n");
    const std::string request = head.value_or("") + "\r\n\r\n";
    co_await serve(stream, request);
}

/// Runs `body(url)`, a coroutine, against a server that serves one connection so.
template <class Body>
void with_raw(const Serve& serve, Body body) {
    in_virtual_time([&]() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        auto serving = sake::spawn(failure_of(serve_one(listener, serve)));
        const std::string url = "ws://127.0.0.1:" + std::to_string(listener.port()) + "/chat?token=secret";
        co_await body(url);
        const std::string why = co_await serving;
        CHECK(why == "no exception");
    });
}

/// What a test has to say to a request: text.
using Answer = std::function<std::string(const std::string&)>;

Serve says(Answer answer) {
    return [answer](TcpStream& stream, const std::string& request) -> Task<> {
        const std::string text = answer(request);
        static_cast<void>(co_await failure_of(stream.write_all(text)));  // all of it may not be wanted
    };
}
Serve says(std::string text) {
    return says([text](const std::string&) { return text; });
}

/// Opens a WebSocket and says how that went: "open", with the subprotocol, or why not. The URL is ws://here.
Task<std::string> outcome(WebSocketRequest request) {
    const std::string origin = "ws://" + request.url().authority;
    std::string protocol;
    const auto open = [&]() -> Task<> {
        const WebSocket ws = co_await http::websocket(std::move(request));
        protocol = std::string(ws.protocol());
    };
    std::string why = co_await failure_of(open());
    const std::size_t at = why.find(origin);
    if (at != std::string::npos) why.replace(at, origin.size(), "ws://here");
    co_return why == "no exception" ? "open " + protocol : why;
}

std::string outcome_of(const Serve& serve, const WebSocketOptions& options = {}) {
    std::string result;
    with_raw(serve, [&](const std::string& url) -> Task<> {
        WebSocketRequest request(url);
        request.options(options);
        result = co_await outcome(std::move(request));
    });
    return result;
}

WebSocketOptions offering(std::vector<std::string> protocols) {
    WebSocketOptions options;
    options.protocols = std::move(protocols);
    return options;
}
WebSocketOptions with(sake::WebSocketCompression compression) {
    WebSocketOptions options;
    options.compression = compression;
    return options;
}

/// The status and the body of a refusal.
std::pair<int, std::string> refusal_of(const Serve& serve) {
    std::pair<int, std::string> result;
    with_raw(serve, [&](const std::string& url) -> Task<> {
        try {
            const WebSocket ws = co_await http::websocket(url);
        } catch (const http::WebSocketRefused& refused) {
            result = {refused.status, refused.body};
        }
    });
    return result;
}

// --- Sake as the server ---

template <class Body>
void run(Body body) {
    sake::run_until_complete(body());
}

std::string url_of(const harness::TestServer& server, const std::string& path) {
    return "ws://127.0.0.1:" + std::to_string(server.port()) + path;
}

void serve_echo(sake::Engine& app, const WebSocketOptions& options) {
    app.ws(
        "/echo",
        [](WebSocket& ws) -> Task<> {
            while (auto message = co_await ws.receive()) co_await ws.send(*message);
        },
        options);
}

/// Runs `body(url)` against a server that sends back what it receives.
template <class Body>
void with_echo(const WebSocketOptions& options, Body body) {
    const auto setup = [&](sake::Engine& app) { serve_echo(app, options); };
    harness::with_server(setup, [&](harness::TestServer& server) {
        run([&]() -> Task<> {
            const std::string url = url_of(server, "/echo");
            co_await body(url);
        });
    });
}

const std::string fault_end = "; a proxy on the way may not pass WebSockets on, or there is none at this URL";

}  // namespace

// --- What is checked before anything is sent ---

TEST_CASE("a URL is of the scheme ws or http, and the message has it as it was written") {
    const auto refused = [](const std::string& url) -> std::string {
        try {
            const WebSocketRequest request(url);
            return request.url().to_string();
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
    };
    CHECK(refused("ws://a") == "http://a/");
    CHECK(refused("WS://A:80/x?y#z") == "http://a/x?y");
    CHECK(refused("http://a:81/x") == "http://a:81/x");
    CHECK(refused("ws://[::1]:9000/x") == "http://[::1]:9000/x");
    const std::string no_tls =
        " needs TLS, which Sake does not have yet: use ws:// or a proxy that speaks TLS";
    CHECK(refused("wss://a/x") == "the URL \"wss://a/x\"" + no_tls);
    CHECK(refused("https://a/x") == "the URL \"https://a/x\"" + no_tls);
    for (const std::string wrong :
         {"", "a", "/x", "ws", "ws:", "ws:/a", "wsx://a/", "ftp://a/", "ws://a:x/"}) {
        CHECK(refused(wrong) == "the URL \"" + wrong + "\" is not ws://host/path");
    }
    CHECK(refused("ws://u:p@a/") ==
          "the URL \"ws://...@a/\" has a user name or password, which belong in a field: Authorization");
    CHECK(refused("ws://a\\b/") == "the URL \"ws://a\\b/\" has a backslash at its host");
}

TEST_CASE("options that make no sense are refused when they are set") {
    WebSocketRequest request("ws://a/");
    const auto refused = [&](const WebSocketOptions& options) -> std::string {
        try {
            request.options(options);
            return "fine";
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
    };
    CHECK(refused(offering({"a", "b"})) == "fine");
    CHECK(refused(offering({"a", "b", "a"})) == "WebSocketOptions::protocols: 'a' is there twice");
    CHECK(refused(offering({"a", "b c"})) ==
          "WebSocketOptions::protocols: 'b c' is not a token (RFC 9110 section 5.6.2)");
    WebSocketOptions options;
    options.origins = {"http://a"};
    CHECK(refused(options) ==
          "WebSocketOptions::origins is for servers: a client sets its own by header(\"Origin\", ...)");
    options = {};
    options.max_message = 0;
    CHECK(refused(options) == "WebSocketOptions::max_message: must be at least 1");
    CHECK(request.options().protocols == std::vector<std::string>{"a", "b"});

    CHECK_NOTHROW(request.handshake_timeout(1ms));
    CHECK(request.handshake_timeout() == 1ms);
    CHECK_THROWS_AS(request.handshake_timeout(0ms), std::invalid_argument);
}

TEST_CASE("fields of the handshake are the client's own, and others are checked") {
    WebSocketRequest request("ws://a/");
    for (const char* own : {"Host", "Connection", "upgrade", "Sec-WebSocket-Key", "sec-websocket-protocol",
                            "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding"}) {
        CAPTURE(own);
        CHECK_THROWS_AS(request.header(own, "x"), std::invalid_argument);
    }
    CHECK_THROWS_AS(request.header("X", "a\r\nb"), std::invalid_argument);
    CHECK_NOTHROW(request.header("Sec-Web", "x").header("Origin", "http://a"));
}

// --- The handshake ---

TEST_CASE("the request is a handshake, with the fields that were set") {
    std::string request;
    std::string key;
    const auto note = [&](const std::string& text) {
        request = text;
        key = field_of(text, "Sec-WebSocket-Key");
        return accepted(text);
    };
    with_raw(says(note), [&](const std::string& url) -> Task<> {
        WebSocketRequest asking(url);
        asking.header("Origin", "http://pages").header("Cookie", "a=b").options(offering({"v2", "v1"}));
        const std::string how = co_await outcome(std::move(asking));
        CHECK(how == "open ");
        const std::string authority = url.substr(5, url.find('/', 5) - 5);
        CHECK(request == "GET /chat?token=secret HTTP/1.1\r\nHost: " + authority +
                             "\r\nUser-Agent: sake/" SAKE_VERSION
                             "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://pages\r\n"
                             "Cookie: a=b\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                             key +
                             "\r\nSec-WebSocket-Protocol: v2, v1\r\nSec-WebSocket-Extensions: "
                             "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                             "client_max_window_bits\r\n\r\n");
    });
    CHECK(sake::detail::ws_is_key(key));
    const std::string first = key;
    CHECK(outcome_of(says(note)) == "open ");
    CHECK(sake::detail::ws_is_key(key));
    CHECK(key != first);
    CHECK(outcome_of(says(note), with(sake::WebSocketCompression::off)) == "open ");
    CHECK(field_of(request, "Sec-WebSocket-Extensions").empty());
    CHECK(outcome_of(says(note), with(sake::WebSocketCompression::dedicated)) == "open ");
    CHECK(field_of(request, "Sec-WebSocket-Extensions") ==
          "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12");
}

TEST_CASE("another status than 101 says what the server answers, and what may help") {
    const auto with_status = [](const std::string& status, const std::string& fields = "") {
        return outcome_of(says("HTTP/1.1 " + status + " X\r\n" + fields + "Content-Length: 4\r\n\r\nno\n."));
    };
    const auto expected = [](const std::string& status, const std::string& help) {
        return "cannot open ws://here/chat: the server answers " + status + " \"no\\x0a.\"; " + help;
    };
    CHECK(with_status("200") == expected("200", "there may be no WebSocket at this path"));
    CHECK(with_status("404") == expected("404", "there may be no WebSocket at this path"));
    CHECK(
        with_status("401") ==
        expected("401", "the server may want Authorization, Cookie or Origin: see WebSocketRequest::header"));
    CHECK(
        with_status("403") ==
        expected("403", "the server may want Authorization, Cookie or Origin: see WebSocketRequest::header"));
    CHECK(with_status("426") ==
          expected("426", "the server wants another protocol, or another version of WebSocket than 13"));
    CHECK(with_status("500") == expected("500", "the server has failed"));
    CHECK(with_status("503") == expected("503", "try again later"));
    CHECK(with_status("302", "Location: http://b/y\r\n") ==
          expected("302", "it redirects to \"http://b/y\", which is not followed: open that URL"));
    CHECK(with_status("302") == expected("302", "there may be no WebSocket at this path"));
}

TEST_CASE("a refusal has the beginning of the body, and shows less of it") {
    const auto with_body = [](std::size_t size) {
        return says("HTTP/1.1 404 X\r\n\r\n" + std::string(size, 'b'));
    };
    using Refusal = std::pair<int, std::string>;
    for (const std::size_t size : {0U, 1U, 1023U, 1024U}) {
        CHECK(refusal_of(with_body(size)) == Refusal(404, std::string(size, 'b')));
    }
    CHECK(refusal_of(with_body(1025)) == Refusal(404, std::string(1024, 'b')));
    CHECK(refusal_of(with_body(100'000)) == Refusal(404, std::string(1024, 'b')));
    for (const std::size_t size : {199U, 200U}) {
        CHECK(outcome_of(with_body(size)).find("404 \"" + std::string(size, 'b') + "\"; ") !=
              std::string::npos);
    }
    CHECK(outcome_of(with_body(201)).find("404 \"" + std::string(200, 'b') + "...\"; ") != std::string::npos);

    const std::string chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n";
    CHECK(refusal_of(says("HTTP/1.1 404 X\r\n" + chunks + "0\r\n\r\n")) == Refusal(404, "abc"));
    CHECK(refusal_of(says("HTTP/1.1 404 X\r\n" + chunks + "x")) == Refusal(404, "abc"));
    CHECK(refusal_of(says("HTTP/1.1 404 X\r\n" + chunks)) == Refusal(404, "abc"));  // the end comes too early
    CHECK(refusal_of(says("HTTP/1.1 404 X\r\nContent-Length: x\r\n\r\nabc")) == Refusal(404, ""));
    CHECK(refusal_of(says("HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nabc")) == Refusal(404, "ab"));
    CHECK(refusal_of(says("HTTP/1.1 304 X\r\n\r\nabc")) == Refusal(304, ""));
}

TEST_CASE("a body that does not end costs a refusal a second at most") {
    const auto stalls = [](TcpStream& stream, const std::string&) -> Task<> {
        co_await stream.write_all("HTTP/1.1 404 X\r\n\r\nabc");
        co_await its_end(stream);
    };
    with_raw(stalls, [&](const std::string& url) -> Task<> {
        const auto before = sake::now();
        const std::string why = co_await outcome(WebSocketRequest(url));
        CHECK(why.find("404 \"abc\"; ") != std::string::npos);
        CHECK(sake::now() - before >= 1s);
        CHECK(sake::now() - before < 2s);
    });
}

TEST_CASE("an answer of 101 that is not that of a WebSocket is refused, and says why") {
    const auto with_head = [](const std::string& lines, bool is_accepted = true) {
        return outcome_of(says([=](const std::string& request) {
            return "HTTP/1.1 101 X\r\n" + lines + (is_accepted ? accept_of(request) : "") + "\r\n";
        }));
    };
    const auto bad = [](const std::string& why) {
        return "bad response from ws://here/chat: " + why + fault_end;
    };
    const std::string upgrade = "Upgrade: websocket\r\n";
    const std::string connection = "Connection: Upgrade\r\n";
    CHECK(with_head(upgrade + connection) == "open ");
    CHECK(with_head("upgrade: WebSocket\r\nCONNECTION: x, upgrade\r\n") == "open ");
    CHECK(with_head(connection) == bad("the answer does not upgrade to websocket"));
    CHECK(with_head("Upgrade: h2c\r\n" + connection) == bad("the answer does not upgrade to websocket"));
    CHECK(with_head(upgrade + upgrade + connection) == bad("the answer does not upgrade to websocket"));
    CHECK(with_head(upgrade) == bad("the answer has no Connection: Upgrade"));
    CHECK(with_head(upgrade + "Connection: close\r\n") == bad("the answer has no Connection: Upgrade"));
    const std::string no_accept = bad("Sec-WebSocket-Accept of the answer is not that of the key");
    CHECK(with_head(upgrade + connection, false) == no_accept);
    CHECK(with_head(upgrade + connection + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", false) ==
          no_accept);
    CHECK(outcome_of(says([](const std::string& request) {
              return accepted(request, accept_of(request));
          })) == no_accept);
}

TEST_CASE("a subprotocol is one of those that were offered, or none") {
    const auto chosen = [](const std::string& fields, std::vector<std::string> offers) {
        return outcome_of(says([=](const std::string& request) { return accepted(request, fields); }),
                          offering(std::move(offers)));
    };
    const std::string bad =
        "bad response from ws://here/chat: the answer chooses a protocol that was not offered" + fault_end;
    CHECK(chosen("", {}) == "open ");
    CHECK(chosen("", {"a"}) == "open ");
    CHECK(chosen("Sec-WebSocket-Protocol: a\r\n", {"b", "a"}) == "open a");
    CHECK(chosen("Sec-WebSocket-Protocol: a\r\n", {}) == bad);
    CHECK(chosen("Sec-WebSocket-Protocol: A\r\n", {"a"}) == bad);
    CHECK(chosen("Sec-WebSocket-Protocol: a, b\r\n", {"a", "b"}) == bad);
    CHECK(chosen("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", {"a"}) == bad);
}

TEST_CASE("an extension is permessage-deflate as it was offered, or none") {
    using sake::WebSocketCompression;
    const auto chosen = [](const std::string& value, WebSocketCompression compression) {
        const std::string line = "Sec-WebSocket-Extensions: " + value + "\r\n";
        return outcome_of(says([=](const std::string& request) { return accepted(request, line); }),
                          with(compression));
    };
    const std::string bad =
        "bad response from ws://here/chat: the answer has an extension that was not offered so" + fault_end;
    const std::string deflate = "permessage-deflate";
    CHECK(chosen(deflate + "; server_no_context_takeover", WebSocketCompression::shared) == "open ");
    CHECK(chosen(deflate, WebSocketCompression::shared) == bad);  // the server keeps a window
    CHECK(chosen(deflate, WebSocketCompression::off) == bad);
    CHECK(chosen("", WebSocketCompression::off) == bad);
    CHECK(chosen("x-other", WebSocketCompression::shared) == bad);
    CHECK(chosen(deflate + ", " + deflate, WebSocketCompression::dedicated) == bad);
    const std::string bits = deflate + "; server_max_window_bits=";
    CHECK(chosen(bits + "12", WebSocketCompression::dedicated) == "open ");
    CHECK(chosen(bits + "8", WebSocketCompression::dedicated) == "open ");
    for (const std::string wrong : {"13", "15", "16", "7", "012", "", "x"}) {
        CHECK(chosen(bits + wrong, WebSocketCompression::dedicated) == bad);
    }
}

TEST_CASE("interim answers come before the answer, and its head may come in pieces") {
    const auto slowly = [](TcpStream& stream, const std::string& request) -> Task<> {
        const std::string text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\n" +
                                 accepted(request) + frame(WsOpcode::text, "hi") + close_frame(1000);
        for (const char byte : text) {
            const std::string piece(1, byte);
            co_await stream.write_all(piece);
            co_await let_the_others_run();
        }
        const std::string answer = co_await read_frame(stream);
        CHECK(answer == closing(1000));
    };
    with_raw(slowly, [&](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url);
        const auto message = co_await ws.receive();
        REQUIRE(message);
        CHECK(message->data == "hi");
    });
}

TEST_CASE("what is not HTTP is refused, a frame before the answer included") {
    CHECK(outcome_of(says(frame(WsOpcode::text, "hi") + frame(WsOpcode::text, "hi\r\n\r\n")))
              .starts_with("bad response from ws://here/chat: "));
    CHECK(outcome_of(says("HTTP/1.1 101\r\nbad field\r\n\r\n"))
              .starts_with("bad response from ws://here/chat: "));
    CHECK(outcome_of(says("SSH-2.0-OpenSSH_9.2\r\n")).starts_with("bad response from ws://here/chat: "));
}

TEST_CASE("a server that ends before it has answered is named") {
    const std::string ended = "cannot open ws://here/chat: the peer closed the connection";
    CHECK(outcome_of(says("")) == ended);
    CHECK(outcome_of(says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso")) == ended);
    const auto resets = [](TcpStream& stream, const std::string&) -> Task<> {
        stream.abort();
        co_return;
    };
    CHECK(outcome_of(resets) == "cannot open ws://here/chat: Connection reset by peer");
    in_virtual_time([]() -> Task<> {
        std::string url;
        {
            const TcpListener gone("127.0.0.1:0");
            url = "ws://127.0.0.1:" + std::to_string(gone.port());
        }
        const std::string why = co_await outcome(WebSocketRequest(url));
        CHECK(why == "cannot open ws://here/: Connection refused");
    });
}

TEST_CASE("the head of the answer has a limit for its status line, its size, and the number of its fields") {
    const std::string good =
        "cannot open ws://here/chat: the server answers 200; there may be no WebSocket at this path";
    const std::string bad = "bad response from ws://here/chat: ";
    const auto with_line = [](std::size_t size) {
        const std::string line = "HTTP/1.1 200 ";
        return outcome_of(
            says(line + std::string(size - line.size() - 2, 'x') + "\r\nContent-Length: 0\r\n\r\n"));
    };
    CHECK(with_line(8 * 1024 - 1) == good);
    CHECK(with_line(8 * 1024) == good);
    CHECK(with_line(8 * 1024 + 1) == bad + "status line too long");
    const auto with_block = [](std::size_t size) {
        const std::string line = "Content-Length: 0\r\nX: ";
        return outcome_of(
            says("HTTP/1.1 200 X\r\n" + line + std::string(size - line.size() - 4, 'x') + "\r\n\r\n"));
    };
    CHECK(with_block(16 * 1024 - 1) == good);
    CHECK(with_block(16 * 1024) == good);
    CHECK(with_block(16 * 1024 + 1) == bad + "header block too large");
    const auto with_fields = [](int count) {
        std::string fields;
        for (int i = 0; i < count; ++i) fields += "X: y\r\n";
        return outcome_of(says("HTTP/1.1 200 X\r\n" + fields + "\r\n"));
    };
    CHECK(with_fields(99) == good);
    CHECK(with_fields(100) == good);
    CHECK(with_fields(101) == bad + "too many header fields");
}

TEST_CASE("a handshake has a time limit, which names what took so long") {
    const auto silent = [](TcpStream& stream, const std::string&) -> Task<> {
        co_await stream.write_all("HTTP/1.1 101 Switching Protocols\r\n");
        co_await its_end(stream);
    };
    with_raw(silent, [&](const std::string& url) -> Task<> {
        const auto before = sake::now();
        const std::string why = co_await outcome(WebSocketRequest(url));
        CHECK(why == "timed out after 10 s waiting for the handshake of ws://here/chat");
        CHECK(sake::now() - before >= 10s);
        CHECK(sake::now() - before < 11s);
    });
}

TEST_CASE("connecting counts for the time limit, and can be cancelled") {
    in_virtual_time([]() -> Task<> {
        const TcpListener full("127.0.0.1:0", 0);
        const std::string url = "ws://127.0.0.1:" + std::to_string(full.port());
        std::vector<TcpStream> queued;
        const auto fill = [&]() -> Task<> {
            TcpStream stream = co_await TcpStream::connect(url.substr(5), 1s);
            queued.push_back(std::move(stream));
        };
        std::string last;
        while (last.find("timed out") == std::string::npos) {
            REQUIRE(queued.size() < 100);
            last = co_await failure_of(fill());
        }
        WebSocketRequest request(url);
        request.handshake_timeout(700ms);
        const std::string why = co_await outcome(std::move(request));
        CHECK(why == "timed out after 700 ms connecting to ws://here/");

        auto opening = sake::spawn(outcome(WebSocketRequest(url)));
        co_await let_the_others_run();
        opening.cancel();
        const std::string cancelled = co_await opening;
        CHECK(cancelled == "Cancelled");
    });
}

TEST_CASE("a handshake that is cancelled closes its connection") {
    const auto silent = [](TcpStream& stream, const std::string&) -> Task<> { co_await its_end(stream); };
    with_raw(silent, [&](const std::string& url) -> Task<> {
        auto opening = sake::spawn(outcome(WebSocketRequest(url)));
        co_await sake::sleep(1s);
        opening.cancel();
        const std::string why = co_await opening;
        CHECK(why == "Cancelled");
    });
}

// --- The connection ---

namespace {

/// What comes of a connection: all that is received, the code and the reason, and the first frame that the
/// server is sent.
struct Course {
    std::string received, reason, answer;
    int code = 0;
};

/// With these bytes behind the handshake.
Course course_of(const std::string& bytes, const WebSocketOptions& options = {}) {
    Course course;
    const auto serve = [&](TcpStream& stream, const std::string& request) -> Task<> {
        const std::string text = accepted(request) + bytes;
        co_await stream.write_all(text);
        course.answer = co_await read_frame(stream);
    };
    with_raw(serve, [&](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url, options);
        while (auto message = co_await ws.receive()) course.received += message->data;
        course.code = ws.close_code();
        course.reason = std::string(ws.close_reason());
        CHECK_FALSE(ws.is_open());
        const bool was_sent = co_await ws.send("late");
        CHECK_FALSE(was_sent);
        CHECK_FALSE(ws.post("late"));
    });
    return course;
}

/// Says the handshake, then goes on.
Serve goes_on(std::function<Task<>(TcpStream&)> rest) {
    return [rest](TcpStream& stream, const std::string& request) -> Task<> {
        const std::string text = accepted(request);
        co_await stream.write_all(text);
        co_await rest(stream);
    };
}

Task<> say(TcpStream& stream, std::string bytes) { co_await stream.write_all(bytes); }

}  // namespace

TEST_CASE("the server's Close has a code and a reason, and is answered") {
    const Course course = course_of(frame(WsOpcode::text, "a") + close_frame(4001, "go"));
    CHECK(course.received == "a");
    CHECK(course.code == 4001);
    CHECK(course.reason == "go");
    CHECK(course.answer == closing(4001));
    const Course silent = course_of(frame(WsOpcode::close, ""));
    CHECK(silent.code == 1005);
    CHECK(silent.answer == "8");
}

TEST_CASE("what breaks the protocol closes with 1002, a masked frame included") {
    const std::string masked = "\x81\x82" + std::string(4, '\0') + "hi";
    for (const std::string& wrong : {masked, std::string("\xc1\x00", 2), std::string("\x83\x00", 2),
                                     frame(WsOpcode::continuation, "x"), std::string("\x09\x00", 2)}) {
        const Course course = course_of(frame(WsOpcode::text, "a") + wrong + frame(WsOpcode::text, "b"));
        CHECK(course.received == "a");
        CHECK(course.code == 1002);
        CHECK(course.answer == closing(1002, course.reason));
    }
    const Course not_text = course_of(frame(WsOpcode::text, "\xff"));
    CHECK(not_text.code == 1007);
    CHECK(not_text.answer == closing(1007, not_text.reason));
}

TEST_CASE("a message has a limit, and a larger one closes with 1009") {
    WebSocketOptions options;
    options.max_message = 1000;
    for (const std::size_t size : {999U, 1000U}) {
        const std::string message = frame(WsOpcode::binary, std::string(size, '\xff'));
        const Course course = course_of(message + close_frame(1000), options);
        CHECK(course.received.size() == size);
        CHECK(course.code == 1000);
    }
    const Course large = course_of(frame(WsOpcode::binary, std::string(1001, '\xff')), options);
    CHECK(large.received.empty());
    CHECK(large.code == 1009);
    CHECK(large.answer == closing(1009, large.reason));
}

TEST_CASE("a ping is answered by a pong with the same bytes") {
    const Course course = course_of(frame(WsOpcode::ping, "p") + close_frame(1000));
    CHECK(course.answer == "10p");
}

TEST_CASE("a connection that the server drops is lost, with the code 1006") {
    for (const bool is_reset : {false, true}) {
        const auto serve = goes_on([is_reset](TcpStream& stream) -> Task<> {
            const std::string ready = co_await read_frame(stream);
            CHECK(ready == "1ready");
            if (is_reset) stream.abort();
        });
        with_raw(serve, [](const std::string& url) -> Task<> {
            WebSocket ws = co_await http::websocket(url);
            const bool was_sent = co_await ws.send("ready");
            CHECK(was_sent);
            const auto none = co_await ws.receive();
            CHECK_FALSE(none);
            CHECK(ws.close_code() == 1006);
        });
    }
}

TEST_CASE("a WebSocket that is destroyed closes in the background, with 1000") {
    const auto serve = goes_on([](TcpStream& stream) -> Task<> {
        const std::string last = co_await read_frame(stream);
        CHECK(last == closing(1000));
        co_await say(stream, frame(WsOpcode::text, "unread") + close_frame(1000));
        stream.shutdown_write();
        const auto before = sake::now();
        co_await its_end(stream);
        CHECK(sake::now() - before < 1s);
    });
    with_raw(serve, [](const std::string& url) -> Task<> {
        const WebSocket ws = co_await http::websocket(url);
        CHECK(ws.is_open());
    });
}

TEST_CASE("a Close that the server does not answer ends after close_timeout") {
    const auto serve = goes_on([](TcpStream& stream) -> Task<> {
        const std::string last = co_await read_frame(stream);
        CHECK(last.starts_with("8"));
        const auto before = sake::now();
        co_await its_end(stream);
        CHECK(sake::now() - before >= 3s);
        CHECK(sake::now() - before < 4s);
    });
    WebSocketOptions options;
    options.close_timeout = 3s;
    with_raw(serve, [&](const std::string& url) -> Task<> {  // in the background
        const WebSocket ws = co_await http::websocket(url, options);
    });
    with_raw(serve, [&](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url, options);
        co_await ws.close(3000, "bye");
        CHECK(ws.close_code() == 1006);
    });
}

TEST_CASE("a client pings a server that is silent, and ends if nothing comes") {
    const auto serve = goes_on([](TcpStream& stream) -> Task<> {
        const std::string first = co_await read_frame(stream);
        CHECK(first == "9");
        co_await say(stream, frame(WsOpcode::pong, ""));
        const std::string second = co_await read_frame(stream);
        CHECK(second == "9");
        co_await its_end(stream);
    });
    with_raw(serve, [](const std::string& url) -> Task<> {
        const auto before = sake::now();
        WebSocket ws = co_await http::websocket(url);
        const auto message = co_await ws.receive();
        CHECK_FALSE(message);
        CHECK(ws.close_code() == 1006);
        CHECK(sake::now() - before >= 90s);
        CHECK(sake::now() - before < 95s);
    });
}

TEST_CASE("a receive that is cancelled has taken nothing") {
    const auto serve = goes_on([](TcpStream& stream) -> Task<> {
        const std::string ready = co_await read_frame(stream);
        CHECK(ready == "1ready");
        co_await say(stream, frame(WsOpcode::text, "a") + close_frame(1000));
        const std::string last = co_await read_frame(stream);
        CHECK(last == closing(1000));
    });
    with_raw(serve, [](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url);
        const auto receive = [&]() -> Task<> { static_cast<void>(co_await ws.receive()); };
        auto receiving = sake::spawn(failure_of(receive()));
        co_await let_the_others_run();
        receiving.cancel();
        const std::string why = co_await receiving;
        CHECK(why == "Cancelled");
        const bool was_sent = co_await ws.send("ready");
        CHECK(was_sent);
        const auto message = co_await ws.receive();
        REQUIRE(message);
        CHECK(message->data == "a");
    });
}

// --- The end of the reactor ---

namespace {

/// Takes so many connections at a time, then notes how each of them ends.
Task<> note_ends(int count, std::atomic<int>& port, std::string& ends) {
    TcpListener listener("127.0.0.1:0");
    port = static_cast<int>(listener.port());
    std::vector<TcpStream> streams;
    while (static_cast<int>(streams.size()) < count) {
        TcpStream stream = co_await listener.accept();
        const auto head = co_await stream.read_until("\r\n\r\n");
        co_await say(stream, accepted(head.value_or("") + "\r\n"));
        streams.push_back(std::move(stream));
    }
    for (TcpStream& stream : streams) {
        const std::string last = co_await read_frame(stream);
        ends += last == closing(1000) ? "1000, " : last == closing(1001) ? "1001, " : last;
        co_await its_end(stream);
    }
}

/// Runs `body(url)` beside such a server, and gives what that has noted.
template <class Body>
std::string ends_after(int count, Body body) {
    std::string ends;
    std::atomic<int> port = 0;
    std::thread server([&] { sake::run_until_complete(note_ends(count, port, ends)); });
    while (port == 0) std::this_thread::yield();
    body("ws://127.0.0.1:" + std::to_string(port.load()));
    server.join();
    return ends;
}

}  // namespace

TEST_CASE("at the end of its reactor a connection says Close and ends at once") {
    const std::string ends = ends_after(3, [](const std::string& url) {
        run([&]() -> Task<> {
            const WebSocket a = co_await http::websocket(url);
            const WebSocket b = co_await http::websocket(url);
            const WebSocket c = co_await http::websocket(url);
        });
    });
    CHECK(ends == "1000, 1000, 1000, ");
}

TEST_CASE("a WebSocket that another one is moved into closes its own connection at once") {
    const std::string ends = ends_after(2, [](const std::string& url) {
        run([&]() -> Task<> {
            WebSocket kept = co_await http::websocket(url);
            WebSocket moved = co_await http::websocket(url);
            const sake::WebSocketSender old = kept.sender();
            kept = std::move(moved);
            CHECK_FALSE(old.is_open());
            WebSocket& same = kept;
            kept = std::move(same);
            CHECK(kept.is_open());
            CHECK_THROWS_AS(static_cast<void>(moved.is_open()), std::logic_error);
        });
    });
    CHECK(ends == "1000, 1000, ");
}

TEST_CASE(
    "a coroutine that waits for a message may be destroyed where it is, with its WebSocket or without") {
    std::optional<WebSocket> outside;
    const std::string ends = ends_after(2, [&](const std::string& url) {
        sake::Reactor reactor;
        int waiting = 0;
        const auto inside = [&]() -> Task<> {
            WebSocket ws = co_await http::websocket(url);
            ++waiting;
            auto receiving = sake::timeout(ws.receive(), 1h);
            static_cast<void>(co_await std::move(receiving));
        };
        const auto with_one_outside = [&]() -> Task<> {
            outside.emplace(co_await http::websocket(url));
            ++waiting;
            static_cast<void>(co_await outside->receive());
        };
        reactor.enter([&] {
            sake::detail::spawn_on(reactor, inside()).detach();
            sake::detail::spawn_on(reactor, with_one_outside()).detach();
        });
        reactor.run_until([&] { return waiting == 2; });
        reactor.destroy_fibers();
        CHECK(outside->is_open());
    });
    CHECK((ends == "1000, 1001, " || ends == "1001, 1000, "));
    CHECK_FALSE(outside->is_open());
}

TEST_CASE("a message that nobody took is gone with the reactor") {
    std::optional<WebSocket> outlives;
    const auto serve = [](std::atomic<int>& port) -> Task<> {
        TcpListener listener("127.0.0.1:0");
        port = static_cast<int>(listener.port());
        TcpStream stream = co_await listener.accept();
        const auto head = co_await stream.read_until("\r\n\r\n");
        co_await say(stream, accepted(head.value_or("") + "\r\n"));
        co_await say(stream, frame(WsOpcode::text, "a"));
        static_cast<void>(co_await failure_of(stream.read_exactly(1000)));
    };
    std::atomic<int> port = 0;
    std::thread server([&] { sake::run_until_complete(serve(port)); });
    while (port == 0) std::this_thread::yield();
    run([&]() -> Task<> {
        outlives.emplace(co_await http::websocket("ws://127.0.0.1:" + std::to_string(port.load())));
        const bool was_sent = co_await outlives->send("x");  // so that it has a turn
        CHECK(was_sent);
        co_await let_the_others_run();
    });
    run([&]() -> Task<> {
        const auto message = co_await outlives->receive();
        CHECK_FALSE(message);
    });
    outlives.reset();
    server.join();
}

TEST_CASE("a WebSocket may be destroyed while another coroutine waits for its message") {
    for (int turns = 0; turns < 4; ++turns) {
        CAPTURE(turns);
        const auto serve = goes_on([](TcpStream& stream) -> Task<> { co_await say(stream, "\xff"); });
        with_raw(serve, [&](const std::string& url) -> Task<> {
            std::optional<WebSocket> ws(co_await http::websocket(url));
            bool has_message = true;
            const auto receive = [&]() -> Task<> { has_message = (co_await ws->receive()).has_value(); };
            auto receiving = sake::spawn(receive());
            co_await sake::yield();
            for (int i = 0; i < turns; ++i) co_await sake::yield();
            const std::string text(100'000, 'x');
            static_cast<void>(co_await ws->send(text));
            ws.reset();
            co_await receiving;
            CHECK_FALSE(has_message);
        });
    }
}

TEST_CASE("a WebSocket that outlives its reactor is closed, and can still be asked") {
    std::optional<WebSocket> outlives;
    std::optional<sake::WebSocketSender> sender;
    const std::string ends = ends_after(2, [&](const std::string& url) {
        run([&]() -> Task<> {
            WebSocket ws = co_await http::websocket(url);
            sender.emplace(ws.sender());
            outlives.emplace(std::move(ws));
            const WebSocket other = co_await http::websocket(url);
        });
    });
    CHECK(ends == "1001, 1000, ");
    CHECK_FALSE(outlives->is_open());
    CHECK(outlives->close_code() == 1006);
    CHECK_FALSE(sender->post("late"));
    CHECK_FALSE(outlives->post("late"));
    run([&]() -> Task<> {
        const auto message = co_await outlives->receive();
        CHECK_FALSE(message);
        const bool was_sent = co_await outlives->send("late");
        CHECK_FALSE(was_sent);
        co_await outlives->close();
    });
    outlives.reset();
    CHECK_FALSE(sender->post("late"));
}

// --- Against Sake's server ---

TEST_CASE("a thousand messages arrive in their order, in both directions") {
    with_echo({}, [](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url);
        constexpr int count = 1000;
        const auto send = [&]() -> Task<> {
            for (int i = 0; i < count; ++i) {
                const std::string text = std::to_string(i);
                const bool was_sent = co_await ws.send(text);
                CHECK(was_sent);
            }
        };
        auto sending = sake::spawn(send());
        int wrong = 0;
        for (int i = 0; i < count; ++i) {
            const auto message = co_await ws.receive();
            wrong += !message || message->data != std::to_string(i);
        }
        CHECK(wrong == 0);
        co_await sending;
        co_await ws.close();
        CHECK(ws.close_code() == 1000);
    });
}

namespace {

constexpr sake::WebSocketCompression kinds[] = {sake::WebSocketCompression::off,
                                                sake::WebSocketCompression::shared,
                                                sake::WebSocketCompression::dedicated};

/// A megabyte of text that can be compressed, but not to nothing.
std::string large_text() {
    std::string text;
    for (int i = 0; text.size() < 1024 * 1024; ++i) text += std::to_string(i * 7919) + ' ';
    text.resize(1024 * 1024);
    return text;
}

Task<> send_two(WebSocket& ws, const std::string& text) {
    co_await ws.send(text);
    co_await ws.send_binary(std::string_view("\xff\x00", 2));
}

/// Sends a large message and a small one, which come back.
Task<> exchange_large(std::string url, const WebSocketOptions& options, bool is_compressed) {
    WebSocket ws = co_await http::websocket(url, options);
    CHECK(ws.is_compressed() == is_compressed);
    const std::string text = large_text();
    auto sending = sake::spawn(send_two(ws, text));
    const auto first = co_await ws.receive();
    REQUIRE(first);
    CHECK(first->is_text);
    CHECK((first->data == text));
    const auto second = co_await ws.receive();
    REQUIRE(second);
    CHECK_FALSE(second->is_text);
    CHECK(second->data.size() == 2);
    co_await sending;
    co_await ws.close();
    CHECK(ws.close_code() == 1000);
}

}  // namespace

TEST_CASE("large messages pass, text and bytes, compressed if both agree on it") {
    for (const auto theirs : kinds) {
        with_echo(with(theirs), [&](const std::string& url) -> Task<> {
            for (const auto ours : kinds) {
                const bool off = ours == kinds[0] || theirs == kinds[0];
                const WebSocketOptions options = with(ours);
                co_await exchange_large(url, options, !off);
            }
        });
    }
}

TEST_CASE("each side learns the code and the reason of the other, and the subprotocol") {
    std::atomic<int> code = 0;
    const WebSocketOptions options = offering({"v2", "v1"});
    const auto setup = [&](sake::Engine& app) {
        const auto they = [](WebSocket& ws) -> Task<> { co_await ws.close(4001, "go"); };
        const auto we = [&](WebSocket& ws) -> Task<> {
            while (co_await ws.receive()) {
            }
            code = ws.close_reason() == "bye" ? ws.close_code() : -1;
        };
        app.ws("/they", they, options);
        app.ws("/we", we, options);
    };
    harness::with_server(setup, [&](harness::TestServer& server) {
        run([&]() -> Task<> {
            WebSocket ws = co_await http::websocket(url_of(server, "/they"), options);
            CHECK(ws.protocol() == "v2");
            const auto none = co_await ws.receive();
            CHECK_FALSE(none);
            CHECK(ws.close_code() == 4001);
            CHECK(ws.close_reason() == "go");

            const WebSocketOptions one = offering({"v1"});
            WebSocket other = co_await http::websocket(url_of(server, "/we"), one);
            CHECK(other.protocol() == "v1");
            co_await other.close(3000, "bye");
            CHECK(other.close_code() == 3000);
        });
        server.stop();  // after which the handler has ended
        CHECK(code == 3000);
    });
}

TEST_CASE("a refusal of Sake's server says why") {
    with_echo({}, [](const std::string& url) -> Task<> {
        WebSocketRequest request(url);
        request.header("Origin", "http://elsewhere");
        const std::string why = co_await outcome(std::move(request));
        CHECK(why.find("the server answers 403 ") != std::string::npos);
        CHECK(why.find("WebSocketOptions::origins") != std::string::npos);
        const std::string none = co_await outcome(WebSocketRequest(url + "/none"));
        CHECK(none.find("the server answers 404 ") != std::string::npos);
        const std::string pong = co_await outcome(WebSocketRequest(url.substr(0, url.rfind('/')) + "/_ping"));
        CHECK(pong.find("the server answers 200 \"pong\"") != std::string::npos);
    });
}

TEST_CASE("posts of eight threads all arrive, in the order of each") {
    with_echo({}, [](const std::string& url) -> Task<> {
        WebSocket ws = co_await http::websocket(url);
        constexpr std::size_t threads = 8;
        constexpr std::size_t each = 200;
        const sake::WebSocketSender sender = ws.sender();
        std::vector<std::thread> posting;
        for (std::size_t i = 0; i < threads; ++i) {
            posting.emplace_back([i, sender] {
                for (std::size_t n = 0; n < each; ++n)
                    sender.post(std::to_string(i) + " " + std::to_string(n));
            });
        }
        std::vector<std::size_t> next(threads);
        std::size_t wrong = 0;
        for (std::size_t n = 0; n < threads * each; ++n) {
            const auto message = co_await ws.receive();
            if (!message) break;
            const auto i = static_cast<std::size_t>(message->data.at(0) - '0');
            wrong += message->data.substr(2) != std::to_string(next.at(i)++);
        }
        for (std::thread& thread : posting) thread.join();
        CHECK(wrong == 0);
        CHECK(next == std::vector<std::size_t>(threads, each));
    });
}

TEST_CASE("a server that stops says 1001") {
    const auto setup = [](sake::Engine& app) { serve_echo(app, {}); };
    harness::with_server(setup, [](harness::TestServer& server) {
        run([&]() -> Task<> {
            WebSocket ws = co_await http::websocket(url_of(server, "/echo"));
            const bool was_sent = co_await ws.send("a");
            CHECK(was_sent);
            const auto echo = co_await ws.receive();
            CHECK(echo);
            server.app().stop();
            const auto none = co_await ws.receive();
            CHECK_FALSE(none);
            CHECK(ws.close_code() == 1001);
        });
        server.wait();
    });
}

}  // namespace test_client_websocket
