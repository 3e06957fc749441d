// http::Client against Sake itself and against servers that say what a test wants: bodies both ways,
// connections that are kept, repeated requests, redirects, limits, and peers that misbehave.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
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
#include "support/oracle.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_client {

using namespace std::chrono_literals;
namespace http = sake::http;
using harness::failure_of;
using harness::let_the_others_run;
using http::Client;
using http::Request;
using http::Response;
using sake::spawn;
using sake::Task;
using sake::TcpListener;
using sake::TcpStream;

namespace {

void routes(sake::Engine& app) {
    app.get("/hello", [](sake::Context& ctx) { ctx.text("hello"); });
    app.any("/echo", [](sake::Context& ctx) {
        ctx.set_header("X-Method", ctx.method());
        ctx.set_header("X-Query", ctx.query_string());
        ctx.set_header("X-Token", ctx.header("Authorization"));
        ctx.send(ctx.body(), ctx.header("Content-Type", "none/none"));
    });
    app.get("/large", [](sake::Context& ctx) { ctx.text(harness::pattern_bytes(1 << 20)); });
    app.get("/slow", [](sake::Context& ctx) -> Task<> {
        co_await sake::sleep(1h);
        ctx.text("late");
    });
    app.any("/to/:status", [](sake::Context& ctx, int status) { ctx.redirect("/echo?from=there", status); });
    app.get("/round", [](sake::Context& ctx) { ctx.redirect("/round"); });
    app.get("/unknown", [](sake::Context& ctx) { ctx.redirect("https://localhost/"); });
    app.get("/no-content", [](sake::Context& ctx) { ctx.no_content(); });
    app.get("/close", [](sake::Context& ctx) {
        ctx.set_header("Connection", "close");
        ctx.text("last");
    });
}

/// Runs `body(client, origin)` against a Sake server, and looks for what both leave behind.
template <class Body>
void with_sake(Body body, http::ClientOptions options = {},
               const std::function<void(sake::Engine&)>& setup = routes) {
    harness::with_server(setup, [&](harness::TestServer& server) {
        const auto whole = [&]() -> Task<> {
            Client client(options);
            co_await body(client, "http://127.0.0.1:" + std::to_string(server.port()));
        };
        const int before = harness::settled_fds(server);
        sake::run_until_complete(whole());
        CHECK(harness::eventually([&] { return harness::Snapshot::take().fds <= before; }));
    });
}

/// A server that reads a head and says the next of these answers, once per connection; then it closes.
Task<> say(TcpListener& listener, std::vector<std::string> answers) {
    for (const std::string& answer : answers) {
        TcpStream stream = co_await listener.accept();
        static_cast<void>(co_await stream.read_until("\r\n\r\n"));
        co_await stream.write_all(answer);
    }
}

/// What a GET gives when the server says `answer`: the status and the body, or why it fails, with
/// "http://here" for the origin.
std::string answer_to(std::string answer, http::ClientOptions options = {}) {
    const auto whole = [&]() -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        auto serving = spawn(failure_of(say(listener, {answer})));
        Client client(options);
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        std::string text;
        const auto ask = [&]() -> Task<> {
            const Response response = co_await client.get(url);
            text = std::to_string(response.status) + " " + response.body;
        };
        std::string why = co_await failure_of(ask());
        serving.cancel();
        static_cast<void>(co_await serving);
        const std::size_t origin = why.find(url.substr(0, url.size() - 1));
        if (origin != std::string::npos) why.replace(origin, url.size() - 1, "http://here");
        co_return why == "no exception" ? text : why;
    };
    return sake::run_until_complete(whole());
}

Task<std::string> text_of(Client& client, std::string url) {
    const Response response = co_await client.get(url);
    co_return response.body;
}

std::string_view field(const Response& response, std::string_view name) {
    return response.headers.get(name).value_or("(none)");
}

}  // namespace

TEST_CASE("get, head, post, put, patch and del, with text and with JSON") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const Response hello = co_await client.get(origin + "/hello");
        CHECK(hello.status == 200);
        CHECK(hello.is_ok());
        CHECK(hello.body == "hello");
        CHECK(field(hello, "content-type") == "text/plain; charset=utf-8");
        const Response head = co_await client.head(origin + "/hello");
        CHECK(head.status == 200);
        CHECK(head.body.empty());
        CHECK(field(head, "Content-Length") == "5");
        sake::Json value;
        value["a"] = 1;
        const Response posted = co_await client.post(origin + "/echo", value);
        CHECK(posted.json() == value);
        CHECK(field(posted, "content-type") == "application/json");
        const Response put = co_await client.put(origin + "/echo", "text", "text/x");
        CHECK(put.body == "text");
        CHECK(field(put, "X-Method") == "PUT");
        CHECK(field(put, "content-type") == "text/x");
        const std::string_view type = "text/x";
        const Response patched = co_await client.patch(origin + "/echo", std::string(), type);
        CHECK(patched.body.empty());
        const Response deleted = co_await client.del(origin + "/echo");
        CHECK(field(deleted, "X-Method") == "DELETE");
        const Response absent = co_await client.get(origin + "/absent");
        CHECK(absent.status == 404);
        CHECK_FALSE(absent.is_ok());
        const Response nothing = co_await client.get(origin + "/no-content");
        CHECK(nothing.status == 204);
        CHECK(client.idle_connections() == 1);  // one did it all
    });
}

TEST_CASE("the functions without a client share the one of the reactor") {
    with_sake([](Client&, std::string origin) -> Task<> {
        const Response hello = co_await http::get(origin + "/hello");
        CHECK(hello.body == "hello");
        const Response posted = co_await http::post(origin + "/echo", "x", "text/x");
        CHECK(posted.body == "x");
        const Response head = co_await http::head(origin + "/hello");
        CHECK(head.body.empty());
        const Response put = co_await http::put(origin + "/echo", "y", "text/x");
        CHECK(put.body == "y");
        const Response patched = co_await http::patch(origin + "/echo", "z", "text/x");
        CHECK(patched.body == "z");
        const Response deleted = co_await http::del(origin + "/echo");
        CHECK(deleted.status == 200);
        CHECK(sake::Reactor::current()->local<Client>().idle_connections() == 1);
    });
    CHECK_THROWS_AS(static_cast<void>(http::get("http://localhost/")), std::logic_error);
}

