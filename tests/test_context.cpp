#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/machinery.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_context {

using namespace harness;
using sake::Context;
using sake::Json;
using sake::Task;

namespace {

/// Whether this byte may stand in a field value, or in a field name (RFC 9110 sections 5.5 and 5.6.2).
bool fits_value(int byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); }
bool fits_name(int byte) {
    const char c = static_cast<char>(byte);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return byte < 0x80 && (letter || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

std::string with_byte(int byte) { return std::string("a") + static_cast<char>(byte) + "b"; }

/// A route whose handler does `set` with a text around the byte asked for; 500 if that throws anything but
/// std::invalid_argument, 418 if it throws that.
template <class Set>
void byte_route(sake::Engine& app, const std::string& path, Set set) {
    app.get(sake::runtime(path + "/:byte"), [set](Context& ctx, int byte) {
        ctx.text("set");
        try {
            set(ctx, with_byte(byte));
        } catch (const std::invalid_argument&) {
            ctx.status(418).text("refused");
        }
    });
}

sake::Config silent() {
    return {.log = [](sake::LogLevel, std::string_view) {}};
}

Response ask(RawClient& client, const std::string& path, const std::string& fields = {}) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n");
    return client.read_response();
}

Response post(const TestServer& server, const std::string& path, const std::string& body) {
    return round_trip(server.port(), "POST " + path +
                                         " HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: " +
                                         std::to_string(body.size()) + "\r\n\r\n" + body);
}

std::string problem_detail(const Response& response) {
    return std::to_string(response.status) + " " +
           Json::parse(response.body).value("detail", std::string("no detail"));
}

}  // namespace

TEST_CASE("a context shows the request line and the body") {
    with_server(
        [](sake::Engine& app) {
            app.any("/*all", [](Context& ctx) {
                ctx.json({{"method", ctx.method()},
                          {"path", ctx.path()},
                          {"target", ctx.target()},
                          {"query", ctx.query_string()},
                          {"body", ctx.body()},
                          {"remote", ctx.remote_address()},
                          {"worker", ctx.in_worker_pool()}});
            });
        },
        [](TestServer& server) {
            const Json shown = Json::parse(post(server, "/a%20b/%2f%25?x=%20&y", "the body").body);
            CHECK(shown["method"] == "POST");
            CHECK(shown["path"] == "/a b//%");
            CHECK(shown["target"] == "/a%20b/%2f%25?x=%20&y");
            CHECK(shown["query"] == "x=%20&y");
            CHECK(shown["body"] == "the body");
            CHECK(shown["remote"] == "127.0.0.1");
            CHECK(shown["worker"] == false);
            const Json plain = Json::parse(server.get("/plain").body);
            CHECK(plain["path"] == "/plain");
            CHECK(plain["query"] == "");
            CHECK(plain["body"] == "");
        });
}

TEST_CASE("a body without its chunks is seen whole") {
    with_server([](sake::Engine& app) { app.post("/", [](Context& ctx) { ctx.text(ctx.body()); }); },
                [](TestServer& server) {
                    CHECK(round_trip(server.port(),
                                     "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
                                     "Connection: close\r\n\r\n4\r\nwhol\r\n4;x=y\r\ne bo\r\n2\r\ndy\r\n0\r\n"
                                     "X-Trailer: no header\r\n\r\n")
                              .body == "whole body");
                });
}

