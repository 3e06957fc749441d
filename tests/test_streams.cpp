// Answers in pieces: what they are on the wire, who waits for whom, how they end and how they are cut.
#include <doctest/doctest.h>
#include <errno.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "support/client_fixture.hpp"
#include "support/common.hpp"
#include "support/observed.hpp"

namespace test_streams {

using namespace harness;
using namespace std::string_literals;
using sake::BodyWriter;
using sake::Context;
using sake::Engine;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestStream;

namespace {

/// "/count/N" streams N lines, "/tick" a line a second without end.
void add_streams(Engine& app) {
    app.get("/count/:n", [](Context& ctx, int count) -> Task<> {
        BodyWriter out = ctx.stream("text/csv");
        for (int i = 0; i < count; ++i) {
            co_await out.write(std::to_string(i) + "\n");
        }
    });
    app.get("/tick", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        for (;;) {
            co_await out.write("tick\n");
            co_await sake::sleep(1s);
        }
    });
    app.get("/plain", [](Context& ctx) { ctx.text("plain"); });
}

}  // namespace

TEST_CASE("an answer in pieces is chunked, and the connection goes on") {
    with_client(add_streams, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send(get_request("/count/2"));
        const std::string all = connection.receive_now();
        CHECK(all.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(all.find("Content-Type: text/csv\r\n") != all.npos);
        CHECK(all.find("Transfer-Encoding: chunked\r\n") != all.npos);
        CHECK(all.find("Content-Length") == all.npos);
        CHECK(all.find("Connection:") == all.npos);
        CHECK(all.ends_with("\r\n\r\n2\r\n0\n\r\n2\r\n1\n\r\n0\r\n\r\n"));
        connection.send(get_request("/plain"));
        CHECK(connection.response().body == "plain");
    });
}

TEST_CASE("the whole of a streamed answer is one answer to the test client") {
    with_client(add_streams, [](TestClient& client) {
        CHECK(client.get("/count/3").body == "0\n1\n2\n");
        const auto none = client.get("/count/0");
        CHECK(none.status == 200);
        CHECK(none.body.empty());
        CHECK(none.header("Content-Type") == "text/csv");
    });
}

TEST_CASE("pieces arrive while the handler sleeps between them") {
    with_client(add_streams, [](TestClient& client) {
        TestStream stream = client.open("/tick");
        CHECK(stream.status() == 200);
        CHECK(stream.header("Content-Type") == "text/plain");
        CHECK(stream.receive() == "tick\n");
        CHECK(stream.receive_now().empty());
        client.advance(999ms);
        CHECK(stream.receive_now().empty());
        client.advance(1ms);
        CHECK(stream.receive_now() == "tick\n");
        CHECK(stream.receive() == "tick\n");
        CHECK_FALSE(stream.has_ended());
    });
}

TEST_CASE("after the head has left there is no request_timeout") {
    with_client(
        [](Engine& app) {
            app.get("/hours", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("begun ");
                co_await sake::sleep(5h);
                co_await out.write("ended");
            });
            app.get("/late", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await sake::sleep(2s);
                co_await out.write("never");
            });
        },
        [](TestClient& client) {
            CHECK(client.get("/hours").body == "begun ended");
            CHECK(client.get("/late").status == 504);
        },
        quiet_config().with_request_timeout(1s));
}

TEST_CASE("pipelined requests are served behind a streamed answer") {
    with_client(add_streams, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send(get_request("/plain") + get_request("/count/2") + get_request("/plain") +
                        get_request("/count/1"));
        CHECK(connection.response().body == "plain");
        CHECK(connection.response().body == "0\n1\n");
        CHECK(connection.response().body == "plain");
        CHECK(connection.response().body == "0\n");
    });
}

TEST_CASE("a handler has a status of its own, and headers until the first write") {
    with_client(
        [](Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                ctx.after([](Context& after) { after.set_header("X-After", "yes"); });
                co_await ctx.next();
            });
            app.get("/", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream(206, "text/plain");
                ctx.set_header("X-Early", "yes");
                co_await out.write("x");
            });
        },
        [](TestClient& client) {
            const auto response = client.get("/");
            CHECK(response.status == 206);
            CHECK(response.header("X-Early") == "yes");
            CHECK(response.header("X-After") == "yes");
        });
}

TEST_CASE("an empty write writes nothing") {
    with_client(
        [](Engine& app) {
            app.get("/", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("");
                co_await out.write("a");
                co_await out.write("");
                co_await out.write("b");
            });
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/"));
            CHECK(connection.receive_now().ends_with("\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
        });
}

TEST_CASE("HTTP/1.0 gets the bytes as they are, up to the end of the connection") {
    with_client(add_streams, [](TestClient& client) {
        for (const std::string_view fields : {"", "Connection: keep-alive\r\n"}) {
            TestConnection connection = client.connect();
            connection.send("GET /count/2 HTTP/1.0\r\n" + std::string(fields) + "\r\n");
            const std::string all = connection.receive_all();
            CHECK(all.find("Transfer-Encoding") == all.npos);
            CHECK(all.find("Connection: close\r\n") != all.npos);
            CHECK(all.ends_with("\r\n\r\n0\n1\n"));
        }
    });
}

TEST_CASE("the answer to a HEAD is the head alone, and the handler ends at its first write") {
    std::string ends;
    ends.reserve(100);
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                const sake::detail::AtExit note(
                    [&]() noexcept { ends += ctx.stop_token().stop_requested() ? "c" : "-"; });
                BodyWriter out = ctx.stream("text/csv");
                ends += "1";
                co_await out.write("a");
                ends += "2";
            });
            add_streams(app);
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n");
            const std::string all = connection.receive_now();
            CHECK(all.find("Content-Type: text/csv\r\n") != all.npos);
            CHECK(all.find("Transfer-Encoding: chunked\r\n") != all.npos);
            CHECK(all.ends_with("\r\n\r\n"));
            CHECK(ends == "1c");
            connection.send(get_request("/plain"));
            CHECK(connection.response().body == "plain");
            CHECK(client.head("/tick").status == 200);
        });
}