TEST_CASE("queries are encoded, and what would break the request is refused") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        Request request("GET", origin + "/echo?a=1");
        request.query("b c", "d&e=f+g/\xc3\xa4").header("Authorization", "me");
        const Response response = co_await client.send(std::move(request));
        const std::string_view query = field(response, "X-Query");
        CHECK(sake::detail::query_value(query, "a") == "1");
        CHECK(sake::detail::query_value(query, "b c") == "d&e=f+g/\xc3\xa4");
        CHECK(field(response, "X-Token") == "me");
    });
    Request request("GET", "http://localhost/");
    CHECK_THROWS_AS(request.header("X", "a\r\nY: b"), std::invalid_argument);
    CHECK_THROWS_AS(request.header("Host", "b"), std::invalid_argument);
    for (const char* own : {"content-length", "Connection", "Keep-Alive", "Trailer", "Transfer-Encoding",
                            "Expect", "Upgrade", "TE", "Proxy-Connection", "HTTP2-Settings"}) {
        CAPTURE(own);
        CHECK_THROWS_AS(request.header(own, "5"), std::invalid_argument);
    }
    CHECK_THROWS_AS(request.body("x", "text/plain\r\nX: y"), std::invalid_argument);
    CHECK_THROWS_AS(Request("GE T", "http://localhost/"), std::invalid_argument);
    CHECK_THROWS_AS(Request("", "http://localhost/"), std::invalid_argument);
    CHECK_THROWS_AS(Request("GET", "localhost"), std::invalid_argument);
}

TEST_CASE("large bodies pass both ways, gathered and streamed") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const Response large = co_await client.get(origin + "/large");
        CHECK(large.body == harness::pattern_bytes(1 << 20));
        const std::string much = harness::pattern_bytes(900'000, 3);
        const Response echoed = co_await client.post(origin + "/echo", much, "text/x");
        CHECK(echoed.body == much);

        std::size_t sent = 0;
        const auto pieces = [&]() -> Task<std::string> {
            co_await sake::yield();
            std::string piece = much.substr(sent, 10'000);
            sent += piece.size();
            co_return piece;
        };
        Request request("POST", origin + "/echo");
        request.stream(pieces, "text/x");
        http::ResponseStream stream = co_await client.open(std::move(request));
        CHECK(stream.status == 200);
        std::string received;
        for (;;) {
            const std::string piece = co_await stream.read();
            if (piece.empty()) break;
            received += piece;
        }
        CHECK(received == much);
        const std::string after = co_await stream.read();
        CHECK(after.empty());
        CHECK(client.idle_connections() == 1);
    });
}

TEST_CASE("a large body comes in large pieces") {
    with_sake(
        [](Client& client, std::string origin) -> Task<> {
            http::ResponseStream stream = co_await client.open(Request("GET", origin + "/huge"));
            std::size_t size = 0;
            std::size_t pieces = 0;
            for (std::string piece = co_await stream.read(); !piece.empty(); ++pieces) {
                size += piece.size();
                piece = co_await stream.read();
            }
            CHECK(size == 8 << 20);
            CHECK(pieces < size / 8192);
        },
        {},
        [](sake::Engine& app) {
            app.get("/huge", [](sake::Context& ctx) { ctx.text(std::string(8 << 20, 'x')); });
        });
}

TEST_CASE("a stream that is let go closes its connection, one that is read keeps it") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        {
            http::ResponseStream stream = co_await client.open(Request("GET", origin + "/large"));
            const std::string piece = co_await stream.read();
            CHECK_FALSE(piece.empty());
        }
        CHECK(client.idle_connections() == 0);
        const Response last = co_await client.get(origin + "/close");
        CHECK(last.body == "last");
        const std::string hello = co_await text_of(client, origin + "/hello");
        CHECK(hello == "hello");
        CHECK(client.idle_connections() == 1);
    });
}

TEST_CASE("redirects are followed as their status says, so far and no further") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        for (const int status : {301, 302, 303, 307, 308}) {
            CAPTURE(status);
            const Response posted =
                co_await client.post(origin + "/to/" + std::to_string(status), "body", "text/x");
            CHECK(posted.status == 200);
            CHECK(field(posted, "X-Query") == "from=there");
            const bool keeps = status >= 307;
            CHECK(field(posted, "X-Method") == (keeps ? "POST" : "GET"));
            CHECK(posted.body == (keeps ? "body" : ""));
        }
        const std::string round = co_await failure_of(text_of(client, origin + "/round"));
        CHECK(round == "too many redirects: more than 10, the last from " + origin);
        const std::string unknown = co_await failure_of(text_of(client, origin + "/unknown"));
        CHECK(unknown ==
              "bad redirect from " + origin +
                  ": the URL \"https://localhost/\" is not http, the one scheme that is spoken here");
        Client stays({.max_redirects = 0});
        const Response response = co_await stays.get(origin + "/round");
        CHECK(response.status == 302);
    });
}

TEST_CASE("a redirect that drops the body drops every field about it, and no other") {
    const std::vector<std::string> about_body = {
        "Content-Type",        "content-encoding", "Content-Language", "Content-Location",
        "Content-Disposition", "CONTENT-MD5",      "Content-Digest",   "Content-Range",
        "Content-X",           "Digest",           "repr-digest",      "Last-Modified",
    };
    const std::vector<std::string> others = {
        "Accept", "Authorization", "Cookie", "Want-Content-Digest", "Contents", "X-Content-Type", "If-Match",
    };
    const auto fields_seen = [](sake::Context& ctx) {
        std::string names;
        for (const auto& [name, value] : ctx.headers())
            names += std::string(name) + "=" + std::string(value) + ";";
        ctx.text(std::string(ctx.method()) + ";" + names + std::string(ctx.body()));
    };
    with_sake(
        [&](Client& client, std::string origin) -> Task<> {
            for (const std::string method : {"POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"}) {
                for (const int status : {301, 302, 303, 307, 308}) {
                    CAPTURE(method);
                    CAPTURE(status);
                    Request request(method, origin + "/to/" + std::to_string(status));
                    request.body("bytes", "text/x");
                    for (const std::string& name : about_body) request.header(name, "body");
                    for (const std::string& name : others) request.header(name, "other");
                    request.header("Content-Language", "body");
                    const Response response = co_await client.send(std::move(request));
                    CHECK(response.status == 200);
                    if (method == "HEAD") continue;
                    const bool drops = status == 303 || (status < 303 && method == "POST");
                    CHECK(response.body.starts_with((drops ? "GET" : method) + ";"));
                    CHECK(response.body.ends_with(";bytes") == !drops);
                    CHECK((response.body.find("Content-Length=5;") != std::string::npos) == !drops);
                    CHECK(response.body.find("Transfer-Encoding") == std::string::npos);
                    for (const std::string& name : about_body) {
                        CAPTURE(name);
                        CHECK((response.body.find(";" + name + "=body;") != std::string::npos) == !drops);
                    }
                    for (const std::string& name : others) {
                        CAPTURE(name);
                        CHECK(response.body.find(";" + name + "=other;") != std::string::npos);
                    }
                    if (drops) CHECK(sake::iequals(response.body.substr(0, 4), "GET;"));
                }
            }
        },
        {},
        [&](sake::Engine& app) {
            app.any("/to/:status", [](sake::Context& ctx, int status) { ctx.redirect("/seen", status); });
            app.any("/seen", fields_seen);
        });
}

