#include <doctest/doctest.h>

#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_errors {

using namespace harness;
using sake::Context;
using sake::HttpError;
using sake::Json;
using sake::Task;

namespace {

/// A sink that keeps the lines.
class Log {
  public:
    [[nodiscard]] sake::Config config() {
        return {.log = [this](sake::LogLevel level, std::string_view text) {
            const allocations::Exempt exempt;
            const std::lock_guard lock(mutex_);
            lines_.push_back(std::string(to_string(level)) + ": " + std::string(text));
        }};
    }
    [[nodiscard]] std::vector<std::string> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(lines_, {});
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// What a handler may throw, by the name in the path.
void throw_named(std::string_view what) {
    if (what == "http") throw HttpError(404, "no such user");
    if (what == "bare") throw HttpError(429);
    if (what == "quoted") throw HttpError(400, "a \"quote\", \xff and \n");
    if (what == "exception") throw std::runtime_error("secret: password");
    if (what == "forged") throw std::runtime_error("first\r\nsecond\x1b[31m");
    if (what == "int") throw 7;
    if (what == "bad_alloc") throw std::bad_alloc();
    if (what == "timed_out") throw sake::TimedOut();
}

void throwing_routes(sake::Engine& app) {
    app.get("/plain/:what", [](Context& ctx) {
        ctx.status(201).set_header("X-Kept", "yes").html("<b>half an answer</b>");
        throw_named(ctx.param("what"));
    });
    app.get("/later/:what", [](Context& ctx) -> Task<> {
        ctx.status(201).set_header("X-Kept", "yes").html("<b>half an answer</b>");
        co_await sake::yield();
        throw_named(ctx.param("what"));
    });
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("an HttpError is answered with its status and detail, as problem+json") {
    with_server(throwing_routes, [](TestServer& server) {
        for (const std::string path : {"/plain", "/later"}) {
            CAPTURE(path);
            const Response response = server.get(path + "/http");
            CHECK(response.status == 404);
            CHECK(response.header("Content-Type") == "application/problem+json");
            CHECK(Json::parse(response.body) == Json{{"type", "about:blank"},
                                                     {"title", "Not Found"},
                                                     {"status", 404},
                                                     {"detail", "no such user"}});
            CHECK(response.header("X-Kept") == "yes");
            const Response bare = server.get(path + "/bare");
            CHECK(bare.status == 429);
            CHECK(Json::parse(bare.body) == Json{{"type", "about:blank"},
                                                 {"title", "Too Many Requests"},
                                                 {"status", 429},
                                                 {"detail", "Too Many Requests"}});
            CHECK(Json::parse(server.get(path + "/quoted").body)["detail"] ==
                  "a \"quote\", \xef\xbf\xbd and \n");
        }
    });
}

TEST_CASE("W4 any other exception is a generic 500, and its text is only in the log") {
    Log log;
    with_server(
        throwing_routes,
        [&](TestServer& server) {
            for (const std::string path : {"/plain", "/later"}) {
                CAPTURE(path);
                const Response response = server.get(path + "/exception");
                CHECK(response.status == 500);
                CHECK(Json::parse(response.body) == Json{{"type", "about:blank"},
                                                         {"title", "Internal Server Error"},
                                                         {"status", 500},
                                                         {"detail", "Internal Server Error"}});
                CHECK(response.header("Content-Type") == "application/problem+json");
                std::vector<std::string> lines = log.take();
                REQUIRE(lines.size() == 1);
                CHECK(lines[0].starts_with("error: GET " + path + "/exception failed in GET " + path +
                                           "/:what ("));
                CHECK(lines[0].ends_with("): secret: password"));
                CHECK(contains(lines[0], __FILE__));

                const Response number = server.get(path + "/int");
                CHECK(number.status == 500);
                CHECK(Json::parse(number.body)["title"] == "Internal Server Error");
                lines = log.take();
                REQUIRE(lines.size() == 1);
                CHECK(contains(lines[0], "an exception that is not a std::exception"));
                CHECK(server.get(path + "/timed_out").status == 500);
                CHECK(server.get(path + "/nothing").status == 201);
                CHECK(log.take().size() == 1);
            }
        },
        log.config());
}

TEST_CASE("bad_alloc is a 503") {
    Log log;
    with_server(
        throwing_routes,
        [&](TestServer& server) {
            for (const std::string path : {"/plain/bad_alloc", "/later/bad_alloc"}) {
                const Response response = server.get(path);
                CHECK(response.status == 503);
                CHECK(Json::parse(response.body)["detail"] == "out of memory");
                const auto lines = log.take();
                REQUIRE(lines.size() == 1);
                CHECK(contains(lines[0], "out of memory"));
            }
        },
        log.config());
}

TEST_CASE("P6 the text of an exception cannot forge a log line") {
    Log log;
    with_server(
        throwing_routes,
        [&](TestServer& server) {
            CHECK(server.get("/plain/forged").status == 500);
            const auto lines = log.take();
            REQUIRE(lines.size() == 1);
            CHECK(contains(lines[0], "): first\\x0d\\x0asecond\\x1b[31m"));
            for (const char c : lines[0]) CHECK(static_cast<unsigned char>(c) >= 0x20);
        },
        log.config());
}

TEST_CASE("an HttpError writes nothing to the log") {
    Log log;
    with_server(
        throwing_routes,
        [&](TestServer& server) {
            CHECK(server.get("/plain/http").status == 404);
            CHECK(server.get("/later/bare").status == 429);
            CHECK(log.take().empty());
        },
        log.config());
}

TEST_CASE("an HttpError has an error status") {
    CHECK(HttpError(400).status() == 400);
    CHECK(HttpError(599, "x").status() == 599);
    CHECK(HttpError(404, "detail").detail() == "detail");
    CHECK(HttpError(404, "detail").what() == std::string("detail"));
    for (const int status : {0, 200, 302, 399, 600, -404}) {
        CHECK_THROWS_AS(HttpError(status, "x"), std::invalid_argument);
    }
}

TEST_CASE("a handler's own answer to an error keeps the connection") {
    Log log;
    with_server(
        throwing_routes,
        [](TestServer& server) {
            RawClient client = server.connect();
            for (const char* path : {"/plain/exception", "/later/int", "/plain/http", "/later/nothing"}) {
                client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: t\r\n\r\n");
                CHECK_FALSE(client.read_response().has_header("Connection"));
            }
        },
        log.config());
}

TEST_CASE("on_error takes the context alone, and error() tells what was thrown") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx) {
                const std::string before = std::to_string(ctx.response().status());
                try {
                    std::rethrow_exception(ctx.error());
                } catch (const HttpError& error) {
                    ctx.text(before + " " + error.detail());
                } catch (const std::exception&) {
                    ctx.text(before + " exception");
                } catch (...) {
                    ctx.status(418).text(before + " other");
                }
            });
        },
        [](TestServer& server) {
            for (const std::string path : {"/plain", "/later"}) {
                const Response http = server.get(path + "/http");
                CHECK(http.status == 404);
                CHECK(http.body == "404 no such user");
                CHECK(http.header("Content-Type") == "text/plain; charset=utf-8");
                CHECK(server.get(path + "/exception").body == "500 exception");
                CHECK(server.get(path + "/bad_alloc").body == "503 exception");
                CHECK(server.get(path + "/int").body == "500 other");
                CHECK(server.get(path + "/int").status == 418);
                CHECK(server.get(path + "/nothing").status == 201);
            }
        },
        log.config());
}

