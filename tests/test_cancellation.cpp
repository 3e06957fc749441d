// C1: a client that goes away is noticed wherever its handler waits: the handler sees Cancelled exactly once,
// what it owns is destroyed, its stop token fires, and nothing is left behind (the oracle).
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_cancellation {

using namespace harness;

namespace {

/// What happened in the handlers, for the test to look at from outside.
struct Record {
    std::atomic<int> reached{-1};  // the point where a handler waits
    std::atomic<int> alive{0};     // guards that live now
    std::atomic<int> made{0};
    std::atomic<int> cancelled{0};
    std::atomic<int> stopped{0};
    std::atomic<int> answered{0};

    void reset() {
        reached = -1;
        alive = made = cancelled = stopped = answered = 0;
    }
};

class Guard {
  public:
    explicit Guard(Record& record) : record_(record) {
        ++record_.alive;
        ++record_.made;
    }
    ~Guard() { --record_.alive; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

  private:
    Record& record_;
};

/// Waits without end if this is the point to be cut at, else for a moment.
sake::Task<> point(Record& record, int number, int target) {
    const Guard guard(record);
    if (number != target) {
        co_await sake::yield();
        co_return;
    }
    record.reached = number;
    co_await sake::sleep(1h);
}

sake::Task<std::string> nested(Record& record, int target, int depth) {
    const Guard guard(record);
    const std::string text(100, 'x');
    co_await point(record, 4 + depth, target);
    if (depth == 0) co_return text;
    std::string below = co_await nested(record, target, depth - 1);
    co_return below + text;
}

constexpr int points = 9;

/// Has a wait of each kind, numbered 0 to points - 1.
sake::Task<> many_waits(sake::Context& ctx, Record& record, int target, sake::Event& never) {
    const Guard guard(record);
    const std::stop_callback on_stop(ctx.stop_token(), [&record] { ++record.stopped; });
    try {
        co_await point(record, 0, target);
        if (target == 1) {
            record.reached = 1;
            co_await never.wait();
        }
        if (target == 2) {
            record.reached = 2;
            co_await sake::sleep(1h);
        }
        if (target == 3) {
            record.reached = 3;
            for (;;) co_await sake::yield();
        }
        const std::string text = co_await nested(record, target, 3);
        if (target == 8) {
            record.reached = 8;
            auto child = sake::spawn(point(record, 8, 8));
            try {
                co_await child;
            } catch (const sake::Cancelled&) {
                child.cancel();
                throw;
            }
        }
        ctx.text(text);
        ++record.answered;
    } catch (const sake::Cancelled&) {
        ++record.cancelled;
        throw;
    }
}

/// Runs `leave(client)` once a handler waits at each of the points, on every poller.
template <class Leave>
void leave_at_every_point(const sake::Config& settings, Leave leave) {
    on_every_poller([&](sake::Config config) {
        Record record;
        sake::Event never;
        config.half_close_window = settings.half_close_window;
        with_server(
            [&](sake::Engine& app) {
                app.use([](sake::Context& ctx) -> sake::Task<> { co_await ctx.next(); });
                app.get("/wait/:n", [&](sake::Context& ctx, int n) -> sake::Task<> {
                    return many_waits(ctx, record, n, never);
                });
            },
            [&](TestServer& server) {
                for (int target = 0; target < points; ++target) {
                    CAPTURE(target);
                    record.reset();
                    RawClient client = server.connect();
                    client.send(get_request("/wait/" + std::to_string(target)));
                    REQUIRE(eventually([&] { return record.reached == target; }));
                    CHECK(record.alive > 0);
                    leave(client);
                    CHECK(eventually([&] { return record.alive == 0; }));
                    CHECK(record.cancelled == 1);
                    CHECK(record.stopped == 1);
                    CHECK(record.answered == 0);
                    CHECK(record.made > 0);
                }
                record.reset();
                CHECK(server.get("/wait/99").body.size() == 400);
                CHECK(record.answered == 1);
                CHECK(record.cancelled == 0);
                CHECK(record.stopped == 0);
            },
            config);
    });
}

}  // namespace

TEST_CASE("C1 a reset at every suspension point is seen once, as Cancelled, and everything is destroyed") {
    leave_at_every_point(sake::Config(), [](RawClient& client) { client.reset(); });
}

TEST_CASE("C1 a close at every suspension point, later than the half-close window, is seen as Cancelled") {
    leave_at_every_point(sake::Config().with_half_close_window(0ms),
                         [](RawClient& client) { client.close(); });
}

TEST_CASE("C1 an end of input alone, later than the half-close window, is seen as Cancelled") {
    leave_at_every_point(sake::Config().with_half_close_window(0ms), [](RawClient& client) {
        client.shutdown_write();
        CHECK(client.expect_closed());
    });
}

TEST_CASE("C1 a handler that swallows the cancellation sees no second one, and its answer goes nowhere") {
    int cancelled = 0;
    int ended = 0;
    with_client(
        [&](sake::Engine& app) {
            app.get("/", [&](sake::Context& ctx) -> sake::Task<> {
                for (int i = 0; i < 4; ++i) {
                    try {
                        const auto time = i == 0 ? std::chrono::milliseconds(1h) : 5s;
                        co_await sake::sleep(time);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                    }
                }
                ctx.text("nobody reads this");
                ++ended;
            });
        },
        [&](sake::TestClient& client) {
            for (int round = 0; round < 5; ++round) {
                sake::TestConnection connection = client.connect();
                connection.send(get_request("/") + get_request("/"));
                client.advance(1s);
                connection.reset();
                client.advance(14'999ms);
                CHECK(ended == round);
                client.advance(1ms);
                CHECK(ended == round + 1);
                CHECK(cancelled == round + 1);
            }
        });
}

TEST_CASE("C1 a client that goes away between pipelined requests takes the ones behind with it") {
    std::atomic<int> started{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/", [&](sake::Context& ctx) -> sake::Task<> {
                ++started;
                co_await sake::sleep(1h);
                ctx.text("never");
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            std::string batch;
            for (int i = 0; i < 16; ++i) batch += get_request("/");
            client.send(batch);
            REQUIRE(eventually([&] { return started == 1; }));
            const int open = Snapshot::take_in_calm().fds;  // UBSan opens pipes while the handler still runs
            client.reset();
            CHECK(eventually([&] { return Snapshot::take().fds == open - 2; }));
            CHECK(started == 1);
        });
}

TEST_CASE("C1 a reset while a body is being read or an answer written frees the connection") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                app.post("/", [](sake::Context& ctx) { ctx.text(ctx.body()); });
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
            },
            [&](TestServer& server) {
                const int before = settled_fds(server);
                std::vector<RawClient> clients;
                for (int i = 0; i < 30; ++i) {
                    clients.push_back(RawClient::with_receive_buffer(server.port(), 16 * 1024));
                    RawClient& client = clients.back();
                    if (i % 3 == 0) client.send(get_request("/big")).read_exactly(1000);
                    if (i % 3 == 1)
                        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
                    if (i % 3 == 2) client.send("GET / HTTP/1.1\r\nHost");
                }
                CHECK(eventually([&] { return Snapshot::take().fds == before + 60; }));
                for (RawClient& client : clients) client.reset();
                CHECK(eventually([&] { return Snapshot::take().fds == before; }));
            },
            config);
    });
}