TEST_CASE("every field received is seen, in order, and found without regard to case") {
    const auto show = [](Context& ctx) {
        std::string all;
        for (auto& [name, value] : ctx.headers()) all.append(name).append("=").append(value).append("|");
        all.append(std::to_string(ctx.headers().size())).append("|");
        all.append(ctx.header("x-TWICE")).append("|").append(ctx.header("missing")).append("|");
        all += ctx.find_header("X-Empty") && ctx.header("x-empty").empty() ? "empty|" : "wrong|";
        all += ctx.find_header("missing") ? "wrong" : "missing";
        ctx.text(all);
    };
    with_server(
        [&](sake::Engine& app) {
            app.get("/plain", show);
            app.get("/coroutine", [show](Context& ctx) -> Task<> {
                co_await sake::yield();
                show(ctx);
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (const char* path : {"/plain", "/coroutine"}) {
                const Response response = ask(
                    client, path, "X-Twice: one\r\nx-other:\t two words \r\nX-TWICE: two\r\nX-Empty:\r\n");
                CHECK(response.body ==
                      "Host=test|X-Twice=one|x-other=two words|X-TWICE=two|X-Empty=|5|one||empty|missing");
            }
        });
}

TEST_CASE("a cookie is found in any Cookie field") {
    with_server(
        [](sake::Engine& app) {
            app.get("/:name",
                    [](Context& ctx) { ctx.text("[" + std::string(ctx.cookie(ctx.param("name"))) + "]"); });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            const std::string fields =
                "Cookie: a=1; session=x=y\r\ncookie: b=\"2\"; a=3\r\nX-Cookie: c=4\r\n";
            CHECK(ask(client, "/a", fields).body == "[1]");
            CHECK(ask(client, "/session", fields).body == "[x=y]");
            CHECK(ask(client, "/b", fields).body == "[2]");
            CHECK(ask(client, "/c", fields).body == "[]");
            CHECK(ask(client, "/A", fields).body == "[]");
            CHECK(ask(client, "/a").body == "[]");
        });
}

TEST_CASE("a query parameter is decoded, may be missing, and has a fallback") {
    with_server(
        [](sake::Engine& app) {
            app.get("/q", [](Context& ctx) {
                const auto found = ctx.find_query("q");
                ctx.text(found ? "[" + std::string(*found) + "]" : "nothing");
            });
            app.get("/fallback", [](Context& ctx) { ctx.text(ctx.query("q", "fallback")); });
            app.get("/two", [](Context& ctx) {
                const auto a = ctx.query("a", "");
                const auto b = ctx.query("b", "");
                ctx.text(std::string(a) + "," + std::string(b) + "," + std::string(ctx.query("a", "")));
            });
            app.get("/int", [](Context& ctx) { ctx.json(ctx.query<int>("n", 7)); });
            app.get("/bool", [](Context& ctx) { ctx.json(ctx.query<bool>("b", false)); });
            app.get("/double", [](Context& ctx) { ctx.json(ctx.query<double>("x", 0.5)); });
            app.get("/string", [](Context& ctx) { ctx.text(ctx.query<std::string>("s", "none")); });
        },
        [](TestServer& server) {
            const auto body = [&](const char* path) { return server.get(path).body; };
            CHECK(body("/q") == "nothing");
            CHECK(body("/q?") == "nothing");
            CHECK(body("/q?other=1") == "nothing");
            CHECK(body("/q?q") == "[]");
            CHECK(body("/q?q=") == "[]");
            CHECK(body("/q?q=plain") == "[plain]");
            CHECK(body("/q?q=a+b%20c%2Bd%26e%3Df") == "[a b c+d&e=f]");
            CHECK(body("/q?q=first&q=second") == "[first]");
            CHECK(body("/q?x=1&&q=a=b") == "[a=b]");
            CHECK(body("/q?%71=key+is+decoded") == "[key is decoded]");
            CHECK(body("/q?Q=1") == "nothing");
            CHECK(body("/q?q=%00%ff").size() == 4);
            // As browsers send it.
            CHECK(body("/q?q={%22a%22:[1|2]}") == "[{\"a\":[1|2]}]");
            CHECK(body("/q?x^`=1&q=\\^`{|}") == "[\\^`{|}]");
            CHECK(body("/q?q=100%") == "[100%]");
            CHECK(body("/q?q=%zz") == "[%zz]");
            CHECK(body("/q?q=%&%=%4&x=%") == "[%]");
            CHECK(body("/q?x%=1&%71=%+%41%%41%4%C3%A4") == "[% A%A%4\xc3\xa4]");
            CHECK(body("/q?%7=no&q%=no&%q=no") == "nothing");
            CHECK(body("/fallback?q=a%") == "a%");
            CHECK(body("/fallback") == "fallback");
            CHECK(body("/fallback?q=") == "");
            CHECK(body("/fallback?q=x+y") == "x y");
            CHECK(body("/two?a=%41+1&b=%42+2") == "A 1,B 2,A 1");
            CHECK(body("/int?n=-12") == "-12");
            CHECK(body("/int") == "7");
            CHECK(body("/bool?b=1") == "true");
            CHECK(body("/double?x=2.25") == "2.25");
            CHECK(body("/string?s=a%2Fb") == "a/b");
            CHECK(body("/string") == "none");
        });
}

TEST_CASE("a query parameter that does not convert is a 400") {
    with_server(
        [](sake::Engine& app) {
            app.get("/int", [](Context& ctx) { ctx.json(ctx.query<int>("n", 7)); });
            app.get("/bool", [](Context& ctx) { ctx.json(ctx.query<bool>("b", false)); });
            app.get("/u16", [](Context& ctx) { ctx.json(ctx.query<std::uint16_t>("n", 1)); });
        },
        [](TestServer& server) {
            for (const char* bad :
                 {"", "x", "1x", "+1", "%2B1", "2147483648", "1.5", "%201", "1%", "%", "%4"}) {
                CHECK(problem_detail(server.get(std::string("/int?n=") + bad)) ==
                      "400 query parameter 'n' is not an integer in range");
            }
            CHECK(problem_detail(server.get("/bool?b=yes")) ==
                  "400 query parameter 'b' is not true or false");
            CHECK(server.get("/u16?n=65535").body == "65535");
            CHECK(problem_detail(server.get("/u16?n=65536")) ==
                  "400 query parameter 'n' is not a non-negative integer in range");
        });
}

TEST_CASE("a path parameter is decoded once") {
    with_server(
        [](sake::Engine& app) {
            app.get("/p/:x", [](Context& ctx) { ctx.text(ctx.param("x")); });
            app.get("/again/:x/:y", [](Context& ctx) {
                const auto x = ctx.param("x");
                const auto y = ctx.param<std::string>("y");
                ctx.text(std::string(x) + "," + y + "," + std::string(ctx.param("x")));
            });
            app.get("/rest/*r", [](Context& ctx) -> Task<> {
                const auto rest = ctx.param("r");
                co_await sake::yield();
                ctx.text(rest);
            });
            app.get("/missing/:x", [](Context& ctx) { ctx.text(ctx.param("y")); });
        },
        [](TestServer& server) {
            CHECK(server.get("/p/a%2Fb").body == "a/b");
            CHECK(server.get("/p/a%252Fb").body == "a%2Fb");
            CHECK(server.get("/p/a+b").body == "a+b");
            CHECK(server.get("/p/%E2%82%AC").body == "\xe2\x82\xac");
            CHECK(server.get("/again/%41/%42").body == "A,B,A");
            CHECK(server.get("/rest/").body == "");
            CHECK(server.get("/rest/a%20b/..%2fc").body == "a b/../c");
            CHECK(server.get("/missing/1").status == 500);
        },
        silent());
}

TEST_CASE("the remote address is that of the client, without a port") {
    char directory[] = "/tmp/sake-context-XXXXXX";
    REQUIRE(::mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/socket";
    int port6 = 0;
    with_server(
        [&](sake::Engine& app) {
            app.get("/me", [](Context& ctx) -> Task<> {
                co_await sake::yield();
                ctx.text(ctx.remote_address());
            });
            app.listen("127.0.0.1:0").listen("unix:" + path);
            const allocations::Exempt exempt;
            try {
                sake::Engine probe;
                probe.listen("[::1]:0");
                port6 = probe.port();
            } catch (const std::system_error& error) {
                MESSAGE("skipped: no IPv6 here: ", error.what());
            }
            if (port6 != 0) app.listen("[::1]:" + std::to_string(port6));
        },
        [&](TestServer& server) {
            RawClient local = RawClient::to_unix(path);
            CHECK(ask(local, "/me").body == "unix");
            CHECK(server.get("/me").body == "127.0.0.1");
            if (port6 == 0) return;
            RawClient client = RawClient::to_ipv6(port6);
            CHECK(ask(client, "/me").body == "::1");
        });
    ::rmdir(directory);
}

TEST_CASE("each kind of body has its content type") {
    with_server(
        [](sake::Engine& app) {
            app.get("/text", [](Context& ctx) { ctx.text("text"); });
            app.get("/html", [](Context& ctx) { ctx.html("<p>"); });
            app.get("/json", [](Context& ctx) { ctx.json({{"a", {1, 2}}}); });
            app.get("/json-status", [](Context& ctx) { ctx.json(201, {{"made", true}}); });
            app.get("/send", [](Context& ctx) { ctx.send(std::string("\0\xff", 2), "image/x-test"); });
            app.get("/own", [](Context& ctx) { ctx.set_header("Content-Type", "text/csv").text("a,b"); });
            app.get("/bad-utf8", [](Context& ctx) { ctx.json("\xff"); });
            app.get("/map", [](Context& ctx) { ctx.json(std::map<std::string, int>{{"x", 1}}); });
        },
        [](TestServer& server) {
            CHECK(server.get("/text").header("Content-Type") == "text/plain; charset=utf-8");
            CHECK(server.get("/html").header("Content-Type") == "text/html; charset=utf-8");
            CHECK(server.get("/html").body == "<p>");
            CHECK(server.get("/json").header("Content-Type") == "application/json");
            CHECK(server.get("/json").body == R"({"a":[1,2]})");
            CHECK(server.get("/json-status").status == 201);
            CHECK(server.get("/json-status").body == R"({"made":true})");
            CHECK(server.get("/send").header("Content-Type") == "image/x-test");
            CHECK(server.get("/send").body == std::string("\0\xff", 2));
            CHECK(server.get("/own").header("Content-Type") == "text/csv");
            CHECK(server.get("/own").header_count("Content-Type") == 1);
            CHECK(server.get("/bad-utf8").body == "\"\xef\xbf\xbd\"");
            CHECK(server.get("/map").body == R"({"x":1})");
        });
}

TEST_CASE("the last body set wins, with its type and length") {
    with_server(
        [](sake::Engine& app) {
            app.get("/json", [](Context& ctx) { ctx.text("a long text that is replaced").json({{"a", 1}}); });
            app.get("/text", [](Context& ctx) { ctx.json({{"a", 1}}).send("x", "image/png").text("t"); });
            app.get("/none", [](Context& ctx) { ctx.html("gone").no_content(); });
            app.get("/after-none", [](Context& ctx) { ctx.no_content().status(200).text("back"); });
            app.get("/redirect", [](Context& ctx) { ctx.text("gone").redirect("/there"); });
            app.get("/with-text", [](Context& ctx) { ctx.redirect("/there").text("go there"); });
            app.get("/middle", [](Context& ctx) { ctx.text(std::string(ctx.response().body()) + "!"); });
            app.use([](Context& ctx) { ctx.text("from middleware"); });
        },
        [](TestServer& server) {
            const Response json = server.get("/json");
            CHECK(json.body == R"({"a":1})");
            CHECK(json.header("Content-Type") == "application/json");
            CHECK(server.get("/text").body == "t");
            CHECK(server.get("/text").header("Content-Type") == "text/plain; charset=utf-8");
            CHECK(server.get("/none").status == 204);
            CHECK(server.get("/after-none").body == "back");
            const Response redirect = server.get("/redirect");
            CHECK(redirect.body.empty());
            CHECK_FALSE(redirect.has_header("Content-Type"));
            CHECK(server.get("/with-text").body == "go there");
            CHECK(server.get("/with-text").header("Location") == "/there");
            CHECK(server.get("/middle").body == "from middleware!");
        });
}

TEST_CASE("redirect sets Location and a 3xx status") {
    with_server(
        [](sake::Engine& app) {
            app.get("/found", [](Context& ctx) { ctx.redirect("/there"); });
            app.get("/moved", [](Context& ctx) { ctx.redirect("https://example.com/a?b#c", 308); });
            app.get("/spaced", [](Context& ctx) { ctx.redirect("/a b/caf\xC3\xA9?q=%20"); });
            app.get("/wrong/:code", [](Context& ctx, int code) {
                try {
                    ctx.redirect("/there", code);
                } catch (const std::invalid_argument& error) {
                    ctx.text(error.what());
                }
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/found").status == 302);
            CHECK(server.get("/found").header("Location") == "/there");
            CHECK(server.get("/found").header("Content-Length") == "0");
            CHECK(server.get("/moved").status == 308);
            CHECK(server.get("/moved").header("Location") == "https://example.com/a?b#c");
            CHECK(server.get("/spaced").header("Location") == "/a%20b/caf%C3%A9?q=%20");
            for (const int code : {300, 301, 302, 303, 307, 308}) {
                CHECK(server.get("/wrong/" + std::to_string(code)).header("Location") == "/there");
            }
            for (const int code : {-1, 200, 299, 304, 305, 306, 309, 400}) {
                const Response response = server.get("/wrong/" + std::to_string(code));
                CHECK(response.body == "redirect: the status must be 300 to 303, 307 or 308");
                CHECK_FALSE(response.has_header("Location"));
            }
        });
}

TEST_CASE("a status is 200 to 599, known or not") {
    with_server(
        [](sake::Engine& app) {
            app.get("/:code", [](Context& ctx, int code) {
                try {
                    ctx.status(code);
                } catch (const std::invalid_argument& error) {
                    ctx.text(error.what());
                }
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/418").reason == "I'm a teapot");
            CHECK(server.get("/299").status == 299);
            CHECK(server.get("/599").status == 599);
            for (const char* code : {"199", "100", "101", "0", "-200", "600", "1000"}) {
                CHECK(server.get(std::string("/") + code).body ==
                      "status: " + std::string(code) + " is not in 200 to 599");
            }
        });
}

TEST_CASE("204, 304 and 205 carry no body, whatever was set") {
    with_server(
        [](sake::Engine& app) {
            app.get("/:code", [](Context& ctx, int code) { ctx.text("not to be sent").status(code); });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (const char* code : {"204", "304", "205"}) {
                CAPTURE(code);
                const Response response = ask(client, std::string("/") + code);
                CHECK(std::to_string(response.status) == code);
                CHECK(response.body.empty());
                CHECK(response.header("Content-Length") == (response.status == 205 ? "0" : ""));
                CHECK_FALSE(response.has_header("Transfer-Encoding"));
                CHECK(ask(client, "/200").body == "not to be sent");
            }
        });
}

TEST_CASE("set_header replaces, add_header adds") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](Context& ctx) {
                ctx.add_header("X-A", "1").add_header("x-a", "2").set_header("X-B", "old").text("x");
                ctx.set_header("x-b", "new").add_header("Set-Cookie", "a=1").add_header("Set-Cookie", "b=2");
            });
            app.get("/replaced", [](Context& ctx) {
                ctx.add_header("X-A", "1").add_header("X-A", "2").set_header("X-A", "3");
            });
            app.get("/date", [](Context& ctx) { ctx.set_header("Date", "never"); });
        },
        [](TestServer& server) {
            const Response response = server.get("/");
            CHECK(response.header_count("X-A") == 2);
            CHECK(response.header_count("X-B") == 1);
            CHECK(response.header("X-B") == "new");
            CHECK(response.header_count("Set-Cookie") == 2);
            CHECK(server.get("/replaced").header_count("X-A") == 1);
            CHECK(server.get("/replaced").header("X-A") == "3");
            CHECK(server.get("/date").header_count("Date") == 1);
            CHECK(server.get("/date").header("Date") == "never");
            CHECK(response.header_count("Date") == 1);
        });
}

TEST_CASE("the fields that frame the message are the server's own") {
    with_server(
        [](sake::Engine& app) {
            app.get("/:name", [](Context& ctx, std::string name) {
                ctx.text("body");
                try {
                    ctx.set_header(name, "7");
                } catch (const std::invalid_argument&) {
                    ctx.text("refused");
                }
            });
            app.get("/", [](Context& ctx) { ctx.set_header("connection", "Close").text("bye"); });
        },
        [](TestServer& server) {
            for (const char* name :
                 {"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "TRAILER"}) {
                const Response response = server.get(std::string("/") + name);
                CHECK(response.body == "refused");
                CHECK(response.header("Content-Length") == "7");
            }
            RawClient client = server.connect();
            const Response last = ask(client, "/");
            CHECK(last.header("Connection") == "close");
            CHECK(last.body == "bye");
            CHECK(client.expect_closed());
        });
}

TEST_CASE(
    "P6 every byte in a header name, value or content type goes out exactly or throws, in a redirect "
    "escaped") {
    with_server(
        [](sake::Engine& app) {
            byte_route(app, "/name",
                       [](Context& ctx, const std::string& x) { ctx.set_header("X" + x, "v"); });
            byte_route(app, "/value", [](Context& ctx, const std::string& x) { ctx.set_header("X-Out", x); });
            byte_route(app, "/add", [](Context& ctx, const std::string& x) { ctx.add_header("X-Out", x); });
            byte_route(app, "/redirect", [](Context& ctx, const std::string& x) { ctx.redirect(x); });
            byte_route(app, "/type", [](Context& ctx, const std::string& x) { ctx.send("sent", x); });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (int byte = 0; byte < 256; ++byte) {
                CAPTURE(byte);
                const std::string text = with_byte(byte);
                const std::string number = "/" + std::to_string(byte);
                const Response name = ask(client, "/name" + number);
                REQUIRE(name.status == (fits_name(byte) ? 200 : 418));
                REQUIRE(name.header("X" + text) == (fits_name(byte) ? "v" : ""));
                for (const char* path : {"/value", "/add"}) {
                    const Response value = ask(client, path + number);
                    REQUIRE(value.status == (fits_value(byte) ? 200 : 418));
                    REQUIRE(value.header("X-Out") == (fits_value(byte) ? text : ""));
                }
                const Response redirect = ask(client, "/redirect" + number);
                REQUIRE(redirect.status == (fits_value(byte) ? 302 : 418));
                REQUIRE(redirect.header("Location") ==
                        (fits_value(byte) ? sake::detail::escape_reference(text) : ""));
                const Response type = ask(client, "/type" + number);
                REQUIRE(type.status == (fits_value(byte) ? 200 : 418));
                REQUIRE(type.header("Content-Type") ==
                        (fits_value(byte) ? text : "text/plain; charset=utf-8"));
                REQUIRE(type.body == (fits_value(byte) ? "sent" : "refused"));
            }
        });
}

TEST_CASE("an empty header name is refused, an empty value is not") {
    with_server(
        [](sake::Engine& app) {
            app.get("/name", [](Context& ctx) { ctx.set_header("", "x"); });
            app.get("/value", [](Context& ctx) { ctx.set_header("X-Empty", ""); });
        },
        [](TestServer& server) {
            CHECK(server.get("/name").status == 500);
            CHECK(server.get("/value").has_header("X-Empty"));
            CHECK(server.get("/value").header("X-Empty").empty());
        },
        silent());
}

TEST_CASE("values set for a request are JSON, and gone with it") {
    with_server(
        [](sake::Engine& app) {
            app.get("/set", [](Context& ctx) {
                ctx.set("user", Json{{"id", 7}});
                ctx.set("list", std::vector<int>{1, 2});
                ctx.set("text", "literal");
                ctx.set("text", std::string("replaced"));
                const int number = 3;
                ctx.set("number", number);
                Json all =
                    Json::array({ctx.get("user"), ctx.get("list"), ctx.get("text"), ctx.get("number")});
                all.push_back(ctx.get<std::vector<int>>("list").size());
                all.push_back(ctx.get<std::string>("text"));
                ctx.json(all);
            });
            app.get("/get", [](Context& ctx) { ctx.json(ctx.get("user")); });
            app.get("/wrong", [](Context& ctx) {
                ctx.set("text", "not a number");
                ctx.json(ctx.get<int>("text"));
            });
            app.get("/absent", [](Context& ctx) { ctx.json(ctx.get<int>("nope")); });
            app.get("/absent-json", [](Context& ctx) { ctx.json(ctx.get<Json>("nope")); });
            app.get("/fallback", [](Context& ctx) {
                ctx.set("there", 1);
                ctx.set("null", nullptr);
                ctx.json({ctx.get<int>("there", 2), ctx.get<int>("nope", 2), ctx.get<int>("null", 3),
                          ctx.get<std::string>("nope", "four"), ctx.get<std::vector<int>>("nope", {5})});
            });
            app.get("/wrong-fallback", [](Context& ctx) {
                ctx.set("text", "not a number");
                ctx.json(ctx.get<int>("text", 2));
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            CHECK(ask(client, "/set").body == R"([{"id":7},[1,2],"replaced",3,2,"replaced"])");
            CHECK(ask(client, "/get").body == "null");
            CHECK(ask(client, "/wrong").status == 500);
            CHECK(ask(client, "/absent").status == 500);
            CHECK(ask(client, "/absent-json").status == 500);
            CHECK(ask(client, "/fallback").body == R"([1,2,3,"four",[5]])");
            CHECK(ask(client, "/wrong-fallback").status == 500);
        },
        silent());
}

TEST_CASE("nothing of one request is left in the next on the same connection") {
    with_server(
        [](sake::Engine& app) {
            app.get("/full/:x", [](Context& ctx) {
                ctx.set("k", 1);
                ctx.status(201).set_header("X-A", "a").json({{"q", ctx.query("q", "none")}});
            });
            app.get("/empty", [](Context& ctx) {
                ctx.set_header("X-Query", ctx.query("q", "none"));
                ctx.set_header("X-Field", ctx.header("X-In"));
                ctx.set_header("X-Value", ctx.get("k").dump());
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (int i = 0; i < 3; ++i) {
                CHECK(ask(client, "/full/%41?q=%42", "X-In: y\r\n").body == R"({"q":"B"})");
                const Response empty = ask(client, "/empty");
                CHECK(empty.status == 200);
                CHECK(empty.body.empty());
                CHECK_FALSE(empty.has_header("X-A"));
                CHECK_FALSE(empty.has_header("Content-Type"));
                CHECK(empty.header("X-Query") == "none");
                CHECK(empty.header("X-Field").empty());
                CHECK(empty.header("X-Value") == "null");
            }
        });
}

TEST_CASE("headers, cookies, query and path parameters follow one rule of absence") {
    const auto ask_in_all_ways = [](Context& ctx, auto text, auto text_or, auto number, auto number_or,
                                    auto find, const char* name) {
        const std::string how(ctx.query("how"));
        if (how == "text") ctx.text("[" + std::string(text(name)) + "]");
        if (how == "fallback") ctx.text("[" + std::string(text_or(name, "else")) + "]");
        if (how == "number") ctx.json(number(name));
        if (how == "number-or") ctx.json(number_or(name, 7));
        if (how == "find") ctx.text(find(name) ? "there" : "not there");
    };
    with_server(
        [&](sake::Engine& app) {
            app.get("/header", [=](Context& ctx) {
                ask_in_all_ways(
                    ctx, [&](auto name) { return ctx.header(name); },
                    [&](auto name, auto or_else) { return ctx.header(name, or_else); },
                    [&](auto name) { return ctx.header<int>(name); },
                    [&](auto name, int or_else) { return ctx.header<int>(name, or_else); },
                    [&](auto name) { return ctx.find_header(name); }, "n");
            });
            app.get("/cookie", [=](Context& ctx) {
                ask_in_all_ways(
                    ctx, [&](auto name) { return ctx.cookie(name); },
                    [&](auto name, auto or_else) { return ctx.cookie(name, or_else); },
                    [&](auto name) { return ctx.cookie<int>(name); },
                    [&](auto name, int or_else) { return ctx.cookie<int>(name, or_else); },
                    [&](auto name) { return ctx.find_cookie(name); }, "n");
            });
            app.get("/query", [=](Context& ctx) {
                ask_in_all_ways(
                    ctx, [&](auto name) { return ctx.query(name); },
                    [&](auto name, auto or_else) { return ctx.query(name, or_else); },
                    [&](auto name) { return ctx.query<int>(name); },
                    [&](auto name, int or_else) { return ctx.query<int>(name, or_else); },
                    [&](auto name) { return ctx.find_query(name); }, "n");
            });
            const auto by_param = [=](Context& ctx) {
                ask_in_all_ways(
                    ctx, [&](auto name) { return ctx.param(name); },
                    [&](auto name, auto or_else) { return ctx.param(name, or_else); },
                    [&](auto name) { return ctx.param<int>(name); },
                    [&](auto name, int or_else) { return ctx.param<int>(name, or_else); },
                    [&](auto name) { return ctx.find_param(name); }, "n");
            };
            app.get("/param", by_param);
            app.get("/param/:n", by_param);
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            struct Kind {
                std::string path;
                std::string words;
            };
            const Kind kinds[] = {{"/header", "header"},
                                  {"/cookie", "cookie"},
                                  {"/query", "query parameter"},
                                  {"/param", "path parameter"}};
            for (const Kind& kind : kinds) {
                CAPTURE(kind.path);
                const bool is_param = kind.path == "/param";
                const auto answer = [&](const std::string& how, const char* value) {
                    const std::string text = value != nullptr ? value : "";
                    if (value == nullptr) return ask(client, kind.path + "?how=" + how);
                    if (is_param) return ask(client, "/param/" + text + "?how=" + how);
                    if (kind.path == "/query") return ask(client, "/query?n=" + text + "&how=" + how);
                    const std::string field = kind.path == "/header" ? "N: " + text : "Cookie: n=" + text;
                    return ask(client, kind.path + "?how=" + how, field + "\r\n");
                };
                CHECK(answer("text", "12").body == "[12]");
                CHECK(answer("fallback", "12").body == "[12]");
                CHECK(answer("number", "12").body == "12");
                CHECK(answer("number-or", "12").body == "12");
                CHECK(answer("find", "12").body == "there");
                for (const char* how : {"number", "number-or"}) {
                    CHECK(problem_detail(answer(how, "1x")) ==
                          "400 " + kind.words + " 'n' is not an integer in range");
                }
                if (!is_param) {  // of a path, an empty segment is none
                    CHECK(answer("text", "").body == "[]");
                    CHECK(answer("fallback", "").body == "[]");
                    CHECK(answer("find", "").body == "there");
                    CHECK(answer("number-or", "").status == 400);
                }
                CHECK(answer("fallback", nullptr).body == "[else]");
                CHECK(answer("number-or", nullptr).body == "7");
                CHECK(answer("find", nullptr).body == "not there");
                if (is_param) {  // a name that the pattern does not have is the program's mistake
                    CHECK(answer("text", nullptr).status == 500);
                    CHECK(answer("number", nullptr).status == 500);
                } else {
                    CHECK(answer("text", nullptr).body == "[]");
                    CHECK(problem_detail(answer("number", nullptr)) ==
                          "400 " + kind.words + " 'n' is missing");
                }
            }
        },
        silent());
}

TEST_CASE("a parameter converts to text, numbers of every kind, and bool") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](Context& ctx) {
                Json all = Json::array();
                all.push_back(ctx.header<std::string>("X-Text"));
                all.push_back(ctx.header<bool>("X-Bool"));
                all.push_back(ctx.header<double>("X-Double"));
                all.push_back(ctx.header<std::uint8_t>("X-Small"));
                all.push_back(ctx.header<std::string_view>("X-Text"));
                all.push_back(ctx.cookie<std::string>("c", "none"));
                all.push_back(ctx.cookie<bool>("c", true));
                all.push_back(ctx.query<std::int64_t>("n"));
                all.push_back(ctx.query<std::string>("n", "fallback"));
                all.push_back(ctx.param<std::string>("none", "fallback"));
                ctx.json(all);
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            CHECK(ask(client, "/?n=-5000000000",
                      "X-Text: a b\r\nX-Bool: true\r\nX-Double: 2.5\r\nX-Small: 255\r\n")
                      .body ==
                  R"(["a b",true,2.5,255,"a b","none",true,-5000000000,"-5000000000","fallback"])");
            const std::string others = "X-Text: a\r\nX-Bool: 0\r\nX-Double: 1\r\n";
            CHECK(problem_detail(ask(client, "/?n=1", others + "X-Small: 256\r\n")) ==
                  "400 header 'X-Small' is not a non-negative integer in range");
            CHECK(problem_detail(ask(client, "/?n=1", others)) == "400 header 'X-Small' is missing");
        });
}

TEST_CASE("queries gives all values of a parameter, decoded and in order") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](Context& ctx) {
                const auto values = ctx.queries("tag");
                Json all = Json::array();
                for (const std::string_view value : values) all.push_back(value);
                ctx.json(all);
            });
        },
        [](TestServer& server) {
            const auto all = [&](const std::string& query) { return server.get("/?" + query).body; };
            CHECK(all("") == "[]");
            CHECK(all("other=1") == "[]");
            CHECK(all("tag=a") == R"(["a"])");
            CHECK(all("tag=a&other=x&tag=b+c&tag&t%61g=%2F&tag=a&Tag=no") == R"(["a","b c","","/","a"])");
            CHECK(all("tag=a&tag=%zz&tag=%&t%61g%=no&tag=100%25") == R"(["a","%zz","%","100%"])");
            std::string many;
            std::string expected;
            for (int i = 0; i < 500; ++i) {
                many += "&tag=%20" + std::to_string(i);
                expected += (i == 0 ? "\" " : ",\" ") + std::to_string(i) + "\"";
            }
            CHECK(all(many) == "[" + expected + "]");
        });
}