TEST_CASE("the body of a redirect neither holds the request up nor fails it") {
    // Gives how many connections it took.
    const auto follow = [](std::string rest) -> Task<int> {
        TcpListener listener("127.0.0.1:0");
        const std::string origin = "http://127.0.0.1:" + std::to_string(listener.port());
        const auto converse = [&](TcpStream stream) -> Task<> {
            while (const auto head = co_await stream.read_until("\r\n\r\n")) {
                const bool is_there = head->find("GET /there") == 0;
                std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
                if (!is_there) answer = "HTTP/1.1 302 Found\r\nLocation: /there\r\n" + rest;
                co_await stream.write_all(answer);
                if (!is_there && rest.find(" 11\r") != std::string::npos) co_return;
            }
        };
        int connections = 0;
        const auto serve = [&]() -> Task<> {
            for (;;) {
                TcpStream stream = co_await listener.accept();
                ++connections;
                try {
                    co_await converse(std::move(stream));
                } catch (const std::system_error&) {
                    // The client has let it go.
                }
            }
        };
        auto serving = spawn(failure_of(serve()));
        {
            Client client({.response_timeout = 10s, .read_timeout = 10s});
            std::string text;
            const auto ask = [&]() -> Task<> { text = co_await text_of(client, origin + "/"); };
            const std::string why = co_await failure_of(sake::timeout(ask(), 5s));
            CHECK(why == "no exception");
            CHECK(text == "hi");
        }
        serving.cancel();
        static_cast<void>(co_await serving);
        co_return connections;
    };
    const auto connections = [&](const char* rest) { return sake::run_until_complete(follow(rest)); };
    CHECK(connections("Content-Length: 5\r\n\r\nshort") == 1);
    CHECK(connections("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n") == 1);
    CHECK(connections("Content-Length: 10\r\n\r\nstalls") == 2);
    CHECK(connections("Content-Length: 11\r\n\r\nends") == 2);
    CHECK(connections("Content-Length: 99999999\r\n\r\nlong") == 2);
    CHECK(connections("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n") == 2);
    CHECK(connections("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r") == 2);
    CHECK(connections("Transfer-Encoding: chunked\r\n\r\nno chunk\r\n") == 2);
    CHECK(connections("\r\nto the end") == 2);
}

