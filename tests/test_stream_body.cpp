// Bodies that their handler reads in pieces: when it starts, how fast the client is read, limits while the
// body flows, early answers and clients that leave.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "support/client_fixture.hpp"
#include "support/common.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"

namespace test_stream_body {

using namespace harness;
using namespace std::string_literals;
using sake::BodyWriter;
using sake::Context;
using sake::Engine;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;

namespace {

/// The head of a POST whose body is to come.
std::string head(std::string_view path, std::string_view fields) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) + "\r\n";
}
std::string head_of_length(std::string_view path, std::size_t length, std::string_view fields = {}) {
    return head(path, "Content-Length: " + std::to_string(length) + "\r\n" + std::string(fields));
}
std::string chunk(std::string_view data) {
    std::string out;
    sake::detail::http1::append_chunk(out, data);
    return out;
}

/// "/echo" answers with the body, "/size" with its size, "/ignore" without reading it, "/first" after one
/// piece.
void add_readers(Engine& app) {
    app.post("/echo",
             [](Context& ctx) -> Task<std::string> {
                 std::string all;
                 while (const auto piece = co_await ctx.read()) all.append(*piece);
                 co_return all;
             })
        .stream_body();
    app.post("/size",
             [](Context& ctx) -> Task<std::string> {
                 std::size_t size = 0;
                 while (const auto piece = co_await ctx.read()) size += piece->size();
                 co_return std::to_string(size);
             })
        .stream_body();
    app.post("/ignore",
             [](Context& ctx) -> Task<> {
                 co_await sake::yield();
                 ctx.text(403, "no");
             })
        .stream_body();
    app.post("/first",
             [](Context& ctx) -> Task<std::string> {
                 const auto piece = co_await ctx.read();
                 co_return std::string(piece.value_or("nothing"));
             })
        .stream_body();
    app.get("/plain", [](Context& ctx) { ctx.text("plain"); });
}

}  // namespace

TEST_CASE("a handler reads the body in pieces while it comes") {
    std::string seen;
    seen.reserve(100);
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         seen += "start ";
                         while (const auto piece = co_await ctx.read()) seen.append(*piece).append(" ");
                         seen += "end";
                         ctx.text("done");
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/", 6));
            client.advance(0s);
            CHECK(seen == "start ");
            connection.send("ab");
            client.advance(0s);
            CHECK(seen == "start ab ");
            connection.send("cdef");
            CHECK(connection.response().body == "done");
            CHECK(seen == "start ab cdef end");
        });
}

TEST_CASE("a streamed body is decoded, however it is framed and wherever it is cut") {
    with_client(add_readers, [](TestClient& client) {
        const std::string chunked =
            chunk("hello ") + "3;x=y\r\nthe\r\n" + chunk(" world") + "0\r\nT: v\r\n\r\n";
        const std::string requests = head_of_length("/echo", 15) + "hello the world" +
                                     head("/echo", "Transfer-Encoding: chunked\r\n") + chunked +
                                     head_of_length("/echo", 0) + get_request("/plain");
        for (std::size_t at = 0; at < requests.size(); at += 3) {
            CAPTURE(at);
            TestConnection connection = client.connect();
            connection.send(requests.substr(0, at));
            client.advance(0s);
            connection.send(requests.substr(at));
            CHECK(connection.response().body == "hello the world");
            CHECK(connection.response().body == "hello the world");
            CHECK(connection.response().body.empty());
            CHECK(connection.response().body == "plain");
        }
        TestConnection slow = client.connect();
        for (const char byte : requests) {
            slow.send({&byte, 1});
            client.advance(0s);
        }
        CHECK(slow.response().body == "hello the world");
        CHECK(slow.response().body == "hello the world");
        CHECK(slow.response().body.empty());
        CHECK(slow.response().body == "plain");
    });
}

