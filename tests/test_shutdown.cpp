// Stopping: nothing that was accepted is lost within the grace (G1), and what outlives it is cut off (G2).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/attempts.hpp"
#include "support/client_fixture.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/programs.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_shutdown {

using namespace harness;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;

namespace {

/// A route whose requests wait until told.
struct Gate {
    std::atomic<int> started{0};
    std::atomic<int> cancelled{0};
    std::atomic<bool> is_open{false};

    void add_to(sake::Engine& app) {
        app.get("/gate", [this](sake::Context& ctx) -> sake::Task<> {
            ++started;
            try {
                while (!is_open) co_await sake::sleep(1ms);
            } catch (const sake::Cancelled&) {
                ++cancelled;
                throw;
            }
            ctx.text("through");
        });
    }
};

/// The same in virtual time, for one thread. It is open for all from when `opened` is set.
struct VirtualGate {
    sake::Engine* engine = nullptr;
    sake::Event opened;
    int started = 0;
    int cancelled = 0;

    void add_to(sake::Engine& app) {
        engine = &app;
        app.get("/gate", [this](sake::Context& ctx) -> sake::Task<> {
            ++started;
            try {
                co_await opened.wait();
            } catch (const sake::Cancelled&) {
                ++cancelled;
                throw;
            }
            ctx.text("through");
        });
    }
};

/// Whether a new connection is refused: the listener has gone.
bool is_refused(int port) {
    try {
        const RawClient client(port);
        return false;
    } catch (const std::runtime_error&) {
        return true;
    }
}

}  // namespace

TEST_CASE("G1 a stop loses no request in flight, closes idle connections at once, and run() returns 0") {
    VirtualGate gate;
    const int exit_code = with_client(
        [&](sake::Engine& app) { gate.add_to(app); },
        [&](TestClient& client) {
            std::vector<TestConnection> busy = connections_of(client, 200, get_request("/gate"));
            std::vector<TestConnection> idle = connections_of(client, 50, get_request("/_ping"));
            for (TestConnection& each : idle) CHECK(each.response().body == "pong");
            for (TestConnection& each : connections_of(client, 50, "")) idle.push_back(std::move(each));
            std::vector<TestConnection> half = connections_of(client, 20, "GET /_ping HTTP/1.1\r\nHost: te");
            client.advance(1s);
            CHECK(gate.started == 200);

            gate.engine->stop();
            client.advance(49ms);
            for (TestConnection& each : idle) CHECK_FALSE(each.is_closed());
            client.advance(1ms);
            for (TestConnection& each : idle) CHECK(each.is_closed());
            // Half of the half-sent heads are completed in time and served, the others are told.
            client.advance(949ms);
            for (std::size_t i = 0; i < half.size(); i += 2) {
                const TestResponse answer = half[i].send("st\r\n\r\n").response();
                CHECK(answer.body == "pong");
                CHECK(answer.header("Connection") == "close");
            }
            CHECK(half[1].receive_now() == "");
            client.advance(1ms);
            for (std::size_t i = 1; i < half.size(); i += 2) {
                CHECK(half[i].response().status == 503);
                CHECK(half[i].is_closed());
            }
            client.advance(20s);
            CHECK(gate.started == 200);
            gate.opened.set();
            for (TestConnection& each : busy) {
                const TestResponse answer = each.response();
                CHECK(answer.body == "through");
                CHECK(answer.header("Connection") == "close");
                CHECK(each.is_closed());
            }
        });
    CHECK(exit_code == 0);
}