TEST_CASE("options that make no sense are refused by name") {
    const auto refused = [](http::ClientOptions options) -> std::string {
        try {
            const Client client(options);
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "not refused";
    };
    CHECK(refused({}) == "not refused");
    CHECK(refused({.max_body = 0, .max_redirects = 0}) == "not refused");
    CHECK(refused({.max_idle_connections = 0, .max_header_count = 0}) == "not refused");
    CHECK(refused({.max_status_line = 16, .max_header_block = 2}) == "not refused");
    const auto must = [](const std::string& field) { return "http::ClientOptions::" + field; };
    CHECK(refused({.max_connections_per_origin = 0}) ==
          must("max_connections_per_origin must be at least 1, not 0"));
    CHECK(refused({.max_idle_connections = -1}) == must("max_idle_connections must be at least 0, not -1"));
    CHECK(refused({.acquire_timeout = 0s}) == must("acquire_timeout must be at least 1 ms, not 0 ms"));
    CHECK(refused({.idle_timeout = -1ms}) == must("idle_timeout must be at least 1 ms, not -1 ms"));
    CHECK(refused({.connect_timeout = 0s}) == must("connect_timeout must be at least 1 ms, not 0 ms"));
    CHECK(refused({.write_timeout = 0s}) == must("write_timeout must be at least 1 ms, not 0 ms"));
    CHECK(refused({.response_timeout = -5s}) == must("response_timeout must be at least 1 ms, not -5000 ms"));
    CHECK(refused({.read_timeout = 0s}) == must("read_timeout must be at least 1 ms, not 0 ms"));
    CHECK(refused({.max_status_line = 15}) == must("max_status_line must be at least 16, not 15"));
    CHECK(refused({.max_header_block = 1}) == must("max_header_block must be at least 2, not 1"));
    CHECK(refused({.max_header_count = -1}) == must("max_header_count must be at least 0, not -1"));
    const auto negative = static_cast<std::size_t>(-2);
    CHECK(refused({.max_body = negative}) == must("max_body must be at least 0, not -2"));
    constexpr auto largest = std::numeric_limits<std::size_t>::max();
    CHECK(refused({.max_status_line = largest, .max_header_block = largest, .max_body = largest}) ==
          "not refused");
    CHECK(refused({.max_redirects = -1}) == must("max_redirects must be at least 0, not -1"));
}

TEST_CASE("a client with every limit at its largest asks and is answered") {
    constexpr int most = std::numeric_limits<int>::max();
    constexpr auto largest = std::numeric_limits<std::size_t>::max();
    constexpr auto never = std::chrono::milliseconds::max();
    const http::ClientOptions options{.max_connections_per_origin = most,
                                      .max_idle_connections = most,
                                      .acquire_timeout = never,
                                      .idle_timeout = never,
                                      .connect_timeout = never,
                                      .write_timeout = never,
                                      .response_timeout = never,
                                      .read_timeout = never,
                                      .max_status_line = largest,
                                      .max_header_block = largest,
                                      .max_header_count = most,
                                      .max_body = largest,
                                      .max_redirects = most};
    CHECK(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", options) == "200 hi");
    const std::string cut =
        answer_to("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhi", options);
    CHECK(cut.find("200") == std::string::npos);
}

TEST_CASE("credentials do not follow to another origin") {
    const auto whole = []() -> Task<> {
        TcpListener first("127.0.0.1:0");
        TcpListener second("127.0.0.1:0");
        const std::string there = "http://127.0.0.1:" + std::to_string(second.port()) + "/";
        auto redirecting =
            spawn(say(first, {"HTTP/1.1 302 Found\r\nLocation: " + there + "\r\nContent-Length: 0\r\n\r\n"}));
        std::string received;
        const auto record = [&]() -> Task<> {
            TcpStream stream = co_await second.accept();
            const auto head = co_await stream.read_until("\r\n\r\n");
            received = *head;
            co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        };
        auto recording = spawn(record());
        Client client;
        Request request("GET", "http://127.0.0.1:" + std::to_string(first.port()) + "/");
        request.header("Authorization", "secret").header("Cookie", "secret").header("X-Plain", "kept");
        const Response response = co_await client.send(std::move(request));
        CHECK(response.status == 200);
        CHECK(received.find("secret") == std::string::npos);
        CHECK(received.find("X-Plain: kept") != std::string::npos);
        co_await redirecting;
        co_await recording;
    };
    sake::run_until_complete(whole());
}

TEST_CASE("credentials follow to the same origin, however it is spelt") {
    const auto is_kept = [](std::string url, std::string location) {
        Request request("GET", url);
        request.header("Authorization", "secret").header("Cookie", "secret").header("X-Plain", "kept");
        const http::Url next = http::resolve_url(request.url(), location);
        return next.authority == request.url().authority;
    };
    CHECK(is_kept("http://h/", "http://h:80/z"));
    CHECK(is_kept("http://h/", "http://H/z"));
    CHECK(is_kept("http://h:80/", "//H:/z"));
    CHECK(is_kept("http://H:080/", "http:z"));
    CHECK(is_kept("http://h:81/", "HTTP://H:081"));
    CHECK(is_kept("http://[::a]/", "http://[0:0::A]:80/z"));
    for (const char* other : {"http://h./z", "http://h:81/", "//g/", "http://h.h/", "http://hh/"}) {
        CAPTURE(other);
        CHECK_FALSE(is_kept("http://h/", other));
    }
    CHECK_FALSE(is_kept("http://[::1]/", "http://[::2]/"));
    with_sake(
        [](Client& client, std::string origin) -> Task<> {
            using namespace std::string_literals;
            const std::string port = origin.substr(origin.rfind(':') + 1);
            const std::string first = "HTTP://127.0.0.1:0" + port + "/secret";
            const std::string second = "//127.0.0.1:00" + port + "/secret";
            for (const std::string& location : {first, second, "http:secret"s, "\\secret"s}) {
                CAPTURE(location);
                Request request("GET", origin + "/to");
                request.header("X-Location", location)
                    .header("Authorization", "word")
                    .header("Cookie", "a=b");
                const Response response = co_await client.send(std::move(request));
                CHECK(response.body == "word a=b");
            }
            CHECK(client.idle_connections() == 1);
        },
        {},
        [](sake::Engine& app) {
            app.get("/to", [](sake::Context& ctx) {
                ctx.status(302);
                ctx.set_header("Location", ctx.header("X-Location"));
            });
            app.get("/secret", [](sake::Context& ctx) {
                ctx.text(std::string(ctx.header("Authorization")) + " " + std::string(ctx.header("Cookie")));
            });
        });
}

TEST_CASE("all spellings of an origin share its connections, and the limit of them") {
    const auto key = [](const char* url) { return http::parse_url(url).address(); };
    CHECK(key("http://h/") == key("http://H:80/x?y"));
    CHECK(key("http://h.Example:/") == key("HTTP://H.eXAMPLE:0080"));
    CHECK(key("http://h:81/") == key("http://H:081/"));
    CHECK(key("http://[::1]/") == key("http://[0:0:0:0:0:0:0:1]:80/"));
    CHECK(key("http://[fe80::A]:81/") == key("http://[FE80:0::000a]:81/"));
    CHECK(key("http://h/") != key("http://h./"));
    CHECK(key("http://[::1]/") != key("http://[::2]/"));
    const auto one_at_a_time = [](Client& client, std::string origin) -> Task<> {
        const std::string same = "HTTP://127.0.0.1:00" + origin.substr(origin.rfind(':') + 1);
        {
            http::ResponseStream held = co_await client.open(Request("GET", origin + "/large"));
            const std::string why = co_await failure_of(text_of(client, same + "/hello"));
            CHECK(why == "timed out after 20 ms waiting for a connection to " + origin);
            held.close();
        }
        const std::string text = co_await text_of(client, same + "/hello");
        CHECK(text == "hello");
    };
    with_sake(one_at_a_time, {.max_connections_per_origin = 1, .acquire_timeout = 20ms});
}

TEST_CASE("answers of every framing are read, and those that are not HTTP are refused") {
    CHECK(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") == "200 hi");
    CHECK(answer_to("HTTP/1.1 200 OK\r\n\r\nto the end") == "200 to the end");
    CHECK(answer_to("HTTP/1.0 200 OK\r\n\r\n") == "200 ");
    CHECK(answer_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\nT: "
                    "v\r\n\r\n") == "200 hi yo");
    CHECK(answer_to("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") == "200 hi");
    CHECK(answer_to("") == "http://here: the server sent no answer: the peer closed the connection");
    const std::string bad = "bad response from http://here: ";
    CHECK(answer_to("HTTP/1.1 200 O") == bad + "it ends in the middle of its head");
    CHECK(answer_to("HTTP/1.1 101 Switching\r\n\r\n") == bad + "101, which was not asked for");
    CHECK(answer_to("SSH-2.0-OpenSSH\r\n") == bad + "bad HTTP version");
    CHECK(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi") ==
          bad + "Content-Length is not a decimal number in range");
    const std::string cut =
        "http://here: the server ended in the middle of its answer: the peer closed the connection";
    CHECK(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi") == cut);
    CHECK(answer_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi") == cut);
    CHECK(answer_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n").find(bad) == 0);
}

TEST_CASE("an answer that is cut off at any byte, by an end or a reset, is never taken for a whole one") {
    const auto outcome = [](std::string_view answer, bool is_reset) -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        const auto serve = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            co_await stream.write_all(answer);
            if (is_reset) stream.abort();
        };
        auto serving = spawn(serve());
        Client client;
        std::string text;
        const auto ask = [&]() -> Task<> {
            const Response response =
                co_await client.get("http://127.0.0.1:" + std::to_string(listener.port()) + "/");
            text = "whole: " + std::to_string(response.status) + " " + response.body;
        };
        const std::string why = co_await failure_of(sake::timeout(ask(), 10s));
        co_await serving;
        co_return text.empty() ? why : text;
    };
    const std::string length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: v\r\n\r\n";
    const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + length;
    for (const std::string& answer : {length, chunked, interim}) {
        for (const bool is_reset : {false, true}) {
            for (std::size_t size = 0; size < answer.size(); ++size) {
                const std::string cut =
                    sake::run_until_complete(outcome(std::string_view(answer).substr(0, size), is_reset));
                CAPTURE(answer);
                CAPTURE(size);
                CAPTURE(is_reset);
                CAPTURE(cut);
                REQUIRE(cut.find("whole") == std::string::npos);
                REQUIRE(cut != sake::TimedOut().what());
                REQUIRE(cut.find("http://127.0.0.1:") != std::string::npos);
                REQUIRE((is_reset || cut.find("reset") == std::string::npos));
            }
        }
        CHECK(sake::run_until_complete(outcome(answer, false)) == "whole: 200 hello");
    }
    // Only the end of the connection tells the end of such a body, and a reset is none.
    const std::string to_the_end = "HTTP/1.1 200 OK\r\n\r\nhello";
    CHECK(sake::run_until_complete(outcome(to_the_end, false)) == "whole: 200 hello");
    CHECK(sake::run_until_complete(outcome(to_the_end, true)).find("whole") == std::string::npos);
}

TEST_CASE("a gathered body may be as long as allowed, and not longer, whatever its framing") {
    for (const std::string head : {"Content-Length: 10\r\n\r\n", "\r\n"}) {
        const std::string answer = "HTTP/1.1 200 OK\r\n" + head + "0123456789";
        CHECK(answer_to(answer, {.max_body = 11}) == "200 0123456789");
        CHECK(answer_to(answer, {.max_body = 10}) == "200 0123456789");
        CHECK(answer_to(answer, {.max_body = 9}) == "the response from http://here is longer than 9 bytes");
    }
}

TEST_CASE("a kept connection that the server has closed costs another attempt, if repeating is harmless") {
    const auto whole = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        // Answers once, then takes the next request on the same connection and closes without an answer.
        int connections = 0;
        const auto serve = [&]() -> Task<> {
            for (;;) {
                TcpStream stream = co_await listener.accept();
                ++connections;
                static_cast<void>(co_await stream.read_until("\r\n\r\n"));
                co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
                static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            }
        };
        auto serving = spawn(failure_of(serve()));
        Client client;
        for (int i = 1; i <= 3; ++i) {
            const Response response = co_await client.get(url);
            CHECK(response.body == "hi");
            CHECK(connections == i);
        }
        const auto post = [&]() -> Task<> { co_await client.post(url, "", "text/x"); };
        const std::string why = co_await failure_of(post());
        CHECK(why.find("the server sent no answer") != std::string::npos);
        CHECK(connections == 3);
        serving.cancel();
        static_cast<void>(co_await serving);
    };
    sake::run_until_complete(whole());
}

TEST_CASE("a kept connection on which something has come, the end included, is not used again") {
    const auto whole = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        auto serving = spawn(say(listener, {answer, answer + "HTTP/1.1 200 OK\r\n\r\nsmuggled", answer}));
        Client client;
        for (int i = 0; i < 3; ++i) {
            const std::string text = co_await text_of(client, url);
            CHECK(text == "hi");
            co_await let_the_others_run();
        }
        co_await serving;
    };
    sake::run_until_complete(whole());
}

TEST_CASE("an answer that comes before the request is written is taken, and the connection closed") {
    const auto whole = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        auto serving = spawn(say(listener, {"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch"}));
        Client client;
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        const auto endless = []() -> Task<std::string> {
            co_await sake::yield();
            co_return std::string(10'000, 'x');
        };
        Request request("PUT", url);
        request.stream(endless, "text/x");
        http::ResponseStream stream = co_await client.open(std::move(request));
        CHECK(stream.status == 413);
        stream.close();
        CHECK(client.idle_connections() == 0);
        co_await serving;
    };
    sake::run_until_complete(whole());
}

TEST_CASE("an interim answer, or one that begins early, does not end the writing of the body") {
    const std::string body = harness::pattern_bytes(16 << 20);  // more than the kernel holds
    const auto exchange = [&](std::string early, std::string late, bool is_streamed) -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        std::string received;
        const auto serve = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            co_await stream.write_all(early);
            if (is_streamed) {
                const auto all = co_await stream.read_until("0\r\n\r\n", 2 * body.size());
                received = *all;
            } else {
                received = co_await stream.read_exactly(body.size());
            }
            co_await stream.write_all(late);
        };
        auto serving = spawn(failure_of(serve()));
        Client client;
        Request request("PUT", "http://127.0.0.1:" + std::to_string(listener.port()) + "/");
        std::size_t sent = 0;
        const auto pieces = [&]() -> Task<std::string> {
            std::string piece = body.substr(sent, 1 << 20);
            sent += piece.size();
            co_return piece;
        };
        if (is_streamed) {
            request.stream(pieces, "text/x");
        } else {
            request.body(body, "text/x");
        }
        const Response response = co_await client.send(std::move(request));
        const std::string why = co_await serving;
        CHECK(why == "no exception");
        CHECK((is_streamed ? received.size() > body.size() : received == body));
        CHECK(client.idle_connections() == 1);
        co_return std::to_string(response.status) + " " + response.body;
    };
    const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    for (const bool is_streamed : {false, true}) {
        CAPTURE(is_streamed);
        CHECK(sake::run_until_complete(exchange(hints, head + "ok", is_streamed)) == "200 ok");
        CHECK(sake::run_until_complete(exchange(hints + head, "ok", is_streamed)) == "200 ok");
        CHECK(sake::run_until_complete(exchange(head.substr(0, 9), head.substr(9) + "ok", is_streamed)) ==
              "200 ok");
    }
}