TEST_CASE("a handler that throws in the middle leaves the end out, and the log says so") {
    Log log;
    Answers answers;
    std::string what;
    {
        Engine app(log.config());
        answers.observe(app);
        app.on_error([&](Context& ctx) { ctx.text(418, "not sent"); });
        app.get("/throws", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("half");
            throw std::runtime_error("no more paper");
        });
        app.get("/refuses", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("half");
            throw sake::HttpError(404, "gone");
        });
        app.get("/early", [](Context& ctx) -> Task<> {
            static_cast<void>(ctx.stream("text/plain"));
            co_await sake::yield();
            throw sake::HttpError(404, "gone");
        });
        TestClient client(app);
        for (const auto target : {"/throws", "/refuses"}) {
            TestConnection connection = client.connect();
            connection.send(get_request(target));
            const std::string all = connection.receive_all();
            CHECK(all.starts_with("HTTP/1.1 200 OK\r\n"));
            CHECK(all.ends_with("4\r\nhalf\r\n"));
        }
        CHECK(client.get("/early").status == 418);
        what = thrown_by([&] { return client.get("/throws").body; });
    }
    CHECK(what == "the server closed in the middle of its answer");
    const auto lines = log.lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].starts_with("GET /throws was cut off in the middle of its answer in GET /throws ("));
    CHECK(lines[0].ends_with(": no more paper"));
    CHECK(lines[1].find("GET /refuses was cut off in the middle of its answer") == 0);
    REQUIRE(answers.all.size() == 4);
    CHECK(answers.all[0].status == 200);
    CHECK(answers.all[0].bytes == 4);
    CHECK(answers.all[0].cause == sake::AnswerCause::cut);
    CHECK(answers.all[2].status == 418);
    CHECK(answers.all[2].cause == sake::AnswerCause::error);
    CHECK(to_string(sake::AnswerCause::cut) == "cut");
}

TEST_CASE("an answer to HTTP/1.0 that is cut off is reset, so that it is not taken for a whole one") {
    with_client(
        [](Engine& app) {
            app.get("/", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("half");
                co_await sake::sleep(1s);
                throw std::runtime_error("no more paper");
            });
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send("GET / HTTP/1.0\r\n\r\n");
            CHECK(connection.receive().ends_with("half"));
            CHECK_THROWS_AS(static_cast<void>(connection.receive()), std::system_error);
        });
}

TEST_CASE("observers are told of a streamed answer at its end, with all of its bytes") {
    Answers answers;
    Engine app(quiet_config());
    answers.observe(app);
    add_streams(app);
    TestClient client(app);
    TestStream stream = client.open("/tick");
    CHECK(answers.all.empty());
    static_cast<void>(client.get("/count/3"));
    static_cast<void>(client.head("/count/3"));
    REQUIRE(answers.all.size() == 2);
    CHECK(answers.all[0].bytes == 6);
    CHECK(answers.all[0].cause == sake::AnswerCause::handler);
    CHECK(answers.all[1].bytes == 0);
    CHECK(answers.all[1].cause == sake::AnswerCause::handler);
    client.advance(1s);
    stream.close();
    client.advance(1s);
    REQUIRE(answers.all.size() == 3);
    CHECK(answers.all[2].target == "/tick");
    CHECK(answers.all[2].bytes >= 10);
    CHECK(answers.all[2].cause == sake::AnswerCause::client_closed);
    CHECK(to_string(answers.all[2].cause) == "client_closed");
}

TEST_CASE("an answer that is cut says who has cut it: the client that left, or the server") {
    struct Case {
        const char* name;
        sake::AnswerCause cause;
        std::function<void(TestClient&, TestConnection&)> end;
    };
    const Case cases[] = {
        {"closed", sake::AnswerCause::client_closed, [](TestClient&, TestConnection& c) { c.close(); }},
        {"reset", sake::AnswerCause::client_closed, [](TestClient&, TestConnection& c) { c.reset(); }},
        {"input ended", sake::AnswerCause::client_closed,
         [](TestClient& client, TestConnection& c) {
             client.advance(1s);
             c.half_close();
         }},
        {"not read", sake::AnswerCause::cut,
         [](TestClient& client, TestConnection&) { client.advance(2min); }},
    };
    for (const Case& each : cases) {
        for (const char* target : {"/writes", "/sleeps", "/catches", "/events"}) {
            CAPTURE(each.name);
            CAPTURE(target);
            const bool needs_writes = each.cause == sake::AnswerCause::cut;
            if (needs_writes && std::string_view(target) != "/writes") continue;
            Answers answers;
            Engine app(quiet_config());
            answers.observe(app);
            const std::string piece(50'000, 'x');
            app.get("/writes", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                for (;;) co_await out.write(piece);
            });
            app.get("/sleeps", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("x");
                co_await sake::sleep(24h);
            });
            app.get("/catches", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("x");
                std::string problem;
                try {
                    co_await sake::sleep(24h);
                } catch (const sake::Cancelled&) {
                    problem = "a failure of its own";
                }
                throw std::runtime_error(problem);
            });
            app.get("/events", [&](Context& ctx) -> Task<> {
                sake::EventStream events = ctx.events();
                co_await events.send("x");
                co_await sake::sleep(24h);
            });
            TestClient client(app);
            TestConnection connection = client.connect(10'000);
            connection.send(get_request(target));
            client.advance(0s);
            each.end(client, connection);
            client.advance(1min);
            REQUIRE(answers.all.size() == 1);
            CHECK(answers.all[0].cause == each.cause);
        }
    }
}