TEST_CASE("a large body arrives whole") {
    with_client(
        add_readers,
        [](TestClient& client) {
            const std::string bytes = pattern_bytes(3'000'000);
            CHECK(client.post("/echo", bytes).body == bytes);
            TestConnection connection = client.connect();
            connection.send(head("/echo", "Transfer-Encoding: chunked\r\n"));
            for (std::size_t at = 0; at < bytes.size(); at += 7'777) {
                connection.send(chunk(std::string_view(bytes).substr(at, 7'777)));
            }
            connection.send("0\r\n\r\n");
            CHECK(connection.response().body == bytes);
        },
        quiet_config().with_max_body(10'000'000));
}

TEST_CASE("on any other route ctx.read gives the whole body once") {
    with_client(
        [](Engine& app) {
            const auto handler = [](Context& ctx) -> Task<std::string> {
                std::string all;
                while (const auto piece = co_await ctx.read()) all.append(*piece).append("|");
                all.append(ctx.body());
                const auto again = co_await ctx.read();
                co_return all + (again ? "more" : "");
            };
            app.post("/here", handler);
            app.post("/worker", handler).worker();
        },
        [](TestClient& client) {
            for (const auto target : {"/here", "/worker"}) {
                TestConnection connection = client.connect();
                for (int i = 0; i < 2; ++i) {
                    connection.send(post_request(target, "abc"));
                    CHECK(connection.response().body == "abc|abc");
                    connection.send(post_request(target, ""));
                    CHECK(connection.response().body.empty());
                }
            }
        },
        quiet_config().with_worker_pool_size(1));
}

TEST_CASE("ctx.body and ctx.bind on a route with stream_body are logic_errors") {
    std::vector<std::string> said;
    said.reserve(20);
    Engine app(quiet_config());
    app.on_error([&](Context&, const std::exception& error) { said.emplace_back(error.what()); });
    app.post("/body",
             [](Context& ctx) -> Task<std::string> {
                 co_await sake::yield();
                 co_return std::string(ctx.body());
             })
        .stream_body();
    app.post("/bind",
             [](Context& ctx) -> Task<> {
                 co_await sake::yield();
                 static_cast<void>(ctx.bind());
             })
        .stream_body();
    app.post("/middleware", [](Context&) -> Task<> { co_await sake::yield(); })
        .stream_body()
        .use([](Context& ctx) { static_cast<void>(ctx.body()); });
    TestClient client(app);
    for (const auto target : {"/body", "/bind", "/middleware"}) {
        said.clear();
        CHECK(client.post(target, sake::Json(1)).status == 500);
        REQUIRE(said.size() == 1);
        CHECK(said[0] ==
              "ctx.body: the route has stream_body(), so its body is read in pieces, by co_await ctx.read()");
    }
}

TEST_CASE("stream_body is for coroutines that run on the reactor") {
    Engine app;
    const auto plain = [](Context& ctx) { ctx.text("x"); };
    const auto coroutine = [](Context&) -> Task<> { co_await sake::yield(); };
    const std::string of_plain =
        thrown_by<std::invalid_argument>([&] { app.post("/plain", plain).stream_body(); });
    CHECK(of_plain.find("POST /plain (") == 0);
    CHECK(of_plain.find("stream_body needs a handler that is a coroutine") != std::string::npos);
    const std::string of_worker =
        thrown_by<std::invalid_argument>([&] { app.post("/a", coroutine).worker().stream_body(); });
    CHECK(of_worker.find("POST /a (") == 0);
    CHECK(of_worker.find("drop worker()") != std::string::npos);
    CHECK(thrown_by<std::invalid_argument>([&] { app.post("/b", coroutine).stream_body().worker(); }) !=
          "nothing");
    CHECK_NOTHROW(app.post("/c", coroutine).stream_body().worker(false));
}

TEST_CASE("the head decides: routing and middleware run before the body, coroutine middleware too") {
    with_client(
        [](Engine& app) {
            app.use([](Context& ctx) {
                if (ctx.header("X-Plain") == "stop") ctx.abort(401).text("plain");
            });
            app.use([](Context& ctx) -> Task<> {
                co_await sake::sleep(1ms);
                if (ctx.header("X-Coroutine") == "stop") {
                    ctx.abort(402).text("coroutine");
                    co_return;
                }
                co_await ctx.next();
            });
            add_readers(app);
        },
        [](TestClient& client) {
            for (const auto& [field, status] :
                 {std::pair{"X-Plain: stop\r\n", 401}, std::pair{"X-Coroutine: stop\r\n", 402}}) {
                TestConnection connection = client.connect();
                connection.send(head_of_length("/echo", 1000, field));
                CHECK(connection.response().status == status);
                connection.send("what it has begun to send is read");
                connection.close();
            }
            CHECK(client.post("/echo", "abc"s).body == "abc");
            CHECK(client.post("/nowhere", "abc"s).status == 404);
        });
}

TEST_CASE("100 Continue is sent at the first read, and never without one") {
    with_client(
        [](Engine& app) {
            add_readers(app);
            app.post("/later",
                     [](Context& ctx) -> Task<std::string> {
                         co_await sake::sleep(1s);
                         const auto piece = co_await ctx.read();
                         co_return std::string(piece.value_or(""));
                     })
                .stream_body();
            app.post("/answers-first",
                     [](Context& ctx) -> Task<> {
                         BodyWriter out = ctx.stream("text/plain");
                         co_await out.write("a");
                         const auto piece = co_await ctx.read();
                         co_await out.write(*piece);
                     })
                .stream_body();
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/later", 3, "Expect: 100-continue\r\n"));
            CHECK(connection.receive_now().empty());
            client.advance(1s);
            CHECK(connection.receive_now() == "HTTP/1.1 100 Continue\r\n\r\n");
            connection.send("abc");
            CHECK(connection.response().body == "abc");
            // It sends without having been asked.
            connection.send(head_of_length("/later", 3, "Expect: 100-continue\r\n") + "abc");
            client.advance(2s);
            CHECK(connection.receive_now().starts_with("HTTP/1.1 200 OK\r\n"));
            connection.send(head_of_length("/ignore", 3, "Expect: 100-continue\r\n"));
            const std::string refused = connection.receive_now();
            CHECK(refused.starts_with("HTTP/1.1 403 "));
            CHECK(refused.find("Connection: close\r\n") != refused.npos);
            CHECK(refused.find("100 Continue") == refused.npos);
            TestConnection other = client.connect();
            other.send(head_of_length("/answers-first", 1, "Expect: 100-continue\r\n"));
            CHECK(other.receive_now().find("100 Continue") == std::string::npos);
            other.send("b");
            CHECK(other.receive_now() == "1\r\nb\r\n0\r\n\r\n");
        });
}

TEST_CASE("max_body holds while the body flows, one below, at and above") {
    with_client(
        [](Engine& app) {
            add_readers(app);
            app.post("/ten",
                     [](Context& ctx) -> Task<std::string> {
                         std::string all;
                         while (const auto piece = co_await ctx.read()) all.append(*piece);
                         co_return all;
                     })
                .stream_body()
                .max_body(10);
        },
        [](TestClient& client) {
            for (const auto& [target, limit] :
                 {std::pair{"/echo", std::size_t{100}}, std::pair{"/ten", std::size_t{10}}}) {
                for (const std::size_t size : {limit - 1, limit, limit + 1}) {
                    CAPTURE(size);
                    const int wanted = size > limit ? 413 : 200;
                    const std::string bytes = pattern_bytes(size);
                    CHECK(client.post(target, bytes).status == wanted);
                    TestConnection connection = client.connect();
                    connection.send(head(target, "Transfer-Encoding: chunked\r\n"));
                    for (const char byte : bytes) connection.send(chunk({&byte, 1}));
                    connection.send("0\r\n\r\n");
                    const auto response = connection.response();
                    CHECK(response.status == wanted);
                    if (wanted == 413) {
                        CHECK(response.json()["detail"] ==
                              "the body is larger than " + std::to_string(limit) + " bytes");
                        CHECK(response.header("Connection") == "close");
                    }
                }
            }
        },
        quiet_config().with_max_body(100));
}

TEST_CASE("a body that is announced too large is refused before its handler starts") {
    bool has_started = false;
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context&) -> Task<> {
                         has_started = true;
                         co_await sake::yield();
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/", 101, "Expect: 100-continue\r\n"));
            CHECK(connection.response().status == 413);
            CHECK_FALSE(has_started);
        },
        quiet_config().with_max_body(100));
}

TEST_CASE("what ctx.read throws is thrown again, and is an HttpError that a handler may catch") {
    std::string statuses;
    statuses.reserve(200);
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         for (int i = 0; i < 3;) {
                             try {
                                 while (co_await ctx.read()) {
                                 }
                                 statuses += "end";
                                 break;
                             } catch (const sake::HttpError& error) {
                                 statuses += std::to_string(error.status()) + " ";
                             }
                             ++i;
                         }
                         ctx.text("caught");
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head("/", "Transfer-Encoding: chunked\r\n") + chunk("abc") + "xyz\r\n");
            const auto response = connection.response();
            CHECK(response.body == "caught");
            CHECK(response.header("Connection") == "close");
            CHECK(statuses == "400 400 400 ");
        });
}