TEST_CASE("on_error takes the context and a std::exception") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([count = 0](Context& ctx, const std::exception& error) mutable {
                ctx.set_header("X-Count", std::to_string(++count)).text(error.what());
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/plain/http").body == "no such user");
            CHECK(server.get("/later/http").header("X-Count") == "2");
            const Response number = server.get("/plain/int");
            CHECK(number.status == 500);
            CHECK(number.header("Content-Type") == "application/problem+json");
            CHECK_FALSE(number.has_header("X-Count"));
        },
        log.config());
}

TEST_CASE("on_error takes the context and an exception_ptr") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx, std::exception_ptr error) {
                try {
                    std::rethrow_exception(error);
                } catch (const int number) {
                    ctx.text("int " + std::to_string(number));
                } catch (...) {
                    ctx.text("something else");
                }
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/plain/int").body == "int 7");
            CHECK(server.get("/later/int").body == "int 7");
            CHECK(server.get("/plain/exception").body == "something else");
        },
        log.config());
}

TEST_CASE("an on_error that throws is answered as what it threw") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx, const std::exception& error) {
                ctx.text("half");
                if (std::string_view(error.what()) == "no such user") throw HttpError(410, "gone");
                throw std::runtime_error("a second failure");
            });
        },
        [&](TestServer& server) {
            for (const std::string path : {"/plain", "/later"}) {
                CHECK(server.get(path + "/http").status == 410);
                CHECK(Json::parse(server.get(path + "/http").body)["detail"] == "gone");
                const Response twice = server.get(path + "/exception");
                CHECK(twice.status == 500);
                CHECK(twice.header("Content-Type") == "application/problem+json");
                const auto lines = log.take();
                REQUIRE(lines.size() == 2);
                CHECK(contains(lines[1], ": on_error threw: a second failure"));
            }
        },
        log.config());
}

