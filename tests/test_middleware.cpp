#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

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

TEST_CASE("middleware takes no path parameters") {
    sake::Engine app;
    CHECK_THROWS_AS(app.use([](Context&, int) {}), std::invalid_argument);
    CHECK_THROWS_AS(app.group("/:id").use([](Context&, int) {}), std::invalid_argument);
}

}  // namespace test_middleware
