// Engine::dashboard: the page, the frames of its feed in virtual time, and who may see them.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_dashboard {

using namespace std::chrono_literals;
using harness::with_client;
using sake::Context;
using sake::Engine;
using sake::Json;
using sake::Task;
using sake::TestClient;
using sake::TestEvents;
using sake::TestResponse;
using sake::http::Headers;

namespace {

constexpr const char* feed = "/_sake/events";

Headers local() { return {{"Host", "localhost:8080"}}; }
/// The fields of a local request, and these.
Headers local_with(std::initializer_list<std::pair<std::string_view, std::string_view>> more) {
    Headers fields = local();
    for (const auto& [name, value] : more) fields.add(name, value);
    return fields;
}

bool has(const TestResponse& response, std::string_view text) {
    return response.body.find(text) != std::string::npos;
}
std::string between(std::string_view text, std::string_view begin, std::string_view end) {
    const std::size_t first = text.find(begin) + begin.size();
    return std::string(text.substr(first, text.find(end, first) - first));
}

Json next_frame(TestEvents& events) {
    const auto event = events.next();
    REQUIRE(event);
    return sake::parse_json(event->data);
}
/// What a frame says of a route; null if it is not there.
Json route_in(const Json& frame, std::string_view pattern) {
    for (const Json& route : frame["routes"]) {
        if (route["pattern"] == pattern) return route;
    }
    return nullptr;
}

/// A server whose clients say where they come from, since those of a TestClient are all at 127.0.0.1.
void add_dashboard_of_anywhere(Engine& app) {
    app.use([](Context& ctx) {
        if (ctx.header("X-Peer").empty()) return;
        auto& peer = sake::detail::Call::of(ctx).place.peer;
        peer = {};
        if (ctx.header("X-Peer") != "unix") peer = *sake::detail::PeerAddress::parse(ctx.header("X-Peer"));
    });
    app.dashboard("/_sake");
}

const auto let_friends_pass = [](Context& ctx) {
    if (ctx.header("X-Friend") != "yes") ctx.abort(401);
};

/// What throws, as the words of its std::logic_error; "" if nothing does.
template <class F>
std::string refused(F f) {
    try {
        f();
    } catch (const std::logic_error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

// --- The page ---

TEST_CASE("the page comes out of the program as one text, with a slash at the end of its path or without") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    const TestResponse page = client.get("/_sake", local());
                    CHECK(page.status == 200);
                    CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
                    CHECK(page.header("Cache-Control") == "no-store");
                    CHECK(page.body.starts_with("<!DOCTYPE html>\n"));
                    CHECK(page.body.ends_with("</html>\n"));
                    CHECK(page.body.size() < 21 * 1024);
                    CHECK(client.get("/_sake/", local()).body == page.body);
                    CHECK(client.head("/_sake", local()).status == 200);
                    CHECK(client.post("/_sake", "", local()).status == 405);
                    CHECK(client.post(feed, "", local()).header("Allow") == "GET, HEAD, OPTIONS");
                    CHECK(client.get("/_sake/page.js", local()).status == 404);
                });
}

TEST_CASE("the policy of the page lets its own script and style run, and nothing else") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    const TestResponse page = client.get("/_sake", local());
                    const auto hash_of = [&](std::string_view tag) {
                        const std::string name(tag);
                        const std::string text = between(page.body, "<" + name + ">", "</" + name + ">");
                        CHECK(text.size() > 1000);
                        return "'sha256-" + sake::base64_encode(sake::detail::Sha256::digest(text)) + "'";
                    };
                    CHECK(page.header("Content-Security-Policy") ==
                          "default-src 'none'; script-src " + hash_of("script") + "; style-src " +
                              hash_of("style") +
                              "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                              "frame-ancestors 'none'");
                    CHECK(page.header("X-Content-Type-Options") == "nosniff");
                    CHECK(page.header("Cross-Origin-Resource-Policy") == "same-origin");
                });
}

