// Deadlines judge a peer by what has come, not by what the loop has had time to look at: a loop that was held
// up longer than a limit finds the bytes in the kernel before it acts on the limit.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/faults.hpp"
#include "support/reliability.hpp"

namespace test_deadlines {

using namespace harness;
using sake::PollerKind;
using sake::run_until_complete;
using sake::spawn;
using sake::Task;
using sake::TcpStream;

namespace {

/// A route that holds the loop until told.
struct Hold {
    std::atomic<bool> is_held{false};
    std::atomic<bool> may_go_on{false};

    void add_to(sake::Engine& app) {
        app.get("/hold", [this](sake::Context& ctx) {
            is_held = true;
            while (!may_go_on) std::this_thread::yield();
            ctx.text("held");
        });
    }
    RawClient begin(TestServer& server) {
        RawClient holder = server.connect();
        holder.send(get_request("/hold"));
        REQUIRE(eventually([&] { return is_held.load(); }));
        return holder;
    }
    void end() { may_go_on = true; }
};

/// Connections that have been served once, so that they are kept.
std::vector<RawClient> kept_connections(TestServer& server, std::size_t count) {
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(server.connect());
        clients.back().send(get_request("/_ping"));
    }
    for (RawClient& each : clients) CHECK(each.read_response().body == "pong");
    return clients;
}

std::size_t answered(std::vector<RawClient>& clients) {
    std::size_t count = 0;
    for (RawClient& each : clients) {
        try {
            if (each.read_response().status == 200) ++count;
        } catch (const std::exception&) {
            // It was closed or reset.
        }
    }
    return count;
}

void hold_the_loop(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

struct Pair {
    sake::detail::FileDescriptor theirs;
    TcpStream ours;
};

/// Of a connection of which both ends are in this test. In a coroutine.
Pair make_pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    return {sake::detail::FileDescriptor(fds[1]), TcpStream::adopt(fds[0])};
}
void put(const sake::detail::FileDescriptor& to, std::string_view bytes) {
    REQUIRE(::write(to.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

constexpr PollerKind pollers[] = {PollerKind::epoll, PollerKind::poll, PollerKind::kqueue};

/// More than one batch of any poller.
constexpr std::size_t many = 600;

}  // namespace

// ---- the server ----

TEST_CASE("a request that came while a handler held the loop is answered, however many there are") {
    on_every_poller([](sake::Config config) {
        config.keep_alive_timeout = 400ms;
        Hold hold;
        with_server([&](sake::Engine& app) { hold.add_to(app); },
                    [&](TestServer& server) {
                        std::vector<RawClient> clients = kept_connections(server, many);
                        RawClient holder = hold.begin(server);
                        for (RawClient& each : clients) each.send(get_request("/_ping"));
                        hold_the_loop(600ms);
                        hold.end();
                        CHECK(answered(clients) == many);
                        CHECK(holder.read_response().body == "held");
                    },
                    config);
    });
}

TEST_CASE("a request that was sent before the stop is answered, however many there are") {
    on_every_poller([](const sake::Config& config) {
        Hold hold;
        const int exit_code = with_server(
            [&](sake::Engine& app) {
                hold.add_to(app);
                app.get("/slow", [](sake::Context& ctx) {
                    const auto until = std::chrono::steady_clock::now() + 300us;
                    while (std::chrono::steady_clock::now() < until) {
                    }
                    ctx.text("slow");
                });
            },
            [&](TestServer& server) {
                std::vector<RawClient> clients = kept_connections(server, many);
                RawClient holder = hold.begin(server);
                for (RawClient& each : clients) each.send(get_request("/slow"));
                server.app().stop();
                hold.end();
                CHECK(answered(clients) == many);
                CHECK(server.wait() == 0);
            },
            config);
        CHECK(exit_code == 0);
    });
}

TEST_CASE("heads and bodies that were completed while the loop was held are in time") {
    on_every_poller([](sake::Config config) {
        config.header_timeout = 400ms;
        config.read_timeout = 400ms;
        Hold hold;
        with_server(
            [&](sake::Engine& app) {
                hold.add_to(app);
                app.post("/echo", [](sake::Context& ctx) { ctx.text(std::string(ctx.body())); });
            },
            [&](TestServer& server) {
                std::vector<RawClient> clients;
                for (std::size_t i = 0; i < many; ++i) {
                    clients.push_back(server.connect());
                    const std::string request = post_request("/echo", "body");
                    clients.back().send(request.substr(0, i % 2 == 0 ? 10 : request.size() - 2));
                }
                CHECK(server.ping());
                RawClient holder = hold.begin(server);
                for (std::size_t i = 0; i < many; ++i) {
                    const std::string request = post_request("/echo", "body");
                    clients[i].send(request.substr(i % 2 == 0 ? 10 : request.size() - 2));
                }
                hold_the_loop(600ms);
                hold.end();
                CHECK(answered(clients) == many);
            },
            config);
    });
}

TEST_CASE("a wait that a signal interrupts has looked all the same") {
    for (const char* const name : {"epoll_wait", "poll"}) {
        CAPTURE(name);
        Hold hold;
        auto config = quiet_config();
        config.poller = name == std::string_view("poll") ? PollerKind::poll : PollerKind::epoll;
        config.keep_alive_timeout = 400ms;
        with_server([&](sake::Engine& app) { hold.add_to(app); },
                    [&](TestServer& server) {
                        std::vector<RawClient> clients = kept_connections(server, 5);
                        RawClient holder = hold.begin(server);
                        for (RawClient& each : clients) each.send(get_request("/_ping"));
                        hold_the_loop(600ms);
                        const ScopedFaults faults(FaultPlan().fail_range(name, 1, 10, EINTR));
                        hold.end();
                        CHECK(answered(clients) == clients.size());
                        CHECK(faults.fired() == 10);
                    },
                    config);
    }
}

TEST_CASE("a handler whose answer from elsewhere has come while the loop was held is not timed out") {
    Hold hold;
    std::atomic<int> their_end{-1};
    auto config = quiet_config();
    config.request_timeout = 400ms;
    with_server(
        [&](sake::Engine& app) {
            hold.add_to(app);
            app.get("/reads", [&](sake::Context& ctx) -> Task<> {
                Pair pair = make_pair();
                their_end = pair.theirs.get();
                const auto line = co_await pair.ours.read_until("\n", 100, 300ms);
                ctx.text(*line);
            });
        },
        [&](TestServer& server) {
            RawClient reader = server.connect();
            reader.send(get_request("/reads"));
            REQUIRE(eventually([&] { return their_end != -1; }));
            RawClient holder = hold.begin(server);
            CHECK(::write(their_end, "a line\n", 7) == 7);
            hold_the_loop(600ms);
            hold.end();
            CHECK(reader.read_response().body == "a line");
        },
        config);
}

TEST_CASE("a handler has its whole time, however long others in its turn have held the loop") {
    Hold hold;
    auto config = quiet_config();
    config.request_timeout = 500ms;
    with_server(
        [&](sake::Engine& app) {
            hold.add_to(app);
            app.get("/waits", [&](sake::Context& ctx) -> Task<> {
                hold_the_loop(150ms);
                co_await sake::sleep(150ms);
                ctx.text("waited");
            });
        },
        [&](TestServer& server) {
            std::vector<RawClient> clients = kept_connections(server, 4);
            RawClient holder = hold.begin(server);
            for (RawClient& each : clients) each.send(get_request("/waits"));
            hold.end();
            CHECK(answered(clients) == clients.size());
        },
        config);
}

// ---- streams, the client, pools ----

TEST_CASE("a read is in time if its bytes came in time, however many read") {
    for (const PollerKind kind : pollers) {
        const auto test = []() -> Task<std::size_t> {
            std::vector<Pair> pairs;
            for (std::size_t i = 0; i < many; ++i) pairs.push_back(make_pair());
            std::size_t in_time = 0;
            const auto read = [&](TcpStream* stream) -> Task<> {
                try {
                    static_cast<void>(co_await stream->read_until("\n", 100, 100ms));
                    ++in_time;
                } catch (const sake::TimedOut&) {
                }
            };
            std::vector<sake::TaskHandle<void>> readers;
            for (Pair& each : pairs) readers.push_back(spawn(read, &each.ours));
            co_await sake::sleep(1ms);
            for (Pair& each : pairs) put(each.theirs, "line\n");
            hold_the_loop(250ms);
            for (auto& each : readers) co_await each;
            co_return in_time;
        };
        CHECK(run_until_complete(test(), kind) == many);
    }
}

TEST_CASE("bytes that have to pass other coroutines of the loop are in time as well") {
    for (const PollerKind kind : pollers) {
        const auto test = []() -> Task<std::string> {
            Pair pair = make_pair();
            sake::Channel<std::string> first(1);
            sake::Channel<std::string> second(1);
            const auto reads = [&]() -> Task<> {
                auto line = co_await pair.ours.read_until("\n");
                co_await first.send(*std::move(line));
            };
            const auto passes_on = [&]() -> Task<> {
                auto line = co_await first.receive();
                co_await second.send(*std::move(line));
            };
            auto reader = spawn(reads);
            auto passer = spawn(passes_on);
            const auto holds = [&]() -> Task<> {
                co_await sake::sleep(1ms);
                put(pair.theirs, "line\n");
                hold_the_loop(250ms);
            };
            auto holder = spawn(holds);
            auto received = co_await sake::timeout(second.receive(), 100ms);
            co_await reader;
            co_await passer;
            co_await holder;
            co_return *std::move(received);
        };
        CHECK(run_until_complete(test(), kind) == "line");
    }
}

TEST_CASE("a connection that was made while the loop was held is in time, and so is an answer") {
    with_server([](sake::Engine&) {},
                [&](TestServer& server) {
                    const std::string address = "127.0.0.1:" + std::to_string(server.port());
                    const auto test = [&]() -> Task<int> {
                        const auto connect = [&]() -> Task<> {
                            TcpStream stream = co_await TcpStream::connect(address, 100ms);
                        };
                        auto connecting = spawn(connect);
                        const auto ask = [&]() -> Task<int> {
                            sake::http::Client client({.response_timeout = 100ms});
                            auto response = co_await client.get("http://" + address + "/_ping");
                            co_return response.status;
                        };
                        auto asking = spawn(ask);
                        for (int i = 0; i < 20; ++i) {
                            co_await sake::yield();
                            hold_the_loop(20ms);
                        }
                        hold_the_loop(150ms);
                        co_await connecting;
                        co_return co_await asking;
                    };
                    CHECK(run_until_complete(test()) == 200);
                });
}

TEST_CASE("what comes back to a pool while the loop was held is in time for who waits for it") {
    const auto test = []() -> Task<bool> {
        const auto make = []() -> Task<int> { co_return 1; };
        sake::Pool<int> pool({.max_size = 1, .acquire_timeout = 100ms}, make);
        Pair pair = make_pair();
        const auto uses = [&]() -> Task<> {
            auto lease = co_await pool.acquire();
            static_cast<void>(co_await pair.ours.read_until("\n"));
        };
        auto user = spawn(uses);
        co_await sake::sleep(1ms);
        const auto holds = [&]() -> Task<> {
            put(pair.theirs, "line\n");
            hold_the_loop(250ms);
            co_return;
        };
        auto holder = spawn(holds);
        auto lease = co_await pool.acquire();
        co_await user;
        co_await holder;
        co_return static_cast<bool>(lease);
    };
    CHECK(run_until_complete(test()));
}

TEST_CASE("a deadline comes on a loop that is never at rest, too") {
    for (const PollerKind kind : pollers) {
        const auto test = []() -> Task<> {
            Pair pair = make_pair();
            bool is_over = false;
            const auto busy = [&]() -> Task<> {
                while (!is_over) co_await sake::yield();
            };
            auto yields = spawn(busy);
            CHECK_THROWS_AS(static_cast<void>(co_await pair.ours.read_until("\n", 100, 20ms)),
                            sake::TimedOut);
            is_over = true;
            co_await yields;
        };
        run_until_complete(test(), kind);
    }
}

}  // namespace test_deadlines