TEST_CASE(
    "an on_error that lets out what it was given: a line for the handler, and one that names on_error") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            app.get("/save", [] { throw std::runtime_error("disk"); });
            app.on_error([](Context&, std::exception_ptr error) {
                try {
                    std::rethrow_exception(error);
                } catch (const HttpError&) {
                    // The only kind that it is for.
                }
            });
        },
        [&](TestServer& server) {
            CHECK(server.get("/save").status == 500);
            const auto lines = log.take();
            REQUIRE(lines.size() == 2);
            CHECK(lines[0].ends_with("): disk"));
            CHECK(lines[1].ends_with("): on_error threw: disk"));
            for (const std::string& line : lines) CHECK(contains(line, "GET /save failed in GET /save"));
        },
        log.config());
}

TEST_CASE("on_error sees no 404 or 405, which are no exceptions") {
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx) { ctx.text("on_error"); });
        },
        [](TestServer& server) {
            CHECK(Json::parse(server.get("/nothing").body)["status"] == 404);
            CHECK(server.get("/plain/http").body == "on_error");
        });
}

TEST_CASE("not_found answers where there is no route, with 404 unless it says otherwise") {
    const auto request = [](const char* method, const char* path) {
        return std::string(method) + " " + path + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    };
    const auto check = [&](const TestServer& server) {
        CHECK(server.get("/nothing").status == 404);
        CHECK(server.get("/nothing").body == "nothing at /nothing");
        CHECK(server.get("/moved").status == 302);
        CHECK(server.get("/throws").status == 410);
        const Response refused = round_trip(server.port(), request("POST", "/here"));
        CHECK(refused.status == 405);
        CHECK(refused.header("Allow") == "GET, HEAD, OPTIONS");
        CHECK(round_trip(server.port(), request("OPTIONS", "/here")).status == 204);
        CHECK(round_trip(server.port(), request("HEAD", "/nothing")).header("Content-Length") == "19");
        CHECK(server.get("/here").body == "here");
    };
    const auto answer = [](Context& ctx) {
        if (ctx.path() == "/moved") return static_cast<void>(ctx.redirect("/here"));
        if (ctx.path() == "/throws") throw HttpError(410);
        ctx.text("nothing at " + std::string(ctx.path()));
    };
    with_server(
        [&](sake::Engine& app) {
            app.get("/here", [](Context& ctx) { ctx.text("here"); });
            app.not_found([](Context& ctx) { ctx.text("replaced"); }).not_found(answer);
        },
        check);
    with_server(
        [&](sake::Engine& app) {
            app.get("/here", [](Context& ctx) { ctx.text("here"); });
            app.not_found([answer](Context& ctx) -> Task<> {
                co_await sake::yield();
                answer(ctx);
            });
        },
        check);
    with_server([](sake::Engine& app) { app.not_found([](Context&) { return Json{{"found", false}}; }); },
                [](TestServer& server) {
                    CHECK(server.get("/x").status == 404);
                    CHECK(server.get("/x").body == R"({"found":false})");
                });
}