TEST_CASE("a malformed body is 400, a slow one 408") {
    with_client(add_readers, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send(head("/echo", "Transfer-Encoding: chunked\r\n") + "zz\r\n");
        CHECK(connection.response().status == 400);
        TestConnection silent = client.connect();
        silent.send(head_of_length("/echo", 10) + "abc");
        client.advance(4999ms);
        CHECK(silent.receive_now().empty());
        client.advance(30s);
        CHECK(silent.response().status == 408);
        TestConnection trickle = client.connect();
        trickle.send(head_of_length("/echo", 1000));
        std::string answer;
        for (int second = 0; second < 60 && answer.empty(); ++second) {
            trickle.send("x");
            client.advance(1s);
            answer = trickle.receive_now();
        }
        CHECK(answer.starts_with("HTTP/1.1 408 "));
    });
}

TEST_CASE(
    "the client's pace does not count while the handler does not read, nor the handler's time while it "
    "waits") {
    with_client(
        [](Engine& app) {
            app.post("/slow-handler",
                     [](Context& ctx) -> Task<std::string> {
                         std::string all;
                         while (const auto piece = co_await ctx.read()) {
                             all.append(*piece);
                             co_await sake::sleep(800ms);
                         }
                         co_return all;
                     })
                .stream_body();
            add_readers(app);
        },
        [](TestClient& client) {
            const std::string bytes = pattern_bytes(20);
            // Each piece buys the handler its time anew; the client is asked for no pace meanwhile.
            TestConnection connection = client.connect();
            connection.send(head_of_length("/slow-handler", 20));
            for (const char byte : bytes) {
                connection.send({&byte, 1});
                client.advance(900ms);
            }
            CHECK(connection.response().body == bytes);
            // A body that takes longer than request_timeout is no matter of the handler.
            TestConnection steady = client.connect();
            const std::string large = pattern_bytes(10'000);
            steady.send(head_of_length("/echo", large.size()));
            for (std::size_t at = 0; at < large.size(); at += 1000) {
                steady.send(large.substr(at, 1000));
                client.advance(2s);
            }
            CHECK(steady.response().body == large);
        },
        quiet_config().with_request_timeout(1s).with_rate_grace(500ms).with_minimum_rate(10));
}

TEST_CASE("a handler that takes too long between two reads is 504") {
    with_client(
        [](Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         static_cast<void>(co_await ctx.read());
                         co_await sake::sleep(1h);
                     })
                .stream_body();
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/", 10));
            client.advance(2s);
            connection.send("abc");
            client.advance(999ms);
            CHECK(connection.receive_now().empty());
            CHECK(connection.response().status == 504);
        },
        quiet_config().with_request_timeout(1s));
}