TEST_CASE("middleware of the engine stands in front of it, and leaves its policy as it is") {
    with_client(
        [](Engine& app) {
            app.use(sake::middleware::security_headers());
            app.use(sake::middleware::etag());
            app.use([](Context& ctx) {
                if (ctx.header("X-Refused") == "yes") ctx.abort(429);
            });
            app.dashboard("/_sake");
        },
        [](TestClient& client) {
            const TestResponse page = client.get("/_sake", local());
            CHECK(page.header("Content-Security-Policy")
                      .starts_with("default-src 'none'; script-src 'sha256-"));
            CHECK(page.header("X-Frame-Options") == "DENY");
            CHECK(page.header("Cache-Control") == "no-store");
            CHECK(client.get("/_sake", local_with({{"X-Refused", "yes"}})).status == 429);
            CHECK(client.get(feed, local_with({{"X-Refused", "yes"}})).status == 429);
            TestEvents events = client.events(feed, local());
            CHECK(next_frame(events)["total"]["count"] == 0);
        });
}

TEST_CASE("the page names no outside address, has no inline code, and writes no markup") {
    with_client(
        [](Engine& app) { app.dashboard("/_sake"); },
        [](TestClient& client) {
            TestResponse page = client.get("/_sake", local());
            const std::string svg = "http://www.w3.org/2000/svg";  // the name of a language
            page.body.erase(page.body.find(svg), svg.size());
            for (const char* const text :
                 {"http://", "https://", "//cdn", "@import", "url(", "innerHTML", "outerHTML",
                  "insertAdjacentHTML", "document.write", "eval(", "new Function", "style=", " onclick"}) {
                INFO(text);
                CHECK_FALSE(has(page, text));
            }
        });
}

TEST_CASE("a dashboard may be at the root, behind a parameter, and at a path that is known at run time") {
    for (const char* const path : {"/", "/:tenant/_sake", "/a/b/"}) {
        INFO(path);
        with_client([&](Engine& app) { app.dashboard(sake::runtime(path)); },
                    [&](TestClient& client) {
                        std::string base = path == std::string_view("/:tenant/_sake") ? "/one/_sake/" : path;
                        CHECK(client.get(base, local()).status == 200);
                        TestEvents events = client.events(base + "events", local());
                        CHECK(route_in(next_frame(events), "/_ping")["count"] == 0);
                    });
    }
}

// --- The frames ---

TEST_CASE("a frame comes at once and then each second, with rates and percentiles of that second") {
    with_client(
        [](Engine& app) {
            app.get("/plain", [] { return "plain"; });
            app.get("/slow", [](Context& ctx) -> Task<> {
                co_await sake::sleep(200ms);
                ctx.text("slow");
            });
            app.post("/bad", [](Context& ctx) { ctx.status(500); });
            app.any("/any", [] {});
            app.dashboard("/_sake");
        },
        [](TestClient& client) {
            client.get("/plain");
            TestEvents events = client.events(feed, local());
            CHECK(events.status() == 200);
            CHECK(events.header("Cache-Control") == "no-store");
            Json frame = next_frame(events);
            CHECK(frame["version"] == sake::version);
            CHECK(frame["uptime"] == 0.0);
            CHECK(frame["total"]["count"] == 1);
            CHECK(frame["total"]["rate"].is_null());
            CHECK(route_in(frame, "/plain")["count"] == 1);
            CHECK(route_in(frame, "/plain")["rate"].is_null());
            CHECK(route_in(frame, "/plain")["p50"].is_null());
            CHECK(route_in(frame, "/any")["method"] == "ANY");

            for (int i = 0; i < 20; ++i) client.get("/plain");
            client.get("/slow");
            client.get("/slow");
            for (int i = 0; i < 3; ++i) client.post("/bad", "");
            frame = next_frame(events);
            CHECK(frame["uptime"] == 1.0);
            CHECK(frame["total"]["count"] == 26);
            CHECK(frame["total"]["rate"] == 25.0);
            CHECK(frame["total"]["errors"] == 3);
            const Json plain = route_in(frame, "/plain");
            CHECK(plain["method"] == "GET");
            CHECK(plain["rate"] == 20.0);
            CHECK(plain["count"] == 21);
            CHECK(plain["p99"].get<double>() <= 0.00001);
            const Json slow = route_in(frame, "/slow");
            CHECK(slow["rate"] == 2.0);
            CHECK(slow["p50"].get<double>() > 0.15);
            CHECK(slow["p99"].get<double>() <= 0.25);
            CHECK(route_in(frame, "/bad")["errors"] == 3);
            CHECK(route_in(frame, "/bad")["rate"] == 3.0);

            frame = next_frame(events);  // a second without a request
            CHECK(frame["uptime"] == 2.0);
            CHECK(frame["total"]["rate"] == 0.0);
            CHECK(frame["total"]["p99"].is_null());
            CHECK(frame["total"]["errors"] == 3);
            CHECK(route_in(frame, "/slow")["rate"] == 0.0);
            CHECK(route_in(frame, "/slow")["p50"].is_null());
            CHECK(route_in(frame, "/slow")["count"] == 2);
        });
}

