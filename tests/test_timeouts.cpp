// Time limits: a slow or silent client loses its connection, and the others do not notice. Each limit
// exactly, one below and at its value, in virtual time; then a few over sockets, where upper bounds on
// durations are generous, since machines are shared, and an attempt whose own steps are late is void.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/attempts.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/oracle.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_timeouts {

using namespace harness;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;

namespace {

constexpr auto moment = 1ms;

class Stopwatch {
  public:
    [[nodiscard]] bool shows_at_least(std::chrono::milliseconds time) const {
        return std::chrono::steady_clock::now() - start_ >= time;
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
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    app.get("/big/:n", [](Context& ctx, std::size_t size) { ctx.text(pattern_bytes(size)); });
    app.get("/sleep/:ms", [](Context& ctx, int ms) -> Task<> {
        co_await sake::sleep(std::chrono::milliseconds(ms));
        ctx.text("slept");
    });
}

/// Lets `limit` pass: until a moment before it nothing comes, and then the server answers with `status` and
/// closes, or closes without a word if that is 0.
void check_ends_after(TestClient& client, TestConnection& connection, std::chrono::milliseconds limit,
                      int status) {
    CHECK_FALSE(connection.is_closed());
    client.advance(limit - moment);
    CHECK(connection.receive_now() == "");
    CHECK_FALSE(connection.is_closed());
    client.advance(moment);
    if (status != 0) {
        const TestResponse answer = connection.response();
        CHECK(answer.status == status);
        CHECK(answer.header("Connection") == "close");
    }
    CHECK(connection.is_closed());
}

void ping(TestConnection& connection) {
    connection.send(get_request("/_ping"));
    CHECK(connection.response().body == "pong");
}

bool can_send(TestConnection& connection) {
    try {
        connection.send("x");
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

}  // namespace

// --- a head, and what is between two requests ---

TEST_CASE("S1 a head has its time from when the client came, and 408 at its end, however far it has come") {
    with_client(add_body_route, [](TestClient& client) {
        for (const std::string start : {"G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: test\r\nX"}) {
            CAPTURE(start);
            TestConnection connection = client.connect();
            client.advance(4s);
            connection.send(start);
            check_ends_after(client, connection, 6s, 408);
        }
        // A word from the client is needed for an answer: empty lines are none.
        for (const std::string start : {"", "\r\n"}) {
            CAPTURE(start);
            TestConnection connection = client.connect();
            connection.send(start);
            check_ends_after(client, connection, 10s, 0);
        }
        TestConnection in_time = client.connect();
        in_time.send("GET /_ping HTTP/1.1\r\n");
        client.advance(10s - moment);
        CHECK(in_time.send("Host: test\r\n\r\n").response().body == "pong");
    });
}

TEST_CASE("S1 trickling does not extend the time for a head") {
    with_client(add_body_route, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send("GET / HTTP/1.1\r\nHost: test\r\nX: ");
        for (int i = 0; i < 9; ++i) {
            client.advance(1s);
            CHECK(connection.send("x").receive_now() == "");
        }
        check_ends_after(client, connection, 1s, 408);
    });
}

TEST_CASE("the time for a later head begins with its first byte, and anew with every request") {
    with_client(add_body_route, [](TestClient& client) {
        TestConnection connection = client.connect();
        for (int i = 0; i < 4; ++i) {
            connection.send("GET /_ping HTTP/1.1\r\n");
            client.advance(10s - moment);
            CHECK(connection.send("Host: test\r\n\r\n").response().body == "pong");
            client.advance(70s);
        }
        connection.send("G");
        check_ends_after(client, connection, 10s, 408);
    });
}

TEST_CASE("an idle connection is closed after the keep-alive timeout, and each request renews it") {
    with_client(add_body_route, [](TestClient& client) {
        TestConnection connection = client.connect();
        for (int i = 0; i < 4; ++i) {
            ping(connection);
            client.advance(75s - moment);
        }
        ping(connection);
        check_ends_after(client, connection, 75s, 0);
        // An empty line is no request.
        TestConnection waiting = client.connect();
        ping(waiting);
        client.advance(70s);
        waiting.send("\r\n");
        check_ends_after(client, waiting, 5s, 0);
        // The time that a handler takes is not idle.
        TestConnection slow = client.connect();
        slow.send(get_request("/sleep/25000"));
        CHECK(slow.response().body == "slept");
        check_ends_after(client, slow, 75s, 0);
    });
    with_client(
        add_body_route,
        [](TestClient& client) {
            TestConnection fresh = client.connect();
            check_ends_after(client, fresh, 10s, 0);  // before its first request that is no limit
        },
        quiet_config().with_keep_alive_timeout(1s));
}

// --- a body ---

TEST_CASE("S2 a body that all but came at once may not be silent for longer than read_timeout") {
    for (const std::string framing :
         {"Content-Length: 50000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nC350\r\n"}) {
        CAPTURE(framing);
        with_client(add_body_route, [&](TestClient& client) {
            // At the minimum rate, what comes at once would do for 40 seconds, and so would each later piece.
            const std::string head = "POST / HTTP/1.1\r\nHost: test\r\n" + framing;
            const std::string piece(10'000, 'x');
            const std::string start = head + piece;
            TestConnection silent = client.connect();
            silent.send(start);
            check_ends_after(client, silent, 30s, 408);

            TestConnection in_time = client.connect();
            in_time.send(start);
            for (int i = 0; i < 3; ++i) {
                client.advance(30s - moment);
                CHECK(in_time.send(piece).receive_now() == "");
            }
            client.advance(30s - moment);
            in_time.send(piece + (framing.front() == 'T' ? "\r\n0\r\n\r\n" : ""));
            CHECK(in_time.response().body.size() == 50'000);
        });
    }
}

TEST_CASE("S2 a body slower than the minimum rate is 408 when its time is used up, with either framing") {
    for (const std::string framing :
         {"Content-Length: 50000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nC350\r\n"}) {
        CAPTURE(framing);
        with_client(
            add_body_route,
            [&](TestClient& client) {
                const std::string head = "POST / HTTP/1.1\r\nHost: test\r\n" + framing;
                TestConnection silent = client.connect();
                silent.send(head);
                check_ends_after(client, silent, 5s, 408);

                TestConnection generous = client.connect();  // 100 bytes buy a second, whenever they come
                generous.send(head + std::string(100, 'x'));
                client.advance(6s - moment);
                generous.send(std::string(100, 'x'));
                check_ends_after(client, generous, 1s + moment, 408);

                TestConnection slow = client.connect();  // 99 of 100: a hundredth of the grace each second
                slow.send(head);
                for (int i = 0; i < 400; ++i) {
                    client.advance(1s);
                    CHECK(slow.send(std::string(99, 'x')).receive_now() == "");
                }
                check_ends_after(client, slow, 1s, 408);
            },
            quiet_config().with_minimum_rate(100));
    }
}

TEST_CASE("a body that keeps to the minimum rate may take as long as it likes") {
    with_client(
        add_body_route,
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 50000\r\n\r\n");
            for (int i = 0; i < 500; ++i) {
                client.advance(1s);
                connection.send(std::string(100, 'x'));
            }
            CHECK(connection.response().body.size() == 50'000);
        },
        quiet_config().with_minimum_rate(100));
}

// --- an answer ---

TEST_CASE("S3 a client that does not receive its answer loses its connection after write_timeout") {
    for (const std::string path : {"/big/5000", "/big-later"}) {
        CAPTURE(path);
        with_client(
            [](sake::Engine& app) {
                add_body_route(app);
                app.get("/big-later", [](Context& ctx) -> Task<> {
                    co_await sake::yield();
                    ctx.text(pattern_bytes(5000));
                });
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect(1000);
                connection.send(get_request(path));
                for (int i = 0; i < 3; ++i) {
                    client.advance(30s - moment);
                    CHECK(connection.receive_now().size() == 1000);  // which makes room for more
                }
                client.advance(30s - moment);
                CHECK(can_send(connection));
                client.advance(moment);
                CHECK_THROWS_AS(static_cast<void>(connection.receive()), std::system_error);
            },
            quiet_config().with_minimum_rate(10));
    }
}

TEST_CASE("S3 an answer has to be received at the minimum rate after its grace") {
    with_client(
        add_body_route,
        [](TestClient& client) {
            TestConnection silent = client.connect(100);
            silent.send(get_request("/big/50000"));
            client.advance(6s - moment);  // what the wire took at once has bought a second
            CHECK(can_send(silent));
            client.advance(moment);
            CHECK_FALSE(can_send(silent));

            TestConnection slow = client.connect(99);  // a hundredth too little each second
            slow.send(get_request("/big/100000"));
            CHECK(slow.receive_now().size() == 99);
            // Two pieces left at once, so that there are 598 seconds until 5 + 1.98 are used up.
            for (int i = 0; i < 598; ++i) {
                client.advance(1s);
                CHECK(slow.receive_now().size() == 99);
            }
            client.advance(1s - moment);
            CHECK(can_send(slow));
            client.advance(moment);
            CHECK_FALSE(can_send(slow));

            TestConnection steady = client.connect(100);
            steady.send(get_request("/big/50000"));
            for (int i = 0; i < 450; ++i) {
                client.advance(1s);
                CHECK(steady.receive_now().size() == 100);
            }
        },
        quiet_config().with_minimum_rate(100));
}

// --- a handler ---

TEST_CASE("a coroutine handler that takes too long is cancelled and answered with 504") {
    int cancelled = 0;
    int stopped = 0;
    with_client(
        [&](sake::Engine& app) {
            add_body_route(app);
            app.get("/slow", [&](Context& ctx) -> Task<> {
                const std::stop_callback on_stop(ctx.stop_token(), [&] { ++stopped; });
                try {
                    co_await sake::sleep(60s);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                    throw;
                }
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/slow") + get_request("/_ping"));
            check_ends_after(client, connection, 30s, 504);  // and the ping behind it is not answered
            CHECK(cancelled == 1);
            CHECK(stopped == 1);
            CHECK(client.get("/sleep/29999").body == "slept");
            CHECK(client.get("/sleep/30000").body == "slept");  // what ends at the limit is within it
            CHECK(client.get("/sleep/30001").status == 504);
        });
}

TEST_CASE("the request timeout counts for each request alone, and not while a connection is idle") {
    with_client(add_body_route, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send(get_request("/sleep/29999") + get_request("/sleep/29999"));
        for (int i = 0; i < 2; ++i) CHECK(connection.response().body == "slept");
        client.advance(70s);
        CHECK(connection.send(get_request("/sleep/29999")).response().body == "slept");
    });
}

TEST_CASE("a handler that swallows its cancellation changes nothing: one 504, then the end") {
    int cancelled = 0;
    int ended = 0;
    with_client(
        [&](sake::Engine& app) {
            app.get("/stubborn/:ms", [&](Context& ctx, int ms) -> Task<> {
                try {
                    co_await sake::sleep(60s);
                } catch (const sake::Cancelled&) {
                    ++cancelled;
                }
                if (ms > 0) co_await sake::sleep(std::chrono::milliseconds(ms));
                ctx.text("too late");
                ++ended;
            });
        },
        [&](TestClient& client) {
            for (const char* path : {"/stubborn/0", "/stubborn/20"}) {
                TestConnection connection = client.connect();
                connection.send(get_request(path));
                check_ends_after(client, connection, 30s, 504);
            }
            CHECK(ended == 1);
            client.advance(20ms);
            CHECK(ended == 2);
            CHECK(cancelled == 2);
        });
}

TEST_CASE(
    "a 504 that cannot be sent whole ends the connection, though the handler swallows its cancellation") {
    int cancelled = 0;
    int ended = 0;
    with_client(
        [&](sake::Engine& app) {
            app.get("/stubborn", [&](Context&) -> Task<> {
                while (cancelled < 3) {
                    try {
                        co_await sake::sleep(10h);
                    } catch (const sake::Cancelled&) {
                        ++cancelled;
                    }
                }
                ++ended;
            });
        },
        [&](TestClient& client) {
            constexpr std::size_t capacity = 50;
            TestConnection slow = client.connect(capacity);
            slow.send(get_request("/stubborn"));
            client.advance(30s);
            CHECK(cancelled == 1);
            const std::string part = slow.receive_all();
            CHECK(part.size() == capacity);
            CHECK(part.substr(0, 12) == "HTTP/1.1 504");
            CHECK(cancelled == 1);  // no time has passed
            CHECK(ended == 0);
            client.advance(60s);
            CHECK(ended == 1);
        },
        quiet_config().with_request_timeout(30s));
}

TEST_CASE("a handler that outlives its cancellation is cancelled again, after another request timeout") {
    int cancelled = 0;
    bool has_ended = false;
    with_client(
        [&](sake::Engine& app) {
            app.get("/stubborn", [&](Context&) -> Task<> {
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
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/stubborn"));
            check_ends_after(client, connection, 30s, 504);
            for (int times = 1; times < 3; ++times) {
                CHECK(cancelled == times);
                client.advance(30s - moment);
                CHECK(cancelled == times);
                client.advance(moment);
            }
            CHECK(cancelled == 3);
            CHECK(has_ended);
        });
}

TEST_CASE("a client that ends its input within half_close_window of its request still gets the answer") {
    const auto answer_after = [](std::chrono::milliseconds pause, bool closes) {
        bool was_answered = false;
        bool was_cancelled = false;
        with_client(
            [&](sake::Engine& app) {
                app.get("/later", [&](Context& ctx) -> Task<> {
                    try {
                        co_await sake::sleep(10s);
                    } catch (const sake::Cancelled&) {
                        was_cancelled = true;
                        throw;
                    }
                    ctx.text("later");
                });
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect();
                connection.send(get_request("/later"));
                client.advance(pause);
                if (closes) {
                    connection.close();
                    client.advance(1s);
                } else {
                    connection.half_close();
                    was_answered = !connection.receive_all().empty();
                }
            });
        CHECK(was_cancelled != was_answered);
        return was_answered;
    };
    CHECK(answer_after(0ms, false));
    CHECK(answer_after(49ms, false));
    CHECK_FALSE(answer_after(50ms, false));
    CHECK_FALSE(answer_after(51ms, false));
    CHECK_FALSE(answer_after(0ms, true));
    CHECK_FALSE(answer_after(49ms, true));
}

// Threads are real, so virtual time stands still while a job waits in the queue or runs: the time of the
// queue, and of the request, cannot be used up meanwhile. With real time they are tested in test_workers.
TEST_CASE("no time passes for a request that waits for a worker, or is with one") {
    std::atomic<bool> may_end{false};
    with_client(
        [&](sake::Engine& app) {
            app.get("/worker",
                    [&](Context& ctx) {
                        while (!may_end) std::this_thread::yield();
                        ctx.text("worked");
                    })
                .worker();
            app.get("/release", [&](Context& ctx) {
                may_end = true;
                ctx.text("released");
            });
        },
        [&](TestClient& client) {
            TestConnection first = client.connect();
            TestConnection second = client.connect();
            first.send(get_request("/worker"));
            second.send(get_request("/worker"));
            CHECK(client.get("/release").body == "released");
            CHECK(first.response().body == "worked");
            CHECK(second.response().body == "worked");
            CHECK(second.send(get_request("/_ping")).response().header("Date").substr(17, 8) == "00:00:00");
        },
        quiet_config().with_worker_pool_size(1).with_worker_queue_timeout(1ms).with_request_timeout(1ms));
}

// --- a stop ---

TEST_CASE("what is in flight at a stop has shutdown_grace to end, and a second more to clean up") {
    const auto stop_after = [](std::chrono::milliseconds pause, const std::string& path, int& ends) {
        std::string answer;
        answer.reserve(1000);
        const int code = with_client(
            [&](sake::Engine& app) {
                add_body_route(app);
                app.get("/stubborn/:ms", [&](Context&, int ms) -> Task<> {
                    try {
                        co_await sake::sleep(1h);
                    } catch (const sake::Cancelled&) {
                    }
                    co_await sake::sleep(std::chrono::milliseconds(ms));
                    ++ends;
                });
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect();
                connection.send(get_request(path));
                client.advance(pause);
                client.stop();
                answer += std::to_string(connection.response().status);
            },
            quiet_config().with_shutdown_grace(7s).with_request_timeout(1h));
        return answer + " " + std::to_string(code);
    };
    int ends = 0;
    CHECK(stop_after(0ms, "/sleep/6999", ends) == "200 0");
    CHECK(stop_after(0ms, "/sleep/7000", ends) == "200 0");  // at the same moment, in the order of the timers
    CHECK(stop_after(0ms, "/sleep/7001", ends) == "503 1");
    CHECK(stop_after(1s, "/sleep/7999", ends) == "200 0");
    CHECK(stop_after(0ms, "/stubborn/999", ends) == "503 1");
    CHECK(ends == 1);
    CHECK(stop_after(0ms, "/stubborn/1001", ends) == "503 1");
    CHECK(ends == 1);
}

TEST_CASE("at a stop, what has not begun gets a moment, and a head a second") {
    const auto with_stop = [](const sake::Config& config, auto body) {
        sake::Engine* the_app = nullptr;
        const int code = with_client(
            [&](sake::Engine& app) {
                the_app = &app;
                add_body_route(app);
            },
            [&](TestClient& client) {
                TestConnection connection = client.connect();
                ping(connection);
                body(client, connection, [&] {
                    the_app->stop();
                    client.advance(0s);
                });
            },
            config);
        CHECK(code == 0);
    };
    const sake::Config config = quiet_config();
    with_stop(config, [](TestClient& client, TestConnection& idle, auto stop) {
        client.advance(10s);
        stop();
        check_ends_after(client, idle, 50ms, 0);
    });
    with_stop(config, [](TestClient& client, TestConnection& idle, auto stop) {
        stop();
        client.advance(50ms - moment);
        CHECK(idle.send(get_request("/_ping")).response().header("Connection") == "close");
    });
    with_stop(config, [](TestClient& client, TestConnection&, auto stop) {
        stop();
        TestConnection fresh = client.connect();
        check_ends_after(client, fresh, 50ms, 0);
    });
    with_stop(config, [](TestClient& client, TestConnection& head, auto stop) {
        head.send("GET / HT");
        client.advance(5s);
        stop();
        check_ends_after(client, head, 1s, 503);
    });
    with_stop(config, [](TestClient& client, TestConnection& head, auto stop) {
        stop();
        client.advance(50ms - moment);
        head.send("GET / HT");
        check_ends_after(client, head, 1s, 503);
    });
    with_stop(quiet_config().with_header_timeout(400ms),
              [](TestClient& client, TestConnection& head, auto stop) {
                  head.send("GET / HT");
                  client.advance(200ms);
                  stop();
                  check_ends_after(client, head, 400ms, 503);
              });
    with_stop(config, [](TestClient& client, TestConnection&, auto stop) {
        TestConnection body = client.connect();
        body.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nt");
        client.advance(1s);
        stop();
        client.advance(4s - moment);  // its own time, not that of the stop, is what it has
        CHECK(body.send("ea!").response().body == "tea!");
    });
}

// --- the close ---

TEST_CASE("a refused client may be silent for 5 s, and send for 30 s, to read the answer meanwhile") {
    with_client(add_body_route, [](TestClient& client) {
        const auto refused = [&] {
            TestConnection connection = client.connect();
            CHECK(connection.send("nonsense\r\n\r\n").response().status == 400);
            CHECK(connection.is_closed());
            return connection;
        };
        TestConnection silent = refused();
        TestConnection sends = refused();
        for (int i = 0; i < 6; ++i) {
            client.advance(5s - moment);
            CHECK(can_send(sends));
            if (i > 0) continue;
            client.advance(moment);
            CHECK_FALSE(can_send(silent));
            CHECK(can_send(sends));
        }
        client.advance(4 * moment);
        CHECK(can_send(sends));
        client.advance(moment);
        CHECK_FALSE(can_send(sends));
    });
}

TEST_CASE("a client whose request came too slowly has a second") {
    with_client(add_body_route, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send("GET / HT");
        check_ends_after(client, connection, 10s, 408);
        for (int i = 0; i < 10; ++i) {
            CHECK(can_send(connection));
            client.advance(100ms - (i == 9 ? moment : 0ms));
        }
        CHECK(can_send(connection));
        client.advance(moment);
        CHECK_FALSE(can_send(connection));
    });
}

// The acceptor, which sheds idle connections and looks again after 100 ms, is not there over memory: every
// connection is served. That the server is full shows in its patience.
TEST_CASE("in a full server, a refused client may be silent for 1 s, and send for 5 s") {
    with_client(
        add_body_route,
        [](TestClient& client) {
            TestConnection silent = client.connect();
            TestConnection sends = client.connect();
            for (TestConnection* each : {&silent, &sends}) {
                CHECK(each->send("nonsense\r\n\r\n").response().status == 400);
            }
            for (int i = 0; i < 5; ++i) {
                client.advance(1s - moment);
                CHECK(can_send(sends));
                if (i == 0) CHECK(can_send(silent));
            }
            client.advance(5 * moment);
            CHECK_FALSE(can_send(silent));
            CHECK_FALSE(can_send(sends));
        },
        quiet_config().with_max_connections(1));
}

TEST_CASE("a client that does not receive its last answer loses it after 30 s, in a full server after 5") {
    const auto answer_after = [](std::chrono::milliseconds pause, int max_connections) {
        std::string answer;
        answer.reserve(10'000);
        with_client(
            add_body_route,
            [&](TestClient& client) {
                TestConnection connection = client.connect(10'000);
                connection.send(get_request("/big/5000", "Connection: close\r\n"));
                client.advance(pause);
                try {
                    answer += connection.receive_all();
                } catch (const std::system_error&) {
                    answer += "reset";
                }
            },
            quiet_config().with_max_connections(max_connections));
        return answer.size() > 5000 ? "whole" : answer;
    };
    CHECK(answer_after(30s - moment, 0) == "whole");
    CHECK(answer_after(30s, 0) == "reset");
    CHECK(answer_after(5s - moment, 1) == "whole");
    CHECK(answer_after(5s, 1) == "reset");
}

// --- over sockets ---

TEST_CASE("S1 a request head that does not come in time is 408, on every poller") {
    on_every_poller([](sake::Config config) {
        until_in_time(50ms, [&](Attempt& attempt) {
            with_server(
                add_body_route,
                [&](TestServer& server) {
                    attempt.begin();
                    const Stopwatch watch;
                    RawClient client = server.connect();
                    client.send("GET / HTTP/1.1\r\nHost: test\r\nX");
                    if (!attempt.note_step()) return;  // without a byte there is no answer
                    CHECK(trickle(client, "x", 10s));
                    CHECK(watch.shows_at_least(attempt.limit()));
                    CHECK(client.read_response().status == 408);
                    CHECK(client.expect_closed());
                },
                config.with_header_timeout(attempt.limit()));
        });
    });
}

TEST_CASE(
    "S3 a client that does not read a large answer loses its connection, and the kernel lets go of it") {
    const std::string body = pattern_bytes(16 * 1024 * 1024);
    with_server(
        [&](sake::Engine& app) { app.get("/big", [&](Context& ctx) { ctx.send(body, "text/plain"); }); },
        [&](TestServer& server) {
            const int before = settled_fds(server);
            const Stopwatch watch;
            RawClient client = RawClient::with_receive_buffer(server.port(), 16 * 1024);
            client.send(get_request("/big"));
            CHECK(client.read_exactly(1) == "H");  // so the server has the connection
            CHECK(server.ping());
            CHECK(eventually([&] { return Snapshot::take().fds == before + 1; }));
            CHECK(watch.shows_at_least(100ms));
            client.set_deadline(10s);
            CHECK(client.read_until_close().size() < body.size());
            CHECK(client.was_reset());
        },
        quiet_config().with_write_timeout(100ms));
}

TEST_CASE(
    "S1 three hundred clients that trickle their heads are all refused in time, while others are served") {
    until_in_time(200ms, [](Attempt& attempt) {
        with_server([](sake::Engine&) {},
                    [&](TestServer& server) {
                        std::vector<RawClient> slow;
                        for (int i = 0; i < 300; ++i) {
                            attempt.begin();
                            slow.push_back(server.connect());
                            slow.back().send("GET /_ping HTTP/1.1\r\nHost: test\r\nX: ");
                            if (!attempt.note_step()) return;
                        }
                        const auto end = std::chrono::steady_clock::now() + attempt.past_limit();
                        while (std::chrono::steady_clock::now() < end) {
                            for (RawClient& each : slow) static_cast<void>(each.try_send("y"));
                            CHECK(server.ping());
                        }
                        for (RawClient& each : slow) CHECK(each.read_response().status == 408);
                    },
                    quiet_config().with_header_timeout(attempt.limit()));
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

}  // namespace test_timeouts