TEST_CASE("a server that refuses, will close or has ended gets no more of the body") {
    const auto whole = [](std::string answer) -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        const auto serve = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            co_await stream.write_all(answer);
            stream.shutdown_write();
            while (co_await stream.read_more() > 0) stream.skip(stream.unread().size());
        };
        auto serving = spawn(failure_of(serve()));
        Client client;
        const auto endless = []() -> Task<std::string> { co_return std::string(10'000, 'x'); };
        Request request("PUT", "http://127.0.0.1:" + std::to_string(listener.port()) + "/");
        request.stream(endless, "text/x");
        std::string outcome;
        const auto ask = [&]() -> Task<> {
            const Response response = co_await client.send(std::move(request));
            outcome = std::to_string(response.status) + " " + response.body;
        };
        const std::string why = co_await failure_of(sake::timeout(ask(), 10s));
        static_cast<void>(co_await serving);
        CHECK(client.idle_connections() == 0);
        co_return why == "no exception" ? outcome : why;
    };
    const auto outcome_of = [&](const char* answer) { return sake::run_until_complete(whole(answer)); };
    CHECK(outcome_of("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nenough") == "200 enough");
    CHECK(outcome_of("HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno") == "403 no");
    CHECK(outcome_of("").find("the server sent no answer") != std::string::npos);
    CHECK(outcome_of("HTTP/1.1 1").find("in the middle of its head") != std::string::npos);
    CHECK(outcome_of("HTTP/1.1 101 Switch\r\n\r\n").find("101") != std::string::npos);
    CHECK(outcome_of("SSH-2.0-x\r\n").find("bad HTTP version") != std::string::npos);
}

TEST_CASE("what a source throws comes out, and its request goes nowhere") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const auto fails = []() -> Task<std::string> {
            co_await sake::yield();
            throw std::runtime_error("no more");
        };
        Request request("POST", origin + "/echo");
        request.stream(fails, "text/x");
        const std::string why = co_await failure_of(client.send(std::move(request)));
        CHECK(why == "no more");
        CHECK(client.idle_connections() == 0);
    });
}

TEST_CASE("every phase has its limit: a turn, the head, the body") {
    with_sake(
        [](Client& client, std::string origin) -> Task<> {
            const std::string head = co_await failure_of(text_of(client, origin + "/slow"));
            CHECK(head == "timed out after 20 ms waiting for the response from " + origin);
            CHECK(client.idle_connections() == 0);
            Client narrow({.max_connections_per_origin = 1, .acquire_timeout = 1ms});
            auto slow = spawn(failure_of(text_of(narrow, origin + "/slow")));
            co_await let_the_others_run();
            const std::string turn = co_await failure_of(text_of(narrow, origin + "/hello"));
            CHECK(turn == "timed out after 1 ms waiting for a connection to " + origin);
            slow.cancel();
            const std::string cancelled = co_await slow;
            CHECK(cancelled == "Cancelled");
            const std::string hello = co_await text_of(narrow, origin + "/hello");
            CHECK(hello == "hello");
        },
        {.response_timeout = 20ms});
    const auto body = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        const auto stall = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            co_await sake::sleep(1h);
        };
        auto stalling = spawn(failure_of(stall()));
        Client client({.read_timeout = 1ms});
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        const std::string why = co_await failure_of(text_of(client, url));
        CHECK(why ==
              "timed out after 1 ms reading the body of the response from " + url.substr(0, url.size() - 1));
        stalling.cancel();
        static_cast<void>(co_await stalling);
    };
    sake::run_until_complete(body());
}

