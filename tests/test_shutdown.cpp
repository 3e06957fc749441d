// Stopping: nothing that was accepted is lost within the grace (G1), and what outlives it is cut off (G2).
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/oracle.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_shutdown {

using namespace harness;

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

using Moment = std::chrono::steady_clock::time_point;
Moment now() { return std::chrono::steady_clock::now(); }

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
    on_every_poller([](sake::Config config) {
        Gate gate;
        const int exit_code =
            with_server([&](sake::Engine& app) { gate.add_to(app); },
                        [&](TestServer& server) {
                            std::vector<RawClient> busy;
                            std::vector<RawClient> idle;
                            std::vector<RawClient> half;
                            for (int i = 0; i < 200; ++i) busy.push_back(server.connect());
                            for (RawClient& each : busy) each.send(get_request("/gate"));
                            for (int i = 0; i < 100; ++i) {
                                idle.push_back(server.connect());
                                if (i % 2 == 0) idle.back().send(get_request("/_ping")).read_response();
                            }
                            for (int i = 0; i < 20; ++i) half.push_back(server.connect());
                            for (RawClient& each : half) each.send("GET /_ping HTTP/1.1\r\nHost: te");
                            REQUIRE(eventually([&] { return gate.started == 200; }));
                            REQUIRE(server.ping());

                            const Moment stopped = now();
                            server.app().stop();
                            CHECK(idle.back().expect_closed());  // so the stop has begun
                            idle.pop_back();
                            // Half of the half-sent heads are completed in time and served, the others are
                            // told.
                            for (std::size_t i = 0; i < half.size(); i += 2) half[i].send("st\r\n\r\n");
                            for (RawClient& each : idle) CHECK(each.expect_closed());
                            CHECK(now() - stopped < 2s);
                            CHECK(gate.started == 200);
                            for (std::size_t i = 0; i < half.size(); i += 2) {
                                const Response answer = half[i].read_response();
                                CHECK(answer.body == "pong");
                                CHECK(answer.header("Connection") == "close");
                            }
                            for (std::size_t i = 1; i < half.size(); i += 2) {
                                CHECK(half[i].read_response().status == 503);
                                CHECK(half[i].expect_closed());
                            }
                            CHECK(is_refused(server.port()));
                            gate.is_open = true;
                            int complete = 0;
                            for (RawClient& each : busy) {
                                const Response answer = each.read_response();
                                if (answer.body == "through" && answer.header("Connection") == "close")
                                    ++complete;
                                CHECK(each.expect_closed());
                            }
                            CHECK(complete == 200);
                            CHECK(server.wait() == 0);
                        },
                        config);
        CHECK(exit_code == 0);
    });
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

void stop_in_full_flight() {
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

            server.app().stop();
            CHECK(idle.back().expect_closed());  // so the stop has begun
            idle.pop_back();
            for (RawClient& each : half) each.send("st\r\n\r\n");
            for (RawClient& each : uploads) each.send(std::string_view(upload).substr(30'000));
            for (RawClient& each : idle) CHECK(each.expect_closed());
            CHECK(count_answered(half, "pong") == 50);
            CHECK(count_answered(uploads, "50000") == 20);
            gate.is_open = true;
            gate.is_open.notify_all();
            CHECK(count_answered(waiting, "through") == 250);
            CHECK(count_answered(heavy, "through") == 250);
            CHECK(server.wait() == 0);
        },
        quiet_config().with_worker_pool_size(2).with_worker_queue_timeout(60s));
    CHECK(exit_code == 0);
}

}  // namespace

TEST_CASE(
    "G1 500 requests in flight, half of them in the pool, beside 200 idle connections, 50 heads and 20 "
    "uploads: "
    "a stop loses none") {
    const int rounds_of_this = is_full_size() ? 50 : 2;
    for (int round = 0; round < rounds_of_this; ++round) stop_in_full_flight();
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
                sake::Config(config).with_shutdown_grace(3s));
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
    with_server([](sake::Engine&) {},
                [](TestServer& server) {
                    std::vector<RawClient> clients;
                    for (int i = 0; i < 10; ++i) {
                        clients.push_back(server.connect());
                        clients.back().send("nonsense\r\n\r\n");
                        CHECK(clients.back().read_response().status == 400);
                    }
                    const Moment stopped = now();
                    CHECK(server.stop() == 0);
                    CHECK(now() - stopped < 2s);
                });
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
                down.send(get_request("/big"));
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
    Gate gate;
    with_server([&](sake::Engine& app) { gate.add_to(app); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send(get_request("/gate") + get_request("/gate"));
                    REQUIRE(eventually([&] { return gate.started == 1; }));
                    server.app().stop();
                    gate.is_open = true;
                    CHECK(client.read_response().header("Connection") == "close");
                    CHECK(client.expect_closed());
                    CHECK_FALSE(client.was_reset());
                    CHECK(gate.started == 1);
                    CHECK(server.wait() == 0);
                });
}

