// The WebSocket client against the echo servers of websocket_servers.mjs and websocket_servers.py. Prints
// "ok NAME" or "FAIL NAME: WHY" for each thing that it tries.
//
//   websocket_talk URL PATH...           what is sent to these paths comes back, and how connections end
//   websocket_talk --killed URL COUNT    connections to a server that is killed each time
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "sake.hpp"

namespace http = sake::http;
using namespace std::chrono_literals;
using sake::Task;
using sake::WebSocketCompression;
using sake::WebSocketOptions;

namespace {

void report(const std::string& name, bool is_so, const std::string& seen = {}) {
    const std::string line = is_so ? "ok " + name + "\n" : "FAIL " + name + ": " + seen + "\n";
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
}

/// The same bytes in each run.
std::string noise_of(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 1;
    for (char& each : bytes) {
        state = state * 1664525 + 1013904223;
        each = static_cast<char>(state >> 24);
    }
    return bytes;
}

/// A text of so many bytes in UTF-8.
std::string text_of(std::size_t size) {
    static constexpr std::string_view line = "line \u9152 \u00e9 \U0001f376 of many\n";
    std::string text;
    while (text.size() + line.size() <= size) text += line;
    return text.append(size - text.size(), '.');
}

WebSocketOptions options_of(WebSocketCompression compression, int window_bits = 12) {
    WebSocketOptions options;
    options.compression = compression;
    options.window_bits = window_bits;
    return options;
}

/// Whether this comes back as it was sent.
Task<bool> comes_back(sake::WebSocket& ws, const std::string sent, bool is_text) {
    if (is_text) {
        co_await ws.send(sent);
    } else {
        co_await ws.send_binary(sent);
    }
    const auto back = co_await ws.receive();
    co_return back && back->is_text == is_text && back->data == sent;
}

Task<> try_echoes(std::string name, std::string url, WebSocketOptions options) {
    sake::WebSocket ws = co_await http::websocket(url, options);
    name += ws.is_compressed() ? " (compressed)" : " (plain)";
    std::string wrong;
    for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65'535U, 65'536U, 1U << 20}) {
        Task<bool> text = comes_back(ws, text_of(size), true);
        if (!co_await std::move(text)) wrong += " text of " + std::to_string(size);
        Task<bool> zeros = comes_back(ws, std::string(size, '\0'), false);
        if (!co_await std::move(zeros)) wrong += " zeros: " + std::to_string(size);
        Task<bool> noise = comes_back(ws, noise_of(size), false);
        if (!co_await std::move(noise)) wrong += " bytes: " + std::to_string(size);
    }
    report(name + ": what is sent comes back", wrong.empty(), wrong);
    co_await ws.close(4999, "done \u9152");
    report(name + ": the end", ws.close_code() == 4999, std::to_string(ws.close_code()));
}

std::string numbered(int i) {
    return i % 10 == 0 ? std::to_string(i) + " " + std::string(1500, 'x') : std::to_string(i);
}

Task<> send_many(sake::WebSocket& ws, int count) {
    for (int i = 0; i < count; ++i) {
        const std::string message = numbered(i);
        co_await ws.send(message);
    }
}

Task<int> receive_many(sake::WebSocket& ws, int count) {
    for (int i = 0; i < count; ++i) {
        const auto message = co_await ws.receive();
        if (!message || message->data != numbered(i)) co_return i;
    }
    co_return count;
}

