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
#include "support/attempts.hpp"
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
    /// Its client. If that was held up for longer than the header timeout, it is closed instead.
    RawClient begin(TestServer& server) {
        RawClient holder = server.connect();
        holder.send(get_request("/hold"));
        REQUIRE(eventually([&] { return is_held.load() || holder.expect_closed(0ms); }));
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
        until_in_time(400ms, [&](Attempt& attempt) {
            config.keep_alive_timeout = attempt.limit();
            Hold hold;
            with_server([&](sake::Engine& app) { hold.add_to(app); },
                        [&](TestServer& server) {
                            attempt.begin();
                            std::vector<RawClient> clients = kept_connections(server, many);
                            RawClient holder = hold.begin(server);
                            if (!attempt.note_step()) return hold.end();
                            for (RawClient& each : clients) each.send(get_request("/_ping"));
                            hold_the_loop(attempt.past_limit());
                            hold.end();
                            CHECK(answered(clients) == many);
                            CHECK(holder.read_response().body == "held");
                        },
                        config);
        });
    });
}

// A socket tells of room only when much of what it holds is gone, which for a slow client takes longer than
// any limit.
TEST_CASE(
    "a client that takes its answer slowly but steadily from the kernel's buffers keeps its connection") {
    for (const char* const path : {"/text", "/streamed"}) {
        CAPTURE(path);
        until_in_time(400ms, [&](Attempt& attempt) {
            auto config = quiet_config().with_write_timeout(attempt.limit());
            config.rate_grace = attempt.limit();
            with_server(
                [](sake::Engine& app) {
                    app.get("/text", [] { return std::string(32U << 20U, 'x'); });
                    app.get("/streamed", [](sake::Context& ctx) -> Task<> {
                        sake::BodyWriter out = ctx.stream("text/plain");
                        const std::string text(32U << 20U, 'x');
                        co_await out.write(text);
                    });
                },
                [&](TestServer& server) {
                    RawClient client = RawClient::with_receive_buffer(server.port(), 64 * 1024);
                    client.send(get_request(path));
                    for (int i = 0; i < 24 && attempt.counts(); ++i) {
                        attempt.begin();
                        try {
                            for (int piece = 0; piece < 3; ++piece)
                                static_cast<void>(client.read_exactly(16 * 1024));
                        } catch (const std::exception&) {
                            // The machine may have stalled. A server that always closes fails all attempts.
                            attempt.make_void();
                            return;
                        }
                        std::this_thread::sleep_for(attempt.limit() / 8);  // it is slow
                        if (!attempt.note_step()) return;
                    }
                    CHECK_FALSE(client.expect_closed(0ms));
                    client.reset();
                },
                config);
        });
    }
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
        until_in_time(400ms, [&](Attempt& attempt) {
            config.header_timeout = attempt.limit();
            config.read_timeout = attempt.limit();
            Hold hold;
            with_server(
                [&](sake::Engine& app) {
                    hold.add_to(app);
                    app.post("/echo", [](sake::Context& ctx) { ctx.text(std::string(ctx.body())); });
                },
                [&](TestServer& server) {
                    attempt.begin();
                    std::vector<RawClient> clients;
                    for (std::size_t i = 0; i < many; ++i) {
                        clients.push_back(server.connect());
                        const std::string request = post_request("/echo", "body");
                        clients.back().send(request.substr(0, i % 2 == 0 ? 10 : request.size() - 2));
                    }
                    CHECK(server.ping());
                    RawClient holder = hold.begin(server);
                    if (!attempt.note_step()) return hold.end();
                    for (std::size_t i = 0; i < many; ++i) {
                        const std::string request = post_request("/echo", "body");
                        clients[i].send(request.substr(i % 2 == 0 ? 10 : request.size() - 2));
                    }
                    hold_the_loop(attempt.past_limit());
                    hold.end();
                    CHECK(answered(clients) == many);
                    CHECK(holder.read_response().body == "held");
                },
                config);
        });
    });
}