TEST_CASE("C1 clients that reset at random moments harm nobody") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            [](sake::Engine& app) {
                app.get("/plain", [](sake::Context& ctx) { ctx.text("plain"); });
                app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::sleep(2ms);
                    co_await sake::yield();
                    ctx.text(std::string(30'000, 'x'));
                });
                app.post("/post", [](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::yield();
                    ctx.text(ctx.body());
                });
            },
            [](TestServer& server) {
                std::mt19937 random(11);
                RawClient steady = server.connect();
                const std::string batch = get_request("/plain") + get_request("/slow") +
                                          post_request("/post", pattern_bytes(5000)) + get_request("/slow");
                for (int i = 0; i < 300; ++i) {
                    RawClient client = server.connect();
                    client.send(batch.substr(0, random() % (batch.size() + 1)));
                    if (random() % 2 == 0) static_cast<void>(client.expect_silence(random() % 3 * 1ms));
                    if (random() % 3 == 0) client.shutdown_write();
                    if (random() % 2 == 0) {
                        client.reset();
                    } else {
                        client.close();
                    }
                    if (i % 10 == 0)
                        REQUIRE(steady.send(get_request("/plain")).read_response().body == "plain");
                }
            },
            config);
    });
}

TEST_CASE("C1 what a stop token tells a program may close what the loop has an event for") {
    on_every_poller([](const sake::Config& config) {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        const sake::detail::FileDescriptor ours(ends[0]);
        RawClient peer = RawClient::adopt(ends[1]);
        std::atomic<bool> is_waiting{false};
        std::atomic<bool> may_go_on{false};
        std::atomic<int> closed{0};
        with_server(
            [&](sake::Engine& app) {
                app.get("/wait", [&](sake::Context& ctx) -> sake::Task<> {
                    auto watch = std::make_unique<sake::detail::Watch>(*sake::Reactor::current(), ours.get());
                    const std::stop_callback on_stop(ctx.stop_token(), [&] {
                        watch.reset();
                        ++closed;
                    });
                    is_waiting = true;
                    co_await sake::sleep(1h);
                });
                app.get("/hold", [&](sake::Context&) {
                    while (!may_go_on) std::this_thread::yield();
                });
            },
            [&](TestServer& server) {
                RawClient client = server.connect();
                client.send(get_request("/wait"));
                REQUIRE(eventually([&] { return is_waiting.load(); }));
                RawClient holder = server.connect();
                holder.send(get_request("/hold"));
                client.reset();  // first, so that its event comes first
                peer.send("something");
                may_go_on = true;
                CHECK(eventually([&] { return closed == 1; }));
                CHECK(holder.read_response().status == 200);
            },
            config);
    });
}

}  // namespace test_cancellation
