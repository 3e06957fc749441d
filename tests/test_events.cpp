// Server-sent events: EventStream and Hub::serve, over memory in virtual time, and some over sockets.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_events {

using namespace std::chrono_literals;
using harness::quiet_config;
using harness::with_client;
using sake::Context;
using sake::Engine;
using sake::Event;
using sake::EventStream;
using sake::Hub;
using sake::HubOptions;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestEvents;
using sake::http::StreamEvent;

namespace {

constexpr std::string_view get_events = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n";

/// A route /events whose handler is `stream(EventStream&)`.
template <class Stream>
auto route_of(Stream stream) {
    return [stream](Engine& app) {
        app.any("/events", [stream](Context& ctx) -> Task<> {
            EventStream events = ctx.events();
            co_await stream(events);
        });
    };
}

/// Sends nothing, for a day.
Task<> be_silent(EventStream&) { co_await sake::sleep(24h); }

/// `body(client, hub)`, where /events serves the topic "t" of the hub, which goes before the heap is
/// compared.
template <class Body>
int with_hub(Body body, const HubOptions& options = {}, const sake::Config& config = quiet_config(),
             std::uint64_t before_first_id = sake::detail::HubCore::id_of_this_moment()) {
    sake::detail::OwningPtr<Hub> hub;
    const auto setup = [&](Engine& app) {
        hub = sake::detail::HubFrom{before_first_id}.make(options);
        app.get("/events", [&hub](Context& ctx) { return hub->serve(ctx, "t"); });
        app.get("/rooms/:room", [&hub](Context& ctx) { return hub->serve(ctx, ctx.param("room")); });
        app.get("/stop", [&app](Context&) { app.stop(); });
    };
    const auto with_it = [&](TestClient& client) {
        body(client, *hub);
        hub.reset();
    };
    return with_client(setup, with_it, config);
}

TestEvents come_again(TestClient& client, std::uint64_t id) {
    return client.events("/events", {{"Last-Event-ID", std::to_string(id)}});
}

std::vector<std::string> all_now(TestEvents& events) {
    std::vector<std::string> all;
    while (const auto event = events.next_now()) {
        all.push_back(event->name.empty() ? event->data : "(" + event->name + " " + event->data + ")");
    }
    return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the head of an event stream leaves at once, before the first event") {
    with_client(route_of(be_silent), [](TestClient& client) {
        TestConnection connection = client.connect();
        const std::string head = connection.send(get_events).receive_now();
        CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(head.ends_with("\r\n\r\n"));
        for (const std::string_view field :
             {"Content-Type: text/event-stream\r\n", "Cache-Control: no-cache\r\n",
              "X-Accel-Buffering: no\r\n", "Transfer-Encoding: chunked\r\n"}) {
            INFO(field);
            CHECK(head.find(field) != std::string::npos);
        }
    });
}

TEST_CASE("events arrive as they were sent, each at once") {
    const auto stream = [](EventStream& events) -> Task<> {
        co_await events.send("one\ntwo");
        co_await sake::sleep(1s);
        co_await events.send(Event("x").name("update").id(7).retry(2s));
        const sake::Json json{{"n", 1}};
        co_await events.send_json(json);
        co_await events.send(Event());  // says nothing
        co_await events.comment("a\nb");
        std::string text("moved on at once");
        auto sending = events.send(text);
        text.clear();
        co_await std::move(sending);
    };
    with_client(route_of(stream), [](TestClient& client) {
        TestEvents events = client.events("/events");
        CHECK(events.status() == 200);
        auto event = events.next_now();
        REQUIRE(event);
        CHECK(event->data == "one\ntwo");
        CHECK(event->name.empty());
        CHECK_FALSE(events.next_now());
        event = events.next();
        REQUIRE(event);
        CHECK(event->data == "x");
        CHECK(event->name == "update");
        CHECK(event->id == "7");
        CHECK(event->retry == 2s);
        CHECK(events.next()->data == "{\"n\":1}");
        CHECK(events.next()->data == "moved on at once");
        CHECK(events.comments() == 2);
        CHECK_FALSE(events.next());
        CHECK(events.has_ended());
    });
}

TEST_CASE("TestEvents that were moved from have no id, no retry, and throw for the rest") {
    const auto stream = [](EventStream& events) -> Task<> {
        co_await events.send(Event("x").id(7).retry(2s));
    };
    with_client(route_of(stream), [](TestClient& client) {
        TestEvents events = client.events("/events");
        REQUIRE(events.next());
        const TestEvents target = std::move(events);
        CHECK(target.last_event_id() == "7");
        CHECK(target.retry() == 2s);
        CHECK(events.last_event_id().empty());
        CHECK_FALSE(events.retry());
        CHECK_THROWS(static_cast<void>(events.next()));
        CHECK_THROWS(static_cast<void>(events.has_ended()));
        CHECK_THROWS(static_cast<void>(events.comments()));
    });
}

TEST_CASE("an event stream is answered to every method, and to HTTP/1.0 up to the close") {
    const auto stream = [](EventStream& events) -> Task<> { co_await events.send("x"); };
    with_client(route_of(stream), [](TestClient& client) {
        for (const char* method : {"GET", "POST", "PUT", "DELETE", "PATCH"}) {
            TestEvents events = client.events("/events", {}, method);
            CHECK(events.next()->data == "x");
            CHECK_FALSE(events.next());
        }
        TestConnection old = client.connect();
        const std::string all = old.send("GET /events HTTP/1.0\r\nHost: a\r\n\r\n").receive_all();
        CHECK(all.ends_with("\r\n\r\ndata: x\n\n"));
        CHECK(client.head("/events").header("Content-Type") == "text/event-stream");
    });
}

TEST_CASE("what a handler has set of the head stays, but for what makes it an event stream") {
    const auto setup = [](Engine& app) {
        app.use([](Context& ctx) { ctx.after([](Context& at_end) { at_end.set_header("X-After", "1"); }); });
        app.get("/events", [](Context& ctx) -> Task<> {
            ctx.set_header("Cache-Control", "no-store").set_header("X-Accel-Buffering", "yes");
            EventStream events = ctx.events();
            co_await events.send("x");
        });
    };
    with_client(setup, [](TestClient& client) {
        TestEvents events = client.events("/events");
        CHECK(events.header("Cache-Control") == "no-store");
        CHECK(events.header("X-Accel-Buffering") == "no");
        CHECK(events.header("X-After") == "1");
        CHECK(events.next()->data == "x");
        CHECK_FALSE(events.next());
    });
}

TEST_CASE("a handler is told the last event that the client has seen") {
    const auto stream = [](EventStream& events) -> Task<> { co_await events.send(events.last_event_id()); };
    with_client(route_of(stream), [](TestClient& client) {
        for (const char* id : {"7", "x y", "\xc3\xa4"}) {
            TestEvents events = client.events("/events", {{"Last-Event-ID", id}});
            CHECK(events.next()->data == id);
        }
        CHECK(client.events("/events").next()->data.empty());
    });
}

TEST_CASE("a silent stream has a comment after the time that is set: one below, at, and one above") {
    for (const auto time : {15'000ms, 1ms, 60'000ms}) {
        with_client(
            route_of(be_silent),
            [time](TestClient& client) {
                TestEvents events = client.events("/events");
                client.advance(time - 1ms);
                CHECK_FALSE(events.next_now());
                CHECK(events.comments() == 0);
                client.advance(1ms);
                CHECK(events.comments() == 1);  // before anybody has asked for an event
                CHECK_FALSE(events.next_now());
                client.advance(10 * time);
                CHECK(events.comments() == 11);
                CHECK_FALSE(events.next_now());
                events.close();
            },
            quiet_config().with_event_keep_alive(time));
    }
}

TEST_CASE("silence begins anew with each event") {
    const auto stream = [](EventStream& events) -> Task<> {
        for (int i = 0; i < 4; ++i) {
            co_await sake::sleep(14s);
            co_await events.send("x");
        }
        co_await sake::sleep(16s);
    };
    with_client(route_of(stream), [](TestClient& client) {
        TestEvents events = client.events("/events");
        for (int i = 0; i < 4; ++i) CHECK(events.next()->data == "x");
        CHECK(events.comments() == 0);
        CHECK_FALSE(events.next());
        CHECK(events.comments() == 1);
    });
}

TEST_CASE("a client that takes no comments is given up after write_timeout") {
    std::atomic<int> ended = 0;
    const auto stream = [&ended](EventStream& events) -> Task<> {
        const sake::detail::AtExit note([&ended] { ++ended; });
        co_await events.send(std::string(600, 'x'));
        co_await sake::sleep(24h);
    };
    with_client(
        route_of(stream),
        [&](TestClient& client) {
            TestConnection reading = client.connect(1024);
            reading.send(get_events);
            TestConnection stalled = client.connect(1024);
            stalled.send(get_events);
            for (int i = 0; i < 1000; ++i) {
                client.advance(1s);
                static_cast<void>(reading.receive_now());
                if (ended > 0) break;
            }
            CHECK(ended == 1);
            client.advance(1s);
            const std::string rest = reading.receive();  // a comment
            CHECK_FALSE(rest.empty());
            CHECK_FALSE(reading.is_closed());
            CHECK_THROWS(static_cast<void>(stalled.receive_all()));
        },
        quiet_config().with_event_keep_alive(1s).with_write_timeout(10s));
}

TEST_CASE("an event that is given up in its middle cuts the stream, and no event follows it") {
    bool is_told = false;
    const auto stream = [&](EventStream& events) -> Task<> {
        const auto send = [](EventStream& to) -> Task<> { co_await to.send(std::string(200'000, 'x')); };
        try {
            co_await sake::timeout(send(events), 1s);
        } catch (const sake::TimedOut&) {
        }
        try {
            co_await events.send("next");
        } catch (const std::logic_error&) {
            is_told = true;
        }
    };
    with_client(route_of(stream), [&](TestClient& client) {
        TestConnection connection = client.connect(4096);
        connection.send(get_events);
        client.advance(2s);
        CHECK(is_told);
        CHECK_THROWS(static_cast<void>(connection.receive_all()));  // it is reset
    });
}

TEST_CASE("an event stream that outlives its handler sends nothing into the next answer, and throws") {
    for (const bool goes_on : {true, false}) {
        CAPTURE(goes_on);
        int errors = 0;
        with_client(
            [&](Engine& app) {
                const auto late = [&](Context& ctx) -> Task<> {
                    EventStream events = ctx.events();
                    co_await events.send("first");
                    co_await sake::sleep(20s);
                    try {
                        co_await events.send("late");
                    } catch (const std::logic_error&) {
                        ++errors;
                    }
                    try {
                        co_await events.send(Event("late").retry(1s));
                    } catch (const std::logic_error&) {
                        ++errors;
                    }
                    try {
                        static_cast<void>(events.last_event_id());
                    } catch (const std::logic_error&) {
                        ++errors;
                    }
                };
                app.get("/events", [late](Context& ctx) -> Task<> {
                    sake::spawn(late(ctx)).detach();
                    co_await sake::sleep(10ms);
                });
                app.get("/slow", [](Context& ctx) -> Task<> {
                    co_await sake::sleep(25s);
                    ctx.text("mine");
                });
            },
            [&](TestClient& client) {
                CHECK(client.open("/events").receive_all() == "data: first\n\n");
                TestConnection connection = client.connect();
                if (goes_on) connection.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
                client.advance(26s);
                CHECK(errors == 3);
                if (goes_on) CHECK(connection.response().body == "mine");
            });
    }
}

TEST_CASE("two sends at once: the second throws, and the first goes on") {
    const auto stream = [](EventStream& events) -> Task<> {
        auto send = [](EventStream& to, std::string text) -> Task<> { co_await to.send(text); };
        auto first = sake::spawn(send(events, std::string(100'000, 'x')));
        co_await sake::yield();
        const std::string failure = co_await harness::failure_of(send(events, "y"));
        co_await first;
        co_await events.send(failure);
    };
    with_client(route_of(stream), [](TestClient& client) {
        TestConnection connection = client.connect(1024);
        const sake::TestResponse response = connection.send(get_events).response();
        CHECK(response.body.find("data: out.write: another task is writing this answer\n\n") !=
              std::string::npos);
        CHECK(std::count(response.body.begin(), response.body.end(), 'x') == 100'000);
    });
}

TEST_CASE("an event stream needs a handler that is a coroutine, on the reactor") {
    const auto setup = [](Engine& app) {
        app.get("/plain", [](Context& ctx) { static_cast<void>(ctx.events()); });
        app.get("/worker",
                [](Context& ctx) -> Task<> {
                    EventStream events = ctx.events();
                    co_await events.send("x");
                })
            .worker();
    };
    with_client(setup, [](TestClient& client) {
        CHECK(client.get("/plain").status == 500);
        CHECK(client.get("/worker").status == 500);
    });
}

TEST_CASE("a name with a line end, in the middle of a stream, cuts the stream and is never sent") {
    const auto stream = [](EventStream& events) -> Task<> {
        co_await events.send("x");
        const std::string name("a\ndata: forged\n\n");
        co_await events.send(Event("y").name(name));
    };
    with_client(route_of(stream), [](TestClient& client) {
        TestEvents events = client.events("/events");
        CHECK(events.next()->data == "x");
        CHECK_THROWS_AS(static_cast<void>(events.next()), std::runtime_error);
    });
}

/// Also hands out the engine, for its `stop`.
template <class Setup>
auto with_engine(Engine*& out, Setup setup) {
    return [&out, setup](Engine& app) {
        out = &app;
        setup(app);
    };
}

TEST_CASE("at a stop an event stream ends cleanly within a second, with a hint when to come again") {
    struct Case {
        std::optional<std::chrono::milliseconds> own;
        std::chrono::milliseconds least;
        std::chrono::milliseconds most;
    };
    for (const Case& each : {Case{std::nullopt, 2500ms, 4500ms}, Case{10s, 10s, 18s}, Case{0ms, 0ms, 0ms},
                             Case{1ms, 1ms, 1ms}}) {
        Engine* app = nullptr;
        const auto stream = [&each](EventStream& events) -> Task<> {
            if (each.own) co_await events.send(Event().retry(*each.own));
            co_await events.send("x");
            co_await sake::sleep(24h);
        };
        const int exit_code = with_client(with_engine(app, route_of(stream)), [&](TestClient& client) {
            TestEvents events = client.events("/events");
            CHECK(events.next()->data == "x");
            app->stop();
            client.advance(1s);
            CHECK(events.has_ended());
            CHECK_FALSE(events.next());  // and does not throw: the last chunk has come
            CHECK(events.retry() >= each.least);
            CHECK(events.retry() <= each.most);
        });
        CHECK(exit_code == 0);
    }
}

TEST_CASE("the retry time of an event counts from when it is sent, and not when it is made") {
    enum class Way : std::uint8_t { never_awaited, awaited };
    for (const Way way : {Way::never_awaited, Way::awaited}) {
        CAPTURE(static_cast<int>(way));
        Engine* app = nullptr;
        const auto stream = [way](EventStream& events) -> Task<> {
            co_await events.send("x");
            auto made = events.send(Event().retry(60s));
            if (way == Way::awaited) co_await std::move(made);
            co_await sake::sleep(24h);
        };
        with_client(with_engine(app, route_of(stream)), [&](TestClient& client) {
            TestEvents events = client.events("/events");
            CHECK(events.next()->data == "x");
            app->stop();
            client.advance(1s);
            CHECK(events.has_ended());
            CHECK((events.retry() >= 60s) == (way == Way::awaited));
        });
    }
}

TEST_CASE("an event with a retry time that is made while another is half sent hints nothing inside it") {
    Engine* app = nullptr;
    bool is_made = false;
    const auto setup = [&](Engine& engine) {
        app = &engine;
        engine.get("/events", [&](Context& ctx) -> Task<> {
            EventStream events = ctx.events();
            auto send = [](EventStream& to, std::string text) -> Task<> { co_await to.send(text); };
            auto first = sake::spawn(send(events, std::string(300'000, 'y')));
            co_await sake::sleep(1s);
            auto made = events.send(Event("y").retry(60s));
            is_made = true;
            co_await first;
        });
    };
    with_client(setup, [&](TestClient& client) {
        TestConnection connection = client.connect(1024);
        static_cast<void>(connection.send(get_events).receive_now());
        client.advance(2s);
        CHECK(is_made);
        app->stop();
        client.advance(0s);
        std::string all;
        CHECK_THROWS(all = connection.receive_all());  // it is reset
        CHECK(connection.receive_now().find("retry:") == std::string::npos);
    });
}

TEST_CASE("a task that sends an event may outlive the stream and its handler, whatever ends them") {
    enum class Begins : std::uint8_t { at_once, late };
    enum class End : std::uint8_t { of_task, of_stream, of_handler, of_client, of_server };
    const auto send = [](sake::detail::SendEvents made, Begins begins, std::string& said) -> Task<> {
        try {
            if (begins == Begins::late) co_await sake::sleep(10s);
            co_await std::move(made);
            said = "sent";
        } catch (const std::exception& error) {
            said = error.what();
        } catch (const sake::Cancelled&) {
            said = "cancelled";
        }
    };
    for (const Begins begins : {Begins::at_once, Begins::late}) {
        for (const End end :
             {End::of_task, End::of_stream, End::of_handler, End::of_client, End::of_server}) {
            CAPTURE(static_cast<int>(begins));
            CAPTURE(static_cast<int>(end));
            Engine* app = nullptr;
            std::string said;
            said.reserve(200);
            const auto setup = [&](Engine& engine) {
                app = &engine;
                engine.get("/events", [&](Context& ctx) -> Task<> {
                    {
                        EventStream events = ctx.events();
                        auto made = events.send(std::string(300'000, '#'));
                        auto task = sake::spawn(send, std::move(made), begins, std::ref(said));
                        co_await sake::sleep(1s);
                        if (end == End::of_task) task.cancel();
                        if (end == End::of_client || end == End::of_server) co_await sake::sleep(24h);
                    }
                    if (end != End::of_handler) co_await sake::sleep(20s);
                });
            };
            with_client(setup, [&](TestClient& client) {
                TestConnection connection = client.connect(1024);
                std::string all = connection.send(get_events).receive_now();
                client.advance(2s);
                if (end == End::of_client) connection.close();
                if (end == End::of_server) app->stop();
                client.advance(10s);
                if (end == End::of_stream) {
                    all += connection.receive_all();
                    CHECK(std::count(all.begin(), all.end(), '#') == 300'000);
                }
                client.advance(24h);
            });
            CHECK((said == "sent") == (end == End::of_stream));
            CHECK_FALSE(said.empty());
        }
    }
}

TEST_CASE("a stream that has ended before its handler sends no comments") {
    const auto setup = [](Engine& engine) {
        engine.get("/events", [](Context& ctx) -> Task<> {
            {
                EventStream events = ctx.events();
                co_await events.send("x");
            }
            co_await sake::sleep(1h);
        });
    };
    with_client(setup, [](TestClient& client) {
        TestEvents events = client.events("/events");
        CHECK(events.next()->data == "x");
        client.advance(2h);
        CHECK(events.has_ended());
        CHECK(events.comments() == 0);
    });
}

TEST_CASE("a stop in the middle of an event cuts the stream, and hints nothing inside the event") {
    Engine* app = nullptr;
    const auto stream = [](EventStream& events) -> Task<> {
        co_await events.send("x");
        co_await events.send(std::string(300'000, 'y'));
    };
    with_client(with_engine(app, route_of(stream)), [&](TestClient& client) {
        TestConnection connection = client.connect(1024);
        static_cast<void>(connection.send(get_events).receive_now());
        app->stop();
        client.advance(0s);
        CHECK_THROWS(static_cast<void>(connection.receive_all()));  // it is reset
    });
}

TEST_CASE("an event stream that begins during a stop tells its client when to come again, and ends") {
    Engine* app = nullptr;
    const auto setup = [&](Engine& engine) {
        app = &engine;
        engine.get("/events", [](Context& ctx) -> Task<> {
            co_await sake::sleep(1s);
            EventStream events = ctx.events();
            co_await events.send("x");
            co_await sake::sleep(1h);
        });
    };
    const int exit_code = with_client(setup, [&](TestClient& client) {
        TestConnection connection = client.connect();
        static_cast<void>(connection.send(get_events).receive_now());
        app->stop();
        client.advance(2s);
        const std::string all = connection.receive_all();
        CHECK(all.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(all.find("Connection: close\r\n") != std::string::npos);
        CHECK(all.find("data: ") == std::string::npos);
        CHECK(all.find("retry: ") != std::string::npos);
        CHECK(all.ends_with("\n\n\r\n0\r\n\r\n"));
        CHECK(connection.is_closed());
    });
    CHECK(exit_code == 0);
}

TEST_CASE("a stop hints nothing inside a stream that takes the place of an event stream") {
    Engine* app = nullptr;
    const auto setup = [&](Engine& engine) {
        app = &engine;
        engine.get("/events", [](Context& ctx) -> Task<> {
            ctx.after([](Context&) { throw sake::HttpError(409, "conflict"); });
            CHECK_THROWS_AS(static_cast<void>(ctx.events()), sake::HttpError);
            auto out = ctx.stream("text/plain");
            co_await out.write("x");
            co_await sake::sleep(1h);
        });
    };
    with_client(setup, [&](TestClient& client) {
        TestConnection connection = client.connect();
        static_cast<void>(connection.send(get_events).receive_now());
        app->stop();
        client.advance(0s);
        CHECK(connection.receive_all() == "0\r\n\r\n");
    });
}

TEST_CASE("with end_streams_at_stop off, event streams go on until they end") {
    Engine* app = nullptr;
    const auto stream = [](EventStream& events) -> Task<> {
        for (int i = 0; i < 5; ++i) {
            co_await events.send("x");
            co_await sake::sleep(1s);
        }
    };
    const int exit_code = with_client(
        with_engine(app, route_of(stream)),
        [&](TestClient& client) {
            TestEvents events = client.events("/events");
            CHECK(events.next());
            app->stop();
            for (int i = 0; i < 4; ++i) CHECK(events.next());
            CHECK_FALSE(events.next());
        },
        quiet_config().with_end_streams_at_stop(false));
    CHECK(exit_code == 0);
}

// --- Hub::serve ---

TEST_CASE("a hub serves its messages as events with their ids") {
    with_hub([](TestClient& client, Hub& hub) {
        hub.publish("t", "before");
        TestEvents a = client.events("/events");
        TestEvents b = client.events("/events");
        CHECK(hub.subscribers("t") == 2);
        const std::uint64_t id = hub.publish("t", "one\ntwo");
        hub.publish("other", "x");
        for (TestEvents* each : {&a, &b}) {
            const auto event = each->next();
            REQUIRE(event);
            CHECK(event->data == "one\ntwo");
            CHECK(event->id == std::to_string(id));
            CHECK(event->name.empty());
            CHECK_FALSE(each->next_now());
            each->close();
        }
        client.advance(0s);
        CHECK(hub.subscribers("t") == 0);
    });
}

TEST_CASE("who comes again goes on behind the last event that it has seen") {
    HubOptions options;
    options.messages = 3;
    const auto body = [](TestClient& client, Hub& hub) {
        std::vector<std::uint64_t> ids;
        for (int i = 0; i < 5; ++i) ids.push_back(hub.publish("t", std::to_string(i)));
        const auto after = [&](std::uint64_t id) {
            TestEvents events = come_again(client, id);
            Texts texts = all_now(events);
            hub.publish("unrelated", "x");
            return texts;
        };
        CHECK(after(ids[4]).empty());
        CHECK(after(ids[2]) == Texts{"3", "4"});
        CHECK(after(ids[1]) == Texts{"2", "3", "4"});
        CHECK(after(ids[0]) == Texts{"(stale {\"lost\":null})", "2", "3", "4"});
        CHECK(after(1) == Texts{"(stale {\"lost\":null})", "2", "3", "4"});
        // The stale event has an id as well: a client that has seen no more goes on there.
        TestEvents stale = come_again(client, ids[0]);
        CHECK(stale.next()->name == "stale");
        CHECK(after(std::stoull(stale.last_event_id())) == Texts{"2", "3", "4"});
    };
    with_hub(body, options);
}

TEST_CASE("a Last-Event-ID that is no number counts as none") {
    with_hub([](TestClient& client, Hub& hub) {
        hub.publish("t", "before");
        for (const char* id : {"", "abc", "-1", "+1", "1.5", "1 2", "0x10", "99999999999999999999999999", "0",
                               "18446744073709551616", "\xff\xfe"}) {
            INFO(id);
            TestEvents events = client.events("/events", {{"Last-Event-ID", id}});
            CHECK(events.status() == 200);
            CHECK(all_now(events).empty());
            hub.publish("t", "x");
            CHECK(all_now(events) == Texts{"x"});
        }
    });
}

TEST_CASE("over a restart of the server no event of the ring is missed, wherever the clock has been put") {
    for (const std::uint64_t second_run : {2000u, 500u}) {
        CAPTURE(second_run);
        std::string id;
        id.reserve(32);
        const auto before = [&](TestClient& client, Hub& hub) {
            TestEvents events = client.events("/events");
            hub.publish("t", "1");
            CHECK(events.next()->data == "1");
            id = events.last_event_id();
        };
        const auto after = [&](TestClient& client, Hub& hub) {
            TestEvents early = client.events("/events", {{"Last-Event-ID", id}});
            CHECK(all_now(early) == Texts{"(stale {\"lost\":null})"});
            hub.publish("t", "2");
            hub.publish("t", "3");
            CHECK(all_now(early) == Texts{"2", "3"});
            TestEvents events = client.events("/events", {{"Last-Event-ID", id}});
            CHECK(all_now(events) == Texts{"(stale {\"lost\":null})", "2", "3"});
            hub.publish("t", "4");
            CHECK(all_now(events) == Texts{"4"});
            TestEvents again = client.events("/events", {{"Last-Event-ID", events.last_event_id()}});
            CHECK(all_now(again).empty());
        };
        with_hub(before, {}, quiet_config(), 1000);
        with_hub(after, {}, quiet_config(), second_run);
    }
}

TEST_CASE("a hub that outlives its engine has nothing to forget") {
    Hub hub;
    std::string id;
    for (int run = 0; run < 3; ++run) {
        Engine app(quiet_config());
        app.get("/events", [&hub](Context& ctx) { return hub.serve(ctx, "t"); });
        TestClient client(app);
        TestEvents events = client.events("/events", {{"Last-Event-ID", id}});
        CHECK(all_now(events) == (run == 0 ? Texts{} : Texts{"between", "more"}));
        hub.publish("t", "x");
        CHECK(all_now(events) == Texts{"x"});
        id = events.last_event_id();
        client.stop();
        CHECK(hub.subscribers("t") == 0);
        hub.publish("t", "between");
        hub.publish("t", "more");
    }
}

TEST_CASE("a client that is slow loses the oldest and is told how many, or its stream ends") {
    for (const auto policy : {sake::SlowSubscriber::drop_oldest, sake::SlowSubscriber::close}) {
        HubOptions options;
        options.messages = 10;
        options.slow = policy;
        const auto body = [policy](TestClient& client, Hub& hub) {
            TestConnection slow = client.connect(1024);
            slow.send(get_events);
            TestEvents quick = client.events("/events");
            client.advance(0s);
            std::size_t seen = 0;
            for (int i = 0; i < 200; ++i) {
                hub.publish("t", std::to_string(i) + std::string(1000, '.'));
                seen += all_now(quick).size();
            }
            CHECK(seen == 200);
            quick.close();
            hub.close();
            const sake::TestResponse response = slow.response();
            const bool is_told = response.body.find("event: stale\n") != std::string::npos;
            CHECK(is_told == (policy == sake::SlowSubscriber::drop_oldest));
            const bool has_last = response.body.find("data: 199.") != std::string::npos;
            CHECK(has_last == is_told);
        };
        with_hub(body, options);
    }
}

TEST_CASE("the streams of a hub that is closed end cleanly") {
    with_hub([](TestClient& client, Hub& hub) {
        TestEvents events = client.events("/events");
        hub.publish("t", "1");
        hub.close();
        CHECK(events.next()->data == "1");
        CHECK_FALSE(events.next());
        CHECK_FALSE(client.events("/events").next());
    });
}

TEST_CASE("a topic may come from the path") {
    with_hub([](TestClient& client, Hub& hub) {
        TestEvents events = client.events("/rooms/a");
        hub.publish("a", "x");
        CHECK(events.next()->data == "x");
    });
}

TEST_CASE(
    "10,000 silent streams cost less than a kilobyte each beyond what any stream costs, and live on one "
    "comment in each "
    "period, without a thread") {
    const int streams = harness::is_sanitized ? 1000 : 10'000;
    const std::string head = " HTTP/1.1\r\nHost: a\r\n\r\n";
    // What a connection costs of which all that came is here.
    const auto open = [&](TestClient& client, std::string_view target,
                          std::vector<TestConnection>& connections) {
        const std::string request = "GET " + std::string(target) + head;
        const auto before = harness::allocations::live_bytes();
        connections = harness::connections_of(client, streams, request, 4096);
        client.advance(0s);
        for (TestConnection& each : connections) static_cast<void>(each.receive_now());
        return (harness::allocations::live_bytes() - before) / streams;
    };
    const auto config = quiet_config().with_max_connections(streams + 10).with_keep_alive_timeout(1h);
    const auto others = [](Engine& app) {
        app.get("/idle", [](Context& ctx) { ctx.text("idle"); });
        app.get("/bare", [](Context& ctx) -> Task<> {
            auto out = ctx.stream("text/event-stream");
            co_await out.write(":\n\n");
            co_await sake::sleep(24h);
        });
    };
    std::int64_t idle = 0;
    std::int64_t bare = 0;
    std::int64_t events = 0;
    for (auto [target, bytes] : {std::pair("/idle", &idle), std::pair("/bare", &bare)}) {
        const auto measure = [&, to = bytes, path = target](TestClient& client) {
            std::vector<TestConnection> connections;
            *to = open(client, path, connections);
        };
        with_client(others, measure, config);
    }
    const auto body = [&](TestClient& client, Hub& hub) {
        const auto threads = harness::Snapshot::take_in_calm().threads;
        std::vector<TestConnection> connections;
        events = open(client, "/events", connections);
        CHECK(hub.subscribers("t") == streams);
        const auto before = harness::allocations::live_bytes();
        for (int period = 0; period < 3; ++period) {
            int right = 0;
            client.advance(14'999ms);
            for (TestConnection& each : connections) right += each.receive_now().empty() ? 1 : 0;
            client.advance(1ms);
            for (TestConnection& each : connections) right += each.receive_now() == "3\r\n:\n\n\r\n" ? 1 : 0;
            CHECK(right == 2 * streams);
        }
        CHECK((harness::allocations::live_bytes() - before) / streams <= 0);
        hub.publish("t", "x");
        client.advance(0s);
        int right = 0;
        for (TestConnection& each : connections)
            right += each.receive_now().ends_with("data: x\n\n\r\n") ? 1 : 0;
        CHECK(right == streams);
        CHECK(harness::Snapshot::take_in_calm().threads == threads);
    };
    with_hub(body, {}, config);
    MESSAGE("a silent stream costs ", events - bare, " bytes more than a stream without events, and ",
            events - idle, " more than an idle connection");
    CHECK(events - bare < 1024);
    CHECK(events - idle < 4096);
}

TEST_CASE("a stop with 5,000 streams of a hub ends all of them cleanly within a second") {
    const int streams = harness::is_sanitized ? 500 : 5000;
    const auto body = [streams](TestClient& client, Hub& hub) {
        std::vector<TestConnection> connections =
            harness::connections_of(client, streams, std::string(get_events));
        client.advance(0s);
        CHECK(hub.subscribers("t") == streams);
        client.connect().send("GET /stop HTTP/1.1\r\nHost: a\r\n\r\n");
        client.advance(1s);
        int clean = 0;
        for (TestConnection& each : connections) {
            const std::string all = each.receive_all();
            clean += all.ends_with("\n\n\r\n0\r\n\r\n") && all.find("retry: ") != std::string::npos;
        }
        CHECK(clean == streams);
        CHECK(hub.subscribers("t") == 0);
    };
    const int exit_code = with_hub(body, {}, quiet_config().with_max_connections(streams + 1));
    CHECK(exit_code == 0);
}

TEST_CASE("a worker route publishes, and a reader in virtual time waits for it") {
    Hub hub;
    Engine app(quiet_config().with_worker_pool_size(1));
    app.get("/events", [&hub](Context& ctx) { return hub.serve(ctx, "t"); });
    app.post("/messages", [&hub](Context& ctx) { hub.publish("t", std::string(ctx.body())); }).worker();
    TestClient client(app);
    TestEvents events = client.events("/events");
    for (const char* text : {"1", "2", "3"}) {
        CHECK(client.post("/messages", text).status == 200);
        CHECK(events.next()->data == text);
    }
}

TEST_CASE("a test that waits for an event that never comes is told so") {
    with_hub([](TestClient& client, Hub&) {
        TestEvents events = client.events("/events");
        CHECK_THROWS_WITH(static_cast<void>(events.next()), "no event has come for a day of virtual time");
        events.close();
    });
}

// --- Over sockets ---

TEST_CASE("8 threads publish, and clients over sockets receive every message in the order of each") {
    constexpr int publishers = 8;
    const int each = harness::rounds(1000);
    std::unique_ptr<Hub> owned;
    const auto setup = [&owned](Engine& app) {
        owned = std::make_unique<Hub>();
        app.get("/events", [&owned](Context& ctx) { return owned->serve(ctx, "t"); });
    };
    harness::with_server(setup, [&](harness::TestServer& server) {
        Hub& hub = *owned;
        std::vector<harness::RawClient> clients;
        for (int i = 0; i < 4; ++i) {
            clients.push_back(server.connect());
            clients.back().set_deadline(60s);
            clients.back().send(get_events);
        }
        CHECK(harness::eventually([&] { return hub.subscribers("t") == 4; }));
        std::vector<std::thread> threads;
        for (int p = 0; p < publishers; ++p) {
            threads.emplace_back([&hub, p, each] {
                for (int i = 0; i < each; ++i) {
                    hub.publish("t", std::to_string(p) + ":" + std::to_string(i));
                    if (i % 64 == 63) std::this_thread::sleep_for(1ms);  // the ring is for who is slow
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        hub.close();
        for (harness::RawClient& client : clients) {
            sake::detail::EventReader reader;
            reader.take(client.read_response().body);
            std::vector<int> next(publishers, 0);
            int lost = 0;
            while (const auto event = reader.next()) {
                if (event->name == "stale") {
                    ++lost;
                    continue;
                }
                const int publisher = event->data[0] - '0';
                const int number = std::stoi(event->data.substr(2));
                int& expected = next[static_cast<std::size_t>(publisher)];
                CHECK((number == expected || (lost > 0 && number > expected)));
                expected = number + 1;
            }
            for (const int reached : next) CHECK((reached == each || lost > 0));
        }
        CHECK(harness::eventually([&] { return hub.subscribers("t") == 0; }));
        owned.reset();
    });
}

// --- Answers that are no event stream ---

TEST_CASE("events of an answer that is no event stream throws, and says what came") {
    const auto setup = [](Engine& app) {
        app.get("/text", [](Context& ctx) { ctx.text("x"); });
        app.get("/none", [](Context& ctx) { ctx.no_content(); });
        app.get("/refused", [](Context& ctx) { ctx.send(503, "data: x\n\n", "text/event-stream"); });
        app.get("/other", [](Context& ctx) { ctx.send("x", "text/event-streams"); });
        app.get("/whole", [](Context& ctx) { ctx.send("data: x\n\n", "text/event-stream;charset=utf-8"); });
        app.post("/echo", [](Context& ctx) -> Task<> {
            const std::string text(ctx.body());
            EventStream events = ctx.events();
            co_await events.send(text);
        });
    };
    with_client(setup, [](TestClient& client) {
        const auto complaint = [&](const char* target, const char* method = "GET") -> std::string {
            try {
                static_cast<void>(client.events(target, {}, method));
            } catch (const std::runtime_error& error) {
                return error.what();
            }
            return "nothing";
        };
        const std::string end = ", where an event stream was asked for";
        CHECK(complaint("/nope") == "GET /nope: 404, application/problem+json" + end);
        CHECK(complaint("/text", "POST") == "POST /text: 405, application/problem+json" + end);
        CHECK(complaint("/text") == "GET /text: 200, text/plain; charset=utf-8" + end);
        CHECK(complaint("/none") == "GET /none: 204, no Content-Type" + end);
        CHECK(complaint("/refused") == "GET /refused: 503, text/event-stream" + end);
        CHECK(complaint("/other") == "GET /other: 200, text/event-streams" + end);
        CHECK(complaint("/whole") == "nothing");
        CHECK(client.events("/echo", {}, "POST", "asked").next()->data == "asked");
    });
}

TEST_CASE("JSON that is published reaches a page as JSON") {
    with_hub([](TestClient& client, Hub& hub) {
        TestEvents events = client.events("/events");
        hub.publish("t", sake::Json{{"tea", 7.5}});
        CHECK(events.next()->data == R"({"tea":7.5})");
    });
}

}  // namespace test_events