TEST_CASE("the pace of a slow reader is that of the whole answer, not of each piece") {
    // A piece of ten bytes each four seconds is less than minimum_rate, though each is taken in its grace.
    struct Case {
        std::size_t at_a_time;
        bool lasts;
    };
    for (const Case& each : {Case{10, false}, Case{400, false}, Case{2000, true}}) {
        CAPTURE(each.at_a_time);
        int cancelled = 0;
        with_client(
            [&](Engine& app) {
                app.get("/", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("text/plain");
                    const std::string piece(each.at_a_time, 'x');
                    const sake::detail::AtExit at_end([&]() noexcept { ++cancelled; });
                    for (;;) co_await out.write(piece);
                });
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect(each.at_a_time + 16);  // a piece and its framing
                connection.send(get_request("/"));
                for (int i = 0; i < 100 && cancelled == 0; ++i) {
                    client.advance(4s);
                    static_cast<void>(thrown_by([&] { return connection.receive_now(); }));
                }
                CHECK(cancelled == (each.lasts ? 0 : 1));
            });
    }
}

TEST_CASE("time in which a stream has nothing to send is not the client's") {
    bool is_through = false;
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(1000, 'x');
                for (int i = 0; i < 50; ++i) {
                    co_await out.write(piece);
                    co_await sake::sleep(60s);
                }
                is_through = true;
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(500);
            connection.send(get_request("/"));
            for (int i = 0; i < 2000 && !is_through; ++i) {
                client.advance(3s);
                static_cast<void>(connection.receive_now());
            }
            CHECK(is_through);
        });
}

TEST_CASE("what is set after the head has been sent throws, and says what to do") {
    const std::pair<const char*, std::function<void(Context&)>> setters[] = {
        {"ctx.status", [](Context& ctx) { ctx.status(404); }},
        {"ctx.status", [](Context& ctx) { ctx.text(404, "x"); }},
        {"ctx.status", [](Context& ctx) { ctx.abort(404); }},
        {"ctx.set_header", [](Context& ctx) { ctx.set_header("X-Late", "x"); }},
        {"ctx.add_header", [](Context& ctx) { ctx.add_header("X-Late", "x"); }},
        {"ctx.set_cookie", [](Context& ctx) { ctx.set_cookie({.name = "late", .value = "x"}); }},
        {"ctx.text", [](Context& ctx) { ctx.text("x"); }},
        {"ctx.html", [](Context& ctx) { ctx.html("x"); }},
        {"ctx.json", [](Context& ctx) { ctx.json(1); }},
        {"ctx.send", [](Context& ctx) { ctx.send("x", "text/plain"); }},
        {"ctx.redirect", [](Context& ctx) { ctx.redirect("/"); }},
        {"ctx.no_content", [](Context& ctx) { ctx.no_content(); }},
        {"ctx.file", [](Context& ctx) { ctx.file("x"); }},
        {"ctx.attachment", [](Context& ctx) { ctx.attachment("x"); }},
    };
    for (const auto& [name, set] : setters) {
        for (const bool by_middleware : {false, true}) {
            for (const bool is_events : {false, true}) {
                CAPTURE(name);
                CAPTURE(by_middleware);
                std::string what;
                what.reserve(200);
                const auto try_it = [&what, &setter = set](Context& ctx) {
                    try {
                        setter(ctx);
                    } catch (const std::logic_error& error) {
                        what = error.what();
                    }
                };
                const auto setup = [&](Engine& app) {
                    app.use([&](Context& ctx) -> Task<> {
                        co_await ctx.next();
                        if (by_middleware && ctx.path() == "/") try_it(ctx);
                    });
                    app.get("/", [&](Context& ctx) -> Task<> {
                        if (is_events) {
                            static_cast<void>(ctx.events());
                        } else {
                            BodyWriter out = ctx.stream("text/plain");
                            co_await out.write("x");
                        }
                        if (!by_middleware) try_it(ctx);
                    });
                };
                with_client(setup, [&](TestClient& client) {
                    sake::TestStream stream = client.open("/");
                    CHECK(stream.status() == 200);
                    CHECK_NOTHROW(static_cast<void>(stream.receive_all()));  // it is whole
                    CHECK(what == std::string(name) +
                                      ": the head of this answer has been sent: set it before the first "
                                      "write, or in a function given to ctx.after");
                });
            }
        }
    }
}