TEST_CASE("an error page may be as long as it likes, and HEAD has none") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx) { ctx.html(std::string(100'000, 'e')); });
        },
        [](TestServer& server) {
            CHECK(server.get("/plain/exception").body.size() == 100'000);
            const Response head =
                round_trip(server.port(), "HEAD /later/int HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            CHECK(head.status == 500);
            CHECK(head.header("Content-Length") == "100000");
        },
        log.config());
}

// --- HttpError with fields and members ---

TEST_CASE("an error keeps no field that describes the answer that it replaces") {
    const char* const of_that_answer[] = {"Content-Encoding",
                                          "Content-Language",
                                          "Content-Location",
                                          "Content-Range",
                                          "ETag",
                                          "Last-Modified",
                                          "Cache-Control",
                                          "Expires",
                                          "Location",
                                          "Content-Digest",
                                          "Repr-Digest",
                                          "Digest"};
    sake::Engine app;
    app.get("/", [&](Context& ctx) {
        for (const char* name : of_that_answer) ctx.set_header(name, "x");
        ctx.set_header("X-Kept", "yes");
        throw HttpError(409, "no");
    });
    sake::TestClient client(app);
    const auto response = client.get("/");
    CHECK(response.status == 409);
    CHECK(response.header("X-Kept") == "yes");
    for (const char* name : of_that_answer) {
        CAPTURE(name);
        CHECK_FALSE(response.headers.contains(name));
    }
}

TEST_CASE("an HttpError brings fields and members of its problem, thrown anywhere") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            const auto limited = [] {
                throw HttpError(429, "slow down")
                    .header("Retry-After", "3")
                    .header("X-Kept", "replaced")
                    .with({{"limit", 5}, {"nested", {{"a", {1, 2}}}}})
                    .with({{"more", "text \xff"}});
            };
            const auto answer = [limited](Context& ctx) {
                ctx.set_header("X-Kept", "old").add_header("X-Other", "stays").text("half");
                limited();
            };
            app.get("/plain", answer);
            app.get("/later", [answer](Context& ctx) -> Task<> {
                co_await sake::yield();
                answer(ctx);
            });
            app.get("/worker", answer).worker();
            app.get("/worker-later",
                    [answer](Context& ctx) -> Task<> {
                        co_await sake::yield();
                        answer(ctx);
                    })
                .worker();
            app.get("/middleware", [](Context&) {}).use([answer](Context& ctx) { answer(ctx); });
        },
        [&](TestServer& server) {
            for (const char* path : {"/plain", "/later", "/worker", "/worker-later", "/middleware"}) {
                CAPTURE(std::string(path));
                const Response response = server.get(path);
                CHECK(response.status == 429);
                CHECK(response.header("Retry-After") == "3");
                CHECK(response.header("X-Kept") == "replaced");
                CHECK(response.header_count("X-Kept") == 1);
                CHECK(response.header("X-Other") == "stays");
                CHECK(response.header("Content-Type") == "application/problem+json");
                CHECK(Json::parse(response.body) == Json{{"type", "about:blank"},
                                                         {"title", "Too Many Requests"},
                                                         {"status", 429},
                                                         {"detail", "slow down"},
                                                         {"limit", 5},
                                                         {"nested", {{"a", {1, 2}}}},
                                                         {"more", "text \xef\xbf\xbd"}});
            }
            CHECK(log.take().empty());
        },
        log.config());
}

TEST_CASE("type, title and instance of a problem may be the program's own") {
    with_server(
        [](sake::Engine& app) {
            app.get("/type", [] { throw HttpError(403, "no").with({{"type", "https://example.com/no"}}); });
            app.get("/title", [] { throw HttpError(403, "no").with({{"title", "A \"title\""}}); });
            app.get("/all", [] {
                throw HttpError(403).with({{"type", "t"}, {"title", "T"}, {"instance", "/i"}, {"", 0}});
            });
            app.get("/none", [] { throw HttpError(403, "no").with(Json::object()); });
        },
        [](TestServer& server) {
            const auto problem = [&](const char* path) { return Json::parse(server.get(path).body); };
            CHECK(problem("/type") == Json{{"type", "https://example.com/no"},
                                           {"title", "Forbidden"},
                                           {"status", 403},
                                           {"detail", "no"}});
            CHECK(problem("/title") ==
                  Json{{"type", "about:blank"}, {"title", "A \"title\""}, {"status", 403}, {"detail", "no"}});
            CHECK(problem("/all") == Json{{"type", "t"},
                                          {"title", "T"},
                                          {"status", 403},
                                          {"detail", "Forbidden"},
                                          {"instance", "/i"},
                                          {"", 0}});
            CHECK(problem("/none").size() == 4);
            CHECK(count_of(server.get("/type").body, "\"type\"") == 1);
            CHECK(count_of(server.get("/title").body, "\"title\"") == 1);
        });
}

TEST_CASE("a member that is given twice is there once, as it was given last") {
    HttpError error(429, "slow down");
    error.with({{"limit", 5}, {"type", "first"}}).with({{"limit", 6}, {"type", "second"}, {"other", 1}});
    const std::string body = error.document();
    CHECK(count_of(body, "\"limit\"") == 1);
    CHECK(count_of(body, "\"type\"") == 1);
    const Json problem = Json::parse(body);
    CHECK(problem["limit"] == 6);
    CHECK(problem["type"] == "second");
    CHECK(problem["other"] == 1);
    HttpError copy = error;
    copy.with({{"limit", 7}});
    CHECK(Json::parse(copy.document())["limit"] == 7);
    CHECK(Json::parse(copy.document())["other"] == 1);
    CHECK(error.document() == body);
}