TEST_CASE("a wait that a signal interrupts has looked all the same") {
    for (const char* const name : {"epoll_wait", "poll"}) {
        CAPTURE(name);
        until_in_time(400ms, [&](Attempt& attempt) {
            Hold hold;
            auto config = quiet_config();
            config.poller = name == std::string_view("poll") ? PollerKind::poll : PollerKind::epoll;
            config.keep_alive_timeout = attempt.limit();
            with_server([&](sake::Engine& app) { hold.add_to(app); },
                        [&](TestServer& server) {
                            attempt.begin();
                            std::vector<RawClient> clients = kept_connections(server, 5);
                            RawClient holder = hold.begin(server);
                            if (!attempt.note_step()) return hold.end();
                            for (RawClient& each : clients) each.send(get_request("/_ping"));
                            hold_the_loop(attempt.past_limit());
                            const ScopedFaults faults(FaultPlan().fail_range(name, 1, 10, EINTR));
                            hold.end();
                            CHECK(answered(clients) == clients.size());
                            CHECK(faults.fired() == 10);
                        },
                        config);
        });
    }
}

TEST_CASE("a handler whose answer from elsewhere has come while the loop was held is not timed out") {
    until_in_time(400ms, [](Attempt& attempt) {
        Hold hold;
        std::atomic<int> their_end{-1};
        auto config = quiet_config();
        config.request_timeout = attempt.limit();
        with_server(
            [&](sake::Engine& app) {
                hold.add_to(app);
                app.get("/reads", [&](sake::Context& ctx) -> Task<> {
                    Pair pair = make_pair();
                    their_end = pair.theirs.get();
                    const auto line = co_await pair.ours.read_until("\n", 100, attempt.limit() * 3 / 4);
                    ctx.text(*line);
                });
            },
            [&](TestServer& server) {
                attempt.begin();
                RawClient reader = server.connect();
                reader.send(get_request("/reads"));
                REQUIRE(eventually([&] { return their_end != -1; }));
                RawClient holder = hold.begin(server);
                if (!attempt.note_step()) return hold.end();
                CHECK(::write(their_end, "a line\n", 7) == 7);
                hold_the_loop(attempt.past_limit());
                hold.end();
                CHECK(reader.read_response().body == "a line");
            },
            config);
    });
}

TEST_CASE("a handler has its whole time, however long others in its turn have held the loop") {
    until_in_time(500ms, [](Attempt& attempt) {
        Hold hold;
        auto config = quiet_config();
        config.request_timeout = attempt.limit();
        with_server(
            [&](sake::Engine& app) {
                hold.add_to(app);
                app.get("/waits", [&](sake::Context& ctx) -> Task<> {
                    hold_the_loop(attempt.limit() * 3 / 10);
                    attempt.note_step();
                    attempt.begin();  // the time of the next one does
                    co_await sake::sleep(attempt.limit() * 3 / 10);
                    ctx.text("waited");
                });
            },
            [&](TestServer& server) {
                std::vector<RawClient> clients = kept_connections(server, 4);
                RawClient holder = hold.begin(server);
                for (RawClient& each : clients) each.send(get_request("/waits"));
                attempt.begin();
                hold.end();
                const std::size_t count = answered(clients);
                if (attempt.counts()) CHECK(count == clients.size());
            },
            config);
    });
}

// ---- streams, the client, pools ----

TEST_CASE("a read is in time if its bytes came in time, however many read") {
    for (const PollerKind kind : pollers) {
        until_in_time(100ms, [kind](Attempt& attempt) {
            const auto test = [&]() -> Task<std::size_t> {
                std::vector<Pair> pairs;
                for (std::size_t i = 0; i < many; ++i) pairs.push_back(make_pair());
                std::size_t in_time = 0;
                const auto read = [&](TcpStream* stream) -> Task<> {
                    try {
                        static_cast<void>(co_await stream->read_until("\n", 100, attempt.limit()));
                        ++in_time;
                    } catch (const sake::TimedOut&) {
                    }
                };
                attempt.begin();
                std::vector<sake::TaskHandle<void>> readers;
                for (Pair& each : pairs) readers.push_back(spawn(read, &each.ours));
                co_await sake::sleep(1ms);
                for (Pair& each : pairs) put(each.theirs, "line\n");
                if (attempt.note_step()) hold_the_loop(attempt.past_limit());
                for (auto& each : readers) co_await each;
                co_return in_time;
            };
            const std::size_t in_time = run_until_complete(test(), kind);
            if (attempt.counts()) CHECK(in_time == many);
        });
    }
}