TEST_CASE("text, html, json and send take a status first") {
    with_server(
        [](sake::Engine& app) {
            app.get("/text", [](Context& ctx) { ctx.text(404, "no"); });
            app.get("/html", [](Context& ctx) { ctx.html(410, "<p>"); });
            app.get("/json", [](Context& ctx) { ctx.json(422, {{"a", 1}}); });
            app.get("/send", [](Context& ctx) { ctx.send(203, std::string("x"), "image/png"); });
            app.get("/literal", [](Context& ctx) { ctx.send(203, "x", "image/png").set_header("X-A", "1"); });
            app.get("/wrong/:code", [](Context& ctx, int code) {
                ctx.text(201, "before");
                try {
                    ctx.text(code, "no");
                } catch (const std::invalid_argument&) {
                    ctx.set_header("X-Refused", "1");
                }
            });
        },
        [](TestServer& server) {
            const auto shown = [&](const char* path) {
                const Response response = server.get(path);
                return std::to_string(response.status) + " " + response.header("Content-Type") + " " +
                       response.body;
            };
            CHECK(shown("/text") == "404 text/plain; charset=utf-8 no");
            CHECK(shown("/html") == "410 text/html; charset=utf-8 <p>");
            CHECK(shown("/json") == "422 application/json {\"a\":1}");
            CHECK(shown("/send") == "203 image/png x");
            CHECK(shown("/literal") == "203 image/png x");
            for (const char* path : {"/wrong/199", "/wrong/600"}) {
                const Response response = server.get(path);
                CHECK(response.status == 201);
                CHECK(response.body == "before");
                CHECK(response.has_header("X-Refused"));
            }
        });
}