TEST_CASE(
    "requests without a route are one line, whatever their methods and paths, and only once they come") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    TestEvents events = client.events(feed, local());
                    CHECK(route_in(next_frame(events), "unmatched").is_null());
                    for (int i = 0; i < 100; ++i) client.get("/wp-" + std::to_string(i));
                    client.request("INVENTED", "/<script>");
                    const Json frame = next_frame(events);
                    CHECK(frame["routes"].size() == 2);
                    CHECK(route_in(frame, "unmatched")["method"] == "");
                    CHECK(route_in(frame, "unmatched")["count"] == 101);
                });
}

TEST_CASE("the routes of the dashboard are not among its figures, and not in the description of the API") {
    with_client(
        [](Engine& app) {
            app.dashboard("/_sake");
            CHECK(app.openapi_document({.title = "t", .version = "1"}).find("_sake") == std::string::npos);
        },
        [](TestClient& client) {
            for (int i = 0; i < 5; ++i) client.get("/_sake", local());
            client.get("/_sake");
            TestEvents events = client.events(feed, local());
            const Json frame = next_frame(events);
            CHECK(frame["total"]["count"] == 0);
            CHECK(frame["routes"].size() == 1);
            CHECK(frame["routes"][0]["pattern"] == "/_ping");
            CHECK(frame["slow"].empty());
        });
}

TEST_CASE("the slowest requests are there, the slowest first, without path, query and body") {
    with_client(
        [](Engine& app) {
            app.get("/wait/:milliseconds", [](Context& ctx, int milliseconds) -> Task<> {
                co_await sake::sleep(std::chrono::milliseconds(milliseconds));
                if (milliseconds == 700) throw std::runtime_error("secret words");
                ctx.text("done");
            });
            app.dashboard("/_sake");
        },
        [](TestClient& client) {
            for (const char* const target :
                 {"/wait/300?token=hidden", "/wait/700", "/wait/500", "/wait/40000"}) {
                client.get(target);
            }
            TestEvents events = client.events(feed, local());
            const auto event = events.next();
            REQUIRE(event);
            const Json slow = sake::parse_json(event->data)["slow"];
            REQUIRE(slow.size() == 4);
            CHECK(slow[0]["seconds"].get<double>() >= 30.0);
            CHECK(slow[0]["status"] == 504);
            CHECK(slow[0]["cause"] == "timeout");
            CHECK(slow[1]["seconds"] == 0.7);
            CHECK(slow[1]["status"] == 500);
            CHECK(slow[1]["cause"] == "error");
            CHECK(slow[2]["seconds"] == 0.5);
            CHECK(slow[3]["route"] == "/wait/:milliseconds");
            CHECK(slow[3]["method"] == "GET");
            // Time begins at 2026-01-01 00:00 UTC.
            CHECK(slow[3]["at"].get<double>() == doctest::Approx(1767225600.3).epsilon(1e-12));
            for (const char* const word : {"hidden", "token", "secret", "/wait/300"}) {
                CHECK(event->data.find(word) == std::string::npos);
            }
        });
}

