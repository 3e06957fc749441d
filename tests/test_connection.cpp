// A connection as a client sees it: requests in any pieces, ambiguous framing, the end of input, Expect, and
// handlers of every kind. Every test runs a whole server under the oracle.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_connection {

using namespace harness;

namespace {

/// Everything that a handler can see of its request, as text.
std::string describe(sake::Context& ctx) {
    std::string text;
    text.append(ctx.method()).append(" ").append(ctx.path()).append("?").append(ctx.query_string());
    for (const auto& [name, value] : ctx.headers()) text.append("\n").append(name).append("=").append(value);
    return text.append("\n\n").append(ctx.body());
}

void add_echo_routes(sake::Engine& app) {
    app.any("/echo/*rest", [](sake::Context& ctx) { ctx.text(describe(ctx)); });
    app.any("/later/*rest", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text(describe(ctx));
    });
}

/// An answer without what depends on the moment.
std::string essence(const Response& response) {
    std::string text = std::to_string(response.status) + " " + response.reason;
    for (const auto& [name, value] : response.headers) {
        if (name != "Date") text.append("\n").append(name).append(": ").append(value);
    }
    return text + "\n\n" + response.body;
}

/// Sends the parts one by one, each after the server has begun to read the one before.
void send_parts(RawClient& client, std::string_view bytes, const std::vector<std::size_t>& cuts) {
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        const auto before = faults::calls("recv");
        client.send(bytes.substr(begin, cut - begin));
        REQUIRE(eventually([&] { return faults::calls("recv") != before; }));
        begin = cut;
    }
    client.send(bytes.substr(begin));
}

std::vector<std::string> good_requests() {
    return {
        get_request("/echo/a?b=c&d=%20"),
        get_request("/later/a", "X-Empty:\r\nCookie: a=b\r\nx-Y:  two words \t\r\n"),
        "\r\nGET /echo/%41%2F HTTP/1.1\r\nhOsT: a:80\r\n\r\n",
        "GET http://test/echo/absolute?q HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /echo/old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
        "BREW /echo/pot HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\ntea",
        post_request("/echo/b", "hello"),
        post_request("/later/b", "GET / HTTP/1.1\r\n\r\n"),
        post_request("/echo/none", ""),
        chunked_request("/echo/c", "5\r\nhello\r\n1;a=\"b\\\"\";c\r\n \r\n5\r\nworld\r\n0\r\nT: x\r\n\r\n"),
        chunked_request("/later/c", "00a\r\n0123456789\r\n0\r\n\r\n"),
        get_request("/nothing/here"),
        "DELETE /only-get HTTP/1.1\r\nHost: test\r\n\r\n",
    };
}

}  // namespace

TEST_CASE("P1 a request gives the same answer however it is split") {
    with_server(
        [](sake::Engine& app) {
            add_echo_routes(app);
            app.get("/only-get", [](sake::Context& ctx) { ctx.text("got"); });
        },
        [](TestServer& server) {
            for (const std::string& request : good_requests()) {
                CAPTURE(request);
                RawClient client = server.connect();
                const std::string whole = essence(client.send(request).read_response());
                for (std::size_t cut = 1; cut < request.size(); ++cut) {
                    CAPTURE(cut);
                    send_parts(client, request, {cut});
                    REQUIRE(essence(client.read_response()) == whole);
                }
                std::vector<std::size_t> every_byte;
                for (std::size_t cut = 1; cut < request.size(); ++cut) every_byte.push_back(cut);
                send_parts(client, request, every_byte);
                CHECK(essence(client.read_response()) == whole);
            }
        });
}

TEST_CASE("P1 a request that is refused gives the same answer however it is split") {
    const std::vector<std::string> requests = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        post_request("/echo/x", "", "Content-Length: 5\r\n"),
        chunked_request("/echo/x", "3\r\nabcd\r\n0\r\n\r\n"),
    };
    with_server(add_echo_routes, [&](TestServer& server) {
        for (const std::string& request : requests) {
            CAPTURE(request);
            const std::string whole = essence(server.connect().send(request).read_response());
            for (std::size_t cut = 1; cut < request.size(); ++cut) {
                CAPTURE(cut);
                RawClient client = server.connect();
                client.send(request.substr(0, cut));
                client.try_send(request.substr(cut));  // the refusal may be on its way already
                REQUIRE(essence(client.read_response()) == whole);
                REQUIRE(client.expect_closed());
            }
        }
    });
}