TEST_CASE("a body may take as long as it likes while the server goes on taking it") {
    const auto whole = [](bool stalls) -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        const std::string body(48 << 20, 'x');
        constexpr std::size_t share = 2 << 20;
        const auto serve = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            for (std::size_t taken = 0; taken < body.size(); taken += share) {
                static_cast<void>(co_await stream.read_exactly(share));
                co_await sake::sleep(stalls ? 1h : 35ms);  // all of them are longer than the limit
            }
            co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        };
        auto serving = spawn(failure_of(serve()));
        Client client({.write_timeout = stalls ? 20ms : 500ms});
        Request request("PUT", "http://127.0.0.1:" + std::to_string(listener.port()) + "/");
        request.body(body, "text/x");
        const std::string why = co_await failure_of(client.send(std::move(request)));
        serving.cancel();
        static_cast<void>(co_await serving);
        co_return why;
    };
    CHECK(sake::run_until_complete(whole(false)) == "no exception");
    CHECK(sake::run_until_complete(whole(true))
              .find("timed out after 20 ms sending the request to http://127") == 0);
}

TEST_CASE("a cancelled request closes its connection: the server sees its client go") {
    const auto whole = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        Client client;
        const std::string url = "http://127.0.0.1:" + std::to_string(listener.port()) + "/";
        auto asking = spawn(failure_of(text_of(client, url)));
        TcpStream stream = co_await listener.accept();
        static_cast<void>(co_await stream.read_until("\r\n\r\n"));
        asking.cancel();
        const std::string why = co_await asking;
        CHECK(why == "Cancelled");
        const std::string end = co_await failure_of(stream.read_exactly(1));
        CHECK(end.find("reset") != std::string::npos);
    };
    sake::run_until_complete(whole());
}

TEST_CASE("a connection that cannot be made says so") {
    const auto whole = []() -> Task<> {
        std::string url;
        {
            const TcpListener gone("127.0.0.1:0");
            url = "http://127.0.0.1:" + std::to_string(gone.port()) + "/";
        }
        Client client;
        const std::string why = co_await failure_of(text_of(client, url));
        CHECK(why.find("cannot connect to 127.0.0.1:") == 0);
    };
    sake::run_until_complete(whole());
}

TEST_CASE("a client made before the engine serves its handlers, run after run") {
    Client client;
    for (int run = 0; run < 3; ++run) {
        harness::TestServer back(routes);
        const std::string url = "http://127.0.0.1:" + std::to_string(back.port()) + "/hello";
        harness::TestServer front([&](sake::Engine& app) {
            app.get("/via", [&](sake::Context& ctx) -> Task<> {
                const Response response = co_await client.get(url);
                ctx.text(response.body + ", relayed");
            });
        });
        for (int i = 0; i < 3; ++i) CHECK(front.get("/via").body == "hello, relayed");
        front.stop();
        CHECK(client.idle_connections() == 0);
    }
}

TEST_CASE("connections to many origins are kept up to a limit, those that were wanted last") {
    const auto whole = []() -> Task<> {
        constexpr std::size_t origins = 5;
        std::vector<std::string> urls;
        std::vector<int> connections(origins);
        const auto converse = [](TcpStream stream) -> Task<> {
            while (co_await stream.read_until("\r\n\r\n")) {
                co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            }
        };
        const auto serve = [&](TcpListener& listener, int& count) -> Task<> {
            for (;; ++count) {
                TcpStream stream = co_await listener.accept();
                spawn(converse(std::move(stream))).detach();
            }
        };
        std::vector<std::unique_ptr<TcpListener>> listeners;
        std::vector<sake::TaskHandle<std::string>> serving;
        for (std::size_t i = 0; i < origins; ++i) {
            listeners.push_back(std::make_unique<TcpListener>("127.0.0.1:0"));
            urls.push_back("http://127.0.0.1:" + std::to_string(listeners[i]->port()) + "/");
            serving.push_back(spawn(failure_of(serve(*listeners[i], connections[i]))));
        }
        Client client({.max_idle_connections = 2});
        for (const std::size_t origin : {0U, 1U, 2U, 1U, 3U, 1U, 4U, 3U, 1U}) {
            const std::string text = co_await text_of(client, urls[origin]);
            CHECK(text == "hi");
            CHECK(client.idle_connections() <= 2);
        }
        CHECK(connections == std::vector<int>{1, 2, 1, 2, 1});
        Client forgetful({.max_idle_connections = 0});
        for (int i = 0; i < 2; ++i) {
            const std::string text = co_await text_of(forgetful, urls[0]);
            CHECK(text == "hi");
        }
        CHECK(forgetful.idle_connections() == 0);
        CHECK(connections[0] == 3);
        for (auto& each : serving) {
            each.cancel();
            static_cast<void>(co_await each);
        }
    };
    sake::run_until_complete(whole());
}

TEST_CASE("a client that another reactor uses is as it was") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const std::string hello = co_await text_of(client, origin + "/hello");
        CHECK(hello == "hello");
        const std::string elsewhere = "http://localhost:" + origin.substr(origin.rfind(':') + 1) + "/hello";
        std::string why;
        std::thread([&] { why = sake::run_until_complete(failure_of(text_of(client, elsewhere))); }).join();
        CHECK(why == "an http::Client is used by two reactors at a time: make one for each");
        CHECK(client.idle_connections() == 1);
        const std::string again = co_await text_of(client, origin + "/hello");
        CHECK(again == "hello");
    });
}

TEST_CASE("many requests at once share the connections that they may have") {
    with_sake(
        [](Client& client, std::string origin) -> Task<> {
            std::vector<Task<std::string>> all;
            for (int i = 0; i < 200; ++i) all.push_back(text_of(client, origin + "/hello"));
            const std::vector<std::string> texts = co_await sake::when_all(std::move(all));
            for (const std::string& text : texts) REQUIRE(text == "hello");
            CHECK(client.idle_connections() == 8);
        },
        {.max_connections_per_origin = 8});
}