TEST_CASE("connections are there by what they are at, and the memory that they hold") {
    with_client(
        [](Engine& app) {
            app.ws("/ws", [](sake::WebSocket& ws) -> Task<> { co_await ws.receive(); });
            app.dashboard("/_sake");
        },
        [](TestClient& client) {
            const sake::TestWebSocket socket = client.websocket("/ws");
            const auto idle = harness::connections_of(client, 2, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            const auto reading = harness::connections_of(client, 3, "GET / HT");
            TestEvents events = client.events(feed, local());
            const Json frame = next_frame(events);
            CHECK(frame["connections"] == Json{{"open", 7},
                                               {"idle", 2},
                                               {"reading", 3},
                                               {"handling", 0},
                                               {"writing", 0},
                                               {"streaming", 1},
                                               {"websocket", 1},
                                               {"closing", 0}});
            CHECK(frame["memory"]["held"].get<int>() > 0);
            CHECK(frame["memory"]["limit"] == sake::Config().max_buffered);
        });
}

TEST_CASE("a limit that is none is 0") {
    constexpr auto none = std::numeric_limits<std::size_t>::max();
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    TestEvents events = client.events(feed, local());
                    CHECK(next_frame(events)["memory"]["limit"] == 0);
                },
                harness::quiet_config().with_max_buffered(none));
}

TEST_CASE("what workers run is there, by its route and for how long") {
    std::atomic<int> begun{0};
    std::atomic<bool> may_end{false};
    with_client(
        [&](Engine& app) {
            app.get("/work/:n",
                    [&](Context& ctx) {
                        ++begun;
                        while (!may_end) std::this_thread::yield();
                        ctx.text("done");
                    })
                .worker();
            app.dashboard("/_sake");
        },
        [&](TestClient& client) {
            // Nothing here waits for the worker, or time would stand still until it is given up on.
            auto working = client.connect();
            working.send("GET /work/1 HTTP/1.1\r\nHost: a\r\n\r\n");
            auto other = client.connect();
            other.send("GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n");
            CHECK(other.response().body == "pong");
            CHECK(harness::eventually([&] { return begun == 1; }));
            {
                TestEvents events = client.events(feed, local());
                const Json workers = next_frame(events)["workers"];
                CHECK(workers["threads"] == 2);
                CHECK(workers["busy"] == 1);
                CHECK(workers["queued"] == 0);
                CHECK(workers["limit"] == 7);
                REQUIRE(workers["running"].size() == 1);
                CHECK(workers["running"][0]["route"] == "GET /work/:n");
                CHECK(workers["running"][0]["seconds"].get<double>() >= 0);
            }
            may_end = true;
            CHECK(working.response().body == "done");
            TestEvents events = client.events(feed, local());
            CHECK(next_frame(events)["workers"]["running"].empty());
        },
        harness::quiet_config().with_worker_pool_size(2).with_worker_queue_limit(7));
}

TEST_CASE("a pattern stands in a frame as it is, whatever is in it") {
    const std::string hostile = "/'\"&amp;\u2028$x//--!";
    with_client(
        [&](Engine& app) {
            app.get(sake::runtime(hostile), [] {});
            app.dashboard("/_sake");
        },
        [&](TestClient& client) {
            TestEvents events = client.events(feed, local());
            CHECK(route_in(next_frame(events), hostile)["count"] == 0);
        });
}