TEST_CASE("a client that leaves in the middle cancels the handler, once") {
    std::string seen;
    seen.reserve(100);
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         try {
                             while (co_await ctx.read()) seen += "p";
                             seen += "e";
                         } catch (const sake::Cancelled&) {
                             seen += "c";
                         }
                         co_await sake::sleep(10ms);
                         seen += "s";
                         try {
                             static_cast<void>(co_await ctx.read());
                         } catch (const sake::Cancelled&) {
                             seen += "c";
                         }
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            for (int how = 0; how < 3; ++how) {
                CAPTURE(how);
                seen.clear();
                TestConnection connection = client.connect();
                connection.send(head_of_length("/", 10) + "abc");
                client.advance(1s);
                if (how == 0) connection.close();
                if (how == 1) connection.reset();
                if (how == 2) connection.half_close();
                client.advance(1s);
                CHECK(seen == "pcsc");
            }
        });
}

TEST_CASE(
    "a client that ends its input behind the body still gets its answer; one that leaves later cancels") {
    std::string seen;
    seen.reserve(100);
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         while (co_await ctx.read()) {
                         }
                         try {
                             co_await sake::sleep(1s);
                         } catch (const sake::Cancelled&) {
                             seen += "c";
                             throw;
                         }
                         ctx.text("done");
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/", 4) + "ab");
            client.advance(2s);
            connection.send("cd");
            connection.half_close();
            CHECK(connection.response().body == "done");
            CHECK(seen.empty());
            TestConnection other = client.connect();
            other.send(head_of_length("/", 4) + "ab");
            client.advance(2s);
            other.send("cd");
            client.advance(500ms);
            other.half_close();
            client.advance(2s);
            CHECK(seen == "c");
        });
}

