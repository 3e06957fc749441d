#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/faults.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_middleware {

using namespace harness;
using sake::Context;
using sake::Json;
using sake::Task;

namespace {

/// Appends to the request's trace, which the answer carries in its X-Trace field.
void mark(Context& ctx, std::string_view text) {
    std::string trace = ctx.get("trace").is_null() ? "" : ctx.get<std::string>("trace");
    trace.append(trace.empty() ? "" : " ").append(text);
    ctx.set("trace", trace);
    ctx.set_header("X-Trace", trace);
}

auto plain(const char* name) {
    return [name](Context& ctx) { mark(ctx, name); };
}
auto onion(std::string name) {
    return [name](Context& ctx) -> Task<> {
        mark(ctx, name + "<");
        co_await ctx.next();
        mark(ctx, ">" + name);
    };
}
auto coroutine(const char* name) {
    return [name](Context& ctx) -> Task<> {
        co_await sake::yield();
        mark(ctx, name);
    };
}

sake::Config silent() {
    return {.log = [](sake::LogLevel, std::string_view) {}};
}

std::string trace_of(const TestServer& server, std::string_view path) {
    return server.get(path).header("X-Trace");
}

}  // namespace

TEST_CASE("plain middleware runs in the order added, before the handler") {
    with_server(
        [](sake::Engine& app) {
            app.use(plain("1")).use(plain("2"));
            app.get("/", plain("handler"));
            app.get("/later", coroutine("handler"));
            app.use(plain("3"));
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/") == "1 2 3 handler");
            CHECK(trace_of(server, "/later") == "1 2 3 handler");
            CHECK(trace_of(server, "/nothing") == "1 2 3");
        });
}

TEST_CASE("coroutine middleware wraps the rest like an onion") {
    with_server(
        [](sake::Engine& app) {
            app.use(onion("a")).use(plain("p")).use(onion("b"));
            app.get("/", plain("handler"));
            app.get("/later", coroutine("handler"));
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/") == "a< p b< handler >b >a");
            CHECK(trace_of(server, "/later") == "a< p b< handler >b >a");
            CHECK(trace_of(server, "/nothing") == "a< p b< >b >a");
            CHECK(server.get("/nothing").status == 404);
        });
}

TEST_CASE("a group's middleware runs inside its outer group's, and nowhere else") {
    with_server(
        [](sake::Engine& app) {
            app.use(plain("app"));
            sake::RouterGroup api = app.group("/api");
            sake::RouterGroup admin = api.group("/admin");
            sake::RouterGroup twin = app.group("/api");
            admin.get("/", plain("handler"));
            api.use(onion("api"));
            admin.use(plain("admin")).use(plain("more"));
            api.get("/", plain("handler"));
            twin.get("/twin", plain("handler"));
            app.get("/", plain("handler"));
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/api/admin") == "app api< admin more handler >api");
            CHECK(trace_of(server, "/api") == "app api< handler >api");
            CHECK(trace_of(server, "/api/twin") == "app handler");
            CHECK(trace_of(server, "/") == "app handler");
            CHECK(trace_of(server, "/api/nothing") == "app");
        });
}

TEST_CASE("middleware sees the parameters, and may change the answer afterwards") {
    with_server(
        [](sake::Engine& app) {
            sake::RouterGroup users = app.group("/users");
            users.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                const std::string body(ctx.response().body());
                ctx.set_header("X-Status", std::to_string(ctx.response().status()));
                ctx.text(body + " for " + std::string(ctx.param("id")));
            });
            users.get("/:id", [](Context& ctx) { ctx.status(202).text("answer"); });
        },
        [](TestServer& server) {
            const Response response = server.get("/users/%37");
            CHECK(response.status == 202);
            CHECK(response.body == "answer for 7");
            CHECK(response.header("X-Status") == "202");
        });
}