// --- The feed ---

TEST_CASE("one frame is made for all viewers, and one who comes in between sees the last") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    TestEvents one = client.events(feed, local());
                    const auto first = one.next();
                    client.advance(400ms);
                    TestEvents other = client.events(feed, local());
                    const auto same = other.next();
                    REQUIRE((first && same));
                    CHECK(same->data == first->data);
                    client.advance(600ms);  // both are due at once
                    const auto second = one.next_now();
                    const auto of_other = other.next_now();
                    REQUIRE((second && of_other));
                    CHECK(sake::parse_json(second->data)["uptime"] == 1.0);
                    CHECK(of_other->data == second->data);
                    one.close();
                    CHECK(next_frame(other)["uptime"] == 2.0);
                });
}

TEST_CASE("so many viewers at a time have a place, and the next one is told to come again") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    std::vector<TestEvents> viewers;
                    for (int i = 0; i < sake::detail::most_dashboard_viewers; ++i) {
                        viewers.push_back(client.events(feed, local()));
                        CHECK(viewers.back().status() == 200);
                    }
                    CHECK(viewers.size() == 16);
                    const TestResponse late = client.get(feed, local());
                    CHECK(late.status == 503);
                    CHECK(late.header("Retry-After") == "10");
                    CHECK(client.head(feed, local()).status == 503);
                    viewers.pop_back();
                    client.advance(0s);
                    CHECK(client.head(feed, local()).status == 200);
                    TestEvents again = client.events(feed, local());
                    CHECK(again.next());
                    CHECK(client.get(feed, local()).status == 503);
                });
}

TEST_CASE("while nobody watches, nothing runs and nothing is kept") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    const auto watch = [&] {
                        TestEvents events = client.events(feed, local());
                        for (int i = 0; i < 3; ++i) CHECK(events.next());
                        events.close();
                        client.advance(0s);
                    };
                    watch();
                    watch();
                    const auto kept = harness::allocations::live_bytes();
                    watch();
                    CHECK(harness::allocations::live_bytes() == kept);
                    const auto before = harness::allocations::by_this_thread();
                    client.advance(1h);
                    CHECK(harness::allocations::by_this_thread() == before);
                    // What comes first after an hour is not of that hour.
                    TestEvents events = client.events(feed, local());
                    CHECK(next_frame(events)["total"]["rate"].is_null());
                });
}

TEST_CASE("a viewer who is slow gets the present frame, and holds nobody up") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    auto slow = client.connect(256);
                    slow.send("GET /_sake/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
                    TestEvents events = client.events(feed, local());
                    for (int second = 0; second < 5; ++second) {
                        CHECK(next_frame(events)["uptime"] == static_cast<double>(second));
                    }
                    slow.close();
                });
}

TEST_CASE("at a stop the feed ends in order") {
    with_client([](Engine& app) { app.dashboard("/_sake"); },
                [](TestClient& client) {
                    TestEvents events = client.events(feed, local());
                    CHECK(events.next());
                    CHECK(client.stop() == 0);
                    while (events.next()) {
                    }
                    CHECK(events.has_ended());
                });
}

TEST_CASE("figures begin anew when the engine runs again") {
    Engine app(harness::quiet_config());
    app.get("/", [] { return "x"; });
    app.dashboard("/_sake");
    for (int run = 0; run < 2; ++run) {
        TestClient client(app);
        client.get("/");
        TestEvents events = client.events(feed, local());
        Json frame = next_frame(events);
        CHECK(frame["uptime"] == 0.0);
        CHECK(frame["total"]["count"] == 1);
        CHECK(frame["total"]["rate"].is_null());
        client.get("/");
        frame = next_frame(events);
        CHECK(frame["total"]["count"] == 2);
        CHECK(frame["total"]["rate"] == 1.0);
    }
}

// --- Who may see it ---