TEST_CASE("a Location, or a URL, with a space or UTF-8 in it is followed, escaped") {
    const auto follow = [](std::string location, std::string path) -> Task<std::string> {
        TcpListener listener("127.0.0.1:0");
        const std::string origin = "http://127.0.0.1:" + std::to_string(listener.port());
        const std::size_t here = location.find("ORIGIN");
        if (here != std::string::npos) location.replace(here, 6, origin);
        std::string asked;
        const auto serve = [&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            for (const bool is_first : {true, false}) {
                const auto head = co_await stream.read_until("\r\n\r\n");
                if (!head) co_return;
                asked += (is_first ? "" : " -> ") + head->substr(4, head->find(" HTTP/") - 4);
                const std::string answer = is_first ? "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\n"
                                                    : std::string("HTTP/1.1 200 OK\r\n");
                co_await stream.write_all(answer + "Content-Length: 0\r\n\r\n");
            }
        };
        auto serving = spawn(failure_of(serve()));
        Client client;
        const std::string why = co_await failure_of(client.get(origin + path));
        serving.cancel();
        static_cast<void>(co_await serving);
        co_return why == "no exception" ? asked : why;
    };
    const auto asked = [&](const char* location, const char* path = "/d/x") {
        return sake::run_until_complete(follow(location, path));
    };
    CHECK(asked("/a b") == "/d/x -> /a%20b");
    CHECK(asked("/caf\xc3\xa9?q=\xc3\xa9 \"<>#\xc3\xa9") == "/d/x -> /caf%C3%A9?q=%C3%A9%20%22%3C%3E");
    CHECK(asked("a b") == "/d/x -> /d/a%20b");
    CHECK(asked("?{|}") == "/d/x -> /d/x?%7B%7C%7D");
    CHECK(asked("ORIGIN/\xff") == "/d/x -> /%FF");
    CHECK(asked("ORIGIN?a b") == "/d/x -> /?a%20b");
    CHECK(asked("/100%") == "/d/x -> /100%25");
    CHECK(asked("/%zz?%") == "/d/x -> /%25zz?%25");
    CHECK(asked("\\z") == "/d/x -> /z");
    CHECK(asked("z\\..\\y") == "/d/x -> /d/y");
    CHECK(asked("/a\tb") == "/d/x -> /ab");
    CHECK(asked("/\"x\"<y>") == "/d/x -> /%22x%22%3Cy%3E");
    CHECK(asked("http:/z") == "/d/x -> /z");
    CHECK(asked("http:z") == "/d/x -> /d/z");
    CHECK(asked("/y", "/?q=100%") == "/?q=100%25 -> /y");
    CHECK(asked("/\\there.invalid/").find("\" has a backslash at its host") != std::string::npos);
    CHECK(asked("ORIGIN\\@there.invalid/").find("\" has a backslash at its host") != std::string::npos);
    CHECK(asked("/y", "/a b\xc3\xa9?c d#e f") == "/a%20b%C3%A9?c%20d -> /y");
    CHECK(asked("http://\xc3\xa9/").find("bad redirect from http://127.0.0.1:") == 0);
    CHECK(asked("/\x01").find("bad response from http://127.0.0.1:") == 0);
}

TEST_CASE("Host names the port only where it is not the usual one") {
    const auto host_of = [](std::string url) {
        Request request("GET", url);
        return request.url().authority;
    };
    CHECK(host_of("http://h:80/") == "h");
    CHECK(host_of("http://h:/") == "h");
    CHECK(host_of("http://h") == "h");
    CHECK(host_of("http://H:8080/") == "h:8080");
    with_sake(
        [](Client& client, std::string origin) -> Task<> {
            const std::string host = co_await text_of(client, origin + "/host");
            CHECK("http://" + host == origin);
            const std::string same = co_await text_of(client, "HTTP" + origin.substr(4) + "/host");
            CHECK("http://" + same == origin);
            CHECK(client.idle_connections() == 1);
        },
        {},
        [](sake::Engine& app) {
            app.get("/host", [](sake::Context& ctx) { ctx.text(ctx.header("Host")); });
        });
}

TEST_CASE("a URL whose host is called unix, or a Location to it, reaches no Unix socket") {
    char name[] = "/tmp/sake-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    const int before = ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(::chdir(name) == 0);
    const auto whole = []() -> Task<> {
        bool is_sprung = false;
        TcpListener trap("unix:./8080");
        TcpListener usual("unix:./80");
        const auto watch = [&](TcpListener& listener) -> Task<> {
            static_cast<void>(co_await listener.accept());
            is_sprung = true;
        };
        auto watching = spawn(failure_of(watch(trap)));
        auto watching_usual = spawn(failure_of(watch(usual)));
        TcpListener web("127.0.0.1:0");
        Client client({.connect_timeout = 10s});
        const std::string there = co_await failure_of(client.get("http://unix:8080/"));
        CHECK(there.find("cannot connect to unix:8080: ") == 0);
        const std::string usually = co_await failure_of(client.get("http://unix/"));
        CHECK(usually.find("cannot connect to unix:80: ") == 0);
        const std::string capital = co_await failure_of(client.get("http://UNIX:8080/"));
        CHECK(capital.find("cannot connect to unix:8080: ") == 0);
        for (const std::string location : {"http://unix:8080/", "//unix:8080/x"}) {
            auto serving = spawn(say(web, {"HTTP/1.1 302 Found\r\nLocation: " + location + "\r\n\r\n"}));
            const std::string led =
                co_await failure_of(client.get("http://127.0.0.1:" + std::to_string(web.port()) + "/"));
            CHECK(led.find("cannot connect to unix:8080: ") == 0);
            co_await serving;
        }
        CHECK_FALSE(is_sprung);
        watching.cancel();
        watching_usual.cancel();
        static_cast<void>(co_await watching);
        static_cast<void>(co_await watching_usual);
    };
    sake::run_until_complete(whole());
    CHECK(::fchdir(before) == 0);
    ::close(before);
    CHECK(::rmdir(name) == 0);
}

TEST_CASE("the connection that is not made in time says to where, and how long") {
    const auto whole = []() -> Task<> {
        const TcpListener full("127.0.0.1:0", 0);
        const std::string address = "127.0.0.1:" + std::to_string(full.port());
        std::vector<TcpStream> queued;
        std::string why = "no exception";
        const auto queue_up = [&]() -> Task<> {
            queued.push_back(co_await TcpStream::connect(address, 20ms));
        };
        while (why == "no exception") why = co_await failure_of(queue_up());
        CHECK(why == "timed out after 20 ms connecting to " + address);
        Client client({.connect_timeout = 1s});
        const std::string seconds = co_await failure_of(client.get("http://" + address + "/secret?key"));
        CHECK(seconds == "timed out after 1 s connecting to http://" + address);
    };
    sake::run_until_complete(whole());
}

TEST_CASE("a connection that is reset while the answer is awaited is named, with its origin") {
    for (const std::string begin :
         {"", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}) {
        CAPTURE(begin);
        const auto whole = [&]() -> Task<> {
            TcpListener listener("127.0.0.1:0");
            const std::string origin = "http://127.0.0.1:" + std::to_string(listener.port());
            Client client;
            auto asking = spawn(failure_of(client.get(origin + "/secret?key")));
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            co_await stream.write_all(begin);
            stream.abort();
            const std::string why = co_await asking;
            CHECK(why == "cannot read the response from " + origin + ": Connection reset by peer");
        };
        sake::run_until_complete(whole());
    }
}