TEST_CASE("every poller serves plain and coroutine routes, bodies of all sizes and many connections") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            [](sake::Engine& app) {
                app.post("/plain", [](sake::Context& ctx) { ctx.text(ctx.body()); });
                app.post("/coroutine", [](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::sleep(1ms);
                    ctx.text(ctx.body());
                });
            },
            [](TestServer& server) {
                RawClient client = server.connect();
                for (const std::size_t size :
                     {0UL, 1UL, 1000UL, 65'535UL, 65'536UL, 300'000UL, 1'048'576UL}) {
                    CAPTURE(size);
                    const std::string body = pattern_bytes(size);
                    for (const char* path : {"/plain", "/coroutine"}) {
                        const Response answer = client.send(post_request(path, body)).read_response();
                        CHECK(answer.status == 200);
                        CHECK((answer.body == body));
                    }
                }
                std::vector<RawClient> clients;
                for (int i = 0; i < 100; ++i) clients.push_back(server.connect());
                for (RawClient& each : clients) each.send(post_request("/coroutine", "x"));
                for (RawClient& each : clients) CHECK(each.read_response().body == "x");
            },
            config);
    });
}

TEST_CASE("a body that is larger than the socket buffers arrives whole at a client that reads late") {
    const std::string body = pattern_bytes(20 * 1024 * 1024);
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "application/octet-stream"); });
            },
            [&](TestServer& server) {
                RawClient client = RawClient::with_receive_buffer(server.port(), 64 * 1024);
                client.send(get_request("/big") + get_request("/_ping")).set_deadline(60s);
                CHECK(server.ping());  // the other one fills its socket meanwhile, and waits
                CHECK((client.read_response().body == body));
                CHECK(client.read_response().body == "pong");
            },
            config);
    });
}

TEST_CASE("C1 a client that ends its input together with the request still gets its answer") {
    on_every_poller([](sake::Config config) {
        with_server(
            [](sake::Engine& app) {
                app.get("/plain", [](sake::Context& ctx) { ctx.text("plain"); });
                app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::sleep(30ms);
                    co_await sake::sleep(30ms);
                    ctx.text("slow");
                });
            },
            [](TestServer& server) {
                for (const char* path : {"plain", "slow"}) {
                    RawClient client = server.connect();
                    client.send(get_request("/" + std::string(path))).shutdown_write();
                    CHECK(client.read_response().body == path);
                    CHECK(client.expect_closed());
                }
                RawClient client = server.connect();
                client.send(get_request("/plain") + get_request("/slow") + get_request("/plain"));
                client.shutdown_write();
                for (const char* expected : {"plain", "slow", "plain"}) {
                    CHECK(client.read_response().body == expected);
                }
                CHECK(client.expect_closed());
            },
            config.with_half_close_window(5s));  // the window itself is for test_cancellation
    });
}

TEST_CASE(
    "a client that ended its input before its request began is answered, whatever comes to its socket") {
    on_every_poller([](sake::Config config) {
        std::atomic<bool> is_running{false};
        std::atomic<bool> may_end{false};
        const std::string big = pattern_bytes(8'000'000);
        with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.text(big); });
                app.get("/slow", [&](sake::Context& ctx) -> sake::Task<> {
                    is_running = true;
                    while (!may_end) co_await sake::sleep(1ms);
                    co_await sake::sleep(20ms);
                    ctx.text("slow");
                });
            },
            [&](TestServer& server) {
                is_running = false;
                may_end = false;
                RawClient client = server.connect();
                client.send(get_request("/big") + get_request("/slow")).shutdown_write();
                client.set_deadline(20s);
                // The socket is full of the answer, and the end of the input has been seen.
                CHECK(server.ping());
                // All of the answer is in the kernel's hands before the next request begins: reading the rest
                // of it makes room in the socket, which is an event.
                std::string received;
                while (!is_running && received.size() < big.size()) received += client.read_some(65'536);
                CHECK(eventually([&] { return is_running.load(); }));
                while (received.size() < big.size()) received += client.read_some(65'536);
                may_end = true;
                received += client.read_until_close();
                CHECK(received.ends_with("slow"));
            },
            config.with_half_close_window(0ms));
    });
}