TEST_CASE("without a guard, it is for clients on this machine that ask for this machine, and directly") {
    struct Case {
        const char* peer;
        const char* host;
        const char* field;
        int status;
    };
    constexpr Case cases[] = {
        {"127.0.0.1", "localhost", "", 200},
        {"127.0.0.1", "LocalHost:8080", "", 200},
        {"127.9.8.7", "127.0.0.1", "", 200},
        {"127.0.0.1", "127.1.2.3:80", "", 200},
        {"::1", "[::1]:8080", "", 200},
        {"::1", "[0:0:0:0:0:0:0:1]", "", 200},
        {"::ffff:127.0.0.1", "[::ffff:127.0.0.1]", "", 200},
        {"unix", "localhost", "", 200},
        // From elsewhere.
        {"128.0.0.1", "localhost", "", 403},
        {"126.255.255.255", "localhost", "", 403},
        {"10.0.0.1", "localhost", "", 403},
        {"192.168.1.2", "127.0.0.1", "", 403},
        {"::2", "localhost", "", 403},
        {"::", "localhost", "", 403},
        {"fe80::1", "localhost", "", 403},
        {"::ffff:10.0.0.1", "localhost", "", 403},
        // A name that a stranger has given this address.
        {"127.0.0.1", "evil.example", "", 403},
        {"127.0.0.1", "localhost.evil.example", "", 403},
        {"127.0.0.1", "evil-localhost", "", 403},
        {"127.0.0.1", "127.0.0.1.evil.example", "", 403},
        {"127.0.0.1", "0.0.0.0", "", 403},
        {"127.0.0.1", "[::]", "", 403},
        {"127.0.0.1", "10.0.0.1", "", 403},
        {"unix", "evil.example", "", 403},
        {"unix", "unix", "", 403},
        // By way of a proxy.
        {"127.0.0.1", "localhost", "Forwarded", 403},
        {"127.0.0.1", "localhost", "forwarded", 403},
        {"127.0.0.1", "localhost", "X-Forwarded-For", 403},
        {"127.0.0.1", "localhost", "x-forwarded-proto", 403},
        {"127.0.0.1", "localhost", "X-FORWARDED-HOST", 403},
        {"127.0.0.1", "localhost", "X-Forwarded-Whatever", 403},
        {"127.0.0.1", "localhost", "X-Real-IP", 403},
        {"127.0.0.1", "localhost", "Via", 403},
        {"127.0.0.1", "localhost", "CDN-Loop", 403},
        {"127.0.0.1", "localhost", "cf-connecting-ip", 403},
        {"127.0.0.1", "localhost", "True-Client-IP", 403},
        {"127.0.0.1", "localhost", "X-Client-IP", 403},
        {"127.0.0.1", "localhost", "Fly-Client-IP", 403},
        {"127.0.0.1", "localhost", "X-Envoy-External-Address", 403},
        {"127.0.0.1", "localhost", "X-Original-Forwarded-For", 403},
        {"unix", "localhost", "X-Forwarded-For", 403},
        {"127.0.0.1", "localhost", "X-Forwarded", 200},
        {"127.0.0.1", "localhost", "Viable", 200},
    };
    with_client(add_dashboard_of_anywhere, [&](TestClient& client) {
        for (const Case& each : cases) {
            CAPTURE(each.peer);
            CAPTURE(each.host);
            CAPTURE(each.field);
            Headers fields{{"Host", each.host}, {"X-Peer", each.peer}};
            if (*each.field != '\0') fields.add(each.field, "127.0.0.1");
            CHECK(client.get("/_sake", fields).status == each.status);
            CHECK(client.get("/_sake/", fields).status == each.status);
            CHECK(client.head(feed, fields).status == each.status);
        }
    });
}