TEST_CASE("an early answer goes at once, and the client reads it while it still sends") {
    with_client(
        add_readers,
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/ignore", 10'000'000));
            const std::string part(50'000, 'x');
            for (int i = 0; i < 100; ++i) connection.send(part);
            const auto response = connection.response();
            CHECK(response.status == 403);
            CHECK(response.header("Connection") == "close");
            connection.send(part);
            client.advance(60s);
            CHECK(connection.is_closed());
        },
        quiet_config().with_max_body(100'000'000));
}

TEST_CASE("a small rest that is here is dropped, and the connection goes on") {
    with_client(add_readers, [](TestClient& client) {
        TestConnection connection = client.connect();
        connection.send(post_request("/ignore", "some bytes") + get_request("/plain"));
        CHECK(connection.response().status == 403);
        CHECK(connection.response().body == "plain");
        connection.send(chunked_request("/first", chunk("abc") + chunk("def") + "0\r\n\r\n") +
                        get_request("/plain"));
        CHECK(connection.response().body == "abcdef");
        CHECK(connection.response().body == "plain");
    });
}

TEST_CASE("the client is read only as fast as the handler") {
    std::size_t read = 0;
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         while (const auto piece = co_await ctx.read()) {
                             CHECK(piece->size() <= 64 * 1024);
                             read += piece->size();
                             co_await sake::sleep(1s);
                         }
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect(10'000);
            connection.send(head_of_length("/", 1'000'000));
            std::size_t sent = 0;
            const std::string part(1'000, 'x');
            for (int second = 0; second < 20; ++second) {
                CHECK(sent <= read + 64 * 1024 + 10'000);
                connection.send(part);
                sent += part.size();
            }
            connection.reset();
            client.advance(2s);
        });
}

TEST_CASE("a handler may read and write by turns, more than the windows hold") {
    with_client(
        [](Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         BodyWriter out = ctx.stream("application/octet-stream");
                         while (const auto piece = co_await ctx.read()) co_await out.write(*piece);
                     })
                .stream_body();
        },
        [](TestClient& client) {
            const std::string bytes = pattern_bytes(2'000'000);
            TestConnection connection = client.connect();
            for (int i = 0; i < 2; ++i) {
                connection.send(head_of_length("/", bytes.size()) + bytes);
                CHECK(connection.response().body == bytes);
            }
        },
        quiet_config().with_max_body(10'000'000));
}