TEST_CASE("bytes that have to pass other coroutines of the loop are in time as well") {
    for (const PollerKind kind : pollers) {
        until_in_time(100ms, [kind](Attempt& attempt) {
            const auto test = [&]() -> Task<std::string> {
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
                    if (attempt.note_step()) hold_the_loop(attempt.past_limit());
                };
                attempt.begin();
                auto holder = spawn(holds);
                std::string received = "timed out";
                try {
                    auto line = co_await sake::timeout(second.receive(), attempt.limit());
                    received = *std::move(line);
                } catch (const sake::TimedOut&) {
                }
                co_await reader;
                co_await passer;
                co_await holder;
                co_return received;
            };
            const std::string received = run_until_complete(test(), kind);
            if (attempt.counts()) CHECK(received == "line");
        });
    }
}

TEST_CASE("a connection that was made while the loop was held is in time") {
    for (const PollerKind kind : pollers) {
        const auto test = []() -> Task<> {
            const sake::TcpListener listener("127.0.0.1:0");
            const std::string address = "127.0.0.1:" + std::to_string(listener.port());
            const auto connect = [&]() -> Task<> {
                TcpStream stream = co_await TcpStream::connect(address, 100ms);
            };
            auto connecting = spawn(connect);
            co_await sake::yield();  // the kernel makes the connection in this turn, whoever accepts it
            hold_the_loop(150ms);
            co_await connecting;
        };
        CHECK_NOTHROW(run_until_complete(test(), kind));
    }
}

TEST_CASE("an answer that came while the loop was held is in time") {
    until_in_time(100ms, [](Attempt& attempt) {
        const auto test = [&]() -> Task<int> {
            sake::TcpListener listener("127.0.0.1:0");
            const auto answer = [&]() -> Task<> {
                TcpStream peer = co_await listener.accept();
                static_cast<void>(co_await peer.read_until("\r\n\r\n"));
                co_await peer.write_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                if (attempt.note_step()) hold_the_loop(attempt.past_limit());
            };
            auto answering = spawn(answer);
            sake::http::Client client({.response_timeout = attempt.limit()});
            attempt.begin();
            int status = 0;
            try {
                auto response = co_await client.get("http://127.0.0.1:" + std::to_string(listener.port()));
                status = response.status;
            } catch (const sake::TimedOut&) {
            }
            co_await answering;
            co_return status;
        };
        const int status = run_until_complete(test());
        if (attempt.counts()) CHECK(status == 200);
    });
}

TEST_CASE("what comes back to a pool while the loop was held is in time for who waits for it") {
    until_in_time(100ms, [](Attempt& attempt) {
        const auto test = [&]() -> Task<bool> {
            const auto make = []() -> Task<int> { co_return 1; };
            sake::Pool<int> pool({.max_size = 1, .acquire_timeout = attempt.limit()}, make);
            Pair pair = make_pair();
            const auto uses = [&]() -> Task<> {
                auto lease = co_await pool.acquire();
                static_cast<void>(co_await pair.ours.read_until("\n"));
            };
            auto user = spawn(uses);
            co_await sake::sleep(1ms);
            const auto holds = [&]() -> Task<> {
                put(pair.theirs, "line\n");
                if (attempt.note_step()) hold_the_loop(attempt.past_limit());
                co_return;
            };
            attempt.begin();
            auto holder = spawn(holds);
            bool is_lent = false;
            try {
                auto lease = co_await pool.acquire();
                is_lent = static_cast<bool>(lease);
            } catch (const sake::TimedOut&) {
            }
            co_await user;
            co_await holder;
            co_return is_lent;
        };
        const bool is_lent = run_until_complete(test());
        if (attempt.counts()) CHECK(is_lent);
    });
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