TEST_CASE("what is set too late and not caught cuts the answer, and the log says why") {
    Log log;
    {
        Engine app(log.config());
        app.get("/", [](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("half");
            ctx.status(500);
        });
        TestClient client(app);
        CHECK(thrown_by([&] { return client.get("/").body; }) ==
              "the server closed in the middle of its answer");
    }
    CHECK(log.lines().size() == 1);
    CHECK(log.has(": ctx.status: the head of this answer has been sent"));
}

TEST_CASE("misuse of ctx.stream is a logic_error that says what to do") {
    std::vector<std::string> said;
    said.reserve(20);
    Engine app(quiet_config().with_worker_pool_size(1));
    app.on_error([&](Context&, const std::exception& error) { said.emplace_back(error.what()); });
    app.get("/plain", [](Context& ctx) { static_cast<void>(ctx.stream("text/plain")); });
    app.get("/behind", [](Context& ctx) { static_cast<void>(ctx.stream("text/plain")); })
        .use([](Context& ctx) -> Task<> { co_await ctx.next(); });
    app.get("/status/:code", [](Context& ctx, int code) -> Task<> {
        BodyWriter out = ctx.stream(code, "text/plain");
        co_await out.write("x");
    });
    app.get("/later", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        ctx.status(204);
        co_await out.write("x");
    });
    app.get("/body", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        ctx.text("whole");
        co_await out.write("x");
    });
    app.get("/twice", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        co_await out.write("x");
        static_cast<void>(ctx.stream("text/plain"));
    });
    app.get("/type", [](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text\r\nX: y");
        co_await out.write("x");
    });
    app.get("/worker",
            [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("x");
            })
        .worker();
    TestClient client(app);
    const auto said_of = [&](const char* target) {
        said.clear();
        CHECK(client.get(target).status == 500);
        return said.empty() ? std::string("nothing") : said[0];
    };
    CHECK(said_of("/plain").find("the handler must be a coroutine") != std::string::npos);
    CHECK(said_of("/behind").find("the handler must be a coroutine") != std::string::npos);
    for (const auto code : {"204", "205", "304"}) {
        CHECK(said_of(("/status/"s + code).c_str()) ==
              "ctx.stream: an answer with status "s + code + " has no body");
    }
    CHECK(said_of("/later") == "ctx.stream: an answer with status 204 has no body");
    CHECK(said_of("/body").find("a whole body") != std::string::npos);
    CHECK(said_of("/type") != "nothing");
    CHECK(said_of("/worker").find("a worker route answers as a whole") != std::string::npos);
    CHECK_THROWS_AS(static_cast<void>(client.get("/twice")), std::runtime_error);
}

TEST_CASE("who may stream is who runs: middleware that is a coroutine may, behind a plain handler") {
    with_client(
        [](Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                if (ctx.response().status() != 404) co_return;
                BodyWriter out = ctx.stream(404, "text/plain");
                co_await out.write("streamed");
            });
            app.get("/plain", [](Context& ctx) { ctx.text(404, "whole"); });
            app.get("/throws", [](Context&) { throw sake::HttpError(404, "none"); });
            app.get("/coroutine", [](Context& ctx) -> Task<> {
                co_await sake::sleep(1ms);
                ctx.text(404, "whole");
            });
        },
        [](TestClient& client) {
            for (const char* target : {"/plain", "/throws", "/coroutine"}) {
                CAPTURE(target);
                const auto response = client.get(target);
                CHECK(response.status == 404);
                CHECK(response.body == "streamed");
            }
        });
}

TEST_CASE("ctx.after and on_error cannot stream, and are told so") {
    std::vector<std::string> said;
    said.reserve(20);
    Engine app(quiet_config());
    const auto try_to_stream = [&](Context& ctx) {
        try {
            static_cast<void>(ctx.stream("text/plain"));
        } catch (const std::logic_error& error) {
            said.emplace_back(error.what());
        }
    };
    app.on_error([&](Context& ctx, const std::exception&) { try_to_stream(ctx); });
    app.get("/after", [&](Context& ctx) -> Task<> {
        ctx.after(try_to_stream);
        ctx.text("whole");
        co_return;
    });
    app.get("/before-the-head", [&](Context& ctx) -> Task<> {
        ctx.after(try_to_stream);
        BodyWriter out = ctx.stream("text/plain");
        co_await out.write("streamed");
    });
    app.get("/error", [](Context&) -> Task<> {
        throw sake::HttpError(404, "none");
        co_return;
    });
    TestClient client(app);
    CHECK(client.get("/after").body == "whole");
    CHECK(client.get("/before-the-head").body == "streamed");
    CHECK(client.get("/error").status == 404);
    REQUIRE(said.size() == 3);
    CHECK(said[0].find("ctx.after cannot stream") != std::string::npos);
    CHECK(said[1].find("ctx.after cannot stream") != std::string::npos);
    CHECK(said[2].find("on_error cannot stream") != std::string::npos);
}

TEST_CASE("what Context::after throws at the first write is the answer") {
    with_client(
        [](Engine& app) {
            app.get("/", [](Context& ctx) -> Task<> {
                ctx.after([](Context&) { throw sake::HttpError(409, "conflict"); });
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("x");
            });
        },
        [](TestClient& client) { CHECK(client.get("/").status == 409); });
}