TEST_CASE("a client that ends its input with its request is answered by a server that was busy meanwhile") {
    on_every_poller([](const sake::Config& config) {
        std::atomic<bool> is_held{false};
        std::atomic<bool> may_go_on{false};
        with_server(
            [&](sake::Engine& app) {
                app.get("/hold", [&](sake::Context& ctx) {
                    is_held = true;
                    while (!may_go_on) std::this_thread::yield();
                    ctx.text("held");
                });
                app.get("/busy", [](sake::Context& ctx) {
                    const auto until = std::chrono::steady_clock::now() + 150ms;
                    while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
                    ctx.text("busy");
                });
                app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::sleep(200ms);
                    ctx.text("slow");
                });
            },
            [&](TestServer& server) {
                is_held = false;
                may_go_on = false;
                RawClient first = server.connect();
                first.send(get_request("/hold"));
                REQUIRE(eventually([&] { return is_held.load(); }));
                RawClient slow = server.connect();
                slow.send(get_request("/slow")).shutdown_write();
                RawClient busy = server.connect();
                busy.send(get_request("/busy"));
                may_go_on = true;
                CHECK(slow.read_response().body == "slow");
                CHECK(busy.read_response().body == "busy");
            },
            config);
    });
}

TEST_CASE("HEAD is answered without content even where its line cannot be read, and with the length of GET") {
    with_server(
        [](sake::Engine& app) { app.del("/only", [](sake::Context&) {}); },
        [](TestServer& server) {
            const std::string host = " HTTP/1.1\r\nHost: test\r\n\r\n";
            for (const std::string& request :
                 {"HEAD /" + std::string(9000, 'a') + host, "\r\n\r\nHEAD /" + std::string(9000, 'a') + host,
                  std::string("HEAD /\0", 7) + host, "HEAD /\r" + host, "HEAD /\x01" + host,
                  std::string("HEAD / HTTP/1.1\nHost: test\n\n"), "HEAD /%zz" + host}) {
                CAPTURE(request.substr(0, 20));
                RawClient client = server.connect();
                const std::string answer = client.send(request).read_until_close();
                CHECK(answer.starts_with("HTTP/1.1 4"));
                CHECK(answer.find("\r\n\r\n") == answer.size() - 4);
            }
            // A method that no server knows, and one empty line more than may come before a request.
            for (const std::string start : {"HEADS /", "\r\n\r\n\r\nHEAD /"}) {
                RawClient other = server.connect();
                CHECK(other.send(start + std::string(9000, 'a') + host).read_response().body.size() > 0);
            }
            RawClient client = server.connect();
            const auto get = client.send("GET /only" + host).read_response();
            const auto head = client.send("HEAD /only" + host).read_response(true);
            CHECK(get.status == 405);
            CHECK(head.status == 405);
            CHECK(head.header("Content-Length") == get.header("Content-Length"));
        });
}

TEST_CASE("the host of an absolute target is what a handler sees as Host") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](sake::Context& ctx) { ctx.text(ctx.header("Host")); });
            app.get("/later", [](sake::Context& ctx) -> sake::Task<> {
                co_await sake::yield();
                ctx.text(ctx.header("Host"));
            });
            app.get("/worker", [](sake::Context& ctx) { ctx.text(ctx.header("Host")); }).worker();
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            for (const char* path : {"/", "/later", "/worker"}) {
                CAPTURE(path);
                client.send(std::string("GET http://right:81") + path + " HTTP/1.1\r\nHost: wrong\r\n\r\n");
                CHECK(client.read_response().body == "right:81");
            }
            CHECK(client.send("GET / HTTP/1.1\r\nHost: own\r\n\r\n").read_response().body == "own");
        });
}

TEST_CASE("CONNECT is refused and ends the connection, whatever its client sends into the tunnel") {
    std::atomic<int> runs{0};
    with_server([&](sake::Engine& app) { app.get("/", [&](sake::Context&) { ++runs; }); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send("CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n" + get_request("/"));
                    CHECK(client.read_response().status == 501);
                    CHECK(client.expect_closed());
                    CHECK(runs == 0);
                });
}

TEST_CASE("an end of input within a request closes the connection without an answer") {
    std::atomic<int> runs{0};
    with_server(
        [&](sake::Engine& app) {
            app.post("/", [&](sake::Context& ctx) {
                ++runs;
                ctx.text("ran");
            });
        },
        [&](TestServer& server) {
            const std::string request = post_request("/", "hello");
            for (std::size_t cut = 0; cut < request.size(); ++cut) {
                CAPTURE(cut);
                RawClient client = server.connect();
                client.send(request.substr(0, cut)).shutdown_write();
                REQUIRE(client.expect_closed());
            }
            CHECK(runs == 0);
        });
}