TEST_CASE("abort keeps what follows from running, in plain and coroutine middleware") {
    with_server(
        [](sake::Engine& app) {
            sake::RouterGroup first = app.group("/plain");
            first.use([](Context& ctx) {
                mark(ctx, "stop");
                ctx.status(401).text("no");
                ctx.abort();
            });
            first.use(plain("never"));
            first.get("/", plain("never"));
            first.get("/later", coroutine("never"));
            sake::RouterGroup second = app.group("/coroutine");
            second.use(onion("out"));
            second.use([](Context& ctx) -> Task<> {
                co_await sake::yield();
                mark(ctx, ctx.is_aborted() ? "wrong" : "stop");
                ctx.status(403).abort();
                co_await ctx.next();
                mark(ctx, ctx.is_aborted() ? "aborted" : "wrong");
            });
            second.get("/", plain("never"));
        },
        [](TestServer& server) {
            for (const char* path : {"/plain", "/plain/later"}) {
                const Response response = server.get(path);
                CHECK(response.status == 401);
                CHECK(response.body == "no");
                CHECK(response.header("X-Trace") == "stop");
            }
            CHECK(server.get("/coroutine").status == 403);
            CHECK(trace_of(server, "/coroutine") == "out< stop aborted >out");
        });
}

TEST_CASE("abort after the rest has run changes nothing") {
    with_server(
        [](sake::Engine& app) {
            app.use(onion("a"));
            app.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                ctx.abort();
            });
            app.get("/", plain("handler"));
        },
        [](TestServer& server) { CHECK(trace_of(server, "/") == "a< handler >a"); });
}

TEST_CASE("coroutine middleware that does not call next is followed by the rest") {
    with_server(
        [](sake::Engine& app) {
            app.use(coroutine("first")).use(onion("o")).use(coroutine("second"));
            app.get("/", plain("handler"));
        },
        [](TestServer& server) { CHECK(trace_of(server, "/") == "first o< second handler >o"); });
}

TEST_CASE("next runs the rest once, however often it is called") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                co_await ctx.next();
                mark(ctx, "twice");
            });
            app.use([](Context& ctx) -> Task<> {
                auto unused = ctx.next();
                mark(ctx, "made, not awaited");
                co_return;
            });
            app.get("/", [](Context& ctx) -> Task<> {
                mark(ctx, "handler");
                co_await ctx.next();
                mark(ctx, "nothing is left");
            });
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/") == "made, not awaited handler nothing is left twice");
        });
}

TEST_CASE("middleware outside sees the answer that an HttpError became") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                ctx.set_header("X-Seen", std::to_string(ctx.response().status()));
            });
            app.use(onion("inner"));
            app.get("/", [](Context&) { throw sake::HttpError(409, "conflict"); });
            app.get("/later", [](Context&) -> Task<> {
                co_await sake::yield();
                throw sake::HttpError(410);
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/").header("X-Seen") == "409");
            CHECK(server.get("/").status == 409);
            CHECK(trace_of(server, "/") == "inner< >inner");
            CHECK(server.get("/later").header("X-Seen") == "410");
        });
}

TEST_CASE("middleware outside sees the answer to any exception, and may change it") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                bool thrown = false;
                try {
                    co_await ctx.next();
                } catch (...) {
                    thrown = true;
                }
                ctx.set_header("X-Seen", thrown ? "an exception" : std::to_string(ctx.response().status()));
                ctx.set_header("X-Error", ctx.error() != nullptr ? "yes" : "no");
                if (ctx.path() == "/changed") ctx.status(502).text("changed");
            });
            const auto fail = [](Context&) { throw std::runtime_error("it"); };
            app.get("/", fail);
            app.get("/changed", fail);
            app.get("/later", [](Context&) -> Task<> {
                co_await sake::yield();
                throw 7;
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/").status == 500);
            CHECK(server.get("/").header("X-Seen") == "500");
            CHECK(server.get("/").header("X-Error") == "yes");
            CHECK(server.get("/nothing").header("X-Error") == "no");
            CHECK(server.get("/later").header("X-Seen") == "500");
            CHECK(server.get("/changed").status == 502);
            CHECK(server.get("/changed").body == "changed");
        },
        silent());
}