TEST_CASE("a body that fails while its answer is on its way cuts the answer") {
    with_client(
        [](Engine& app) {
            app.post("/",
                     [](Context& ctx) -> Task<> {
                         BodyWriter out = ctx.stream("text/plain");
                         co_await out.write("begun");
                         while (const auto piece = co_await ctx.read()) co_await out.write(*piece);
                     })
                .stream_body();
        },
        [](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(chunked_request("/", chunk("abc") + "zz"));
            const std::string all = connection.receive_all();
            CHECK(all.ends_with("5\r\nbegun\r\n"));
        });
}

TEST_CASE("a reader that a task has left behind is told when the handler has ended") {
    std::string what;
    what.reserve(200);
    with_client(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         sake::spawn(
                             [](Context& of, std::string& said) -> Task<> {
                                 try {
                                     static_cast<void>(co_await of.read());
                                 } catch (const std::runtime_error& error) {
                                     said = error.what();
                                 }
                             },
                             std::ref(ctx), std::ref(what))
                             .detach();
                         co_await sake::yield();
                         ctx.text("left");
                     })
                .stream_body();
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(head_of_length("/", 10));
            CHECK(connection.response().body == "left");
            client.advance(0s);
            CHECK(what == "the handler has ended, and with it the request and its answer");
        });
}

TEST_CASE("a piece that a task has not seen when its handler ends is not handed out") {
    enum class First : std::uint8_t { piece, end };
    std::string what;
    what.reserve(200);
    sake::detail::Flag* may_end = nullptr;
    const auto setup = [&](Engine& app) {
        const auto read = [](Context& of, std::string& said) -> Task<> {
            try {
                const auto piece = co_await of.read();
                said = piece.value_or("nothing");
            } catch (const std::exception& error) {
                said = error.what();
            }
        };
        app.post("/",
                 [&, read](Context& ctx) -> Task<> {
                     sake::detail::Flag ended;
                     may_end = &ended;
                     sake::spawn(read, std::ref(ctx), std::ref(what)).detach();
                     co_await ended.wait();
                     ctx.text("left");
                 })
            .stream_body();
        app.get("/end", [&](Context& ctx) -> Task<> {
            may_end->set();
            ctx.text("ends");
            co_return;
        });
    };
    for (const First first : {First::piece, First::end}) {
        CAPTURE(static_cast<int>(first));
        with_client(setup, [&](TestClient& client) {
            // Both come in one turn of the loop.
            what.clear();
            TestConnection reader = client.connect();
            TestConnection other = client.connect();
            reader.send(head_of_length("/", 10));
            client.advance(0s);
            if (first == First::piece) reader.send("0123456789");
            other.send(get_request("/end"));
            if (first == First::end) reader.send("0123456789");
            CHECK(reader.response().body == "left");
            client.advance(0s);
            CHECK(what == (first == First::piece ? std::string_view("0123456789")
                                                 : sake::detail::CallHandle::has_ended));
        });
    }
}