TEST_CASE("G1 a head that is half here behind an answer on its way is completed and served after the stop") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
            },
            [&](TestServer& server) {
                const std::string next = get_request("/_ping");
                const auto start = [&] {
                    RawClient client = RawClient::with_receive_buffer(server.port(), 64 * 1024);
                    client.send(get_request("/big") + next.substr(0, 20)).set_deadline(20s);
                    return client;
                };
                RawClient completing = start();
                RawClient silent = start();
                REQUIRE(server.ping());  // their sockets are full of answers by now
                server.app().stop();
                REQUIRE(eventually([&] { return is_refused(server.port()); }));
                CHECK((completing.read_response().body == body));
                const Response served = completing.send(next.substr(20)).read_response();
                CHECK(served.body == "pong");
                CHECK(served.header("Connection") == "close");
                CHECK((silent.read_response().body == body));
                CHECK(silent.read_response().status == 503);
                CHECK(silent.expect_closed());
                CHECK(server.wait() == 0);
            },
            config);
    });
}

TEST_CASE("G2 what outlives the grace is answered with 503 and cancelled, and run() returns 1") {
    on_every_poller([](sake::Config config) {
        Gate gate;
        const int exit_code = with_server(
            [&](sake::Engine& app) { gate.add_to(app); },
            [&](TestServer& server) {
                std::vector<RawClient> clients;
                for (int i = 0; i < 20; ++i) clients.push_back(server.connect());
                for (RawClient& each : clients) each.send(get_request("/gate"));
                REQUIRE(eventually([&] { return gate.started == 20; }));
                RawClient uploading = server.connect();
                uploading.send("POST /_ping HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
                REQUIRE(server.ping());
                const Moment stopped = now();
                server.app().stop();
                for (RawClient& each : clients) {
                    const Response answer = each.read_response();
                    CHECK(answer.status == 503);
                    CHECK(answer.header("Connection") == "close");
                    CHECK(each.expect_closed());
                }
                CHECK(now() - stopped >= 150ms);
                CHECK(uploading.expect_closed());
                CHECK(server.wait() == 1);
                CHECK(gate.cancelled == 20);
            },
            config.with_shutdown_grace(150ms));
        CHECK(exit_code == 1);
    });
}

TEST_CASE("G2 a handler that swallows its cancellation does not hold up the end of the grace") {
    std::atomic<bool> is_waiting{false};
    std::atomic<int> cancelled{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/", [&](sake::Context&) -> sake::Task<> {
                for (int i = 0; i < 5; ++i) {
                    try {
                        is_waiting = true;
                        co_await sake::sleep(1h);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                    }
                }
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/"));
            REQUIRE(eventually([&] { return is_waiting.load(); }));
            CHECK(server.stop() == 1);
            CHECK(client.read_response().status == 503);
            CHECK(cancelled == 5);
        },
        quiet_config().with_shutdown_grace(30ms));
}

TEST_CASE("G2 a grace of zero stops at once, and cleanly if nothing is in flight") {
    for (const bool is_busy : {false, true}) {
        Gate gate;
        const int exit_code = with_server([&](sake::Engine& app) { gate.add_to(app); },
                                          [&](TestServer& server) {
                                              RawClient client = server.connect();
                                              if (is_busy) client.send(get_request("/gate"));
                                              REQUIRE(eventually([&] { return gate.started == is_busy; }));
                                              const Moment stopped = now();
                                              server.stop();
                                              CHECK(now() - stopped < 2s);
                                          },
                                          quiet_config().with_shutdown_grace(0ms));
        if (is_busy) CHECK(exit_code == 1);
    }
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
    explicit SignalledServer(Gate& gate)
        : app_(sake::Config().with_log([this](sake::LogLevel, std::string_view line) {
              serves_ = true;
              is_deaf_ = line.find("signals are not heard any more: ") != std::string_view::npos;
          })) {
        gate.add_to(app_);
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

TEST_CASE("G2 a second signal stops at once") {
    Gate gate;
    SignalledServer server(gate);
    REQUIRE(server.serves());
    RawClient client = server.connect();
    client.send(get_request("/gate"));
    REQUIRE(eventually([&] { return gate.started == 1; }));
    ::kill(::getpid(), SIGTERM);
    CHECK(eventually([&] { return is_refused(server.port()); }));
    CHECK(client.expect_silence(20ms));
    ::kill(::getpid(), SIGINT);
    CHECK(client.read_response().status == 503);
    CHECK(server.wait() == 1);
    CHECK(gate.cancelled == 1);
}

TEST_CASE("F3 a server whose signal pipe fails says so, goes on serving, and can be stopped by the program") {
    Gate gate;
    SignalledServer server(gate);
    REQUIRE(server.serves());
    {
        const ScopedFaults faults(FaultPlan().fail_nth("read", 1, EIO));
        ::kill(::getpid(), SIGTERM);
        CHECK(server.gets_deaf());
    }
    CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
    ::kill(::getpid(), SIGTERM);
    CHECK(server.connect().send(get_request("/none")).read_response().status == 404);
    server.stop();
    CHECK(server.wait() == 0);
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
            app.listen("127.0.0.1:0");
            RawClient client(app.port());
            client.send(get_request("/"));
            app.run();
        }
        ::_exit(has_ended ? 1 : 0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

}  // namespace test_shutdown