TEST_CASE("what follows middleware that threw is not run, whatever the middleware outside does") {
    with_server(
        [](sake::Engine& app) {
            app.use(onion("out"));
            app.use([](Context& ctx) -> Task<> {
                try {
                    co_await ctx.next();
                } catch (...) {
                }
                co_await ctx.next();
            });
            sake::RouterGroup checked = app.group("/checked");
            checked.use([](Context& ctx) {
                mark(ctx, "check");
                if (!ctx.find_header("Authorization")) throw std::runtime_error("nobody comes through here");
            });
            checked.get("/", plain("secret"));
            sake::RouterGroup later = app.group("/later");
            later.use([](Context& ctx) -> Task<> {
                co_await sake::yield();
                mark(ctx, "check");
                throw sake::HttpError(401);
            });
            later.get("/", plain("secret"));
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/checked") == "out< check >out");
            CHECK(server.get("/checked").status == 500);
            CHECK(trace_of(server, "/later") == "out< check >out");
            CHECK(server.get("/later").status == 401);
        },
        silent());
}

TEST_CASE("an exception in middleware is answered like one in a handler") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                ctx.set_header("Access-Control-Allow-Origin", "*");
                if (ctx.path() == "/teapot") throw sake::HttpError(418, "short and stout");
                if (ctx.path() == "/fail") throw std::runtime_error("secret");
            });
            app.get("/fine", [](Context& ctx) { ctx.text("fine"); });
        },
        [](TestServer& server) {
            CHECK(server.get("/teapot").status == 418);
            CHECK(server.get("/teapot").header("Access-Control-Allow-Origin") == "*");
            CHECK(server.get("/fail").status == 500);
            CHECK(server.get("/fail").body.find("secret") == std::string::npos);
            CHECK(server.get("/fine").body == "fine");
        },
        silent());
}

// --- Context::after ---

namespace {

/// What a handler gives to after: marks the answer with a name and the status that it sees.
auto marking(const char* name) {
    return [name](Context& ctx) { mark(ctx, name + std::to_string(ctx.response().status())); };
}

}  // namespace

TEST_CASE("after is called when the answer is made, the last given first, on every kind of chain") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                ctx.after(marking("out"));
                ctx.after(marking("in"));
            });
            const auto handle = [](Context& ctx) {
                ctx.after(marking("handler"));
                ctx.text(201, "made");
            };
            app.get("/plain", handle);
            app.get("/later", [handle](Context& ctx) -> Task<> {
                co_await sake::yield();
                handle(ctx);
                co_await sake::yield();
            });
            app.get("/fails", [](Context& ctx) {
                ctx.after(marking("handler"));
                throw sake::HttpError(418);
            });
            app.get("/fails-later", [](Context& ctx) -> Task<> {
                ctx.after(marking("handler"));
                co_await sake::yield();
                throw sake::HttpError(418);
            });
            app.get("/cancelled", [](Context& ctx) -> Task<> {
                ctx.after(marking("handler"));
                co_await sake::yield();
                throw sake::Cancelled();
            });
            app.get("/cancelled-plain", [](Context& ctx) {
                ctx.after(marking("handler"));
                throw sake::Cancelled();
            });
            sake::RouterGroup onions = app.group("/onion");
            onions.use(onion("o"));
            onions.get("/", handle);
            sake::RouterGroup aborted = app.group("/aborted");
            aborted.use([](Context& ctx) { ctx.abort(401); });
            aborted.get("/", handle);
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/plain") == "handler201 in201 out201");
            CHECK(trace_of(server, "/later") == "handler201 in201 out201");
            CHECK(trace_of(server, "/fails") == "handler418 in418 out418");
            CHECK(trace_of(server, "/fails-later") == "handler418 in418 out418");
            CHECK(trace_of(server, "/cancelled") == "handler503 in503 out503");
            CHECK(trace_of(server, "/cancelled-plain") == "handler503 in503 out503");
            CHECK(trace_of(server, "/onion") == "o< >o handler201 in201 out201");
            CHECK(trace_of(server, "/aborted") == "in401 out401");
            CHECK(trace_of(server, "/nothing") == "in404 out404");
            const Response refused =
                round_trip(server.port(), "POST /plain HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            CHECK(refused.status == 405);
            CHECK(refused.header("X-Trace") == "in405 out405");
        });
}