TEST_CASE("response shows what is set so far") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](Context& ctx) {
                Json seen = Json::array();
                const auto note = [&] {
                    const auto response = ctx.response();
                    seen.push_back({response.status(), response.body(), response.content_type(),
                                    response.headers().get("X-A").value_or("none")});
                };
                note();
                ctx.text(201, "text").set_header("X-A", "1");
                note();
                ctx.html("html").set_header("x-a", "2");
                note();
                ctx.set_header("Content-Type", "text/own");
                note();
                ctx.no_content();
                note();
                ctx.status(200).json(seen);
            });
            app.get("/connection", [](Context& ctx) {
                ctx.set_header("Connection", "close");
                ctx.text(ctx.response().headers().get("Connection") ? "shown" : "the server's");
            });
        },
        [](TestServer& server) {
            CHECK(Json::parse(server.get("/").body) ==
                  Json::parse(R"([[200,"","","none"],[201,"text","text/plain; charset=utf-8","1"],
                                  [201,"html","text/html; charset=utf-8","2"],[201,"html","text/own","2"],
                                  [204,"","text/own","2"]])"));
            CHECK(server.get("/connection").body == "the server's");
        });
}

TEST_CASE("a context knows the scheme, and the pattern of its route") {
    with_server(
        [](sake::Engine& app) {
            const auto show = [](Context& ctx) {
                ctx.text(std::string(ctx.scheme()) + " [" + std::string(ctx.route()) + "]");
            };
            app.get("/users/:id", show);
            app.get("/later/*rest", [show](Context& ctx) -> Task<> {
                co_await sake::yield();
                show(ctx);
            });
            app.get("/worker/:x", show).worker();
            app.group("/group/:g").get("/", show);
            app.not_found(show);
            app.use([](Context& ctx) { ctx.set_header("X-Route", "[" + std::string(ctx.route()) + "]"); });
        },
        [](TestServer& server) {
            CHECK(server.get("/users/7").body == "http [/users/:id]");
            CHECK(server.get("/users/7").header("X-Route") == "[/users/:id]");
            CHECK(server.get("/later/a/b").body == "http [/later/*rest]");
            CHECK(server.get("/worker/7").body == "http [/worker/:x]");
            CHECK(server.get("/group/a").body == "http [/group/:g]");
            CHECK(server.get("/none").body == "http []");
            CHECK(server.get("/none").header("X-Route") == "[]");
            const Response refused =
                round_trip(server.port(), "POST /users/7 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            CHECK(refused.status == 405);
            CHECK(refused.header("X-Route") == "[]");
        });
}

namespace {

/// Counts its lives. It can be neither copied nor moved.
struct Alive {
    Alive() { ++count; }
    ~Alive() { --count; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    int value = 0;
    static inline std::atomic<int> count{0};
};

}  // namespace

TEST_CASE("state is one object of a type for each request, and ends with it") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                ctx.set_header("X-Alive", std::to_string(Alive::count.load()));
                ctx.state<Alive>().value += 1;
                ctx.state<std::unique_ptr<int>>() = std::make_unique<int>(5);
            });
            const auto show = [](Context& ctx) {
                const int before = ctx.state<int>()++;
                ctx.text(std::to_string(ctx.state<Alive>().value) + " " +
                         std::to_string(*ctx.state<std::unique_ptr<int>>()) + " " + std::to_string(before) +
                         std::to_string(ctx.state<int>()));
            };
            app.get("/plain", show);
            app.get("/later", [show](Context& ctx) -> Task<> {
                Alive& before = ctx.state<Alive>();
                co_await sake::yield();
                before.value += 10;
                show(ctx);
            });
            app.get("/throws", [](Context&) { throw sake::HttpError(418); });
            app.get("/waits", [](Context&) -> Task<> { co_await sake::sleep(std::chrono::hours(1)); });
            app.get("/worker",
                    [](Context& ctx) {
                        const int value = ctx.state<Alive>().value;
                        ctx.text(std::to_string(value) + " " +
                                 (ctx.state<std::unique_ptr<int>>() == nullptr ? "fresh" : "crossed") + " " +
                                 std::to_string(Alive::count.load()));
                    })
                .worker();
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (int i = 0; i < 3; ++i) {
                CHECK(ask(client, "/plain").body == "1 5 01");
                CHECK(ask(client, "/later").body == "11 5 01");
                const Response thrown = ask(client, "/throws");
                CHECK(thrown.status == 418);
                CHECK(thrown.header("X-Alive") == "0");
                CHECK(ask(client, "/worker").body == "0 fresh 2");
            }
            RawClient leaving = server.connect();
            leaving.send(get_request("/waits"));
            CHECK(eventually([] { return Alive::count == 1; }));
            leaving.reset();
            CHECK(eventually([] { return Alive::count == 0; }));
        },
        silent());
    CHECK(Alive::count == 0);
}

