// TestClient: what it sends and gives back, its connections, its time, its end, and that it leaves nothing.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"

namespace test_test_client {

using namespace harness;
using sake::Context;
using sake::Json;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;
using sake::http::Headers;

namespace {

/// Answers with what came: the method, the target, the body, and a few of the fields.
void add_echo(sake::Engine& app) {
    app.any("/echo", [](Context& ctx) {
        Json seen{{"method", ctx.method()},
                  {"target", ctx.target()},
                  {"host", ctx.header("Host")},
                  {"type", ctx.header("Content-Type")},
                  {"length", ctx.header("Content-Length")},
                  {"x", ctx.header("X-Test")},
                  {"body", ctx.body()}};
        ctx.set_header("X-Seen", "yes");
        ctx.json(200, std::move(seen));
    });
}

void add_big(sake::Engine& app) {
    app.get("/big/:n", [](Context& ctx, std::size_t size) { ctx.text(pattern_bytes(size)); });
}

/// Waits until the client leaves or the time is up, and notes it.
void add_wait(sake::Engine& app, std::string& ends) {
    app.get("/wait", [&ends](Context&) -> Task<> {
        try {
            co_await sake::sleep(1h);
        } catch (const sake::Cancelled&) {
            ends += "cancelled ";
            throw;
        }
        ends += "slept ";
    });
}

/// The seconds since 2026-01-01 in a Date field of that day.
std::string time_of_day(std::string_view date) {
    REQUIRE(date.size() == 29);
    CHECK(date.substr(0, 17) == "Thu, 01 Jan 2026 ");
    return std::string(date.substr(17, 8));
}

}  // namespace

// --- requests ---

TEST_CASE("a request arrives as it was meant, with Host and the length of its body") {
    with_client(add_echo, [](TestClient& client) {
        const auto seen = [](const TestResponse& response) {
            CHECK(response.status == 200);
            CHECK(response.header("X-Seen") == "yes");
            CHECK(response.header("x-seen") == "yes");
            CHECK(response.header("X-None") == "");
            CHECK(response.header("Content-Type") == "application/json");
            CHECK(response.headers.get("Content-Length") == std::to_string(response.body.size()));
            return response.json();
        };
        const auto expect = [](const char* method, const char* body, const char* type, const char* length) {
            return Json{{"method", method}, {"target", "/echo?a=1"}, {"host", "test"},
                        {"type", type},     {"length", length},      {"x", ""},
                        {"body", body}};
        };
        const char* target = "/echo?a=1";
        const char* text = "text/plain; charset=utf-8";
        const char* json = "application/json";
        CHECK(seen(client.get(target)) == expect("GET", "", "", ""));
        CHECK(seen(client.del(target)) == expect("DELETE", "", "", ""));
        CHECK(seen(client.options(target)) == expect("OPTIONS", "", "", ""));
        CHECK(seen(client.post(target, "tea")) == expect("POST", "tea", text, "3"));
        CHECK(seen(client.post(target, "")) == expect("POST", "", text, "0"));
        CHECK(seen(client.post(target, std::string("tea"))) == expect("POST", "tea", text, "3"));
        CHECK(seen(client.post(target, std::string_view("tea"))) == expect("POST", "tea", text, "3"));
        CHECK(seen(client.post(target, Json{{"a", 1}})) == expect("POST", R"({"a":1})", json, "7"));
        CHECK(seen(client.post(target, Json("tea"))) == expect("POST", R"("tea")", json, "5"));
        CHECK(seen(client.put(target, std::vector<int>{1, 2})) == expect("PUT", "[1,2]", json, "5"));
        CHECK(seen(client.put(target, "tea")) == expect("PUT", "tea", text, "3"));
        CHECK(seen(client.patch(target, Json(nullptr))) == expect("PATCH", "null", json, "4"));
        CHECK(seen(client.post(target)) == expect("POST", "", "", "0"));
        CHECK(seen(client.put(target)) == expect("PUT", "", "", "0"));
        CHECK(seen(client.patch(target)) == expect("PATCH", "", "", "0"));
        CHECK(seen(client.post(target, {{"a", 1}})) == expect("POST", R"({"a":1})", json, "7"));
        CHECK(seen(client.put(target, {{"a", "b"}})) == expect("PUT", R"({"a":"b"})", json, "9"));
        CHECK(seen(client.patch(target, {1, 2}, {{"X-Seen", "no"}})) == expect("PATCH", "[1,2]", json, "5"));
        CHECK(seen(client.request("PURGE", target)) == expect("PURGE", "", "", ""));
        CHECK(seen(client.request("GET", target, {}, "tea")) == expect("GET", "tea", "", "3"));
        CHECK(seen(client.request("POST", target)) == expect("POST", "", "", "0"));
    });
}

TEST_CASE("fields of a request go as they are, and take the place of those that would be added") {
    with_client(add_echo, [](TestClient& client) {
        Headers fields;
        fields.add("X-Test", "a");
        fields.add("Host", "example.org:81");
        CHECK(client.get("/echo", fields).json()["x"] == "a");
        CHECK(client.get("/echo", fields).json()["host"] == "example.org:81");
        CHECK(client.post("/echo", "tea", fields).json()["type"] == "text/plain; charset=utf-8");
        fields.add("content-type", "text/csv");
        CHECK(client.post("/echo", "a,b", fields).json()["type"] == "text/csv");
        CHECK(client.put("/echo", Json(1), fields).json()["type"] == "text/csv");
        CHECK(client.patch("/echo", "", fields).json()["x"] == "a");
        CHECK(client.del("/echo", fields).json()["x"] == "a");
        CHECK(client.options("/echo", fields).json()["x"] == "a");
        CHECK(client.head("/echo", fields).status == 200);
    });
}

TEST_CASE("a body may be framed by its own fields") {
    with_client(add_echo, [](TestClient& client) {
        Headers chunked;
        chunked.add("Transfer-Encoding", "chunked");
        const TestResponse response = client.post("/echo", "3\r\ntea\r\n0\r\n\r\n", chunked);
        CHECK(response.json()["body"] == "tea");
        CHECK(response.json()["length"] == "");
        Headers length;
        length.add("content-length", "2");
        CHECK(client.post("/echo", "te", length).json()["body"] == "te");
    });
}

TEST_CASE("what the server refuses is an answer like any other") {
    with_client(
        [](sake::Engine& app) {
            add_echo(app);
            app.get("/throws", [](Context&) { throw std::runtime_error("expected by the test"); });
        },
        [](TestClient& client) {
            CHECK(client.get("/none").status == 404);
            CHECK(client.post("/_ping", "").status == 405);
            CHECK(client.get("no path").status == 400);
            CHECK(client.get("").status == 400);
            CHECK(client.request("GE T", "/").status == 400);
            CHECK(client.get("/throws").status == 500);
            CHECK(client.get("/" + std::string(10'000, 'x')).status == 414);
            // The server answers before it has read the body, which is more than the wire takes at once.
            const TestResponse refused = client.post("/echo", std::string(2'000'000, 'x'));
            CHECK(refused.status == 413);
            CHECK(refused.json()["status"] == 413);
        });
}

TEST_CASE("the answer to HEAD has the fields and no body") {
    with_client(add_big, [](TestClient& client) {
        const TestResponse response = client.head("/big/1000");
        CHECK(response.status == 200);
        CHECK(response.body == "");
        CHECK(response.header("Content-Length") == "1000");
    });
}

TEST_CASE("a body that is no JSON throws when it is asked for as JSON") {
    with_client(
        [](sake::Engine& app) {
            app.get("/text", [](Context& ctx) { ctx.text("tea"); });
            app.get("/numbers", [](Context& ctx) { ctx.json(200, Json{1, 2, 3}); });
            app.get("/nothing", [](Context& ctx) { ctx.status(204); });
        },
        [](TestClient& client) {
            CHECK_THROWS_AS(static_cast<void>(client.get("/text").json()), sake::JsonError);
            CHECK_THROWS_AS(static_cast<void>(client.get("/nothing").json()), sake::JsonError);
            CHECK(client.get("/nothing").status == 204);
            CHECK(client.get("/numbers").json() == Json{1, 2, 3});
            CHECK(client.get("/numbers").json<nlohmann::ordered_json>().dump() == "[1,2,3]");
        });
}

TEST_CASE("answers and bodies of any size come whole") {
    with_client(
        [](sake::Engine& app) {
            add_big(app);
            add_echo(app);
            app.post("/count", [](Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
        },
        [](TestClient& client) {
            for (const std::size_t size : {0U, 1U, 65'535U, 65'536U, 65'537U, 1'000'000U, 20'000'000U}) {
                CAPTURE(size);
                CHECK(client.get("/big/" + std::to_string(size)).body == pattern_bytes(size));
                if (size > 1'000'000) continue;  // max_body
                CHECK(client.post("/count", std::string(size, 'x')).body == std::to_string(size));
            }
        });
}

TEST_CASE("fields of an answer come whole, however many and however long") {
    with_client(
        [](sake::Engine& app) {
            app.get("/many", [](Context& ctx) {
                for (int i = 0; i < 200; ++i) ctx.add_header("X-" + std::to_string(i), std::string(100, 'v'));
                ctx.text("many");
            });
            app.get("/long", [](Context& ctx) {
                ctx.set_header("X-Long", pattern_bytes(100'000));
                ctx.text("long");
            });
        },
        [](TestClient& client) {
            const TestResponse many = client.get("/many");
            CHECK(many.body == "many");
            int whole = 0;
            for (int i = 0; i < 200; ++i) {
                if (many.header("X-" + std::to_string(i)) == std::string(100, 'v')) ++whole;
            }
            CHECK(whole == 200);
            const TestResponse with_long = client.get("/long");
            CHECK(with_long.body == "long");
            CHECK((with_long.header("X-Long") == pattern_bytes(100'000)));
        });
}

TEST_CASE("workers, the background, and middleware are at work as in a server") {
    const std::thread::id here = std::this_thread::get_id();
    with_client(
        [&](sake::Engine& app) {
            app.use([](Context& ctx) -> Task<> {
                co_await ctx.next();
                ctx.set_header("X-Wrapped", "yes");
            });
            app.get("/worker/:n",
                    [&](Context& ctx, int n) {
                        ctx.text(std::to_string(n * 2) + (std::this_thread::get_id() == here ? " here" : ""));
                    })
                .worker();
            app.get("/background", [&](Context& ctx) -> Task<> {
                const auto id = co_await sake::background([] { return std::this_thread::get_id(); });
                ctx.text(id == here ? "here" : "elsewhere");
            });
        },
        [](TestClient& client) {
            const TestResponse worked = client.get("/worker/21");
            CHECK(worked.body == "42");
            CHECK(worked.header("X-Wrapped") == "yes");
            CHECK(client.get("/background").body == "elsewhere");
            CHECK(client.get("/worker/x").status == 400);
        },
        quiet_config().with_worker_pool_size(2));
}

// --- time ---

TEST_CASE("hours pass at once while nothing else can happen, and the Date of an answer is virtual") {
    const auto begun = std::chrono::steady_clock::now();
    with_client(
        [](sake::Engine& app) {
            app.get("/later/:minutes", [](Context& ctx, int minutes) -> Task<> {
                const sake::detail::TimePoint before = virtual_now();
                co_await sake::sleep(std::chrono::minutes(minutes));
                ctx.text(std::to_string((virtual_now() - before) / 1min));
            });
        },
        [](TestClient& client) {
            CHECK(time_of_day(client.get("/_ping").header("Date")) == "00:00:00");
            const TestResponse later = client.get("/later/300");
            CHECK(later.body == "300");
            CHECK(time_of_day(later.header("Date")) == "05:00:00");
            client.advance(1h);
            client.advance(59s);
            client.advance(999ms);
            CHECK(time_of_day(client.get("/_ping").header("Date")) == "06:00:59");
            client.advance(1ms);
            CHECK(time_of_day(client.get("/_ping").header("Date")) == "06:01:00");
            CHECK(time_of_day(client.get("/_ping").header("Date")) == "06:01:00");
        },
        quiet_config().with_request_timeout(24h));
    CHECK(std::chrono::steady_clock::now() - begun < 1h);
}

TEST_CASE("now and wall_now of a handler are those of virtual time") {
    using Seconds = std::chrono::duration<double>;
    sake::Engine app(quiet_config().with_request_timeout(3h));
    app.use([](Context& ctx) {
        ctx.after([begin = sake::now()](Context& answered) {
            answered.set_header("X-Took", std::to_string(Seconds(sake::now() - begin).count()));
        });
    });
    app.get("/time", [](Context& ctx) -> Task<> {
        const auto begin = sake::now();
        const auto wall = sake::wall_now();
        co_await sake::sleep(2h);
        ctx.json({Seconds(sake::now() - begin).count(), Seconds(sake::wall_now() - wall).count(),
                  std::chrono::floor<std::chrono::days>(wall).time_since_epoch().count()});
    });
    app.get("/plain", [] { return sake::wall_now().time_since_epoch() / 1h; });
    TestClient client(app);
    const TestResponse response = client.get("/time");
    CHECK(response.json() == Json{7200.0, 7200.0, 20454});  // 2026-01-01
    CHECK(response.header("X-Took") == "7200.000000");
    CHECK(client.get("/plain").body == std::to_string(20454 * 24 + 2));
    // Outside of a loop it is the time of the system.
    const auto before = std::chrono::steady_clock::now();
    const auto between = sake::now();
    CHECK(before <= between);
    CHECK(between <= std::chrono::steady_clock::now());
    const auto wall = std::chrono::system_clock::now();
    CHECK(std::chrono::abs(sake::wall_now() - wall) < 1h);
}

TEST_CASE("while time is advanced, all that is due happens in its order") {
    std::string order;
    with_client(
        [&](sake::Engine& app) {
            app.get("/at/:s", [&](Context& ctx, int seconds) -> Task<> {
                co_await sake::sleep(std::chrono::seconds(seconds));
                order += std::to_string(seconds);
                ctx.text("done");
            });
        },
        [&](TestClient& client) {
            std::vector<TestConnection> connections;
            for (const char* path : {"/at/3", "/at/1", "/at/2"}) {
                connections.push_back(client.connect());
                connections.back().send(get_request(path));
            }
            client.advance(999ms);
            CHECK(order == "");
            client.advance(1ms);
            CHECK(order == "1");
            CHECK(connections[0].receive_now() == "");
            CHECK(connections[1].response().body == "done");
            client.advance(1s);
            CHECK(order == "12");
            CHECK(connections[0].response().body == "done");
            CHECK(order == "123");
        });
}

TEST_CASE("a handler that awaits an event without end ends by the request timeout") {
    sake::Event never;
    with_client(
        [&](sake::Engine& app) { app.get("/never", [&](Context&) -> Task<> { co_await never.wait(); }); },
        [](TestClient& client) {
            CHECK(client.get("/never").status == 504);
            CHECK(time_of_day(client.get("/_ping").header("Date")) == "00:00:30");
        });
}

TEST_CASE("a spawned task that waits without end is no deadlock, and ends with the client") {
    sake::Event never;
    int cancelled = 0;
    with_client(
        [&](sake::Engine& app) {
            app.get("/spawn", [&](Context& ctx) {
                sake::spawn([](sake::Event& event, int& count) -> Task<> {
                    try {
                        co_await event.wait();
                    } catch (const sake::Cancelled&) {
                        ++count;
                        throw;
                    }
                }(never, cancelled))
                    .detach();
                ctx.text("spawned");
            });
        },
        [&](TestClient& client) {
            CHECK(client.get("/spawn").body == "spawned");
            client.advance(24h);
            CHECK(client.get("/_ping").status == 200);
            CHECK(client.stop() == 0);
            CHECK(cancelled == 0);
        });
    CHECK(cancelled == 1);
}

// Every wait of a client ends by a timeout of the server. A loop that it does not turn can still be stuck.
TEST_CASE("a test that waits for what cannot happen is told which tasks wait") {
    sake::detail::Deadlock error("");
    try {
        sake::detail::SimulationOptions options;
        options.grace = 1ms;
        sake::Reactor reactor(sake::detail::OwningPtr<sake::detail::SimulatedPoller>(
            new sake::detail::SimulatedPoller(options)));
        reactor.run_until([] { return false; });
    } catch (const sake::detail::Deadlock& deadlock) {
        error = deadlock;
    }
    CHECK(std::string(error.what()) == "deadlock: nothing can happen any more; no task waits");
}

// --- connections ---

TEST_CASE("pipelined requests are answered in order on one connection") {
    with_client(
        [](sake::Engine& app) {
            add_big(app);
            app.get("/slow", [](Context& ctx) -> Task<> {
                co_await sake::sleep(5s);
                ctx.text("slow");
            });
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/_ping") + get_request("/slow") + get_request("/big/200000") +
                            "HEAD /_ping HTTP/1.1\r\nHost: t\r\n\r\n" + get_request("/none"));
            CHECK(connection.response().body == "pong");
            CHECK(connection.response().body == "slow");
            CHECK(connection.response().body == pattern_bytes(200'000));
            const TestResponse head = connection.response("HEAD");
            CHECK(head.body == "");
            CHECK(head.header("Content-Length") == "4");
            CHECK(connection.response().status == 404);
            CHECK_FALSE(connection.is_closed());
            CHECK(connection.receive_now() == "");
        });
}

TEST_CASE("a request may come in pieces, and none of its answer comes before its end") {
    with_client(add_echo, [](TestClient& client) {
        TestConnection connection = client.connect();
        for (const char c :
             std::string_view("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nte")) {
            CHECK(connection.receive_now() == "");
            connection.send(std::string(1, c));
        }
        CHECK(connection.receive_now() == "");
        CHECK(connection.send("a").response().json()["body"] == "tea");
    });
}

TEST_CASE("interim answers are passed over by response, and seen by receive") {
    with_client(add_echo, [](TestClient& client) {
        const std::string head =
            "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
        TestConnection connection = client.connect();
        CHECK(connection.send(head).receive() == "HTTP/1.1 100 Continue\r\n\r\n");
        CHECK(connection.send("tea").response().json()["body"] == "tea");
        connection.send(head);
        client.advance(1s);
        connection.send("two");
        CHECK(connection.response().json()["body"] == "two");
    });
}

TEST_CASE("receive waits for something, receive_now for nothing, receive_all for the end") {
    with_client(
        [](sake::Engine& app) {
            app.get("/slow", [](Context& ctx) -> Task<> {
                co_await sake::sleep(5s);
                ctx.text("slow");
            });
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/slow"));
            CHECK(connection.receive_now() == "");
            const std::string answer = connection.receive();
            CHECK(answer.ends_with("\r\n\r\nslow"));
            connection.send(get_request("/_ping"));
            CHECK(connection.receive_now().ends_with("\r\n\r\npong"));
            connection.send(get_request("/_ping") + get_request("/slow", "Connection: close\r\n"));
            const std::string rest = connection.receive_all();
            CHECK(count_of(rest, "HTTP/1.1 200 OK\r\n") == 2);
            CHECK(rest.ends_with("\r\n\r\nslow"));
            CHECK(connection.is_closed());
            CHECK(connection.receive() == "");
            CHECK(connection.receive_now() == "");
            CHECK(connection.receive_all() == "");
        });
}

TEST_CASE("what came and was not taken keeps a connection from being closed to its reader") {
    with_client([](sake::Engine&) {},
                [](TestClient& client) {
                    TestConnection connection = client.connect();
                    connection.send(get_request("/_ping", "Connection: close\r\n"));
                    CHECK_FALSE(connection.is_closed());
                    CHECK(connection.response().body == "pong");
                    CHECK(connection.is_closed());
                });
}

TEST_CASE("a client that ends its output with its request still gets the answer") {
    std::string ends;
    with_client(
        [&](sake::Engine& app) {
            add_wait(app, ends);
            app.get("/soon", [](Context& ctx) -> Task<> {
                co_await sake::sleep(5s);
                ctx.text("soon");
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/soon"));
            connection.half_close();
            connection.half_close();
            CHECK(connection.response().body == "soon");
            CHECK(connection.is_closed());
            CHECK_THROWS_AS(connection.send("x"), std::system_error);

            TestConnection silent = client.connect();
            silent.half_close();
            CHECK(silent.is_closed());
        });
}

TEST_CASE("a handler is cancelled when its client closes, resets, or is destroyed") {
    std::string ends;
    ends.reserve(100);
    with_client([&](sake::Engine& app) { add_wait(app, ends); },
                [&](TestClient& client) {
                    TestConnection closes = client.connect();
                    closes.send(get_request("/wait"));
                    client.advance(1s);
                    CHECK(ends == "");
                    closes.close();
                    client.advance(0s);
                    CHECK(ends == "cancelled ");
                    closes.close();
                    closes.reset();

                    TestConnection resets = client.connect();
                    resets.send(get_request("/wait"));
                    client.advance(0s);
                    resets.reset();
                    resets.reset();
                    client.advance(0s);
                    CHECK(ends == "cancelled cancelled ");
                    {
                        TestConnection destroyed = client.connect();
                        destroyed.send(get_request("/wait"));
                        client.advance(1s);
                    }
                    client.advance(0s);
                    CHECK(ends == "cancelled cancelled cancelled ");

                    TestConnection replaced = client.connect();
                    replaced.send(get_request("/wait"));
                    client.advance(1s);
                    replaced = client.connect();
                    client.advance(0s);
                    CHECK(ends == "cancelled cancelled cancelled cancelled ");
                    CHECK(replaced.send(get_request("/_ping")).response().body == "pong");
                },
                quiet_config().with_request_timeout(10h));
}

TEST_CASE("a connection that was closed by its own side throws logic_error") {
    with_client([](sake::Engine&) {},
                [](TestClient& client) {
                    TestConnection closed = client.connect();
                    closed.close();
                    TestConnection reset = client.connect();
                    reset.reset();
                    TestConnection moved = client.connect();
                    const TestConnection target = std::move(moved);
                    for (TestConnection* each : {&closed, &reset, &moved}) {
                        CHECK_THROWS_AS(each->send("x"), std::logic_error);
                        CHECK_THROWS_AS(static_cast<void>(each->receive()), std::logic_error);
                        CHECK_THROWS_AS(static_cast<void>(each->receive_now()), std::logic_error);
                        CHECK_THROWS_AS(static_cast<void>(each->receive_all()), std::logic_error);
                        CHECK_THROWS_AS(static_cast<void>(each->response()), std::logic_error);
                        CHECK_THROWS_AS(static_cast<void>(each->is_closed()), std::logic_error);
                        CHECK_THROWS_AS(each->half_close(), std::logic_error);
                    }
                    CHECK(thrown_by<std::logic_error>([&] { static_cast<void>(closed.receive()); }) ==
                          "TestConnection: it was closed by its own side");
                });
}

TEST_CASE("the server's close is an end, and a send behind it throws") {
    with_client([](sake::Engine&) {},
                [](TestClient& client) {
                    TestConnection connection = client.connect();
                    client.advance(10s);
                    CHECK(connection.is_closed());
                    CHECK(thrown_by<std::system_error>([&] { connection.send("x"); }) == "send: Broken pipe");
                    CHECK(connection.receive() == "");
                    CHECK(thrown_by<std::runtime_error>([&] { static_cast<void>(connection.response()); }) ==
                          "no answer: the server sent \"\"");
                });
}

TEST_CASE("the server's reset is thrown once, after what came before it") {
    const auto with_reset = [](auto body) {
        with_client(
            add_big,
            [&](TestClient& client) {
                TestConnection connection = client.connect(1000);
                connection.send(get_request("/big/5000"));
                const std::string begin = connection.receive_now();
                CHECK(begin.size() == 1000);
                client.advance(29s);  // the wire is full again, and nothing is taken
                client.advance(1s);   // write_timeout
                body(connection);
                CHECK(connection.is_closed());
                CHECK(connection.receive() == "");
                CHECK_THROWS_AS(connection.send("x"), std::system_error);
            },
            quiet_config().with_rate_grace(1h));
    };
    const std::string text = "receive: Connection reset by peer";
    with_reset([&](TestConnection& connection) {
        CHECK(thrown_by<std::system_error>([&] { static_cast<void>(connection.receive()); }) == text);
    });
    with_reset([&](TestConnection& connection) {
        CHECK(thrown_by<std::system_error>([&] { static_cast<void>(connection.receive_now()); }) == text);
    });
    with_reset([&](TestConnection& connection) {
        CHECK(thrown_by<std::system_error>([&] { static_cast<void>(connection.receive_all()); }) == text);
    });
    with_reset([&](TestConnection& connection) {
        CHECK(thrown_by<std::system_error>([&] { static_cast<void>(connection.response()); }) == text);
    });
    with_reset([&](TestConnection& connection) {
        CHECK(connection.is_closed());  // which throws nothing, and takes nothing from the next call
        CHECK(thrown_by<std::system_error>([&] { static_cast<void>(connection.receive()); }) == text);
    });
}

TEST_CASE("what was taken before a reset is received first, also by who asked for the end") {
    for (const bool asks_for_the_end : {false, true}) {
        with_client(
            add_big,
            [&](TestClient& client) {
                TestConnection connection = client.connect(1000);
                connection.send(get_request("/big/5000"));
                CHECK_FALSE(connection.is_closed());  // a look that takes what is there
                client.advance(31s);
                if (asks_for_the_end) {
                    CHECK_THROWS_AS(static_cast<void>(connection.receive_all()), std::system_error);
                    CHECK_FALSE(connection.is_closed());
                }
                CHECK(connection.receive().size() == 1000);
                if (!asks_for_the_end) {
                    CHECK_THROWS_AS(static_cast<void>(connection.receive()), std::system_error);
                }
                CHECK(connection.receive() == "");
                CHECK(connection.is_closed());
            },
            quiet_config().with_rate_grace(1h));
    }
}

TEST_CASE("an answer that is cut off is not taken for a whole one") {
    with_client([](sake::Engine&) {},
                [](TestClient& client) {
                    TestConnection connection = client.connect();
                    connection.send("HEAD /_ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
                    CHECK(thrown_by<std::runtime_error>([&] {
                              static_cast<void>(connection.response("GET"));
                          }) == "the server closed in the middle of its answer");

                    TestConnection half = client.connect();
                    half.send(get_request("/_ping") + "GET / HT");
                    half.half_close();
                    CHECK(half.response().body == "pong");
                    CHECK(thrown_by<std::runtime_error>([&] { static_cast<void>(half.response()); }) ==
                          "no answer: the server sent \"\"");
                });
}

TEST_CASE("connections are served side by side, many at once") {
    with_client(
        [](sake::Engine& app) {
            app.get("/slow", [](Context& ctx) -> Task<> {
                co_await sake::sleep(5s);
                ctx.text("slow");
            });
        },
        [](TestClient& client) {
            TestConnection slow = client.connect();
            slow.send(get_request("/slow"));
            std::vector<TestConnection> others;
            for (int i = 0; i < 500; ++i) others.push_back(client.connect());
            for (TestConnection& each : others) each.send(get_request("/_ping"));
            for (TestConnection& each : others) CHECK(each.response().body == "pong");
            CHECK(slow.receive_now() == "");
            CHECK(slow.response().body == "slow");
        });
}

TEST_CASE("bytes pass through a wire of any capacity") {
    with_client(
        [](sake::Engine& app) {
            add_big(app);
            add_echo(app);
        },
        [](TestClient& client) {
            for (const std::size_t capacity : {0U, 1U, 7U, 1000U}) {
                CAPTURE(capacity);
                TestConnection connection = client.connect(capacity);
                connection.send(post_request("/echo", std::string(300, 'x')));
                CHECK(connection.response().json()["body"] == std::string(300, 'x'));
                CHECK(connection.send(get_request("/big/3000")).response().body == pattern_bytes(3000));
            }
        });
}

// --- the engine and its end ---

TEST_CASE("an engine is served by one TestClient after another, and by run in between") {
    sake::Engine app(quiet_config().with_announce(false).with_signals(false));
    int count = 0;
    app.get("/", [&](Context& ctx) { ctx.text(std::to_string(++count)); });
    app.listen("127.0.0.1:0");
    const int port = app.port();
    for (int round = 0; round < 2; ++round) {
        {
            TestClient client(app);
            CHECK(client.get("/").body == std::to_string(1 + 3 * round));
        }
        {
            TestClient client(app);
            CHECK(client.get("/").status == 200);
            CHECK(client.stop() == 0);
        }
        if (round == 1) app.listen("127.0.0.1:0");
        std::thread server([&] { CHECK(app.run() == 0); });
        CHECK(get(round == 0 ? port : app.port(), "/").status == 200);
        app.stop();
        server.join();
    }
}

TEST_CASE("an engine runs once at a time: a second TestClient throws, and so does run") {
    sake::Engine app(quiet_config());
    app.get("/", [](Context& ctx) { ctx.text("home"); });
    app.listen("127.0.0.1:0");
    const int port = app.port();
    const std::string text = "the engine is running: it serves by run() or by one TestClient, one at a time";
    {
        TestClient client(app);
        CHECK(thrown_by<std::logic_error>([&] { TestClient second(app); }) == text);
        CHECK(thrown_by<std::logic_error>([&] { app.run(); }) == text);
        CHECK_THROWS_AS(app.get("/late", [](Context&) {}), std::logic_error);
        CHECK(client.get("/").body == "home");
        client.stop();
        CHECK(thrown_by<std::logic_error>([&] { TestClient second(app); }) == text);
    }
    std::thread server([&] { app.run(); });
    CHECK(get(port, "/").body == "home");
    CHECK(thrown_by<std::logic_error>([&] { TestClient client(app); }) == text);
    app.stop();
    server.join();
    CHECK(TestClient(app).get("/").body == "home");
}

TEST_CASE("clients of two engines have each their own time") {
    sake::Engine first(quiet_config());
    sake::Engine second(quiet_config());
    first.get("/", [](Context& ctx) { ctx.text("first"); });
    second.get("/", [](Context& ctx) { ctx.text("second"); });
    TestClient one(first);
    TestClient other(second);
    CHECK(one.get("/").body == "first");
    CHECK(other.get("/").body == "second");
    one.advance(1h);
    CHECK(time_of_day(one.get("/").header("Date")) == "01:00:00");
    CHECK(time_of_day(other.get("/").header("Date")) == "00:00:00");
}

TEST_CASE("stop lets a handler finish, and gives 0") {
    with_client(
        [](sake::Engine& app) {
            app.get("/slow", [](Context& ctx) -> Task<> {
                co_await sake::sleep(29s);
                ctx.text("slow");
            });
        },
        [](TestClient& client) {
            TestConnection idle = client.connect();
            CHECK(idle.send(get_request("/_ping")).response().status == 200);
            TestConnection slow = client.connect();
            slow.send(get_request("/slow"));
            client.advance(0s);
            CHECK(client.stop() == 0);
            CHECK(idle.is_closed());
            const TestResponse answer = slow.response();
            CHECK(answer.body == "slow");
            CHECK(answer.header("Connection") == "close");
            CHECK(time_of_day(answer.header("Date")) == "00:00:29");
            CHECK(slow.is_closed());
            CHECK(client.stop() == 0);
            const std::string text = "TestClient: the engine has stopped";
            CHECK(thrown_by<std::logic_error>([&] { client.get("/_ping"); }) == text);
            CHECK(thrown_by<std::logic_error>([&] { static_cast<void>(client.connect()); }) == text);
        });
}

TEST_CASE("what outlives the grace is cut off, and stop gives 1") {
    std::string ends;
    ends.reserve(100);
    const int code = with_client([&](sake::Engine& app) { add_wait(app, ends); },
                                 [&](TestClient& client) {
                                     TestConnection connection = client.connect();
                                     connection.send(get_request("/wait"));
                                     client.advance(0s);
                                     CHECK(client.stop() == 1);
                                     const TestResponse answer = connection.response();
                                     CHECK(answer.status == 503);
                                     CHECK(time_of_day(answer.header("Date")) == "00:00:07");
                                     CHECK(ends == "cancelled ");
                                 },
                                 quiet_config().with_shutdown_grace(7s).with_request_timeout(1h));
    CHECK(code == 1);
}

TEST_CASE("the engine may be stopped by a handler, by another thread, and before the client is made") {
    sake::Engine app(quiet_config());
    app.get("/", [](Context& ctx) { ctx.text("home"); });
    app.get("/stop", [&](Context& ctx) {
        app.stop();
        ctx.text("stopping");
    });
    const auto check_has_stopped = [](TestClient& client) {
        CHECK(thrown_by<std::logic_error>([&] { client.get("/"); }) == "TestClient: the engine has stopped");
        CHECK(client.stop() == 0);
    };
    {
        TestClient client(app);
        TestConnection connection = client.connect();
        CHECK(connection.send(get_request("/stop")).response().body == "stopping");
        CHECK_FALSE(connection.is_closed());  // a moment for a request that is on its way
        CHECK(client.get("/").header("Connection") == "close");
        CHECK(connection.receive_all() == "");
        check_has_stopped(client);
    }
    {
        TestClient client(app);
        std::thread([&] { app.stop(); }).join();
        client.advance(0s);
        check_has_stopped(client);
    }
    app.stop();
    {
        TestClient client(app);
        client.advance(0s);
        check_has_stopped(client);
    }
    CHECK(TestClient(app).get("/").header("Connection") == "");
}

TEST_CASE("inside a coroutine or a handler a client throws, and harms nothing") {
    const std::string text = "TestClient: not for use inside a coroutine";
    std::vector<std::string> seen;
    seen.reserve(8);
    TestClient* the_client = nullptr;
    TestConnection* the_connection = nullptr;
    with_client(
        [&](sake::Engine& app) {
            const auto misuse = [&](Context& ctx) {
                seen.clear();
                seen.push_back(thrown_by<std::logic_error>([&] { the_client->get("/_ping"); }));
                seen.push_back(
                    thrown_by<std::logic_error>([&] { static_cast<void>(the_client->connect()); }));
                CHECK_THROWS_AS(the_client->advance(1s), std::logic_error);
                CHECK_THROWS_AS(the_client->stop(), std::logic_error);
                CHECK_THROWS_AS(static_cast<void>(the_connection->receive()), std::logic_error);
                CHECK_THROWS_AS(static_cast<void>(the_connection->is_closed()), std::logic_error);
                CHECK_THROWS_AS(the_connection->send("x"), std::logic_error);
                ctx.text(ctx.query("a"));
            };
            app.get("/plain", misuse);
            app.get("/coroutine", [misuse](Context& ctx) -> Task<> {
                co_await sake::yield();
                misuse(ctx);
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            the_client = &client;
            the_connection = &connection;
            for (const char* path : {"/plain?a=1", "/coroutine?a=1"}) {
                CHECK(client.get(path).body == "1");
                CHECK(seen == std::vector<std::string>{text, text});
            }
            // stop was asked for, before it threw
            CHECK(client.get("/_ping").header("Connection") == "close");
            seen.clear();
            seen.shrink_to_fit();
        });
}

TEST_CASE("a connect in a handler leaves the body of its request and what follows it as they were") {
    TestClient* the_client = nullptr;
    int thrown = 0;
    with_client(
        [&](sake::Engine& app) {
            app.post("/echo", [&](Context& ctx) {
                const std::string before(ctx.body());
                try {
                    static_cast<void>(the_client->connect());
                } catch (const std::logic_error&) {
                    ++thrown;
                }
                ctx.text(before + " " + std::string(ctx.body()));
            });
        },
        [&](TestClient& client) {
            the_client = &client;
            TestConnection connection = client.connect();
            connection.send(post_request("/echo", "hello") + post_request("/echo", "world"));
            CHECK(connection.response().body == "hello hello");
            CHECK(connection.response().body == "world world");
            CHECK(thrown == 2);
        });
}

// --- what is left behind ---

TEST_CASE("a client has no thread, no descriptor but its reactor's, and leaves nothing") {
    make_what_stays();
    const auto serve = [](auto body) {
        sake::Engine app(quiet_config());
        app.get("/", [](Context& ctx) { ctx.text("home"); });
        app.get("/wait", [](Context&) -> Task<> { co_await sake::sleep(1h); });
        TestClient client(app);
        body(client);
    };
    serve([](TestClient& client) { client.get("/"); });
    Oracle oracle;
    const Snapshot before = Snapshot::take();
    int descriptors = 0;
    {
        const sake::Reactor reactor;
        descriptors = Snapshot::take().fds - before.fds;
    }
    serve([&](TestClient& client) {
        client.get("/");
        TestConnection connection = client.connect();
        connection.send(get_request("/wait"));
        client.advance(1s);
        const Snapshot now = Snapshot::take();
        CHECK(now.threads == before.threads);
        CHECK(now.fds == before.fds + descriptors);
        // The connection, its handler and the client end in the middle of their work.
    });
    CHECK(oracle.check_returned_to_baseline());
    serve([](TestClient& client) { client.stop(); });
    serve([](TestClient&) {});
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("a client with workers leaves nothing either, whatever they were at") {
    make_what_stays();
    const auto serve = [] {
        sake::Engine app(quiet_config().with_worker_pool_size(2));
        app.get("/", [](Context& ctx) { ctx.text("home"); }).worker();
        TestClient client(app);
        CHECK(client.get("/").body == "home");
        TestConnection connection = client.connect();
        connection.send(get_request("/") + get_request("/"));
    };
    serve();
    Oracle oracle;
    for (int round = 0; round < 10; ++round) serve();
    CHECK(oracle.check_returned_to_baseline());
}

// --- Answers without an end ---

namespace {

/// Event streams of every kind, answers that go on for ever, and some that end late.
void add_endless(sake::Engine& app, std::optional<sake::Hub>& hub) {
    app.get("/hub", [&hub](Context& ctx) { return hub->serve(ctx, "t"); });
    app.any("/events", [](Context& ctx) -> Task<> {
        sake::EventStream events = ctx.events();
        co_await events.send("x");
        co_await sake::sleep(1h);
    });
    app.get("/whole-events", [](Context& ctx) { ctx.send("data: x\n\n", "text/event-stream"); });
    app.get("/by-hand", [](Context& ctx) -> Task<> {
        sake::BodyWriter out = ctx.stream("Text/Event-Stream; charset=utf-8");
        co_await out.write("data: x\n\n");
        co_await sake::sleep(1h);
    });
    app.any("/clock", [](Context& ctx) -> Task<> {
        sake::BodyWriter out = ctx.stream("text/plain");
        for (;;) {
            co_await out.write("tick\n");
            co_await sake::sleep(1min);
        }
    });
    app.get("/never", [](Context&) -> Task<> {
        for (;;) co_await sake::sleep(1min);
    });
    app.get("/hours/:n", [](Context& ctx, int n) -> Task<> {
        sake::BodyWriter out = ctx.stream("text/plain");
        for (int i = 0; i < n; ++i) {
            co_await out.write("hour ");
            co_await sake::sleep(1h);
        }
    });
}

/// What a function throws, as long as it is a std::logic_error.
template <class F>
std::string complaint_of(F f) {
    try {
        f();
    } catch (const std::logic_error& error) {
        return error.what();
    }
    return "nothing";
}

}  // namespace

TEST_CASE("a request whose answer is an event stream throws at once, and says what to call") {
    std::optional<sake::Hub> hub;
    const auto setup = [&](sake::Engine& app) { add_endless(app, hub); };
    with_client(setup, [&](TestClient& client) {
        hub.emplace();
        const std::string cure = " is an event stream: use client.events(target)";
        CHECK(complaint_of([&] { client.get("/hub"); }) == "GET /hub" + cure);
        CHECK(complaint_of([&] { client.get("/events"); }) == "GET /events" + cure);
        CHECK(complaint_of([&] { client.get("/by-hand"); }) == "GET /by-hand" + cure);
        CHECK(complaint_of([&] { client.post("/events", Json{1}); }) == "POST /events" + cure);
        CHECK(complaint_of([&] { client.request("PUT", "/events"); }) == "PUT /events" + cure);
        CHECK(client.get("/whole-events").body == "data: x\n\n");
        CHECK(client.head("/events").status == 200);
        client.advance(0s);
        CHECK(hub->subscribers("t") == 0);
        hub.reset();
    });
}

TEST_CASE("an answer that does not end within 24 hours of virtual time throws, and says what to call") {
    std::optional<sake::Hub> hub;
    const auto setup = [&](sake::Engine& app) { add_endless(app, hub); };
    const auto body = [&](TestClient& client) {
        const std::string cure = " has not ended after 24 hours: use client.open(target)";
        CHECK(client.get("/hours/23").body.size() == 23 * 5);
        CHECK(complaint_of([&] { client.get("/hours/26"); }) == "GET /hours/26" + cure);
        CHECK(complaint_of([&] { client.get("/clock"); }) == "GET /clock" + cure);
        CHECK(complaint_of([&] { client.post("/clock", "text"); }) == "POST /clock" + cure);
        CHECK(complaint_of([&] { client.get("/never"); }) == "GET /never" + cure);
    };
    with_client(setup, body, quiet_config().with_request_timeout(24h * 365));
}

TEST_CASE("every wait of a connection and of a stream ends after 24 hours of virtual time") {
    std::optional<sake::Hub> hub;
    const auto setup = [&](sake::Engine& app) { add_endless(app, hub); };
    const auto body = [&](TestClient& client) {
        const auto ask = [&](const std::string& target) {
            return std::move(client.connect().send(get_request(target)));
        };
        const auto ignore = [](const auto&) {};
        CHECK(complaint_of([&] { ignore(ask("/clock").response()); }) ==
              "the answer has not ended after 24 hours: use receive()");
        CHECK(complaint_of([&] { ignore(ask("/clock").receive_all()); }) ==
              "the server has not closed after 24 hours: use receive()");
        CHECK(complaint_of([&] { ignore(ask("/never").receive()); }) == "nothing has come after 24 hours");
        CHECK(complaint_of([&] { ignore(client.open("/never")); }) ==
              "GET /never has not begun after 24 hours");
        sake::TestStream clock = client.open("/clock");
        CHECK(clock.receive() == "tick\n");
        CHECK(complaint_of([&] { ignore(clock.receive_all()); }) ==
              "the answer has not ended after 24 hours: use receive()");
        CHECK_FALSE(clock.receive().empty());
    };
    with_client(setup, body, quiet_config().with_request_timeout(24h * 365));
}

TEST_CASE("open sends any method, with fields and a body, and receives the answer in pieces") {
    const auto setup = [](sake::Engine& app) {
        app.any("/upper",
                [](Context& ctx) -> Task<> {
                    sake::BodyWriter out = ctx.stream("text/plain");
                    const std::string method =
                        std::string(ctx.method()) + " " + std::string(ctx.header("X-Test"));
                    co_await out.write(method);
                    while (const auto piece = co_await ctx.read()) {
                        co_await sake::sleep(1s);
                        co_await out.write(*piece);
                    }
                })
            .stream_body();
    };
    with_client(setup, [](TestClient& client) {
        sake::TestStream posted = client.open("POST", "/upper", {{"X-Test", "1"}}, "body");
        CHECK(posted.status() == 200);
        CHECK(posted.receive() == "POST 1");
        CHECK(posted.receive() == "body");
        CHECK(posted.receive().empty());
        CHECK(client.open("PUT", "/upper", {}, "x").receive_all() == "PUT x");
        CHECK(client.open("DELETE", "/upper").receive_all() == "DELETE ");
        CHECK(client.open("/upper", {{"X-Test", "2"}}).receive_all() == "GET 2");
        CHECK(client.open("/upper", {{"X-Test", "3"}, {"X-More", "4"}}).receive_all() == "GET 3");
        CHECK(client.open("/upper").receive_all() == "GET ");
    });
}

}  // namespace test_test_client