TEST_CASE("a write waits while the client is slow, and holds no more than the soft limit") {
    std::size_t written = 0;
    const std::string piece = pattern_bytes(10'000);
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                for (int i = 0; i < 100; ++i) {
                    co_await out.write(piece);
                    written += piece.size();
                }
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(20'000);
            connection.send(get_request("/"));
            client.advance(0s);
            CHECK(written <= 30'000);
            std::string body;
            while (!body.ends_with("0\r\n\r\n")) {
                const std::size_t before = written;
                const std::string came = connection.receive();
                REQUIRE_FALSE(came.empty());
                body += came;
                client.advance(0s);
                CHECK(written - before <= 40'000);
            }
            CHECK(written == 1'000'000);
            CHECK(count_of(body, piece) == 100);
        });
}

TEST_CASE("one large write arrives whole, whatever the client takes at a time") {
    const std::string bytes = pattern_bytes(3'000'000);
    for (const std::size_t limit : {std::size_t{1000}, std::size_t{65'536}, std::size_t{10'000'000}}) {
        with_client(
            [&](Engine& app) {
                app.get("/", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("application/octet-stream");
                    co_await out.write(bytes);
                });
            },
            [&](TestClient& client) {
                CHECK(client.get("/").body == bytes);
                TestConnection slow = client.connect(777);
                slow.send(get_request("/"));
                CHECK(slow.response().body == bytes);
            },
            quiet_config().with_output_soft_limit(limit));
    }
}

TEST_CASE("a stalled reader is ended by the pace of writing, and the handler is cancelled once") {
    int cancelled = 0;
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(50'000, 'x');
                try {
                    for (;;) co_await out.write(piece);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                }
                co_await sake::sleep(10ms);  // cleaning up is not cancelled again
                ++cancelled;
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(10'000);
            connection.send(get_request("/"));
            client.advance(1s);
            CHECK(cancelled == 0);
            client.advance(60s);
            CHECK(cancelled == 2);
            CHECK_THROWS(static_cast<void>(connection.receive_all()));
        });
}

TEST_CASE("a client that leaves while the handler sleeps between writes cancels it") {
    int cancelled = 0;
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("x");
                try {
                    co_await sake::sleep(1h);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                    throw;
                }
            });
        },
        [&](TestClient& client) {
            for (int i = 0; i < 2; ++i) {
                TestStream stream = client.open("/");
                CHECK(stream.receive() == "x");
                client.advance(1s);
                if (i == 0) {
                    stream.close();
                } else {
                    stream.reset();
                }
                client.advance(1s);
                CHECK(cancelled == i + 1);
            }
        });
}

TEST_CASE("a client that leaves while a write waits cancels it, and later writes too") {
    std::string seen;
    seen.reserve(100);
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(50'000, 'x');
                for (int i = 0; i < 3; ++i) {
                    try {
                        for (;;) co_await out.write(piece);
                    } catch (const sake::Cancelled&) {
                        seen += "c";
                    }
                }
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(10'000);
            connection.send(get_request("/"));
            client.advance(1s);
            connection.reset();
            client.advance(0s);
            CHECK(seen == "ccc");
        });
}