TEST_CASE("abort with a status returns the context, for the answer") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                if (ctx.path() == "/json") ctx.abort(401).json({{"error", "no token"}});
                if (ctx.path() == "/bare") ctx.abort(403);
                if (ctx.path() == "/no-status") ctx.text(402, "pay").abort().set_header("X-After", "yes");
                if (ctx.path() == "/wrong") ctx.abort(99);
            });
            app.get("/*rest", [](Context& ctx) { ctx.text("the handler"); });
        },
        [](TestServer& server) {
            const Response json = server.get("/json");
            CHECK(json.status == 401);
            CHECK(json.body == R"({"error":"no token"})");
            CHECK(server.get("/bare").status == 403);
            CHECK(server.get("/bare").body.empty());
            CHECK(server.get("/no-status").status == 402);
            CHECK(server.get("/no-status").body == "pay");
            CHECK(server.get("/no-status").header("X-After") == "yes");
            CHECK(server.get("/wrong").status == 500);
            CHECK(server.get("/other").body == "the handler");
        },
        silent());
}

namespace {

struct Person {
    std::string name;
    int age = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Person, name, age)
};
struct ReadOnly {
    int n = 0;
};
void from_json(const Json& json, ReadOnly& value) { value.n = json.at("n").get<int>(); }
struct Note {
    std::string text;
    std::optional<int> stars;
    std::vector<std::string> tags;
    bool operator==(const Note&) const = default;
};
enum class Colour { red, green };
struct Paint {
    Colour colour = Colour::red;
    double share = 0;
    Json more = {};
};