TEST_CASE("a read that begins when the handler has ended throws, and takes nothing of the next request") {
    for (const bool is_streamed : {true, false}) {
        for (const char* late_by : {"operation", "context"}) {
            for (const char* then : {"nothing", "next request", "close"}) {
                CAPTURE(is_streamed);
                CAPTURE(late_by);
                CAPTURE(then);
                const bool is_made_before = late_by == std::string_view("operation");
                // A Context that serves another request by then reads that one's body: docs/streams.md says
                // to make the operation in time. The case below has what holds in its place.
                if (!is_made_before && then == std::string_view("next request")) continue;
                std::string what;
                what.reserve(200);
                const auto setup = [&](Engine& app) {
                    sake::Route& route = app.post("/", [&](Context& ctx) -> Task<> {
                        const auto late = [](auto read, std::string& said) -> Task<> {
                            co_await sake::sleep(10s);
                            try {
                                static_cast<void>(co_await read());
                            } catch (const std::logic_error& error) {
                                said = error.what();
                            }
                        };
                        if (is_made_before) {
                            auto reading = ctx.read();
                            auto read = [reading] { return reading; };
                            sake::spawn(late, read, std::ref(what)).detach();
                        } else {
                            auto read = [&ctx] { return ctx.read(); };
                            sake::spawn(late, read, std::ref(what)).detach();
                        }
                        ctx.text("left");
                        co_return;
                    });
                    if (is_streamed) route.stream_body();
                    app.post("/slow",
                             [](Context& ctx) -> Task<> {
                                 co_await sake::sleep(20s);
                                 std::string all;
                                 while (const auto piece = co_await ctx.read()) all.append(*piece);
                                 ctx.text(all);
                             })
                        .stream_body();
                };
                with_client(setup, [&](TestClient& client) {
                    TestConnection connection = client.connect();
                    connection.send(head_of_length("/", 4) + "body");
                    CHECK(connection.response().body == "left");
                    const bool goes_on = then == std::string_view("next request");
                    if (goes_on) connection.send(head_of_length("/slow", 4) + "mine");
                    if (then == std::string_view("close")) connection.close();
                    client.advance(15s);
                    CHECK(what == "the handler has ended, and with it the request and its answer");
                    if (goes_on) CHECK(connection.response().body == "mine");
                });
            }
        }
    }
}

TEST_CASE("a task whose context serves another request by then is told apart by an operation made in time") {
    // From the first connection a task is left behind. The Context of its request serves the second one.
    enum class Made : std::uint8_t { in_the_handler, by_the_late_task };
    for (const Made made : {Made::in_the_handler, Made::by_the_late_task}) {
        CAPTURE(static_cast<int>(made));
        std::string what;
        what.reserve(200);
        const Context* first = nullptr;
        const Context* second = nullptr;
        const auto setup = [&](Engine& app) {
            const auto late = [](auto read, std::string& said) -> Task<> {
                co_await sake::sleep(10s);
                try {
                    const auto piece = co_await read();
                    said = piece.value_or("nothing");
                } catch (const std::logic_error& error) {
                    said = error.what();
                }
            };
            app.post("/",
                     [&, late](Context& ctx) -> Task<> {
                         first = &ctx;
                         if (made == Made::in_the_handler) {
                             auto reading = ctx.read();
                             auto read = [reading] { return reading; };
                             sake::spawn(late, read, std::ref(what)).detach();
                         } else {
                             auto read = [&ctx] { return ctx.read(); };
                             sake::spawn(late, read, std::ref(what)).detach();
                         }
                         ctx.text("left");
                         co_return;
                     })
                .stream_body();
            app.post("/slow",
                     [&](Context& ctx) -> Task<> {
                         second = &ctx;
                         co_await sake::sleep(20s);
                         std::string all;
                         while (const auto piece = co_await ctx.read()) all.append(*piece);
                         ctx.text(all);
                     })
                .stream_body();
        };
        with_client(setup, [&](TestClient& client) {
            TestConnection one = client.connect();
            one.send(head_of_length("/", 4) + "body");
            CHECK(one.response().body == "left");
            one.close();
            client.advance(1s);
            TestConnection other = client.connect();
            other.send(head_of_length("/slow", 4) + "mine");
            client.advance(15s);
            REQUIRE(first == second);
            if (made == Made::in_the_handler) {
                CHECK(what == "the handler has ended, and with it the request and its answer");
                CHECK(other.response().body == "mine");
            } else {
                CHECK(what == "mine");  // what the documentation warns of; nothing of it is promised
                CHECK(other.response().body.empty());
            }
        });
    }
}