Task<> try_order(std::string name, std::string url, WebSocketOptions options) {
    sake::WebSocket ws = co_await http::websocket(url, options);
    Task<> sending = send_many(ws, 10'000);
    Task<int> receiving = receive_many(ws, 10'000);
    const auto both = co_await sake::when_all(std::move(sending), std::move(receiving));
    const int received = std::get<1>(both);
    report(name + ": 10,000 messages come back in order", received == 10'000, std::to_string(received));
}

Task<> try_close(std::string url, int code) {
    sake::WebSocket ws = co_await http::websocket(url + "/close/" + std::to_string(code));
    const auto message = co_await ws.receive();
    const std::string seen = std::to_string(ws.close_code()) + " " + std::string(ws.close_reason());
    report("the server closes with " + std::to_string(code),
           !message && seen == std::to_string(code) + " because \u9152", seen);
}

/// What the other path sends by itself.
Task<> try_first(std::string name, std::string url, std::string expected, WebSocketOptions options) {
    sake::WebSocket ws = co_await http::websocket(url, options);
    const auto message = co_await ws.receive();
    report(name, message && message->data == expected, message ? message->data : ws.protocol().data());
}

Task<> try_refusal(std::string url) {
    int status = 0;
    try {
        sake::WebSocket ws = co_await http::websocket(url);
    } catch (const http::WebSocketRefused& refused) {
        status = refused.status;
    }
    report("the server refuses", status == 401, std::to_string(status));
}

Task<> try_too_large(std::string url) {
    WebSocketOptions options;
    options.max_message = 1000;
    sake::WebSocket ws = co_await http::websocket(url, options);
    const std::string fits(1000, 'x');
    co_await ws.send(fits);
    const auto back = co_await ws.receive();
    co_await ws.send(fits + "x");
    const auto none = co_await ws.receive();
    report("a message that is too large", back && !none && ws.close_code() == 1009,
           std::to_string(ws.close_code()));
}

Task<> try_all(std::string url, std::vector<std::string> paths) {
    const std::vector<std::pair<std::string, WebSocketOptions>> kinds = {
        {"off", options_of(WebSocketCompression::off)},
        {"shared", options_of(WebSocketCompression::shared)},
        {"dedicated 9", options_of(WebSocketCompression::dedicated, 9)},
        {"dedicated 15", options_of(WebSocketCompression::dedicated, 15)}};
    for (const std::string& path : paths) {
        for (const auto& [kind, options] : kinds) {
            Task<> echoes = try_echoes(path + ", " + kind, url + path, options);
            co_await std::move(echoes);
            Task<> order = try_order(path + ", " + kind, url + path, options);
            co_await std::move(order);
        }
    }
    for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4999}) {
        Task<> closing = try_close(url, code);
        co_await std::move(closing);
    }
    Task<> pieces =
        try_first("a message in frames, with pings between them", url + "/pieces", "a\u9152z", {});
    co_await std::move(pieces);
    WebSocketOptions spoken;
    spoken.protocols = {"chat.v1", "chat.v2"};
    Task<> protocol = try_first("a subprotocol", url + "/proto", "chat.v2", spoken);
    co_await std::move(protocol);
    Task<> refusal = try_refusal(url + "/guarded");
    co_await std::move(refusal);
    Task<> too_large = try_too_large(url + "/echo");
    co_await std::move(too_large);
}

/// Talks until the server is killed. Whether the end is seen as what it is.
Task<bool> talk_until_lost(std::string url) {
    try {
        sake::WebSocket ws = co_await http::websocket(url);
        for (int i = 0; ws.is_open(); ++i) {
            const std::string message(static_cast<std::size_t>(i * 97 % 3000), 'x');
            co_await ws.send(message);
            co_await ws.receive();
        }
        co_return ws.close_code() == 1006;
    } catch (const std::exception&) {  // in the handshake
        co_return true;
    }
}

Task<> try_kills(std::string url, int count) {
    int good = 0;
    for (int i = 0; i < count; ++i) {
        Task<bool> talk = talk_until_lost(url);
        Task<bool> limited = sake::timeout(std::move(talk), 60s);
        if (co_await std::move(limited)) ++good;
    }
    report(std::to_string(count) + " servers are killed", good == count, std::to_string(good));
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() < 2) return 2;
    try {
        if (arguments[0] == "--killed") {
            sake::run_until_complete(sake::timeout(try_kills(arguments[1], std::stoi(arguments[2])), 300s));
        } else {
            const std::vector<std::string> paths(arguments.begin() + 1, arguments.end());
            sake::run_until_complete(sake::timeout(try_all(arguments[0], paths), 300s));
        }
    } catch (const std::exception& error) {
        report("to the end", false, error.what());
        return 1;
    }
    return 0;
}