/// What ctx.get says of each value that is not a T, in one text.
void get_wrong_values(Context& ctx) {
    ctx.set("f", "text");
    ctx.set("n", 3'000'000'000);
    ctx.set("o", Json{{"name", "x"}});
    std::string all;
    const auto note = [&](auto get) {
        try {
            static_cast<void>(get());
            all += "nothing\n";
        } catch (const std::out_of_range& error) {
            all += std::string(error.what()) + "\n";
        }
    };
    note([&] { return ctx.get<int>("f"); });
    note([&] { return ctx.get<double>("f", 2.0); });
    note([&] { return ctx.get<bool>("f"); });
    note([&] { return ctx.get<std::string>("n"); });
    note([&] { return ctx.get<std::string>("n", "x"); });
    note([&] { return ctx.get<std::vector<int>>("f"); });
    note([&] { return ctx.get<int>("n"); });
    note([&] { return ctx.get<Person>("o"); });
    note([&] { return ctx.get<ReadOnly>("o"); });
    note([&] { return ctx.get<ReadOnly>("f"); });
    note([&] { return ctx.get<Note>("f"); });
    note([&] { return ctx.get<Note>("o"); });
    ctx.text(all);
}

}  // namespace

TEST_CASE("a value of a wrong type is named by ctx.get, in a worker as well") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", get_wrong_values);
            app.get("/worker", get_wrong_values).worker();
        },
        [](TestServer& server) {
            const std::string all =
                "ctx.get: 'f': type must be number, but is string\n"
                "ctx.get: 'f': type must be number, but is string\n"
                "ctx.get: 'f': type must be boolean, but is string\n"
                "ctx.get: 'n': type must be string, but is number\n"
                "ctx.get: 'n': type must be string, but is number\n"
                "ctx.get: 'f': type must be array, but is string\n"
                "ctx.get: 'n': 3000000000 is out of range\n"
                "ctx.get: 'o': key 'age' not found\n"
                "ctx.get: 'o': key 'n' not found\n"
                "ctx.get: 'f': must be an object, but is string\n"
                "ctx.get: 'f': must be an object, but is text\n"
                "ctx.get: 'o': /text is missing\n";
            RawClient client = server.connect();
            CHECK(ask(client, "/").body == all);
            CHECK(ask(client, "/worker").body == all);
        },
        silent());
}