TEST_CASE("an answer behind a 100 Continue that is held up reaches nobody else") {
    for (const bool is_late : {false, true}) {
        CAPTURE(is_late);
        with_client(
            [&](Engine& app) {
                add_readers(app);
                app.post("/gives-up",
                         [&](Context& ctx) -> Task<> {
                             try {
                                 static_cast<void>(co_await sake::timeout(ctx.read(), 10ms));
                             } catch (const sake::TimedOut&) {
                                 ctx.text("gave up");
                             }
                             if (is_late) co_await sake::sleep(1h);
                         })
                    .stream_body();
            },
            [](TestClient& client) {
                TestConnection probe = client.connect();
                probe.send(get_request("/plain"));
                const std::size_t room = probe.receive_now().size() + 5;
                TestConnection stalled = client.connect(room);
                stalled.send(get_request("/plain"));
                client.advance(0s);
                stalled.send(head_of_length("/gives-up", 10, "Expect: 100-continue\r\n"));
                client.advance(2s);
                probe.send(get_request("/plain"));
                CHECK(probe.response().body == "plain");
                CHECK(probe.receive_now().empty());
                CHECK_THROWS(static_cast<void>(stalled.receive_all()));
            },
            quiet_config().with_request_timeout(1s));
    }
}

TEST_CASE("observers are told of a streamed request as of any other") {
    std::vector<std::pair<int, sake::AnswerCause>> seen;
    Engine app(quiet_config().with_max_body(100));
    app.on_answered(
        [&](const sake::Answered& answered) { seen.emplace_back(answered.status, answered.cause); });
    add_readers(app);
    TestClient client(app);
    static_cast<void>(client.post("/echo", "abc"s));
    static_cast<void>(client.post("/echo", std::string(101, 'x')));
    REQUIRE(seen.size() == 2);
    CHECK(seen[0] == std::pair{200, sake::AnswerCause::handler});
    CHECK(seen[1] == std::pair{413, sake::AnswerCause::refused});
}

TEST_CASE("a large upload takes less than a megabyte of memory") {
    const std::size_t size = is_full_size() ? std::size_t{1} << 30U : std::size_t{32} << 20U;
    std::atomic<std::size_t> read{0};
    std::atomic<std::ptrdiff_t> most{0};
    with_server(
        [&](Engine& app) {
            app.post("/",
                     [&](Context& ctx) -> Task<> {
                         const auto before = resident_bytes();
                         unsigned pieces = 0;
                         while (const auto piece = co_await ctx.read()) {
                             read += piece->size();
                             if (++pieces % 16 == 0) most = std::max(most.load(), resident_bytes() - before);
                         }
                         most = std::max(most.load(), resident_bytes() - before);
                         ctx.text("read");
                     })
                .stream_body()
                .max_body(size);
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.set_deadline(60s);
            const std::string part = pattern_bytes(1 << 20);  // before the handler measures
            client.send(head_of_length("/", size));
            for (std::size_t sent = 0; sent < size; sent += part.size()) client.send(part);
            CHECK(client.read_response().body == "read");
            CHECK(read == size);
            if (!is_sanitized) CHECK(most < 1 << 20);
        },
        quiet_config());
}

TEST_CASE("over a socket, too, an early answer is read by a client that still sends") {
    with_server([](Engine& app) { add_readers(app); },
                [](TestServer& server) {
                    for (int i = 0; i < 20; ++i) {
                        RawClient client = server.connect();
                        client.send(head_of_length("/size", 300'000'000));
                        const auto response = client.read_response();
                        CHECK(response.status == 413);
                        RawClient flows = server.connect();
                        flows.send(head("/size", "Transfer-Encoding: chunked\r\n"));
                        const std::string part = chunk(std::string(200'000, 'x'));
                        for (int sent = 0; sent < 10; ++sent) static_cast<void>(flows.try_send(part));
                        CHECK(flows.read_response().status == 413);
                    }
                },
                quiet_config());
}

}  // namespace test_stream_body
