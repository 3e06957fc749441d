// Time limits, with small values: a slow or silent client loses its connection and nobody else notices. Upper
// bounds on durations are generous, since machines are shared; lower bounds are exact.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sake.hpp"
#include "support/oracle.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_timeouts {

using namespace harness;

namespace {

constexpr auto slack = 2s;

class Stopwatch {
  public:
    [[nodiscard]] bool shows(std::chrono::milliseconds time) const {
        const auto passed = std::chrono::steady_clock::now() - start_;
        return passed >= time && passed < time + slack;
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Sends `piece` every 10 ms until the server answers or closes; false if it does neither.
bool trickle(RawClient& client, std::string_view piece, std::chrono::milliseconds longest) {
    const auto until = std::chrono::steady_clock::now() + longest;
    while (client.expect_silence(10ms)) {
        client.try_send(piece);
        if (std::chrono::steady_clock::now() > until) return false;
    }
    return true;
}

void add_body_route(sake::Engine& app) {
    app.post("/", [](sake::Context& ctx) { ctx.text(ctx.body()); });
}

}  // namespace

TEST_CASE("S1 a request head that does not come in time is 408, and trickling does not extend the time") {
    on_every_poller([](sake::Config config) {
        with_server(
            add_body_route,
            [](TestServer& server) {
                for (const std::string start :
                     {"G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: test\r\nX"}) {
                    CAPTURE(start);
                    const Stopwatch watch;
                    RawClient client = server.connect();
                    client.send(start);
                    CHECK(trickle(client, "x", 5s));
                    CHECK(watch.shows(150ms));
                    const Response answer = client.read_response();
                    CHECK(answer.status == 408);
                    CHECK(answer.header("Connection") == "close");
                    CHECK(client.expect_closed());
                }
            },
            config.with_header_timeout(150ms));
    });
}

TEST_CASE("the time for a head begins anew with every request of a connection") {
    with_server(
        add_body_route,
        [](TestServer& server) {
            RawClient client = server.connect();
            for (int i = 0; i < 4; ++i) {
                client.send("GET /_ping HTTP/1.1\r\n");
                CHECK(client.expect_silence(150ms));
                CHECK(client.send("Host: test\r\n\r\n").read_response().body == "pong");
                CHECK(client.expect_silence(50ms));
            }
        },
        quiet_config().with_header_timeout(500ms));
}

TEST_CASE("a connection that never sends is closed after the header timeout, without a word") {
    with_server(
        add_body_route,
        [](TestServer& server) {
            const Stopwatch watch;
            RawClient client = server.connect();
            CHECK(client.expect_closed());
            CHECK(watch.shows(100ms));
        },
        quiet_config().with_header_timeout(100ms));
}

TEST_CASE(
    "S1 three hundred clients that trickle their heads are all refused in time, while others are served") {
    with_server([](sake::Engine&) {},
                [](TestServer& server) {
                    std::vector<RawClient> slow;
                    for (int i = 0; i < 300; ++i) {
                        slow.push_back(server.connect());
                        slow.back().send("GET /_ping HTTP/1.1\r\nHost: test\r\nX: ");
                    }
                    const auto end = std::chrono::steady_clock::now() + 300ms;
                    while (std::chrono::steady_clock::now() < end) {
                        for (RawClient& each : slow) static_cast<void>(each.try_send("y"));
                        CHECK(server.ping());
                    }
                    for (RawClient& each : slow) CHECK(each.read_response().status == 408);
                },
                quiet_config().with_header_timeout(200ms));
}

TEST_CASE("the time for the first head begins when the client comes, not with its first byte") {
    with_server(
        add_body_route,
        [](TestServer& server) {
            RawClient early = server.connect();
            RawClient late = server.connect();
            early.send("G");
            CHECK(late.expect_silence(1600ms));
            late.send("G");
            CHECK(early.read_response().status == 408);
            const Stopwatch since_early;
            CHECK(late.read_response().status == 408);
            CHECK_FALSE(since_early.shows(1500ms));  // its first byte came that much later
        },
        quiet_config().with_header_timeout(2s));
}

TEST_CASE("S2 a body that all but came at once may not be silent for longer than read_timeout") {
    on_every_poller([](sake::Config config) {
        with_server(
            add_body_route,
            [](TestServer& server) {
                // At the minimum rate, what comes at once would do for 100 seconds.
                const std::string request = post_request("/", std::string(24'001, 'x'));
                RawClient silent = server.connect();
                silent.send(request.substr(0, request.size() - 1)).set_deadline(20s);
                CHECK(silent.read_response().status == 408);
                // Nor may it go on at less than that rate.
                RawClient dripping = server.connect();
                dripping.send(post_request("/", std::string(100'000, 'x')).substr(0, 30'000));
                CHECK(trickle(dripping, "x", 20s));
                CHECK(dripping.read_response().status == 408);
            },
            config.with_rate_grace(100ms).with_read_timeout(300ms));
    });
}

TEST_CASE("S5 a thousand connections that send nothing are closed in time, while others are served") {
    with_server(
        add_body_route,
        [](TestServer& server) {
            std::vector<RawClient> clients;
            for (int i = 0; i < 1000; ++i) clients.push_back(server.connect());
            CHECK(server.ping());
            std::size_t closed = 0;
            for (RawClient& each : clients) closed += each.expect_closed() ? 1U : 0U;
            CHECK(closed == 1000);
        },
        quiet_config().with_header_timeout(300ms));
}

TEST_CASE("an idle connection is closed after the keep-alive timeout, and each request renews it") {
    on_every_poller([](sake::Config config) {
        with_server(
            add_body_route,
            [](TestServer& server) {
                RawClient client = server.connect();
                for (int i = 0; i < 4; ++i) {
                    CHECK(client.send(get_request("/_ping")).read_response().body == "pong");
                    CHECK(client.expect_silence(200ms));
                }
                client.send(get_request("/_ping")).read_response();
                const Stopwatch watch;
                CHECK(client.expect_closed());
                CHECK(watch.shows(490ms));  // the answer took a moment to come
            },
            config.with_keep_alive_timeout(500ms).with_header_timeout(50ms));
    });
}

TEST_CASE("S2 a body slower than the minimum rate is 408 after the grace, with either framing") {
    on_every_poller([](sake::Config config) {
        with_server(
            add_body_route,
            [](TestServer& server) {
                for (const std::string framing : {"Content-Length: 1000", "Transfer-Encoding: chunked"}) {
                    CAPTURE(framing);
                    const Stopwatch watch;
                    RawClient client = server.connect();
                    client.send("POST / HTTP/1.1\r\nHost: test\r\n" + framing + "\r\n\r\n");
                    if (framing.front() == 'T') client.send("3e8\r\n");
                    CHECK(trickle(client, "x", 5s));  // at most 100 bytes a second
                    CHECK(watch.shows(100ms));
                    CHECK(client.read_response().status == 408);
                    CHECK(client.expect_closed());
                }
            },
            config.with_rate_grace(100ms).with_minimum_rate(10'000));
    });
}

TEST_CASE("a body that keeps to the minimum rate may take longer than the grace") {
    with_server(
        add_body_route,
        [](TestServer& server) {
            const Stopwatch watch;
            RawClient client = server.connect();
            client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2000\r\n\r\n");
            for (int i = 0; i < 20; ++i) {
                client.send(std::string(100, 'x'));  // each buys 500 ms
                if (i < 19) CHECK(client.expect_silence(10ms));
            }
            CHECK(client.read_response().status == 200);
            CHECK(watch.shows(190ms));
        },
        quiet_config().with_rate_grace(100ms).with_minimum_rate(200));
}

TEST_CASE("S3 a client that does not read a large answer loses its connection after the write timeout") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    on_every_poller([&](sake::Config config) {
        with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
                app.get("/big-later", [&](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::yield();
                    ctx.send(body, "text/plain");
                });
            },
            [&](TestServer& server) {
                for (const std::string path : {"/big", "/big-later"}) {
                    CAPTURE(path);
                    const int before = settled_fds(server);
                    const Stopwatch watch;
                    RawClient client = RawClient::with_receive_buffer(server.port(), 16 * 1024);
                    client.send(get_request(path));
                    CHECK(eventually([&] { return Snapshot::take().fds == before + 2; }));
                    CHECK(server.ping());
                    CHECK(eventually([&] { return Snapshot::take().fds == before + 1; }));
                    CHECK(watch.shows(400ms));
                    client.set_deadline(10s);
                    CHECK(client.read_until_close().size() < body.size());
                    CHECK(client.was_reset());  // the kernel lets go of its share of the answer, too
                }
            },
            config.with_write_timeout(400ms));
    });
}

TEST_CASE(
    "S3 an answer that is too much for the memory of all connections ends in a reset, not in the kernel") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    with_server(
        [&](sake::Engine& app) {
            app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
        },
        [&](TestServer& server) {
            // With small receive buffers the kernel drops segments now and then, and then the reset, too.
            RawClient first = server.connect();
            first.send(get_request("/big"));
            CHECK_FALSE(first.expect_closed());  // its answer has begun: alone it may keep all of it
            RawClient second = server.connect();
            second.send(get_request("/big")).set_deadline(10s);
            CHECK(second.read_until_close().size() < body.size());
            CHECK(second.was_reset());
            CHECK(server.ping());
        },
        quiet_config().with_max_buffered(1024 * 1024));
}

TEST_CASE("S3 a client that reads slower than the minimum rate loses its connection after the grace") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    with_server(
        [&](sake::Engine& app) {
            app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
        },
        [&](TestServer& server) {
            const int before = settled_fds(server);
            const Stopwatch watch;
            RawClient client = RawClient::with_receive_buffer(server.port(), 16 * 1024);
            client.send(get_request("/big"));
            CHECK(eventually([&] { return Snapshot::take().fds == before + 2; }));
            // Some progress in every 10 ms, so that the write timeout alone would wait for ever.
            CHECK(eventually([&] {
                client.read_some(32 * 1024);
                return Snapshot::take().fds == before + 1;
            }));
            CHECK(watch.shows(400ms));
        },
        // 32 KiB every millisecond or slower is far below this.
        quiet_config().with_rate_grace(400ms).with_minimum_rate(1'000'000'000));
}

TEST_CASE(
    "a transfer has a grace, each byte buys its time, and what a fast start bought lasts for one pause") {
    using sake::detail::RateLimit;
    using sake::detail::TimePoint;
    const TimePoint begin = TimePoint() + 1h;
    const sake::Config config = sake::Config().with_rate_grace(100ms).with_minimum_rate(1000);
    RateLimit slow;
    CHECK(slow.due(config, begin, 0, begin, 30s) == begin + 100ms);
    CHECK(slow.due(config, begin, 1, begin + 50ms, 30s) == begin + 101ms);
    CHECK(slow.due(config, begin, 1, begin + 60ms, 30s) == begin + 101ms);  // nothing new has come
    CHECK(slow.due(config, begin, 31, begin + 70ms, 30s) == begin + 131ms);

    for (const std::uint64_t bytes : {899U, 900U, 901U}) {
        RateLimit fast;
        const TimePoint due = fast.due(config, begin, bytes, begin, 1s);
        CHECK(due == begin + 100ms + std::chrono::milliseconds(std::min<std::uint64_t>(bytes, 900)));
        // From then on a byte each millisecond is enough, and less is not.
        CHECK(fast.due(config, begin, bytes + 10, begin + 100ms, 1s) == std::min(due + 10ms, begin + 1100ms));
    }
}

TEST_CASE("the pace of a transfer holds at every rate and size") {
    using sake::detail::RateLimit;
    using sake::detail::TimePoint;
    const TimePoint begin = TimePoint() + 1h;
    // Above a byte a nanosecond, the time of a single byte rounds to nothing, that of many does not.
    sake::Config config = sake::Config().with_rate_grace(1ms).with_minimum_rate(1'000'000'000);
    RateLimit by_bytes;
    for (std::uint64_t total = 1; total <= 1000; ++total) by_bytes.due(config, begin, total, begin, 30s);
    CHECK(by_bytes.due(config, begin, 1000, begin, 30s) == begin + 1ms + 1us);
    config.minimum_rate = 3;
    RateLimit by_thirds;
    CHECK(by_thirds.due(config, begin, 1, begin, 30s) == begin + 1ms + 333'333'333ns);
    config.minimum_rate = 1;
    for (const std::uint64_t bytes : {std::uint64_t{1} << 33, std::uint64_t{1} << 34, ~std::uint64_t{0}}) {
        RateLimit huge;
        CHECK(huge.due(config, begin, bytes, begin, 30s) == begin + 30s);
    }
}

TEST_CASE("a coroutine handler that takes too long is cancelled and answered with 504") {
    std::atomic<int> cancelled{0};
    std::atomic<int> stopped{0};
    on_every_poller([&](sake::Config config) {
        cancelled = stopped = 0;
        with_server(
            [&](sake::Engine& app) {
                app.get("/slow", [&](sake::Context& ctx) -> sake::Task<> {
                    const std::stop_callback on_stop(ctx.stop_token(), [&] { ++stopped; });
                    try {
                        co_await sake::sleep(60s);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                        throw;
                    }
                });
            },
            [&](TestServer& server) {
                const Stopwatch watch;
                RawClient client = server.connect();
                client.send(get_request("/slow") + get_request("/_ping"));
                const Response answer = client.read_response();
                CHECK(watch.shows(100ms));
                CHECK(answer.status == 504);
                CHECK(answer.header("Connection") == "close");
                CHECK(client.expect_closed());  // the ping behind it is not answered
                CHECK(eventually([&] { return cancelled == 1 && stopped == 1; }));
            },
            config.with_request_timeout(100ms));
    });
}

TEST_CASE("a handler that swallows its cancellation changes nothing: one 504, then the end") {
    std::atomic<int> cancelled{0};
    std::atomic<int> ended{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/stubborn", [&](sake::Context& ctx) -> sake::Task<> {
                try {
                    co_await sake::sleep(60s);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                }
                co_await sake::sleep(20ms);
                ctx.text("too late");
                ++ended;
            });
            app.get("/prompt", [&](sake::Context& ctx) -> sake::Task<> {
                try {
                    co_await sake::sleep(60s);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                }
                ctx.text("too late");
                ++ended;
            });
        },
        [&](TestServer& server) {
            for (const char* path : {"/stubborn", "/prompt"}) {
                RawClient client = server.connect();
                client.send(get_request(path));
                CHECK(client.read_response().status == 504);
                CHECK(client.expect_closed());
            }
            CHECK(eventually([&] { return ended == 2; }));
            CHECK(cancelled == 2);
        },
        quiet_config().with_request_timeout(80ms));
}

TEST_CASE("a handler that outlives its cancellation is cancelled again, after another request timeout") {
    std::atomic<int> cancelled{0};
    std::atomic<bool> has_ended{false};
    with_server(
        [&](sake::Engine& app) {
            app.get("/stubborn", [&](sake::Context&) -> sake::Task<> {
                while (cancelled < 3) {
                    try {
                        co_await sake::sleep(1h);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                    }
                }
                has_ended = true;
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/stubborn"));
            CHECK(client.read_response().status == 504);
            CHECK(client.expect_closed());
            CHECK(eventually([&] { return has_ended.load(); }));
        },
        quiet_config().with_request_timeout(50ms));
}

TEST_CASE("the request timeout counts for each request alone, and not while a connection is idle") {
    with_server(
        [](sake::Engine& app) {
            app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
                co_await sake::sleep(60ms);
                ctx.text("slow");
            });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/slow") + get_request("/slow") + get_request("/slow"));
            for (int i = 0; i < 3; ++i) CHECK(client.read_response().body == "slow");
            CHECK(client.expect_silence(300ms));
            CHECK(client.send(get_request("/slow")).read_response().body == "slow");
        },
        quiet_config().with_request_timeout(200ms));
}

}  // namespace test_timeouts