TEST_CASE("a struct is set as its JSON, and is a struct again on either side of a worker") {
    static const Note note{"rice", 5, {"warm", "cold"}};
    const auto compare = [](Context& ctx) {
        const bool is_same = ctx.get<Note>("note") == note &&
                             ctx.get<std::vector<Note>>("notes") == std::vector{note, Note{}} &&
                             ctx.get<std::optional<Note>>("note") == note &&
                             ctx.get<Note>("none", note) == note;
        ctx.set("is_same", is_same);
        ctx.json(ctx.get<Note>("note"));
    };
    with_server(
        [&](sake::Engine& app) {
            app.use([](Context& ctx) {
                Note copy = note;
                ctx.set("note", copy);
                ctx.set("notes", std::vector{std::move(copy), Note{}});
                ctx.after([](Context& after) {
                    after.set_header("X-Same", after.get<bool>("is_same", false) ? "yes" : "no");
                });
            });
            app.get("/", compare);
            app.get("/worker", compare).worker();
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (const char* const path : {"/", "/worker"}) {
                const auto answer = ask(client, path);
                CHECK(answer.body == R"({"text":"rice","stars":5,"tags":["warm","cold"]})");
                CHECK(answer.header("X-Same") == "yes");
            }
        });
}

TEST_CASE("a struct that is set may be deep, has no value that is no number, and only names of enums") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](Context& ctx) {
                Json deep = 1;
                for (int i = 0; i < 100; ++i) deep = Json::array({std::move(deep)});
                ctx.set("deep", Paint{Colour::green, 0.5, deep});
                const auto paint = ctx.get<Paint>("deep");
                CHECK(paint.colour == Colour::green);
                CHECK(paint.share == 0.5);
                CHECK(paint.more == deep);
                ctx.set("share", Paint{.share = std::numeric_limits<double>::quiet_NaN()});
                CHECK(ctx.get("share")["share"].is_null());
                CHECK_THROWS_AS(static_cast<void>(ctx.get<Paint>("share")), std::out_of_range);
                CHECK_THROWS_AS(ctx.set("colour", Paint{.colour = static_cast<Colour>(7)}),
                                std::invalid_argument);
                CHECK(ctx.get("colour").is_null());
            });
        },
        [](TestServer& server) { CHECK(server.get("/").status == 200); });
}

}  // namespace test_context