TEST_CASE("after may change the answer, and what it throws is answered like a handler's exception") {
    std::atomic<int> lines{0};
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                ctx.after([](Context& c) { mark(c, "outer" + std::to_string(c.response().status())); });
            });
            const auto add = [&](const std::string& path, auto after) {
                app.get(sake::runtime("/plain" + path), [after](Context& ctx) {
                    ctx.after(after);
                    ctx.text("body");
                });
                app.get(sake::runtime("/later" + path), [after](Context& ctx) -> Task<> {
                    ctx.after(after);
                    co_await sake::yield();
                    ctx.text("body");
                });
            };
            add("/changes", [](Context& ctx) {
                ctx.text(202, std::string(ctx.response().body()) + "!").set_header("X-Set", "yes");
            });
            add("/throws", [](Context&) { throw std::runtime_error("broken"); });
            add("/refuses", [](Context&) { throw sake::HttpError(409, "too late"); });
            add("/again", [](Context& ctx) { ctx.after([](Context& c) { mark(c, "nested"); }); });
        },
        [&](TestServer& server) {
            for (const std::string path : {"/plain", "/later"}) {
                CAPTURE(path);
                const Response changed = server.get(path + "/changes");
                CHECK(changed.status == 202);
                CHECK(changed.body == "body!");
                CHECK(changed.header("X-Set") == "yes");
                CHECK(changed.header("X-Trace") == "outer202");
                CHECK(lines == 0);
                const Response thrown = server.get(path + "/throws");
                CHECK(thrown.status == 500);
                CHECK(thrown.header("Content-Type") == "application/problem+json");
                CHECK(thrown.header("X-Trace") == "outer500");
                CHECK(lines.exchange(0) == 1);
                const Response refused = server.get(path + "/refuses");
                CHECK(refused.status == 409);
                CHECK(Json::parse(refused.body)["detail"] == "too late");
                CHECK(refused.header("X-Trace") == "outer409");
                CHECK(trace_of(server, path + "/again") == "nested outer200");
                CHECK(lines == 0);
            }
        },
        {.log = [&](sake::LogLevel, std::string_view) { ++lines; }});
}

TEST_CASE("after in a worker is called there, that of middleware on the reactor") {
    with_server(
        [](sake::Engine& app) {
            app.use([](Context& ctx) {
                ctx.after([](Context& c) { mark(c, c.in_worker_pool() ? "wrong" : "reactor"); });
            });
            app.get("/plain",
                    [](Context& ctx) {
                        ctx.after([](Context& c) { mark(c, c.in_worker_pool() ? "second" : "wrong"); });
                        ctx.after([](Context& c) {
                            mark(c, "first" + std::to_string(c.response().status()));
                            c.status(202);
                        });
                        ctx.text(201, "made");
                    })
                .worker();
            app.get("/later",
                    [](Context& ctx) -> Task<> {
                        ctx.after([](Context& c) { mark(c, "worker"); });
                        co_await sake::yield();
                        ctx.text(201, "made");
                    })
                .worker();
            app.get("/throws",
                    [](Context& ctx) {
                        ctx.after([](Context&) { throw sake::HttpError(409, "too late"); });
                        ctx.text(201, "made");
                    })
                .worker();
            app.get("/fails",
                    [](Context& ctx) {
                        ctx.after([](Context& c) { mark(c, "never"); });
                        throw sake::HttpError(418);
                    })
                .worker();
        },
        [](TestServer& server) {
            const Response plain = server.get("/plain");
            CHECK(plain.status == 202);
            CHECK(plain.body == "made");
            CHECK(plain.header("X-Trace") == "first201 second reactor");
            CHECK(trace_of(server, "/later") == "worker reactor");
            const Response thrown = server.get("/throws");
            CHECK(thrown.status == 409);
            CHECK(Json::parse(thrown.body)["detail"] == "too late");
            CHECK(thrown.header("X-Trace") == "reactor");
            CHECK(server.get("/fails").status == 418);
            CHECK(trace_of(server, "/fails") == "reactor");
        });
}