TEST_CASE("a close with unread input does not reset the answer away") {
    on_every_poller([](const sake::Config& config) {
        std::atomic<bool> is_running{false};
        std::atomic<bool> may_end{false};
        with_server(
            [&](sake::Engine& app) {
                app.get("/slow", [&](sake::Context& ctx) -> sake::Task<> {
                    is_running = true;
                    while (!may_end) co_await sake::sleep(1ms);
                    ctx.text("done");
                });
                app.get("/plain", [](sake::Context& ctx) { ctx.text("done"); });
            },
            [&](TestServer& server) {
                // What comes behind a request that closes is never read as one, wherever it is when we close.
                RawClient together = server.connect();
                together.send(get_request("/plain", "Connection: close\r\n") + std::string(100'000, 'x'));
                CHECK(together.read_response().body == "done");
                CHECK(together.expect_closed());
                CHECK_FALSE(together.was_reset());

                RawClient later = server.connect();
                later.send(get_request("/slow", "Connection: close\r\n"));
                REQUIRE(eventually([&] { return is_running.load(); }));
                later.send(std::string(10'000, 'x'));
                may_end = true;
                CHECK(later.read_response().body == "done");
                CHECK(later.expect_closed());
                CHECK_FALSE(later.was_reset());
            },
            config);
    });
}

TEST_CASE("C3 Expect: 100-continue is answered when the body is wanted, and only then") {
    std::atomic<int> runs{0};
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                app.post("/", [&](sake::Context& ctx) {
                    ++runs;
                    ctx.text(ctx.body());
                });
            },
            [&](TestServer& server) {
                runs = 0;
                const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
                RawClient client = server.connect();
                for (int round = 0; round < 2; ++round) {
                    client.send(head + "Content-Length: 5\r\n\r\n");
                    CHECK(client.read_any_response().status == 100);
                    CHECK(client.send("hello").read_response().body == "hello");
                    client.send(head + "Transfer-Encoding: chunked\r\n\r\n");
                    CHECK(client.read_any_response().status == 100);
                    CHECK(client.send("5\r\nworld\r\n0\r\n\r\n").read_response().body == "world");
                }
                // Nobody waits for a 100 who has sent the body already, or has none.
                CHECK(client.send(head + "Content-Length: 2\r\n\r\nhi").read_any_response().status == 200);
                CHECK(client.send(head + "Content-Length: 0\r\n\r\n").read_any_response().status == 200);
                CHECK(runs == 6);
                // An interim answer keeps its place among pipelined ones.
                client.send(post_request("/", "a") + head + "Content-Length: 1\r\n\r\n");
                CHECK(client.read_any_response().body == "a");
                CHECK(client.read_any_response().status == 100);
                CHECK(client.send("b").read_any_response().body == "b");
            },
            config);
    });
}