namespace {

/// So many clients, of which each has sent these bytes.
std::vector<RawClient> clients_of(TestServer& server, int count, const std::string& bytes) {
    std::vector<RawClient> clients;
    for (int i = 0; i < count; ++i) {
        clients.push_back(server.connect());
        clients.back().set_deadline(30s).send(bytes);
    }
    return clients;
}

/// How many of them get this body, and are told that it was the last.
int count_answered(std::vector<RawClient>& clients, std::string_view body) {
    int count = 0;
    for (RawClient& each : clients) {
        const Response answer = each.read_response();
        if (answer.body == body && answer.header("Connection") == "close" && each.expect_closed()) ++count;
    }
    return count;
}

/// The heads have to be completed within a second of the stop.
void stop_in_full_flight(Attempt& attempt) {
    Gate gate;
    const int exit_code = with_server(
        [&](sake::Engine& app) {
            gate.add_to(app);
            app.get("/heavy",
                    [&](sake::Context& ctx) {
                        gate.is_open.wait(false);
                        ctx.text("through");
                    })
                .worker();
            app.post("/upload", [](sake::Context& ctx) { ctx.text(std::to_string(ctx.body().size())); });
        },
        [&](TestServer& server) {
            const std::string upload = post_request("/upload", std::string(50'000, 'x'));
            std::vector<RawClient> waiting = clients_of(server, 250, get_request("/gate"));
            std::vector<RawClient> heavy = clients_of(server, 250, get_request("/heavy"));
            std::vector<RawClient> idle = clients_of(server, 200, get_request("/_ping"));
            for (RawClient& each : idle) CHECK(each.read_response().body == "pong");
            std::vector<RawClient> half = clients_of(server, 50, "GET /_ping HTTP/1.1\r\nHost: te");
            std::vector<RawClient> uploads = clients_of(server, 20, upload.substr(0, 30'000));
            const auto in_pool = [&] {
                const auto workers = server.app().stats().workers;
                return workers.queued + workers.running;
            };
            const bool all_are_in_flight =
                eventually([&] { return gate.started == 250 && in_pool() == 250; });
            CHECK(all_are_in_flight);
            CHECK(server.ping());

            attempt.begin();
            server.app().stop();
            CHECK(idle.back().expect_closed());  // so the stop has begun
            idle.pop_back();
            for (RawClient& each : half) static_cast<void>(each.try_send("st\r\n\r\n"));
            const auto open = [&] {
                gate.is_open = true;
                gate.is_open.notify_all();
            };
            if (!attempt.note_step()) return open();
            for (RawClient& each : uploads) each.send(std::string_view(upload).substr(30'000));
            for (RawClient& each : idle) CHECK(each.expect_closed());
            CHECK(count_answered(half, "pong") == 50);
            CHECK(count_answered(uploads, "50000") == 20);
            open();
            CHECK(count_answered(waiting, "through") == 250);
            CHECK(count_answered(heavy, "through") == 250);
            CHECK(server.wait() == 0);
        },
        quiet_config()
            .with_worker_pool_size(2)
            .with_worker_queue_timeout(60s)
            .with_header_timeout(60s)
            .with_request_timeout(60s));
    if (attempt.counts()) CHECK(exit_code == 0);
}

}  // namespace

TEST_CASE(
    "G1 500 requests in flight, half of them in the pool, beside 200 idle connections, 50 heads and 20 "
    "uploads: "
    "a stop loses none") {
    const int rounds_of_this = is_full_size() ? 50 : 2;
    for (int round = 0; round < rounds_of_this; ++round) until_in_time(1s, stop_in_full_flight, 1);
}

TEST_CASE("G1 a request that is with the kernel when the stop comes is answered, every time") {
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        with_server([](sake::Engine&) {},
                    [&](TestServer& server) {
                        REQUIRE(server.ping());  // a stop before run() would take effect at once
                        std::vector<RawClient> clients;
                        for (int i = 0; i < 5; ++i) {
                            clients.push_back(server.connect());
                            const char* fields = round % 3 == 0 ? "" : "Connection: close\r\n";
                            clients.back().send(get_request("/_ping", fields));
                        }
                        server.app().stop();
                        for (RawClient& each : clients) {
                            const Response answer = each.read_response();
                            REQUIRE(answer.body == "pong");
                        }
                        REQUIRE(server.wait() == 0);
                    });
    }
}

TEST_CASE("G1 what is with the kernel when the stop comes does not keep others from their turn") {
    on_every_poller([](const sake::Config& config) {
        constexpr int count = 300;
        std::atomic<bool> is_held{false};
        std::atomic<bool> may_go_on{false};
        std::atomic<int> answered{0};
        std::atomic<int> answered_before_the_other{-1};
        Gate gate;
        const int exit_code = with_server(
            [&](sake::Engine& app) {
                gate.add_to(app);
                app.get("/plain", [&](sake::Context& ctx) {
                    ++answered;
                    ctx.text("plain");
                });
                app.get("/hold", [&](sake::Context& ctx) {
                    is_held = true;
                    while (!may_go_on) std::this_thread::yield();
                    ctx.text("held");
                });
                app.get("/other", [&](sake::Context& ctx) -> sake::Task<> {
                    ++gate.started;
                    while (answered == 0) co_await sake::yield();
                    answered_before_the_other = answered.load();
                    ctx.text("other");
                });
            },
            [&](TestServer& server) {
                RawClient other = server.connect();
                other.send(get_request("/other"));
                REQUIRE(eventually([&] { return gate.started == 1; }));
                RawClient holder = server.connect();
                CHECK(holder.send(get_request("/_ping")).read_response().body == "pong");
                holder.send(get_request("/hold"));
                REQUIRE(eventually([&] { return is_held.load(); }));
                std::vector<RawClient> waiting;
                for (int i = 0; i < count; ++i) {
                    waiting.push_back(server.connect());
                    waiting.back().send(get_request("/plain"));
                }
                server.app().stop();
                may_go_on = true;
                CHECK(other.read_response().body == "other");
                CHECK(answered_before_the_other < count / 2);
                for (RawClient& each : waiting) CHECK(each.read_response().body == "plain");
                CHECK(holder.read_response().body == "held");
                CHECK(server.wait() == 0);
            },
            config);
        CHECK(exit_code == 0);
    });
}

TEST_CASE("G1 a client that connects while a stop is on its way is answered, if the kernel accepts it") {
    on_every_poller([](const sake::Config& config) {
        std::atomic<bool> is_stopping{false};
        std::atomic<bool> may_stop{false};
        std::atomic<bool> is_held{false};
        std::atomic<bool> may_go_on{false};
        sake::Engine* engine = nullptr;
        const auto wait_for = [](const std::atomic<bool>& fact) {
            while (!fact) std::this_thread::yield();
        };
        const int exit_code = with_server(
            [&](sake::Engine& app) {
                engine = &app;
                app.get("/stop", [&](sake::Context& ctx) {
                    is_stopping = true;
                    wait_for(may_stop);
                    engine->stop();
                    ctx.text("stopped");
                });
                app.get("/hold", [&](sake::Context& ctx) {
                    is_held = true;
                    wait_for(may_go_on);
                    ctx.text("held");
                });
            },
            [&](TestServer& server) {
                RawClient stopper = server.connect();
                RawClient holder = server.connect();
                for (RawClient* each : {&stopper, &holder}) {
                    CHECK(each->send(get_request("/_ping")).read_response().body == "pong");
                }
                stopper.send(get_request("/stop"));
                REQUIRE(eventually([&] { return is_stopping.load(); }));
                holder.send(get_request("/hold"));  // is ready together with the stop
                may_stop = true;
                REQUIRE(eventually([&] { return is_held.load(); }));
                RawClient late = server.connect();
                late.send(get_request("/_ping"));
                may_go_on = true;
                CHECK(late.read_response().body == "pong");
                CHECK(late.expect_closed());
                CHECK_FALSE(late.was_reset());
                CHECK(stopper.read_response().body == "stopped");
                CHECK(holder.read_response().body == "held");
                CHECK(server.wait() == 0);
            },
            config);
        CHECK(exit_code == 0);
    });
}

TEST_CASE("G1 a stop while no descriptors are left ends at once if no client waits") {
    on_every_poller([](const sake::Config& config) {
        for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
            CAPTURE(error);
            const int exit_code = with_server(
                [](sake::Engine&) {},
                [error](TestServer& server) {
                    REQUIRE(server.ping());
                    const ScopedFaults faults(FaultPlan().fail_range("accept4", 1, 1'000'000, error));
                    // Linux asks for a descriptor first, so accept fails without a client, too.
                    CHECK(server.stop() == 0);  // not 1, as at the end of the grace
                },
                sake::Config(config).with_shutdown_grace(20s));
            CHECK(exit_code == 0);
        }
    });
}

TEST_CASE("G1 what waits for room when the stop comes is served as soon as there is some") {
    on_every_poller([](sake::Config config) {
        for (const bool is_idle : {false, true}) {
            CAPTURE(is_idle);
            Gate gate;
            const int exit_code =
                with_server([&](sake::Engine& app) { gate.add_to(app); },
                            [&](TestServer& server) {
                                RawClient first = server.connect();
                                first.send(get_request(is_idle ? "/_ping" : "/gate"));
                                if (is_idle) CHECK(first.read_response().body == "pong");
                                REQUIRE(eventually([&] { return is_idle || gate.started == 1; }));
                                std::vector<RawClient> waiting;
                                for (int i = 0; i < 3; ++i) {
                                    waiting.push_back(server.connect());
                                    waiting.back().send(get_request("/_ping"));
                                }
                                server.app().stop();
                                gate.is_open = true;
                                if (!is_idle) CHECK(first.read_response().body == "through");
                                for (RawClient& each : waiting) CHECK(each.read_response().body == "pong");
                                CHECK(server.wait() == 0);
                            },
                            config.with_max_connections(1));
            CHECK(exit_code == 0);
        }
    });
}

TEST_CASE("G1 a client that lingers after a refusal holds up the stop for a moment only") {
    const int exit_code = with_client([](sake::Engine&) {},
                                      [](TestClient& client) {
                                          std::vector<TestConnection> refused =
                                              connections_of(client, 10, "nonsense\r\n\r\n");
                                          for (TestConnection& each : refused)
                                              CHECK(each.response().status == 400);
                                          client.stop();
                                          for (TestConnection& each : refused)
                                              CHECK_THROWS_AS(each.send("x"), std::system_error);
                                      },
                                      quiet_config().with_shutdown_grace(201ms));
    CHECK(exit_code == 0);
}

TEST_CASE("G1 a client on a Unix socket that does not read its answer holds up the stop for a moment only") {
    char folder[] = "/tmp/sake-test-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/socket";
    on_every_poller([&](const sake::Config& config) {
        for (const std::size_t size : {std::size_t{1000}, std::size_t{50'000}}) {
            for (const char* fields : {"", "Connection: close\r\n"}) {
                const std::string body = pattern_bytes(size);
                std::chrono::steady_clock::time_point begun;
                const int exit_code = with_server(
                    [&](sake::Engine& app) {
                        app.get("/big", [&](sake::Context& ctx) { ctx.text(body); });
                        app.listen("127.0.0.1:0").listen("unix:" + path);
                    },
                    [&](TestServer& server) {
                        RawClient client = RawClient::to_unix(path);
                        client.send(get_request("/big", fields));
                        const std::string first = client.read_exactly(100);
                        CHECK(server.ping());
                        begun = std::chrono::steady_clock::now();
                        CHECK(server.stop() == 0);
                        CHECK(std::chrono::steady_clock::now() - begun < 10s);
                        // The rest is there all the same.
                        CHECK((first + client.read_until_close()).ends_with(body.substr(size - 900)));
                    },
                    config);
                CHECK(exit_code == 0);
            }
        }
    });
    ::rmdir(folder);
}

TEST_CASE("the log says what a stop waits for and what it closes") {
    VirtualGate gate;
    std::vector<std::string> lines;
    lines.reserve(4);
    const auto log = [&](sake::LogLevel level, std::string_view line) {
        const allocations::Exempt notes;
        lines.push_back(std::string(sake::to_string(level)) + ": " + std::string(line));
    };
    const auto stop_with = [&](int busy, int idle, std::chrono::milliseconds grace) {
        const allocations::Exempt test;
        lines.clear();
        gate.opened.reset();
        sake::Engine app(sake::Config().with_log(log).with_shutdown_grace(grace));
        gate.add_to(app);
        app.get("/plain", [](sake::Context& ctx) { ctx.text("plain"); });
        TestClient client(app);
        std::vector<TestConnection> waiting = connections_of(client, busy, get_request("/gate"));
        std::vector<TestConnection> silent = connections_of(client, (idle + 1) / 2, "");
        std::vector<TestConnection> kept = connections_of(client, idle / 2, get_request("/plain"));
        client.advance(1s);
        app.stop();
        client.advance(1s);
        if (grace > 1s) gate.opened.set();
        client.stop();
        std::string all;
        for (const std::string& each : lines) all += each + "\n";
        return all;
    };
    CHECK(stop_with(0, 0, 30s) == "");
    CHECK(stop_with(0, 1, 30s) == "info: stopping: closing 1 idle connection\n");
    CHECK(stop_with(0, 5, 30s) == "info: stopping: closing 5 idle connections\n");
    CHECK(stop_with(1, 0, 30s) == "info: stopping: waiting up to 30 s for 1 request\n");
    CHECK(stop_with(2, 3, 1500ms) ==
          "info: stopping: waiting up to 1500 ms for 2 requests, closing 3 idle connections\n");
    CHECK(stop_with(2, 1, 1s) ==
          "info: stopping: waiting up to 1 s for 2 requests, closing 1 idle connection\n"
          "warning: stopping at once, Config::shutdown_grace is over: cutting off 2 connections\n");
}

TEST_CASE("G1 an upload and a download that are under way at the stop are finished") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
                app.post("/post", [](sake::Context& ctx) { ctx.text(ctx.body()); });
            },
            [&](TestServer& server) {
                RawClient down = RawClient::with_receive_buffer(server.port(), 64 * 1024);
                down.send(get_request("/big")).set_deadline(60s);
                const std::string first = down.read_exactly(10);
                RawClient up = server.connect();
                const std::string request = post_request("/post", body.substr(0, 500'000));
                up.send(request.substr(0, 1000));
                REQUIRE(server.ping());
                server.app().stop();
                up.send(request.substr(1000));
                const Response answer = up.read_response();
                CHECK((answer.body == body.substr(0, 500'000)));
                CHECK(answer.header("Connection") == "close");
                const std::string rest = down.read_until_close();
                CHECK((first + rest).ends_with(body.substr(body.size() - 1000)));
                CHECK(rest.size() > body.size());
                CHECK(server.wait() == 0);
            },
            config);
    });
}

TEST_CASE("G1 a pipelined request behind one in flight is not started after the stop") {
    VirtualGate gate;
    const int exit_code = with_client([&](sake::Engine& app) { gate.add_to(app); },
                                      [&](TestClient& client) {
                                          TestConnection connection = client.connect();
                                          connection.send(get_request("/gate") + get_request("/gate"));
                                          client.advance(1s);
                                          gate.engine->stop();
                                          client.advance(1s);
                                          gate.opened.set();
                                          CHECK(connection.response().header("Connection") == "close");
                                          CHECK(connection.is_closed());
                                          CHECK(connection.receive_all() == "");  // and it was not reset
                                          CHECK(gate.started == 1);
                                      });
    CHECK(exit_code == 0);
}

TEST_CASE("G1 a head that is half here behind an answer on its way is completed and served after the stop") {
    sake::Engine* engine = nullptr;
    const int exit_code = with_client(
        [&](sake::Engine& app) {
            engine = &app;
            app.get("/big", [](sake::Context& ctx) { ctx.text(pattern_bytes(20'000)); });
        },
        [&](TestClient& client) {
            const std::string next = get_request("/_ping");
            const auto start = [&] {
                TestConnection connection = client.connect(1000);
                connection.send(get_request("/big") + next.substr(0, 20));
                return connection;
            };
            TestConnection completing = start();
            TestConnection silent = start();
            client.advance(0s);  // the answers are on their way by now
            engine->stop();
            client.advance(3s);
            CHECK(completing.response().body == pattern_bytes(20'000));
            const TestResponse served = completing.send(next.substr(20)).response();
            CHECK(served.body == "pong");
            CHECK(served.header("Connection") == "close");
            // The second that a head has at a stop begins when the answer before it has left.
            CHECK(silent.response().body == pattern_bytes(20'000));
            client.advance(999ms);
            CHECK(silent.receive_now() == "");
            client.advance(1ms);
            CHECK(silent.response().status == 503);
            CHECK(silent.is_closed());
        });
    CHECK(exit_code == 0);
}

TEST_CASE("G2 what outlives the grace is answered with 503 and cancelled, and run() returns 1") {
    VirtualGate gate;
    const int exit_code =
        with_client([&](sake::Engine& app) { gate.add_to(app); },
                    [&](TestClient& client) {
                        std::vector<TestConnection> busy = connections_of(client, 20, get_request("/gate"));
                        TestConnection uploading = client.connect();
                        uploading.send("POST /_ping HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
                        client.advance(0s);
                        gate.engine->stop();
                        client.advance(2999ms);
                        for (TestConnection& each : busy) CHECK(each.receive_now() == "");
                        CHECK_FALSE(uploading.is_closed());
                        CHECK(gate.cancelled == 0);
                        client.advance(1ms);
                        for (TestConnection& each : busy) {
                            const TestResponse answer = each.response();
                            CHECK(answer.status == 503);
                            CHECK(answer.header("Connection") == "close");
                            CHECK(each.is_closed());
                        }
                        CHECK(uploading.receive() == "");
                        CHECK(gate.cancelled == 20);
                    },
                    quiet_config().with_shutdown_grace(3s));
    CHECK(exit_code == 1);
}

TEST_CASE("G2 a handler that swallows its cancellation does not hold up the end of the grace") {
    int cancelled = 0;
    const int exit_code = with_client(
        [&](sake::Engine& app) {
            app.get("/", [&](sake::Context&) -> sake::Task<> {
                for (int i = 0; i < 5; ++i) {
                    try {
                        co_await sake::sleep(1h);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                    }
                }
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/"));
            client.advance(0s);
            CHECK(client.stop() == 1);
            CHECK(connection.response().status == 503);
            CHECK(cancelled == 1);
        },
        quiet_config().with_shutdown_grace(30ms));
    CHECK(exit_code == 1);
    CHECK(cancelled == 5);  // the last four times by the end of the run
}

TEST_CASE("G2 a grace of zero stops at once, and cleanly if nothing is in flight") {
    const auto stop_with = [](const std::string& request) {
        VirtualGate gate;
        return with_client([&](sake::Engine& app) { gate.add_to(app); },
                           [&](TestClient& client) {
                               TestConnection connection = client.connect();
                               connection.send(request);
                               client.advance(0s);
                               client.stop();
                           },
                           quiet_config().with_shutdown_grace(0ms));
    };
    CHECK(stop_with(get_request("/gate")) == 1);
    with_client([](sake::Engine&) {}, [](TestClient& client) { CHECK(client.stop() == 0); },
                quiet_config().with_shutdown_grace(0ms));
}

TEST_CASE("a handler may stop its own server, and its answer still goes out") {
    on_every_poller([](const sake::Config& config) {
        sake::Engine* engine = nullptr;
        const int exit_code = with_server(
            [&](sake::Engine& app) {
                engine = &app;
                app.get("/stop", [&](sake::Context& ctx) {
                    engine->stop();
                    engine->stop();
                    ctx.text("stopping");
                });
            },
            [&](TestServer& server) {
                CHECK(server.get("/stop").body == "stopping");
                CHECK(server.wait() == 0);
            },
            config);
        CHECK(exit_code == 0);
    });
}

namespace {

/// An engine that handles signals, in a thread of its own; signals are raised once it says that it serves.
class SignalledServer {
  public:
    explicit SignalledServer(
        Gate& gate, const TestServer::Setup& setup = [](sake::Engine&) {})
        : app_(sake::Config().with_log([this](sake::LogLevel, std::string_view line) {
              serves_ = true;
              if (line.find("a graceful stop is under way already") == 0) is_stopping_already_ = true;
              if (line.find("SIGINT and SIGTERM no longer stop gracefully, because reading them failed: ") !=
                  std::string_view::npos) {
                  is_deaf_ = true;
              }
          })) {
        gate.add_to(app_);
        setup(app_);
        app_.listen("127.0.0.1:0");
        port_ = app_.port();
        thread_ = std::thread([this] {
            faults::apply_to_this_thread();
            exit_code_ = app_.run();
        });
    }
    ~SignalledServer() {
        stop();
        wait();
    }
    SignalledServer(const SignalledServer&) = delete;
    SignalledServer& operator=(const SignalledServer&) = delete;

    [[nodiscard]] bool serves() const {
        return eventually([this] { return serves_.load(); });
    }
    /// Whether it has said that it hears no more signals.
    [[nodiscard]] bool gets_deaf() const {
        return eventually([this] { return is_deaf_.load(); });
    }
    /// Whether a first signal came when a stop had begun.
    [[nodiscard]] bool is_stopping_already() const {
        return eventually([this] { return is_stopping_already_.load(); });
    }
    [[nodiscard]] RawClient connect() const { return RawClient(port_); }
    [[nodiscard]] int port() const { return port_; }
    void stop() { app_.stop(); }
    int wait() {
        if (thread_.joinable()) thread_.join();
        return exit_code_;
    }

  private:
    std::atomic<bool> serves_{false};
    std::atomic<bool> is_deaf_{false};
    std::atomic<bool> is_stopping_already_{false};
    std::atomic<int> exit_code_{-1};
    sake::Engine app_;
    int port_ = 0;
    std::thread thread_;
};

using Handling = void (*)(int);
Handling handling_of(int signal) {
    struct sigaction action{};
    ::sigaction(signal, nullptr, &action);
    return action.sa_handler;
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT stop gracefully, and the program's own handling comes back") {
    const Handling of_term = handling_of(SIGTERM);
    const Handling of_int = handling_of(SIGINT);
    for (const int signal : {SIGTERM, SIGINT}) {
        CAPTURE(signal);
        Oracle oracle;
        {
            const allocations::Exempt not_the_servers;
            Gate gate;
            SignalledServer server(gate);
            REQUIRE(server.serves());
            CHECK((handling_of(SIGTERM) != of_term));
            RawClient client = server.connect();
            client.send(get_request("/gate"));
            REQUIRE(eventually([&] { return gate.started == 1; }));
            ::kill(::getpid(), signal);
            CHECK(eventually([&] { return is_refused(server.port()); }));
            gate.is_open = true;
            CHECK(client.read_response().body == "through");
            CHECK(server.wait() == 0);
        }
        CHECK((handling_of(SIGTERM) == of_term));
        CHECK((handling_of(SIGINT) == of_int));
        CHECK(oracle.check_returned_to_baseline());
    }
}

TEST_CASE("a signal that the program ignores when an engine starts stays ignored; the other one stops") {
    for (const int ignored : {SIGINT, SIGTERM}) {
        const int other = ignored == SIGINT ? SIGTERM : SIGINT;
        CAPTURE(ignored);
        const Handling of_ignored = ::signal(ignored, SIG_IGN);
        const Handling of_other = handling_of(other);
        {
            Gate gate;
            SignalledServer server(gate);
            REQUIRE(server.serves());
            CHECK((handling_of(ignored) == SIG_IGN));
            CHECK((handling_of(other) != of_other));
            ::kill(::getpid(), ignored);
            CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
            ::kill(::getpid(), other);
            CHECK(server.wait() == 0);
        }
        CHECK((handling_of(ignored) == SIG_IGN));
        CHECK((handling_of(other) == of_other));
        {
            Gate gate;
            SignalledServer server(gate);
            REQUIRE(server.serves());
            ::signal(ignored, SIG_DFL);  // the program changes its mind
        }
        CHECK((handling_of(ignored) == SIG_DFL));
        ::signal(ignored, of_ignored);
    }
}

TEST_CASE("a handler of signals may stop the engine, whatever it interrupts") {
    static std::atomic<sake::Engine*> stopped_by_signal{nullptr};
    const auto stop_by_signal = [](int) {
        if (sake::Engine* const engine = stopped_by_signal) engine->stop();
    };
    const Handling before = ::signal(SIGUSR1, stop_by_signal);
    for (int round = 0; round < 50; ++round) {
        sake::Engine app(quiet_config().with_signals(false).with_announce(false));
        app.listen("127.0.0.1:0");
        int exit_code = -1;
        std::thread serving([&] { exit_code = app.run(); });
        REQUIRE(RawClient(app.port()).send(get_request("/none")).read_response().status == 404);
        std::atomic<bool> is_over = false;
        std::atomic<int> rounds = 0;
        // It holds the lock of the engine more often than not.
        std::thread busy([&] {
            for (; !is_over; ++rounds) static_cast<void>(app.port() + static_cast<int>(app.stats().stalls));
        });
        REQUIRE(eventually([&] { return rounds > 10; }));
        stopped_by_signal = &app;
        for (int i = 0; i < 20; ++i) ::pthread_kill(busy.native_handle(), SIGUSR1);
        serving.join();
        is_over = true;
        busy.join();
        stopped_by_signal = nullptr;
        CHECK(exit_code == 0);
    }
    ::signal(SIGUSR1, before);
}

TEST_CASE("a stop that comes by a signal before the engine runs ends the next run, and leaves errno alone") {
    sake::Engine app(quiet_config().with_announce(false));
    app.listen("127.0.0.1:0");
    errno = EDOM;
    app.stop();
    CHECK(errno == EDOM);
    CHECK(app.run() == 0);
}

TEST_CASE("G2 a second signal stops at once") {
    Gate gate;
    SignalledServer server(gate);
    REQUIRE(server.serves());
    RawClient client = server.connect();
    client.send(get_request("/gate"));
    REQUIRE(eventually([&] { return gate.started == 1; }));
    ::kill(::getpid(), SIGTERM);
    CHECK(eventually([&] { return is_refused(server.port()); }));
    CHECK(client.expect_silence(600ms));  // within half a second it would be one with the first
    ::kill(::getpid(), SIGINT);
    CHECK(client.read_response().status == 503);
    CHECK(server.wait() == 1);
    CHECK(gate.cancelled == 1);
}

TEST_CASE("G1 one stop that arrives as several signals loses no request in flight") {
    for (const auto& [first, second] :
         {std::pair{SIGTERM, SIGTERM}, std::pair{SIGTERM, SIGINT}, std::pair{SIGINT, SIGTERM}}) {
        const auto signals = {first, second, second};
        const auto test = [&](Attempt& attempt) {
            Gate gate;
            SignalledServer server(gate);
            REQUIRE(server.serves());
            RawClient client = server.connect();
            client.send(get_request("/gate"));
            REQUIRE(eventually([&] { return gate.started == 1; }));
            attempt.begin();
            for (const int signal : signals) ::kill(::getpid(), signal);
            if (!attempt.note_step()) {  // so they may be two wishes
                gate.is_open = true;
                return;
            }
            CHECK(eventually([&] { return is_refused(server.port()); }));
            CHECK(client.expect_silence(50ms));
            gate.is_open = true;
            CHECK(client.read_response().body == "through");
            CHECK(server.wait() == 0);
            CHECK(gate.cancelled == 0);
        };
        until_in_time(500ms, test, 1);
    }
}

TEST_CASE("G1 a stop by the program is no signal: the first that follows does not cut anything off") {
    Gate gate;
    SignalledServer server(gate);
    REQUIRE(server.serves());
    RawClient client = server.connect();
    client.send(get_request("/gate"));
    REQUIRE(eventually([&] { return gate.started == 1; }));
    server.stop();
    CHECK(eventually([&] { return is_refused(server.port()); }));
    ::kill(::getpid(), SIGTERM);
    CHECK(server.is_stopping_already());
    server.stop();
    CHECK(client.expect_silence(20ms));
    gate.is_open = true;
    CHECK(client.read_response().body == "through");
    CHECK(server.wait() == 0);
}

TEST_CASE("a signal to a child that a handler forked is the child's, and nothing of it reaches the server") {
    struct Folder {
        Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
        ~Folder() {
            ::unlink((path + "/file").c_str());
            ::rmdir(path.c_str());
        }
        std::string path = "/tmp/sake-test-XXXXXX";
    };
    // It puts off the signals of a child that a process of several threads has forked, without end.
    if (is_thread_sanitized) return;
    for (const int signal : {SIGTERM, SIGINT}) {
        const Handling of_suite = ::signal(signal, SIG_DFL);
        const Folder folder;
        const std::string file = folder.path + "/file";
        std::atomic<pid_t> child{0};
        Gate gate;
        SignalledServer server(gate, [&](sake::Engine& app) {
            app.get("/fork", [&](sake::Context& ctx) {
                const pid_t forked = ::fork();
                if (forked == 0) {
                    ::alarm(30);
                    // Every number that the server has used is now that of this file.
                    for (int fd = 3; fd < 200; ++fd) ::close(fd);
                    for (int i = 0; i < 100; ++i) {
                        static_cast<void>(::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600));
                    }
                    static_cast<void>(::write(3, "ready", 5));
                    for (;;) ::pause();
                }
                child = forked;
                ctx.text("forked");
            });
        });
        REQUIRE(server.serves());
        CHECK(server.connect().send(get_request("/fork")).read_response().body == "forked");
        const auto size = [&] {
            struct stat status{};
            return ::stat(file.c_str(), &status) == 0 ? status.st_size : off_t{-1};
        };
        REQUIRE(eventually([&] { return size() == 5; }));
        ::kill(child, signal);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == signal);
        CHECK(size() == 5);
        CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
        server.stop();
        CHECK(server.wait() == 0);
        CHECK((handling_of(signal) == SIG_DFL));
        ::signal(signal, of_suite);
    }
}

TEST_CASE("a forked child may handle signals by itself, and its end leaves the parent's alone") {
    using sake::detail::SignalRelay;
    if (harness::task_of_process() == nullptr) {
        CHECK(harness::run_anew("a forked child may handle signals by itself*") == 0);
        return;
    }
    const auto has_byte = [](const SignalRelay& relay) {
        char byte = 0;
        return sake::detail::sys::read(relay.read_end(), &byte, 1).value == 1;
    };
    const Handling before = handling_of(SIGTERM);
    auto relay = std::make_unique<SignalRelay>();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int failure = 0;
        {
            const SignalRelay own;
            ::raise(SIGTERM);
            if (!has_byte(own)) failure = 1;
            if (has_byte(*relay)) failure = 2;
            relay.reset();  // the parent's, which leaves the child's own in place
            if (handling_of(SIGTERM) == before) failure = 3;
        }
        if (handling_of(SIGTERM) != before) failure = 4;
        ::_exit(failure);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK_FALSE(has_byte(*relay));
    ::raise(SIGTERM);
    CHECK(has_byte(*relay));
}

TEST_CASE("the last words name what holds the loop, as far as it has a name and there is room for it") {
    sake::detail::SignalRelay relay;
    const auto words = [&] { return std::string(relay.what_holds_the_loop().view()); };
    CHECK(words() == "a handler holds the event loop");
    {
        sake::Reactor reactor;
        reactor.name_work([](const void* work) noexcept -> std::string_view {
            return *static_cast<const std::string*>(work);
        });
        relay.watch(&reactor);
        CHECK(words() == "a handler holds the event loop");
        std::string name = "GET /slow (main.cpp:12)";
        reactor.set_work(&name);
        CHECK(words() == "GET /slow (main.cpp:12) holds the event loop");
        name.assign(2000, 'x');
        CHECK(words() == std::string(800, 'x') + " holds the event loop");
        reactor.set_work(nullptr);
        CHECK(words() == "a handler holds the event loop");
        reactor.set_work(&name);
        relay.watch(nullptr);
    }
    CHECK(words() == "a handler holds the event loop");
}

TEST_CASE("F3 a server whose signal pipe fails says so, goes on serving, and can be stopped by the program") {
    // Half a second after the first, a signal would be a second wish, and end this process.
    const auto test = [](Attempt& attempt) {
        Gate gate;
        SignalledServer server(gate);
        // It says that it serves before its loop begins, which reads the pipe of its wake-ups once.
        REQUIRE(server.connect().send(get_request("/none")).read_response().status == 404);
        attempt.begin();
        {
            const ScopedFaults faults(FaultPlan().fail_nth("read", 1, EIO));
            ::kill(::getpid(), SIGTERM);
            CHECK(server.gets_deaf());
        }
        CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
        if (!attempt.note_step()) return;
        ::kill(::getpid(), SIGTERM);
        CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
        server.stop();
        CHECK(server.wait() == 0);
    };
    until_in_time(500ms, test, 1);
}

TEST_CASE("one signal stops every engine that handles signals, and no other") {
    const Handling of_term = handling_of(SIGTERM);
    Gate gate;
    with_server([&](sake::Engine& app) { gate.add_to(app); },
                [&](TestServer& deaf) {
                    auto first = std::make_unique<SignalledServer>(gate);
                    auto second = std::make_unique<SignalledServer>(gate);
                    REQUIRE(first->serves());
                    REQUIRE(second->serves());
                    ::kill(::getpid(), SIGTERM);
                    CHECK(first->wait() == 0);
                    CHECK(second->wait() == 0);
                    first.reset();
                    second.reset();
                    CHECK((handling_of(SIGTERM) == of_term));
                    CHECK(deaf.ping());
                });
}

TEST_CASE(
    "G2 a handler that swallows every Cancelled is left behind, and never meets a server that has gone") {
    // What is left behind leaks, so this is for another process.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(30);
        bool has_ended = false;
        {
            sake::Engine app(quiet_config().with_shutdown_grace(0ms));
            app.get("/", [&](sake::Context&) -> sake::Task<> {
                for (int swallowed = 0; swallowed < 1500; ++swallowed) {
                    try {
                        if (swallowed == 0) app.stop();
                        co_await sake::sleep(1h);
                    } catch (const sake::Cancelled&) {
                    }
                }
                has_ended = true;
            });
            TestClient client(app);
            TestConnection connection = client.connect();
            connection.send(get_request("/"));
            client.stop();
        }
        ::_exit(has_ended ? 1 : 0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

}  // namespace test_shutdown