TEST_CASE("without a guard, it is not for HTTP/1.0, which old proxies speak") {
    with_client(add_dashboard_of_anywhere, [](TestClient& client) {
        const auto status = [&](std::string_view version) {
            sake::TestConnection connection = client.connect();
            connection.send("GET /_sake/ HTTP/" + std::string(version) +
                            "\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n");
            return connection.response().status;
        };
        CHECK(status("1.1") == 200);
        CHECK(status("1.0") == 403);
        // On one connection, each request counts by itself.
        sake::TestConnection connection = client.connect();
        connection.send("GET /_sake/ HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
        const TestResponse refused = connection.response();
        CHECK(refused.status == 403);
        CHECK(has(refused, "this request speaks HTTP/1.0, as proxies do; to show it"));
        connection.send("GET /_sake/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK(connection.response().status == 200);
    });
}

TEST_CASE("a refusal says why, and what to do") {
    with_client(add_dashboard_of_anywhere, [](TestClient& client) {
        const auto words = [&](const Headers& fields) {
            return client.get("/_sake", fields).json()["detail"].get<std::string>();
        };
        const std::string cure =
            "; to show it to others, give it a guard: app.dashboard(path, sake::middleware::basic_auth(...))";
        const std::string begin = "the dashboard is for this machine alone: this request ";
        CHECK(words(local_with({{"X-Peer", "10.0.0.1"}})) == begin + "comes from another one" + cure);
        CHECK(words(local_with({{"X-Forwarded-For", "::1"}})) ==
              begin + "has come through a proxy (X-Forwarded-For)" + cure);
        CHECK(words({{"Host", "evil.example"}}) == begin + "is for another host than localhost" + cure);
    });
}

TEST_CASE("trusted proxies make nobody local") {
    with_client(
        [](Engine& app) {
            app.use(sake::middleware::trusted_proxies({"127.0.0.1"}, {.use_host = true}));
            app.dashboard("/_sake");
        },
        [](TestClient& client) {
            CHECK(client.get("/_sake", local()).status == 200);
            CHECK(client
                      .get("/_sake", {{"Host", "a.example"},
                                      {"X-Forwarded-For", "127.0.0.1"},
                                      {"X-Forwarded-Host", "localhost"}})
                      .status == 403);
        });
}

TEST_CASE("with a guard, it is for whoever the guard lets pass, from wherever") {
    with_client(
        [](Engine& app) { app.dashboard("/_sake", let_friends_pass); },
        [](TestClient& client) {
            for (const char* const path : {"/_sake", "/_sake/", feed}) {
                INFO(path);
                CHECK(client.head(path, local()).status == 401);
                CHECK(client.head(path, {{"Host", "a.example"}, {"X-Forwarded-For", "1.2.3.4"}}).status ==
                      401);
                const Headers friendly{
                    {"Host", "a.example"}, {"X-Forwarded-For", "1.2.3.4"}, {"X-Friend", "yes"}};
                CHECK(client.head(path, friendly).status == 200);
            }
            TestEvents events = client.events(feed, {{"X-Friend", "yes"}});
            CHECK(next_frame(events)["total"]["count"] == 0);
        });
}

TEST_CASE("middleware of Sake's own, and a coroutine, can be the guard") {
    const auto check = [](std::string_view user, std::string_view password) {
        return user == "ops" && sake::equal_in_constant_time(password, "rice");
    };
    with_client(
        [&](Engine& app) {
            app.dashboard("/_sake", sake::middleware::basic_auth("operations", check));
            app.dashboard("/other", [](Context& ctx) -> Task<> {
                co_await sake::sleep(10ms);
                if (ctx.header("X-Friend") != "yes") throw sake::HttpError(403, "friends only");
                co_await ctx.next();
            });
        },
        [](TestClient& client) {
            CHECK(client.get("/_sake").header("WWW-Authenticate").starts_with("Basic realm="));
            CHECK(client.get("/_sake", {{"Authorization", "Basic b3BzOnJpY2U="}}).status == 200);
            TestEvents events = client.events(feed, {{"Authorization", "Basic b3BzOnJpY2U="}});
            CHECK(route_in(next_frame(events), "/other").is_null() == false);
            CHECK(client.get("/other").status == 403);
            CHECK(client.get("/other", {{"X-Friend", "yes"}}).status == 200);
        });
}

TEST_CASE("a page of another site can neither read the feed nor use up its places") {
    struct Case {
        const char* site;
        const char* origin;
        int status;
    };
    constexpr Case cases[] = {
        {"", "", 200},
        {"same-origin", "", 200},
        {"none", "", 200},
        {"same-site", "", 403},
        {"cross-site", "", 403},
        {"cross-site", "http://localhost:8080", 403},
        {"nonsense", "", 403},
        {"", "http://localhost:8080", 200},
        {"", "http://localhost:9090", 403},
        {"", "https://evil.example", 403},
        {"", "null", 403},
    };
    with_client(
        [](Engine& app) {
            app.use(sake::middleware::cors({.origins = {"https://evil.example", "http://localhost:9090"}}));
            app.dashboard("/_sake");
        },
        [&](TestClient& client) {
            for (const Case& each : cases) {
                CAPTURE(each.site);
                CAPTURE(each.origin);
                Headers fields = local();
                if (*each.site != '\0') fields.add("Sec-Fetch-Site", each.site);
                if (*each.origin != '\0') fields.add("Origin", each.origin);
                CHECK(client.head(feed, fields).status == each.status);
                CHECK(client.get("/_sake", fields).status == 200);  // a link may lead to the page
            }
            CHECK(client
                      .head(feed, local_with(
                                      {{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "same-origin"}}))
                      .status == 403);
        });
}

TEST_CASE("an engine that listens to others does not run with a dashboard that has no guard") {
    for (const char* const address : {"0.0.0.0:0", ":0"}) {
        INFO(address);
        Engine app(harness::quiet_config());
        app.dashboard("/_sake");
        app.listen("127.0.0.1:0").listen(address);
        const std::string words = refused([&] { app.run(); });
        CHECK(
            words.starts_with("dashboard: it has no guard, so it is for this machine alone, but the engine "
                              "listens on port "));
        CHECK(
            words.ends_with(" for others: listen on 127.0.0.1, or give it a guard: app.dashboard(path, "
                            "sake::middleware::basic_auth(...))"));
        CHECK(refused([&] { app.run(); }) == words);
    }
}

TEST_CASE("it runs where only this machine reaches it, or with a guard") {
    Engine local_one(harness::quiet_config());
    local_one.dashboard("/_sake");
    local_one.on_start([&] { local_one.stop(); });
    local_one.listen("127.0.0.1:0").listen("localhost:0");
    CHECK(local_one.run() == 0);
    Engine guarded(harness::quiet_config());
    guarded.dashboard("/_sake", let_friends_pass);
    guarded.on_start([&] { guarded.stop(); });
    guarded.listen(":0");
    CHECK(guarded.run() == 0);
}

TEST_CASE("while it runs without a guard, it listens to nobody else") {
    harness::with_server([](Engine& app) { app.dashboard("/_sake"); },
                         [](harness::TestServer& server) {
                             CHECK(server.get("/_ping").body == "pong");
                             CHECK(refused([&] {
                                       server.app().listen("0.0.0.0:0");
                                   }).starts_with("dashboard: it has no guard"));
                             server.app().listen("127.0.0.1:0");
                             CHECK(server.get("/_ping").body == "pong");
                         });
}

TEST_CASE("a dashboard is registered before the engine runs, and once at a path") {
    Engine app(harness::quiet_config());
    app.dashboard("/_sake");
    CHECK_THROWS_AS(app.dashboard("/_sake"), std::invalid_argument);
    const TestClient client(app);
    CHECK_THROWS_AS(app.dashboard("/other"), std::logic_error);
}

}  // namespace test_dashboard