TEST_CASE("what may not be a field or a member of a problem is refused at once") {
    for (const char* name :
         {"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "Trailer", "Upgrade"}) {
        CAPTURE(std::string(name));
        CHECK_THROWS_AS(HttpError(400).header(name, "close"), std::invalid_argument);
    }
    CHECK_THROWS_AS(HttpError(400).header("", "x"), std::invalid_argument);
    CHECK_THROWS_AS(HttpError(400).header("a b", "x"), std::invalid_argument);
    CHECK_THROWS_AS(HttpError(400).header("X", "a\r\nb"), std::invalid_argument);
    CHECK_NOTHROW(HttpError(400).header("Set-Cookie", "a=1"));
    for (const char* name : {"status", "detail"}) {
        CHECK_THROWS_AS(HttpError(400).with({{name, 1}}), std::invalid_argument);
        CHECK_THROWS_AS(HttpError(400).with({{"a", 1}, {name, 1}}), std::invalid_argument);
    }
    for (const Json& members : {Json(), Json(7), Json("text"), Json::array({1}), Json(true)}) {
        CHECK_THROWS_AS(HttpError(400).with(members), std::invalid_argument);
    }
    HttpError error(400);
    CHECK_THROWS_AS(error.with({{"a", 1}, {"status", 1}}), std::invalid_argument);
    CHECK(error.document() == sake::detail::problem_body(400, ""));
}

TEST_CASE("a copy of an HttpError is whole") {
    const HttpError error = HttpError(429, "x").header("Retry-After", "3").with({{"limit", 5}});
    const HttpError copy(error);  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.headers().get("Retry-After") == "3");
    CHECK(copy.document() == error.document());
}

// --- What is a line in the log ---

TEST_CASE("a failure that on_error makes a 4xx is no line in the log, one that stays 500 is one") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.get("/worker", [] { throw std::runtime_error("secret: password"); }).worker();
            app.on_error([](Context& ctx, const std::exception& error) {
                const std::string_view wish = ctx.query("as");
                if (wish == "409") ctx.text(409, "conflict");
                if (wish == "200") ctx.text(200, "fine");
                if (wish == "502") ctx.text(502, "gateway");
                if (wish == "own") ctx.text(error.what());
            });
        },
        [&](TestServer& server) {
            const auto lines_of = [&](const std::string& path, int status) {
                CHECK(server.get(path).status == status);
                return log.take().size();
            };
            for (const std::string path : {"/plain/exception", "/later/exception", "/worker"}) {
                CAPTURE(path);
                CHECK(lines_of(path + "?as=409", 409) == 0);
                CHECK(lines_of(path + "?as=200", 200) == 0);
                CHECK(lines_of(path + "?as=502", 502) == 1);
                CHECK(lines_of(path + "?as=own", 500) == 1);
                CHECK(lines_of(path, 500) == 1);
            }
            for (const std::string path : {"/plain/http", "/later/http", "/plain/bare"}) {
                CHECK(lines_of(path + "?as=502", 502) == 0);  // the program chose an answer: no failure
                CHECK(log.take().empty());
                CHECK(server.get(path).status < 500);
                CHECK(log.take().empty());
            }
            CHECK(lines_of("/plain/bad_alloc", 503) == 1);
            CHECK(lines_of("/plain/bad_alloc?as=409", 409) == 0);
        },
        log.config());
}

TEST_CASE("an on_error that throws is a line, beside that of the failure it was called for") {
    Log log;
    with_server(
        [](sake::Engine& app) {
            throwing_routes(app);
            app.on_error([](Context& ctx) {
                if (ctx.query("as") == "http") throw HttpError(410, "gone");
                throw std::runtime_error("of on_error");
            });
        },
        [&](TestServer& server) {
            for (const std::string path : {"/plain", "/later"}) {
                CAPTURE(path);
                CHECK(server.get(path + "/exception").status == 500);
                auto lines = log.take();
                REQUIRE(lines.size() == 2);
                CHECK(contains(lines[0], "): secret: password"));
                CHECK(contains(lines[1], "): on_error threw: of on_error"));
                // The answer that on_error chose is below 500, so a client cannot fill the log.
                CHECK(server.get(path + "/exception?as=http").status == 410);
                CHECK(log.take().empty());
                CHECK(server.get(path + "/http").status == 500);
                lines = log.take();
                REQUIRE(lines.size() == 1);
                CHECK(contains(lines[0], "): on_error threw: of on_error"));
                CHECK(server.get(path + "/http?as=http").status == 410);
                CHECK(log.take().empty());
            }
        },
        log.config());
}

}  // namespace test_errors