TEST_CASE("a time limit of a source of the body is the program's own, and told as it is") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const auto late = []() -> Task<std::string> {
            co_await sake::yield();
            throw sake::TimedOut("the source");
        };
        Request request("POST", origin + "/echo");
        request.stream(late, "text/x");
        const std::string why = co_await failure_of(client.send(std::move(request)));
        CHECK(why == "the source");
    });
}

TEST_CASE("an object is posted where it is awaited, without a name of its own") {
    with_sake([](Client& client, std::string origin) -> Task<> {
        const std::string name = "a name that is longer than any small string";
        const Response one = co_await http::post(origin + "/echo", {{"name", name}});
        CHECK(one.body == R"({"name":")" + name + R"("})");
        CHECK(field(one, "Content-Type") == "application/json");
        const sake::Json inner = {1, 2};
        const Response many = co_await client.put(
            origin + "/echo",
            {{"a", 7}, {"b", true}, {"c", 1.5}, {"d", "text"}, {"e", nullptr}, {"f", inner}});
        CHECK(many.body == R"({"a":7,"b":true,"c":1.5,"d":"text","e":null,"f":[1,2]})");
        CHECK(field(many, "X-Method") == "PUT");
        const Response eight = co_await http::patch(
            origin + "/echo",
            {{"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}, {"5", 5}, {"6", 6}, {"7", 7}, {"8", "\xc3\xa9"}});
        CHECK(eight.json().size() == 8);
        const sake::Json named = {{"name", "n"}};
        const Response by_name = co_await http::post(origin + "/echo", named);
        CHECK(by_name.json() == named);
        const Response number = co_await client.post(origin + "/echo", 21);
        CHECK(number.body == "21");
    });
}

TEST_CASE("a request goes on when its client is destroyed, also one that has yet to begin") {
    with_sake([](Client&, std::string origin) -> Task<> {
        auto client = std::make_unique<Client>(http::ClientOptions{.max_connections_per_origin = 1});
        auto running = spawn(text_of(*client, origin + "/large"));
        auto waiting = spawn(text_of(*client, origin + "/hello"));
        auto redirected = spawn(text_of(*client, origin + "/to/302"));
        auto stopped = spawn(failure_of(text_of(*client, origin + "/slow")));
        auto later = client->get(origin + "/hello");
        co_await let_the_others_run();
        client.reset();
        stopped.cancel();
        const std::string large = co_await running;
        CHECK(large.size() == 1 << 20);
        const std::string hello = co_await waiting;
        CHECK(hello == "hello");
        const std::string echoed = co_await redirected;
        CHECK(echoed.empty());
        const std::string why = co_await stopped;
        CHECK(why == "Cancelled");
        const Response late = co_await std::move(later);
        CHECK(late.body == "hello");
    });
}

TEST_CASE("a handler's own client that ends before what the handler has spawned") {
    std::atomic<int> answered = 0;
    harness::TestServer back(routes);
    const std::string origin = "http://127.0.0.1:" + std::to_string(back.port());
    harness::TestServer front([&](sake::Engine& app) {
        app.get("/", [&](sake::Context& ctx) -> Task<> {
            Client client;
            const auto ask = [&answered](Task<Response> asking) -> Task<> {
                const Response response = co_await std::move(asking);
                if (response.is_ok()) ++answered;
            };
            for (const char* path : {"/hello", "/large"}) spawn(ask, client.get(origin + path)).detach();
            spawn(failure_of(client.get(origin + "/slow"))).detach();
            co_await sake::yield();
            ctx.text("done");
        });
    });
    CHECK(front.get("/").body == "done");
    CHECK(harness::eventually([&] { return answered == 2; }));
    front.stop();  // and with it the request that is never answered
}

TEST_CASE("a stream outlives its client, and may be moved or closed while somebody reads it") {
    with_sake([](Client&, std::string origin) -> Task<> {
        auto client = std::make_unique<Client>();
        http::ResponseStream stream = co_await client->open(Request("GET", origin + "/large"));
        client.reset();
        std::size_t size = 0;
        for (std::string piece = co_await stream.read(); !piece.empty();) {
            size += piece.size();
            piece = co_await stream.read();
        }
        CHECK(size == 1 << 20);
    });
    const auto whole = []() -> Task<> {
        TcpListener listener("127.0.0.1:0");
        const std::string origin = "http://127.0.0.1:" + std::to_string(listener.port());
        const auto begin = [&]() -> Task<TcpStream> {
            TcpStream stream = co_await listener.accept();
            static_cast<void>(co_await stream.read_until("\r\n\r\n"));
            co_await stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
            co_return std::move(stream);
        };
        auto client = std::make_unique<Client>();
        auto beginning = spawn(begin());
        auto first = std::make_unique<http::ResponseStream>(co_await client->open(Request("GET", origin)));
        client.reset();
        TcpStream server = co_await beginning;
        auto reading = spawn(first->read());
        co_await let_the_others_run();
        auto moved = std::make_unique<http::ResponseStream>(std::move(*first));
        first.reset();
        co_await server.write_all("piece");
        const std::string piece = co_await reading;
        CHECK(piece == "piece");
        auto cut_off = spawn(failure_of(moved->read()));
        auto later = moved->read();
        co_await let_the_others_run();
        moved.reset();
        const std::string why = co_await cut_off;
        CHECK(why == "cannot read the response from " + origin + ": Operation canceled");
        const std::string late = co_await failure_of(std::move(later));
        CHECK(late == "the ResponseStream is closed");
        const std::string end = co_await failure_of(server.read_exactly(1));
        CHECK(end.find("reset") != std::string::npos);
    };
    sake::run_until_complete(whole());
}

TEST_CASE("streams and clients that outlive their loop are closed by then") {
    harness::TestServer back(routes);
    const std::string url = "http://127.0.0.1:" + std::to_string(back.port()) + "/large";
    const auto open = [&](auto& client) -> Task<http::ResponseStream> {
        Request request("GET", url);
        co_return co_await client.open(std::move(request));
    };
    auto client = std::make_unique<Client>();
    const auto open_shared = [&]() -> Task<http::ResponseStream> {
        co_return co_await open(sake::Reactor::current()->local<Client>());
    };
    http::ResponseStream own = sake::run_until_complete(open(*client));
    http::ResponseStream shared = sake::run_until_complete(open_shared());
    client.reset();
    CHECK(own.status == 200);
    CHECK(sake::run_until_complete(failure_of(own.read())) == "the TcpStream is closed");
    CHECK(sake::run_until_complete(failure_of(shared.read())) == "the TcpStream is closed");
}

}  // namespace test_client