TEST_CASE("C3 an expectation is refused with 413 before the body, and with 417 if it is unknown") {
    std::atomic<int> runs{0};
    with_server(
        [&](sake::Engine& app) {
            app.post("/", [&](sake::Context& ctx) {
                ++runs;
                ctx.text(ctx.body());
            });
        },
        [&](TestServer& server) {
            const auto refused = [&](const std::string& fields) {
                RawClient client = server.connect();
                client.send("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
                const int status = client.read_any_response().status;
                CHECK(client.expect_closed());
                return status;
            };
            CHECK(refused("Expect: 100-continue\r\nContent-Length: 11\r\n") == 413);
            CHECK(refused("Expect: a-miracle\r\nContent-Length: 1\r\n") == 417);
            CHECK(runs == 0);
            // Gone between the interim answer and the body.
            for (int i = 0; i < 20; ++i) {
                RawClient client = server.connect();
                client.send(
                    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
                CHECK(client.read_any_response().status == 100);
                if (i % 2 == 0) client.reset();
            }
            CHECK(runs == 0);
        },
        quiet_config().with_max_body(10));
}

TEST_CASE("C5 a capturing coroutine lambda keeps its captures for as long as its engine") {
    with_server(
        [](sake::Engine& app) {
            const std::string text = "captured text that does not fit the small buffer of a string";
            app.get("/copy", [text](sake::Context& ctx) -> sake::Task<> {
                co_await sake::sleep(1ms);
                ctx.text(text);
            });
            app.get("/move",
                    [owned = std::make_unique<std::string>(text)](sake::Context& ctx) -> sake::Task<> {
                        co_await sake::yield();
                        ctx.text(*owned);
                    });
            app.get("/count", [text, count = 0](sake::Context& ctx) mutable -> sake::Task<> {
                const int mine = ++count;
                co_await sake::sleep(2ms);
                ctx.text(text.substr(0, 8) + std::to_string(mine));
            });
            app.get("/value/:n", [text](sake::Context&, int n) -> sake::Task<std::string> {
                co_await sake::sleep(1ms);
                co_return text.substr(0, static_cast<std::size_t>(n));
            });
            app.use([text](sake::Context& ctx) -> sake::Task<> {
                co_await ctx.next();
                ctx.set_header("X-Seen", text.substr(0, 8));
            });
        },
        [](TestServer& server) {
            std::vector<RawClient> clients;
            for (int i = 0; i < 20; ++i) clients.push_back(server.connect());
            for (RawClient& each : clients) {
                each.send(get_request("/copy") + get_request("/move") + get_request("/count") +
                          get_request("/value/13"));
            }
            std::size_t counts = 0;
            for (RawClient& each : clients) {
                CHECK(each.read_response().body.size() == 60);
                const Response moved = each.read_response();
                CHECK(moved.body.starts_with("captured text that"));
                CHECK(moved.header("X-Seen") == "captured");
                counts += std::stoul(each.read_response().body.substr(8));
                CHECK(each.read_response().body == "captured text");
            }
            CHECK(counts == 20 * 21 / 2);
        });
}

TEST_CASE("what a client sends while its last answer is on its way costs it nothing of the answer") {
    const std::string body = pattern_bytes(1024 * 1024);
    for (const bool is_stopped : {false, true}) {
        CAPTURE(is_stopped);
        const int exit_code = with_server(
            [&](sake::Engine& app) {
                app.get("/big", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); });
            },
            [&](TestServer& server) {
                RawClient client = RawClient::with_receive_buffer(server.port(), 16 * 1024);
                client.set_deadline(20s);
                const auto before = faults::calls("shutdown");
                client.send(get_request("/big", is_stopped ? "" : "Connection: close\r\n"));
                if (is_stopped) {
                    CHECK_FALSE(client.expect_closed());  // the answer has begun to come
                    server.app().stop();
                }
                // The server has sent it all, and wants no more; the kernel still has most of it.
                REQUIRE(eventually([&] { return faults::calls("shutdown") > before; }));
                client.send(get_request("/big"));
                CHECK(client.read_response().body == body);
                CHECK(client.expect_closed());
                CHECK_FALSE(client.was_reset());
                if (is_stopped) CHECK(server.wait() == 0);
            },
            quiet_config());
        CHECK(exit_code == 0);
    }
}

TEST_CASE("a client that pipelines without end lets the others have their turn") {
    // Plain handlers, coroutines that do not wait, and one of these after every hundred of those.
    for (const int coroutine_every : {0, 1, 100}) {
        CAPTURE(coroutine_every);
        std::atomic<int> answered{0};
        std::atomic<int> answered_before_the_other{0};
        with_server(
            [&](sake::Engine& app) {
                const auto answer = [&](sake::Context& ctx) {
                    ++answered;
                    ctx.text("x");
                };
                app.get("/plain", answer);
                app.get("/coroutine", [answer](sake::Context& ctx) -> sake::Task<> {
                    answer(ctx);
                    co_return;
                });
                app.get("/other", [&](sake::Context& ctx) {
                    answered_before_the_other = answered.load();
                    ctx.text("y");
                });
                // Holds the loop until both have sent what they have.
                app.get("/hold", [&](sake::Context& ctx) {
                    while (answered == 0) std::this_thread::yield();
                    ctx.text("z");
                });
            },
            [&](TestServer& server) {
                constexpr int many = 1500;
                std::string batch;
                for (int i = 1; i <= many; ++i) {
                    const bool is_coroutine = coroutine_every > 0 && i % coroutine_every == 0;
                    batch += get_request(is_coroutine ? "/coroutine" : "/plain");
                }
                RawClient holder = server.connect();
                RawClient pipelining = server.connect();
                RawClient other = server.connect();
                holder.send(get_request("/hold"));
                pipelining.send(batch);
                other.send(get_request("/other"));
                answered = 1;
                CHECK(other.read_response().body == "y");
                CHECK(answered_before_the_other < many);
                for (int i = 0; i < many; ++i) REQUIRE(pipelining.read_response().body == "x");
            },
            quiet_config());
    }
}

}  // namespace test_connection
