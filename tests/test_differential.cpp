// The same requests over a real socket, over memory, and over memory in pieces: the server sends the same
// bytes, the Date excepted, and ends the same way. So what tests over memory show holds for sockets, too.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "sake.hpp"
#include "support/dice.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_differential {

using namespace harness;
using sake::Context;
using sake::Task;

namespace {

void add_routes(sake::Engine& app) {
    app.use([](Context& ctx) { ctx.set_header("X-Before", "yes"); });
    app.any("/echo", [](Context& ctx) {
        ctx.set_header("X-Method", std::string(ctx.method()));
        ctx.text(std::string(ctx.target()) + "\n" + std::string(ctx.header("X-Test")) + "\n" +
                 std::string(ctx.body()));
    });
    app.get("/users/:id",
            [](Context& ctx, std::string id) { ctx.text(id + "|" + std::string(ctx.query("x"))); });
    app.get("/numbers/:n", [](Context& ctx, int n) { ctx.json(200, {{"n", n}}); });
    app.get("/files/*path", [](Context& ctx, std::string path) { ctx.text(path); });
    app.post("/json", [](Context& ctx) { ctx.json(201, ctx.bind<sake::Json>()); });
    app.get("/cookie", [](Context& ctx) { ctx.text(ctx.cookie("a", "none")); });
    app.get("/throws", [](Context&) { throw std::runtime_error("expected by the test"); });
    app.get("/gone", [](Context&) { throw sake::HttpError(410, "gone"); });
    app.get("/nothing", [](Context& ctx) { ctx.status(204); });
    app.get("/moved", [](Context& ctx) { ctx.redirect("/echo"); });
    app.get("/big", [](Context& ctx) { ctx.text(pattern_bytes(100'000)); });
    app.get("/closes", [](Context& ctx) {
        ctx.set_header("Connection", "close");
        ctx.text("closes");
    });
    app.any("/coroutine", [](Context& ctx) -> Task<> {
        co_await sake::yield();
        ctx.text("coroutine " + std::string(ctx.body()));
    });
    app.any("/worker", [](Context& ctx) { ctx.text("worker " + std::string(ctx.body())); }).worker();
    app.any("/reads",
            [](Context& ctx) -> Task<> {
                std::string all = "read ";
                while (const auto piece = co_await ctx.read()) all.append(*piece);
                ctx.text(all);
            })
        .stream_body();
    app.any("/pieces", [](Context& ctx) -> Task<> {
        sake::BodyWriter out = ctx.stream("text/plain");
        co_await out.write("two ");
        co_await out.write("pieces");
    });
    app.get("/end", [](Context& ctx) { ctx.text("the end"); });
}

sake::Config settings() {
    return quiet_config()
        .with_worker_pool_size(1)
        .with_half_close_window(1h)  // each client ends its output at once, however late that is seen
        .with_max_request_line(200)
        .with_max_header_block(600)
        .with_max_header_count(12)
        .with_max_body(500);
}

/// What one connection sends: `first`, if there is any, and after "100 Continue" the rest; another answer may
/// be the last one. Then it ends its output.
struct Script {
    std::string first;
    std::string rest;
};

bool wants_the_rest(const Script& script, const std::string& answer) {
    return script.first.empty() || answer.starts_with("HTTP/1.1 100 ");
}

/// What came back, and whether that ended in a reset.
struct Outcome {
    std::string bytes;
    bool was_reset = false;
};

class Generator {
  public:
    explicit Generator(std::uint64_t seed) : dice_(seed) {}

    Script script() {
        Script script;
        if (dice_.one_in(8)) {
            Request request = this->request("HTTP/1.1");  // an older client is not told to continue
            request.fields += "Expect: 100-continue\r\n";
            script.first = head(request);
            script.rest = request.body;
        }
        for (std::size_t left = dice_.below(4) + 1; left > 0; --left) {
            const Request each = request(dice_.one_in(6) ? version() : "HTTP/1.1");
            script.rest += head(each) + each.body;
        }
        if (dice_.one_in(15)) {
            script.rest.resize(dice_.below(script.rest.size()));
        } else {
            // Is answered if the connection is still open.
            script.rest += get_request("/end", "Connection: close\r\n");
        }
        return script;
    }

  private:
    struct Request {
        std::string line;
        std::string fields;
        std::string body;
    };

    static std::string head(const Request& request) {
        return request.line + "\r\n" + request.fields + "\r\n";
    }

    std::string one_of(std::initializer_list<const char*> choices) {
        return choices.begin()[dice_.below(choices.size())];
    }

    std::string word(std::size_t longest) {
        static constexpr std::string_view letters = "abcXYZ019-._~!$'()*,;:@/?&=+%\"<>[]{}|\\^` \t";
        std::string text(dice_.below(longest + 1), 'x');
        for (char& c : text) c = letters[dice_.below(letters.size())];
        return text;
    }

    std::string escaped(std::size_t longest) {
        std::string text;
        for (std::size_t left = dice_.below(longest + 1); left > 0; --left) {
            const std::size_t byte = dice_.below(256);
            if (dice_.one_in(2)) {
                text += "abcXYZ019-._~"[byte % 13];
            } else {
                text += {'%', "0123456789ABCDEF"[byte / 16], "0123456789abcdef"[byte % 16]};
            }
        }
        return text;
    }

    std::string target() {
        switch (dice_.below(12)) {
            case 0:
                return "/users/" + escaped(8) + "?x=" + escaped(6);
            case 1:
                return "/files/" + escaped(8) + "/" + escaped(8);
            case 2:
                return "/echo?" + escaped(10);
            case 3:
                return one_of({"/numbers/12", "/numbers/x", "/numbers/99999999999", "/none", "/echo/", "//"});
            case 4:
                return one_of(
                    {"http://test/echo?a", "http://other:1/echo", "*", "/big", "/echo#x", "/a/../b"});
            case 5:
                if (dice_.one_in(4)) return one_of({"", "echo", "/%zz", "/%0", "/a b", "/\x01"});
                [[fallthrough]];
            default:
                return one_of({"/echo", "/echo", "/echo", "/json", "/cookie", "/throws", "/gone", "/nothing",
                               "/moved", "/closes", "/coroutine", "/worker", "/_ping", "/reads", "/reads",
                               "/pieces"});
        }
    }

    void add_fields(Request& request) {
        std::string& fields = request.fields;
        const std::size_t host = dice_.below(60);
        if (host != 0) fields += "Host: test\r\n";
        if (host == 1) fields += "Host: test\r\n";
        if (host == 2) fields += "Host: a b\r\n";
        for (std::size_t left = dice_.below(4); left > 0; --left) {
            switch (dice_.below(6)) {
                case 0:
                    fields += "X-Test: " + word(20) + "\r\n";
                    break;
                case 1:
                    fields += "Cookie: a=" + word(5) + "; b=2\r\n";
                    break;
                case 2:
                    fields +=
                        "Content-Type: " +
                        one_of({"application/json", "text/plain", "application/x-www-form-urlencoded"}) +
                        "\r\n";
                    break;
                case 3:
                    fields += "Connection: " +
                              one_of({"close", "keep-alive", "x, close", "Keep-Alive, x", "x", "y", ""}) +
                              "\r\n";
                    break;
                case 4:
                    fields += "Accept: */*\r\n";
                    break;
                default:
                    fields += "x-" + std::to_string(dice_.below(9)) + ":" + word(5) + "\r\n";
            }
        }
        if (!dice_.one_in(30)) return;
        static const std::vector<std::string> broken = {
            "X: a\r\n folded\r\n",
            "X : a\r\n",
            ": a\r\n",
            "no colon\r\n",
            "X: a\nY: b\r\n",
            "X: \x01\r\n",
            "X: " + std::string(700, 'x') + "\r\n",
            [] {
                std::string many;
                for (int i = 0; i < 13; ++i) many += "A: b\r\n";
                return many;
            }(),
            "Expect: something\r\n",
            "Upgrade: h2c\r\nConnection: upgrade\r\n",
        };
        fields += dice_.one_of(broken);
    }

    std::string chunks(const std::string& body) {
        std::string all;
        for (std::size_t at = 0; at < body.size();) {
            const std::size_t size = std::min(body.size() - at, dice_.below(30) + 1);
            static constexpr std::string_view digits = "0123456789abcdef";
            std::string hex = size < 16 ? "" : std::string(1, digits[size / 16]);
            hex += digits[size % 16];
            all += hex + (dice_.one_in(5) ? ";a=\"b\"" : "") + "\r\n" + body.substr(at, size) + "\r\n";
            at += size;
        }
        all += "0\r\n";
        if (dice_.one_in(5)) all += "X-Trailer: a\r\n";
        return all + "\r\n";
    }

    void add_body(Request& request) {
        const std::string body =
            dice_.one_in(3) ? R"({"a":[1,2,{"b":null}]})" : word(dice_.one_in(10) ? 600 : 60);
        const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
        const std::string chunked = "Transfer-Encoding: chunked\r\n";
        switch (dice_.below(dice_.one_in(12) ? 12 : 5)) {
            case 0:
                return;
            case 1:
            case 2:
                request.fields += length;
                request.body = body;
                return;
            case 3:
            case 4:
                request.fields += chunked;
                request.body = chunks(body);
                return;
            case 5:
                request.fields += length + (dice_.one_in(2) ? length : "Content-Length: 1\r\n");
                request.body = body;
                return;
            case 6:
                request.fields += length + chunked;
                request.body = chunks(body);
                return;
            case 7:
                request.fields +=
                    "Content-Length: " +
                    one_of({"-1", "+3", "3x", "0x3", "3, 3", "3, 4", "", "99999999999999999999"}) + "\r\n";
                request.body = "abc";
                return;
            case 8:
                request.fields += "Transfer-Encoding: " +
                                  one_of({"gzip", "gzip, chunked", "chunked, chunked", "chunked, gzip", ""}) +
                                  "\r\n";
                request.body = chunks(body);
                return;
            case 9:
                request.fields += chunked;
                request.body = one_of({"x\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\n0\n\n",
                                       "-3\r\nabc\r\n", "FFFFFFFFFFFFFFFFF\r\n", "3 \r\nabc\r\n0\r\n\r\n",
                                       "0\r\nbad trailer\r\n\r\n", "FFFF\r\nabc"});
                return;
            default:
                request.fields += "Content-Length: 501\r\n";
                request.body = std::string(501, 'x');
                return;
        }
    }

    std::string version() {
        return one_of({"HTTP/1.0", "HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTP/1.1", "http/1.1"});
    }

    Request request(const std::string& version) {
        Request request;
        const std::string method =
            dice_.one_in(2)
                ? "GET"
                : one_of({"HEAD", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PURGE", "TRACE"});
        request.line = method + " " + target() + " " + version;
        if (dice_.one_in(40)) request.line = one_of({"", " ", "GET", "G@T / HTTP/1.1"});
        if (dice_.one_in(60)) request.line = "GET /" + std::string(200, 'x') + " HTTP/1.1";
        add_fields(request);
        if (method != "GET" || dice_.one_in(4)) add_body(request);
        return request;
    }

    Dice dice_;
};

/// With every Date replaced, since one server has real time and the other virtual.
std::string without_dates(std::string text) {
    constexpr std::string_view name = "\r\nDate: ";
    for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
        text.replace(at + name.size(), 29, "now");
    }
    return text;
}

Outcome over_socket(const TestServer& server, const Script& script) {
    RawClient client = server.connect();
    Outcome outcome;
    if (!script.first.empty()) outcome.bytes = client.send(script.first).read_some(10'000);
    if (wants_the_rest(script, outcome.bytes)) client.send(script.rest);
    client.shutdown_write();
    outcome.bytes += client.read_until_close();
    outcome.was_reset = client.was_reset();
    return outcome;
}

Outcome over_memory(sake::TestClient& client, const Script& script, std::size_t piece) {
    sake::TestConnection connection = client.connect();
    Outcome outcome;
    if (!script.first.empty()) outcome.bytes = connection.send(script.first).receive();
    try {
        const std::size_t size = wants_the_rest(script, outcome.bytes) ? script.rest.size() : 0;
        for (std::size_t at = 0; at < size; at += piece) {
            connection.send(std::string_view(script.rest).substr(at, piece));
            if (piece < size) client.advance(0s);
        }
    } catch (const std::system_error&) {
        // The server has closed: it has read enough.
    }
    connection.half_close();
    try {
        outcome.bytes += connection.receive_all();
    } catch (const std::system_error&) {
        outcome.was_reset = true;
    }
    return outcome;
}

/// Both around the place where they begin to differ; empty if they do not.
std::string first_difference(const Outcome& expected, const Outcome& seen) {
    const std::string a = without_dates(expected.bytes);
    const std::string b = without_dates(seen.bytes);
    if (a == b && expected.was_reset == seen.was_reset) return {};
    const auto at = static_cast<std::size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
                      b.begin())
            .first -
        a.begin());
    const std::size_t from = at < 100 ? 0 : at - 100;
    const auto part = [&](const std::string& text, bool was_reset) {
        return text.substr(from, 200) + (was_reset ? " [reset]" : " [end]");
    };
    return "at byte " + std::to_string(at) + "\nsocket: ..." + part(a, expected.was_reset) + "\nmemory: ..." +
           part(b, seen.was_reset);
}

}  // namespace

TEST_CASE("a thousand generated connections end the same, byte for byte, over a socket and over memory") {
    const int connections = is_full_size() ? 50'000 : 1000;
    constexpr std::uint64_t seed = 20'260'101;
    TestServer server(add_routes, settings());
    sake::Engine app(settings());
    app.get("/_ping", [](Context& ctx) { ctx.text("pong"); });
    add_routes(app);
    sake::TestClient client(app);
    Generator generator(seed);
    int open = 0;
    std::size_t answers = 0;
    std::size_t refused = 0;
    std::size_t interim = 0;
    for (int number = 0; number < connections; ++number) {
        const Script script = generator.script();
        CAPTURE(seed);
        CAPTURE(number);
        CAPTURE(script.first);
        CAPTURE(script.rest);
        const Outcome expected = over_socket(server, script);
        CHECK(first_difference(expected, over_memory(client, script, 100'000)) == "");
        CHECK(first_difference(expected, over_memory(client, script, 7)) == "");
        open += expected.bytes.ends_with("the end") ? 1 : 0;
        answers += count_of(expected.bytes, "HTTP/1.1 ");
        refused += count_of(expected.bytes, "HTTP/1.1 4");
        interim += count_of(expected.bytes, "HTTP/1.1 100 ");
    }
    // There is something of everything.
    CHECK(open > connections / 5);
    CHECK(open < connections / 4 * 3);
    CHECK(answers > 1500);
    CHECK(refused > 300);
    CHECK(interim > 20);
}

}  // namespace test_differential