TEST_CASE("a write that is given up when all of it is on its way leaves no hole") {
    with_client(
        [](Engine& app) {
            app.get("/", [](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(30'000, 'x');
                bool is_late = false;
                try {
                    for (;;) co_await sake::timeout(out.write(piece), 1s);
                } catch (const sake::TimedOut&) {
                    is_late = true;
                }
                if (is_late) co_await out.write("the end");
            });
            add_streams(app);
        },
        [](TestClient& client) {
            TestConnection connection = client.connect(40'000);
            connection.send(get_request("/"));
            client.advance(2s);
            const auto response = connection.response();
            CHECK(response.body == std::string(60'000, 'x') + "the end");
            connection.send(get_request("/plain"));
            CHECK(connection.response().body == "plain");
        });
}

TEST_CASE("a write that is given up in its middle cuts the answer, and nothing follows it") {
    for (const bool writes_on : {true, false}) {
        CAPTURE(writes_on);
        std::string what;
        what.reserve(200);
        with_client(
            [&](Engine& app) {
                app.get("/", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("text/plain");
                    const std::string piece(1'000'000, 'x');
                    try {
                        co_await sake::timeout(out.write(piece), 1s);
                    } catch (const sake::TimedOut&) {
                    }
                    try {
                        if (writes_on) co_await out.write("the end");
                    } catch (const std::logic_error& error) {
                        what = error.what();
                    }
                });
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect(40'000);
                connection.send(get_request("/"));
                client.advance(2s);
                CHECK_THROWS(static_cast<void>(connection.receive_all()));  // it is reset
                if (writes_on) CHECK(what.find("given up in its middle") != std::string::npos);
            });
    }
}

TEST_CASE("a write that is given up before any of it was sent leaves no hole") {
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(30'000, 'x');
                const std::string other(100'000, 'y');
                bool is_late = false;
                try {
                    for (;;) co_await sake::timeout(out.write(piece), 1s);
                } catch (const sake::TimedOut&) {
                    is_late = true;
                }
                try {
                    if (is_late) co_await sake::timeout(out.write(other), 1s);
                } catch (const sake::TimedOut&) {
                }
                co_await out.write("the end");
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(40'000);
            connection.send(get_request("/"));
            client.advance(3s);
            CHECK(connection.response().body == std::string(60'000, 'x') + "the end");
        });
}

TEST_CASE("a write that a stop, or the end of the handler, cuts in its middle cuts the answer") {
    for (const bool stops : {true, false}) {
        CAPTURE(stops);
        Answers answers;
        Engine app(quiet_config());
        answers.observe(app);
        app.get("/", [&](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            const auto write = [](BodyWriter writer) -> Task<> {
                const std::string piece(1'000'000, 'x');
                co_await writer.write(piece);
            };
            if (stops) {
                co_await write(out);
            } else {
                sake::spawn(write(out)).detach();
                co_await sake::sleep(1s);
            }
        });
        TestClient client(app);
        TestConnection connection = client.connect(40'000);
        connection.send(get_request("/"));
        client.advance(500ms);
        if (stops) app.stop();
        client.advance(1s);
        CHECK_THROWS(static_cast<void>(connection.receive_all()));  // it is reset
        REQUIRE(answers.all.size() == 1);
        CHECK(answers.all[0].cause == sake::AnswerCause::cut);
    }
}

TEST_CASE("a writer that outlives its handler throws, and writes into no other answer") {
    for (const bool goes_on : {true, false}) {
        CAPTURE(goes_on);
        std::string what;
        what.reserve(200);
        with_client(
            [&](Engine& app) {
                app.get("/left", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("text/plain");
                    co_await out.write("first");
                    const auto late = [](BodyWriter writer, std::string& error) -> Task<> {
                        co_await sake::sleep(10s);
                        try {
                            co_await writer.write("late");
                        } catch (const std::logic_error& caught) {
                            error = caught.what();
                        }
                    };
                    sake::spawn(late(out, what)).detach();
                });
                app.get("/slow", [](Context& ctx) -> Task<> {
                    co_await sake::sleep(20s);
                    ctx.text("mine");
                });
            },
            [&](TestClient& client) {
                CHECK(client.get("/left").body == "first");
                TestConnection connection = client.connect();
                if (goes_on) connection.send(get_request("/slow"));
                client.advance(30s);
                CHECK(what == "the handler has ended, and with it the request and its answer");
                if (goes_on) CHECK(connection.response().body == "mine");
            });
    }
}

TEST_CASE("two tasks that write at once are told") {
    std::string what;
    what.reserve(200);
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                const std::string piece(200'000, 'x');
                try {
                    Task<std::tuple<std::monostate, std::monostate>> both =
                        sake::when_all(out.write(piece), out.write("y"));
                    co_await std::move(both);
                } catch (const std::logic_error& error) {
                    what = error.what();
                }
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(10'000);
            connection.send(get_request("/"));
            CHECK(connection.response().body.size() == 200'000);
            CHECK(what == "out.write: another task is writing this answer");
        });
}

TEST_CASE("a stop ends streams with their last chunk, within a second, and lets none begin") {
    for (const bool ends : {true, false}) {
        CAPTURE(ends);
        std::string log;
        log.reserve(200);
        Engine app(quiet_config().with_end_streams_at_stop(ends).with_shutdown_grace(10s));
        add_streams(app);
        app.get("/waits", [&](Context& ctx) -> Task<> {
            co_await sake::sleep(2s);
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("late");
        });
        app.get("/ends", [&](Context& ctx) -> Task<> {
            BodyWriter out = ctx.stream("text/plain");
            co_await out.write("a");
            co_await sake::sleep(5s);
            co_await out.write("b");
        });
        TestClient client(app);
        TestStream ticks = client.open("/tick");
        TestStream finite = client.open("/ends");
        TestConnection late = client.connect();
        late.send(get_request("/waits"));
        client.advance(10ms);
        app.stop();
        client.advance(900ms);
        if (ends) {
            CHECK(ticks.receive_all() == "tick\n");
            CHECK(finite.receive_all() == "a");
            CHECK(ticks.connection().is_closed());
            CHECK(late.response().status == 503);
            CHECK(client.stop() == 0);
        } else {
            CHECK_FALSE(ticks.has_ended());
            CHECK(finite.receive_all() == "ab");
            CHECK(late.response().body == "late");
            CHECK(client.stop() == 1);
            CHECK_THROWS(static_cast<void>(ticks.receive_all()));
        }
    }
}

TEST_CASE("a handler that does not end when a stop cancels it has the grace") {
    Engine app(quiet_config().with_shutdown_grace(10s));
    app.get("/", [&](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        try {
            co_await out.write("a");
            co_await sake::sleep(1h);
        } catch (const sake::Cancelled&) {
        }
        co_await sake::sleep(2s);
        co_await out.write("bye");
    });
    TestClient client(app);
    TestStream stream = client.open("/");
    app.stop();
    client.advance(1s);
    CHECK_FALSE(stream.has_ended());
    CHECK(stream.receive_all() == "abye");
    CHECK(client.stop() == 0);
}

TEST_CASE("5,000 open streams end cleanly at a stop") {
    const int count = is_sanitized ? 500 : 5000;
    Engine app(quiet_config().with_max_connections(count + 10));
    add_streams(app);
    TestClient client(app);
    std::vector<TestConnection> streams = connections_of(client, count, get_request("/tick"), 1024);
    client.advance(0s);
    app.stop();
    client.advance(1s);
    int clean = 0;
    for (TestConnection& each : streams) clean += each.receive_all().ends_with("tick\n\r\n0\r\n\r\n") ? 1 : 0;
    CHECK(clean == count);
    CHECK(client.stop() == 0);
}

TEST_CASE("stalled readers hold no more than the soft limit each, and slow down nobody") {
    const int count = is_sanitized ? 100 : 1000;
    const std::string piece = pattern_bytes(300'000);
    Engine app(quiet_config().with_max_connections(count + 10));
    app.get("/large", [&](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        for (;;) co_await out.write(piece);
    });
    app.get("/plain", [](Context& ctx) { ctx.text("plain"); });
    TestClient client(app);
    std::vector<TestConnection> stalled = connections_of(client, count, get_request("/plain"), 1000);
    client.advance(0s);
    const auto before = allocations::live_bytes();
    for (TestConnection& each : stalled) {
        static_cast<void>(each.response());
        each.send(get_request("/large"));
    }
    client.advance(1s);
    CHECK((allocations::live_bytes() - before) / count < 64 * 1024 + 8 * 1024);
    CHECK(client.get("/plain").body == "plain");
}

TEST_CASE(
    "streams over sockets: pieces as they are written, a client that leaves, and a clean end at a stop") {
    std::atomic<int> open{0};
    const int count = is_sanitized ? 50 : 300;
    with_server(
        [&](Engine& app) {
            add_streams(app);
            app.get("/open", [&](Context& ctx) -> Task<> {
                const sake::detail::AtExit ended([&]() noexcept { --open; });
                ++open;
                BodyWriter out = ctx.stream("text/plain");
                co_await out.write("a");
                co_await sake::sleep(1h);
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/count/3") + get_request("/plain"));
            CHECK(client.read_response().body == "0\n1\n2\n");
            CHECK(client.read_response().body == "plain");
            RawClient leaves = server.connect();
            leaves.send(get_request("/open"));
            CHECK(eventually([&] { return open == 1; }));
            leaves.reset();
            CHECK(eventually([&] { return open == 0; }));
            std::vector<RawClient> streams;
            for (int i = 0; i < count; ++i) streams.push_back(server.connect());
            for (RawClient& each : streams) each.send(get_request("/open"));
            CHECK(eventually([&] { return open == count; }));
            const auto began = std::chrono::steady_clock::now();
            CHECK(server.stop() == 0);
            if (!is_sanitized) CHECK(std::chrono::steady_clock::now() - began < 3s);
            int clean = 0;
            for (RawClient& each : streams) clean += each.read_response().body == "a" ? 1 : 0;
            CHECK(clean == count);
        },
        quiet_config());
}

TEST_CASE("a large write over a socket is sent as fast as it is read, and arrives whole") {
    const std::string bytes = pattern_bytes(20'000'000);
    with_server(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("application/octet-stream");
                co_await out.write(bytes);
            });
        },
        [&](TestServer& server) {
            RawClient client = RawClient::with_receive_buffer(server.port(), 8 * 1024);
            client.send(get_request("/")).set_deadline(60s);
            CHECK(client.read_response().body == bytes);
        },
        quiet_config());
}

TEST_CASE("a stream that is not read holds up a stop for a second") {
    Engine app(quiet_config());
    const std::string piece = pattern_bytes(50'000);  // one chunk, so no hole
    app.get("/large", [&](Context& ctx) -> Task<> {
        BodyWriter out = ctx.stream("text/plain");
        for (;;) co_await out.write(piece);
    });
    TestClient client(app);
    TestConnection stalled = client.connect(1000);
    TestConnection slow = client.connect(10'000);
    for (TestConnection* each : {&stalled, &slow}) each->send(get_request("/large"));
    client.advance(2s);
    app.stop();
    std::string all;
    for (int i = 0; i < 8; ++i) {
        all += slow.receive_now();
        client.advance(100ms);
    }
    CHECK(all.ends_with("0\r\n\r\n"));
    client.advance(300ms);
    CHECK_THROWS(static_cast<void>(stalled.receive_all()));
    CHECK(client.stop() == 0);
}

TEST_CASE("streams over every poller: a slow reader, an echo, and a stop in the middle") {
    on_every_poller([](const sake::Config& config) {
        const std::string bytes = pattern_bytes(5'000'000);
        with_server(
            [&](Engine& app) {
                add_streams(app);
                app.get("/large", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("application/octet-stream");
                    co_await out.write(bytes);
                });
                app.post("/echo",
                         [](Context& ctx) -> Task<> {
                             BodyWriter out = ctx.stream("application/octet-stream");
                             while (const auto part = co_await ctx.read()) co_await out.write(*part);
                         })
                    .stream_body();
            },
            [&](TestServer& server) {
                RawClient slow = RawClient::with_receive_buffer(server.port(), 8 * 1024);
                slow.send(get_request("/large")).set_deadline(60s);
                CHECK(slow.read_response().body == bytes);
                RawClient echo = server.connect();
                for (int i = 0; i < 3; ++i) {
                    const std::string part = bytes.substr(0, 100'000);
                    echo.send(post_request("/echo", part));
                    CHECK(echo.read_response().body == part);
                }
                RawClient ticks = server.connect();
                ticks.send(get_request("/tick"));
                static_cast<void>(ticks.read_some(1));
                CHECK(server.stop() == 0);
            },
            config);
    });
}

TEST_CASE("a send that fails cuts the answer and cancels the handler") {
    std::atomic<int> cancelled{0};
    with_server(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                try {
                    for (;;) {
                        co_await out.write("x");
                        co_await sake::sleep(1ms);
                    }
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                    throw;
                }
            });
        },
        [&](TestServer& server) {
            for (const int error : {EPIPE, ECONNRESET, ENOBUFS}) {
                for (const std::uint64_t nth : {1U, 2U, 5U}) {  // the first has the head
                    CAPTURE(error);
                    CAPTURE(nth);
                    cancelled = 0;
                    RawClient client = server.connect();
                    const ScopedFaults faults(FaultPlan().fail_nth("send", nth, error));
                    client.send(get_request("/"));
                    const std::string all = client.read_until_close();
                    CHECK((nth == 1 ? all.empty() : all.starts_with("HTTP/1.1 200 OK\r\n")));
                    CHECK(all.find("0\r\n\r\n") == std::string::npos);
                    CHECK(eventually([&] { return cancelled == 1; }));
                }
            }
        },
        quiet_config());
}

TEST_CASE("any allocation may fail while an answer is streamed: it is whole, cut, or a 503") {
    const std::string bytes = pattern_bytes(300'000);
    with_server(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         std::size_t size = 0;
                         while (const auto part = co_await ctx.read()) size += part->size();
                         BodyWriter out = ctx.stream("text/plain");
                         co_await out.write(bytes);
                         co_await out.write(std::to_string(size));
                     })
                .stream_body();
        },
        [&](TestServer& server) {
            const std::string body = pattern_bytes(100'000, 7);
            for (const std::uint64_t in_a_row : {1U, 3U, 100'000U}) {
                bool is_clean = false;
                for (std::uint64_t nth = 1; !is_clean; ++nth) {
                    CAPTURE(nth);
                    REQUIRE(nth < 500);
                    RawClient client = server.connect();
                    REQUIRE(client.send(get_request("/_ping")).read_response().body == "pong");
                    std::string all;
                    {
                        const allocations::ScopedFailure failure(nth, in_a_row);
                        try {
                            client.send(post_request("/", body, "Connection: close\r\n"));
                            all = client.read_until_close();
                        } catch (const std::exception&) {
                            // Lost for want of memory, or reset.
                        }
                        is_clean = !failure.fired();
                    }
                    const bool is_whole = all.ends_with("6\r\n100000\r\n0\r\n\r\n");
                    const bool is_cut = !all.ends_with("0\r\n\r\n");
                    REQUIRE((is_whole || is_cut));
                    if (is_clean) REQUIRE(is_whole);
                    REQUIRE(server.ping());
                }
            }
        },
        quiet_config());
}

/// A ClientWait that fails once it waits.
class FailingWait final : public sake::detail::ClientWait {
  public:
    enum class Fails : std::uint8_t { at_once, when_late };
    FailingWait(Fails when, std::string& calls) : when_(when), calls_(calls) {}
    void await_resume() { throw_failure(); }

  private:
    bool try_now() override { return false; }
    sake::detail::TimePoint wake_later() override {
        if (when_ == Fails::at_once) throw std::bad_alloc();
        return sake::Reactor::current()->now();
    }
    void stop_waiting() noexcept override { calls_ += " stopped"; }
    void give_up_rest() noexcept override { calls_ += " given up"; }
    sake::detail::TimePoint be_late() override { throw std::bad_alloc(); }

    const Fails when_;
    std::string& calls_;
};

TEST_CASE("a wait for the client that fails while it listens gives up the rest, before it stops waiting") {
    for (const auto when : {FailingWait::Fails::at_once, FailingWait::Fails::when_late}) {
        CAPTURE(static_cast<int>(when));
        std::string calls;
        const auto wait = [&]() -> Task<> {
            try {
                FailingWait failing(when, calls);
                co_await failing;
            } catch (const std::bad_alloc&) {
                calls += " thrown";
            }
        };
        sake::run_until_complete(wait());
        CHECK(calls == " given up stopped thrown");
    }
}

TEST_CASE("a handler that writes on when there was no memory sends no answer without a head") {
    with_server(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                ctx.set_header("X-Large", std::string(3000, 'h'));
                const std::string piece(15'000, 'x');
                bool is_out_of_memory = false;
                try {
                    co_await out.write(piece);
                } catch (const std::bad_alloc&) {
                    is_out_of_memory = true;
                }
                if (is_out_of_memory) co_await out.write("again");
            });
        },
        [&](TestServer& server) {
            // With the first send refused, the head and what follows it have to be kept, which takes memory.
            for (const bool is_blocked : {false, true}) {
                bool is_clean = false;
                for (std::uint64_t nth = 1; !is_clean; ++nth) {
                    CAPTURE(is_blocked);
                    CAPTURE(nth);
                    REQUIRE(nth < 500);
                    RawClient client = server.connect();
                    REQUIRE(client.send(get_request("/_ping")).read_response().body == "pong");
                    std::string all;
                    {
                        const ScopedFaults faults(is_blocked ? FaultPlan().fail_nth("send", 1, EAGAIN)
                                                             : FaultPlan());
                        const allocations::ScopedFailure failure(nth, 1);
                        try {
                            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                            all = client.read_until_close();
                        } catch (const std::exception&) {
                            // Lost for want of memory, or reset.
                        }
                        is_clean = !failure.fired();
                        if (is_clean) CHECK((faults.fired("send") == 1) == is_blocked);
                    }
                    if (!all.empty()) REQUIRE(all.starts_with("HTTP/1.1 "));
                    if (is_clean) REQUIRE(all.ends_with("x\r\n0\r\n\r\n"));
                    REQUIRE(server.ping());
                }
            }
        },
        quiet_config());
}

}  // namespace test_streams