TEST_CASE("after is called for a 504, once, and what it holds is gone with the request") {
    std::atomic<int> called{0};
    std::atomic<int> alive{0};
    struct Counted {
        explicit Counted(std::atomic<int>& counter) : count(counter) { ++count; }
        Counted(Counted&& other) noexcept : count(other.count) { ++count; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { --count; }
        std::atomic<int>& count;
    };
    with_server(
        [&](sake::Engine& app) {
            app.use(
                [&](Context& ctx) { ctx.after([&called, held = Counted(alive)](Context&) { ++called; }); });
            app.get("/slow", [](Context&) -> Task<> { co_await sake::sleep(std::chrono::hours(1)); });
            app.get("/stubborn", [](Context&) -> Task<> {
                try {
                    co_await sake::sleep(std::chrono::hours(1));
                } catch (const sake::Cancelled&) {
                }
            });
        },
        [&](TestServer& server) {
            int expected = 0;
            for (const char* path : {"/slow", "/stubborn"}) {
                CHECK(server.get(path).status == 504);
                CHECK(eventually([&] { return alive == 0; }));
                CHECK(called == ++expected);
            }
            CHECK(server.ping());
            CHECK(called == ++expected);
        },
        silent().with_request_timeout(std::chrono::milliseconds(50)));
}

TEST_CASE("after does not break the batching of pipelined answers") {
    std::atomic<int> called{0};
    with_server(
        [&](sake::Engine& app) {
            app.use([&](Context& ctx) { ctx.after([&](Context&) { ++called; }); });
            app.get("/", [](Context& ctx) { ctx.text("plain"); });
        },
        [&](TestServer& server) {
            std::string batch;
            for (int i = 0; i < 16; ++i) batch += get_request("/");
            RawClient client = server.connect();
            for (int round = 0; round < 11; ++round) {
                faults::reset_calls();
                client.send(batch);
                for (int i = 0; i < 16; ++i) REQUIRE(client.read_response().body == "plain");
                if (round == 0) continue;  // a new connection is read from before anything has come
                CHECK(faults::calls("recv") == 1);
                CHECK(faults::calls("send") == 1);
            }
            CHECK(called == 176);
        });
}

// --- Middleware of one route ---

TEST_CASE("a route's own middleware runs inside that of its groups, before the handler") {
    with_server(
        [](sake::Engine& app) {
            sake::RouterGroup api = app.group("/api");
            sake::RouterGroup inner = api.group("/inner");
            inner.get("/", plain("handler")).use(plain("route1")).use(onion("route2"));
            inner.get("/other", plain("handler"));
            api.get("/worker", [](Context& ctx) { mark(ctx, ctx.in_worker_pool() ? "worker" : "wrong"); })
                .worker()
                .use([](Context& ctx) { mark(ctx, ctx.in_worker_pool() ? "wrong" : "route"); });
            app.get("/aborts", plain("never")).use([](Context& ctx) { ctx.abort(403); }).use(plain("never"));
            inner.use(plain("inner"));
            api.use(plain("api"));
            app.use(plain("app"));
        },
        [](TestServer& server) {
            CHECK(trace_of(server, "/api/inner") == "app api inner route1 route2< handler >route2");
            CHECK(trace_of(server, "/api/inner/other") == "app api inner handler");
            CHECK(trace_of(server, "/api/worker") == "app api route worker");
            CHECK(trace_of(server, "/aborts") == "app");
            CHECK(server.get("/aborts").status == 403);
        });
}

TEST_CASE("middleware may do without a context") {
    std::atomic<int> called{0};
    with_server(
        [&](sake::Engine& app) {
            app.use([&] { ++called; });
            app.use([&]() -> Task<> {
                co_await sake::yield();
                ++called;
            });
            app.get("/", [] { return "handler"; }).use([&] { ++called; });
        },
        [&](TestServer& server) {
            CHECK(server.get("/").body == "handler");
            CHECK(called == 3);
        });
}

}  // namespace test_middleware
