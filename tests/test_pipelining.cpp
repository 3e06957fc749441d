// Pipelining: requests that arrive together are answered in order, whatever each of them does, and nothing
// behind an error or a close ever runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "sake.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_pipelining {

using namespace harness;

namespace {

sake::Task<int> doubled(int n) {
    co_await sake::yield();
    co_return 2 * n;
}

void add_mixed_routes(sake::Engine& app) {
    app.get("/plain/:n", [](sake::Context& ctx, int n) { ctx.text("plain " + std::to_string(n)); });
    app.get("/ready/:n", [](sake::Context& ctx, int n) -> sake::Task<> {
        ctx.text("ready " + std::to_string(n));
        co_return;
    });
    app.get("/sleep/:n", [](sake::Context& ctx, int n) -> sake::Task<> {
        co_await sake::sleep(std::chrono::milliseconds(n * 7 % 5));
        ctx.text("sleep " + std::to_string(n));
    });
    app.get("/nested/:n", [](sake::Context& ctx, int n) -> sake::Task<> {
        const int twice = co_await doubled(n);
        ctx.text("nested " + std::to_string(twice / 2));
    });
    app.get("/throw/:n",
            [](sake::Context&, int n) { throw sake::HttpError(418, "throw " + std::to_string(n)); });
    app.get("/throw-later/:n", [](sake::Context&, int n) -> sake::Task<> {
        co_await sake::sleep(1ms);
        throw sake::HttpError(418, "throw-later " + std::to_string(n));
    });
    app.get("/fail/:n", [](sake::Context&, int n) -> sake::Task<> {
        co_await sake::yield();
        throw std::runtime_error("secret " + std::to_string(n));
    });
    app.post("/echo/:n", [](sake::Context& ctx, int) { ctx.text(ctx.body()); });
    app.post("/echo-later/:n", [](sake::Context& ctx, int) -> sake::Task<> {
        co_await sake::sleep(1ms);
        ctx.text(ctx.body());
    });
}

/// A request of the given kind and what must come back.
struct Exchanged {
    std::string request;
    int status;
    std::string body;  // contained in the answer
};

constexpr int kinds = 9;

Exchanged exchanged(int kind, int n) {
    const std::string number = std::to_string(n);
    switch (kind) {
        case 0:
            return {get_request("/plain/" + number), 200, "plain " + number};
        case 1:
            return {get_request("/ready/" + number), 200, "ready " + number};
        case 2:
            return {get_request("/sleep/" + number), 200, "sleep " + number};
        case 3:
            return {get_request("/nested/" + number), 200, "nested " + number};
        case 4:
            return {get_request("/throw/" + number), 418, "\"throw " + number + "\""};
        case 5:
            return {get_request("/throw-later/" + number), 418, "\"throw-later " + number + "\""};
        case 6:
            return {get_request("/fail/" + number), 500, "Internal Server Error"};
        case 7:
            return {post_request("/echo/" + number, "body " + number), 200, "body " + number};
        default:
            return {chunked_request("/echo-later/" + number, "3\r\nlat\r\n3\r\ner \r\n4\r\n" +
                                                                 std::to_string(1000 + n) + "\r\n0\r\n\r\n"),
                    200, "later " + std::to_string(1000 + n)};
    }
}

void check_answers(RawClient& client, const std::vector<Exchanged>& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        CAPTURE(i);
        const Response answer = client.read_response();
        CHECK(answer.status == batch[i].status);
        CHECK(answer.body.find(batch[i].body) != std::string::npos);
        CHECK(answer.body.find("secret") == std::string::npos);
    }
}

std::string joined(const std::vector<Exchanged>& batch) {
    std::string bytes;
    for (const Exchanged& each : batch) bytes += each.request;
    return bytes;
}

}  // namespace

TEST_CASE("C2 sixteen pipelined requests to plain, coroutine and throwing routes are answered in order") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            add_mixed_routes,
            [](TestServer& server) {
                RawClient client = server.connect();
                std::mt19937 random(7);
                for (int round = 0; round < 30; ++round) {
                    CAPTURE(round);
                    std::vector<Exchanged> batch;
                    for (int n = 0; n < 16; ++n)
                        batch.push_back(exchanged(static_cast<int>(random() % kinds), n));
                    client.send(joined(batch));
                    check_answers(client, batch);
                }
                CHECK(client.expect_silence(1ms));
            },
            config);
    });
}

TEST_CASE("C2 many clients pipeline at once and none sees the answer of another") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            add_mixed_routes,
            [](TestServer& server) {
                std::vector<RawClient> clients;
                std::vector<std::vector<Exchanged>> batches(40);
                for (int c = 0; c < 40; ++c) {
                    clients.push_back(server.connect());
                    for (int i = 0; i < 16; ++i)
                        batches[static_cast<std::size_t>(c)].push_back(
                            exchanged((c + i) % kinds, 100 * c + i));
                }
                for (std::size_t c = 0; c < clients.size(); ++c) clients[c].send(joined(batches[c]));
                for (std::size_t c = 0; c < clients.size(); ++c) {
                    CAPTURE(c);
                    check_answers(clients[c], batches[c]);
                }
            },
            config);
    });
}

TEST_CASE("C2 P1 a pipelined batch gives the same answers however it is split") {
    with_server(add_mixed_routes, [](TestServer& server) {
        std::vector<Exchanged> batch;
        for (const int kind : {0, 7, 1, 8, 4, 3, 0}) batch.push_back(exchanged(kind, kind));
        const std::string bytes = joined(batch);
        RawClient client = server.connect();
        for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
            CAPTURE(cut);
            client.send_cut_at(bytes, {cut});
            check_answers(client, batch);
        }
        client.send_split(bytes, bytes.size());
        check_answers(client, batch);
    });
}

TEST_CASE("C2 a batch that is larger than the input buffer is answered in order") {
    with_server(add_mixed_routes, [](TestServer& server) {
        std::vector<Exchanged> batch;
        for (int n = 0; n < 400; ++n) {
            const std::string body = pattern_bytes(static_cast<std::size_t>(n * 37 % 2000), 3);
            batch.push_back({post_request(n % 3 == 0 ? "/echo-later/1" : "/echo/1", body), 200, body});
        }
        RawClient client = server.connect();
        client.send(joined(batch));
        check_answers(client, batch);
    });
}

TEST_CASE("C2 what a coroutine handler sees of its request stays while later requests wait behind it") {
    with_server(
        [](sake::Engine& app) {
            app.post("/keep/:name", [](sake::Context& ctx) -> sake::Task<> {
                const std::string_view name = ctx.param("name");
                const std::string_view header = ctx.header("X-Text");
                const std::string_view body = ctx.body();
                const std::string_view query = ctx.query("q", "none");
                co_await sake::sleep(2ms);
                std::string text(name);
                ctx.text(text.append(header).append(body).append(query));
            });
        },
        [](TestServer& server) {
            std::string batch;
            for (int i = 0; i < 8; ++i) {
                const std::string n = std::to_string(i);
                batch +=
                    post_request("/keep/%6eame" + n + "?q=a+b" + n, "body" + n, "X-Text: text" + n + "\r\n");
            }
            RawClient client = server.connect();
            RawClient other = server.connect();
            client.send(batch);
            other.send(batch);
            for (int i = 0; i < 8; ++i) {
                const std::string n = std::to_string(i);
                const std::string expected = "name" + n + "text" + n + "body" + n + "a b" + n;
                CHECK(client.read_response().body == expected);
                CHECK(other.read_response().body == expected);
            }
        });
}

TEST_CASE("C2 nothing runs after a request that is refused") {
    std::atomic<int> runs{0};
    const auto count = [&](sake::Context& ctx) {
        ++runs;
        ctx.text("ran");
    };
    const auto count_later = [&](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(1ms);
        ++runs;
        ctx.text("ran");
    };
    const std::vector<std::string> bad = {
        "GET / HTTP/1.1\r\n\r\n",
        "nonsense\r\n\r\n",
        "POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        chunked_request("/plain", "x"),
        post_request("/plain", std::string(101, 'x')),
    };
    with_server(
        [&](sake::Engine& app) {
            app.any("/plain", count);
            app.any("/later", count_later);
        },
        [&](TestServer& server) {
            for (const std::string& refused : bad) {
                for (const char* path : {"/plain", "/later"}) {
                    for (int before = 0; before < 4; ++before) {
                        CAPTURE(refused);
                        runs = 0;
                        std::string batch;
                        for (int i = 0; i < before; ++i) batch += get_request(path);
                        batch += refused;
                        for (int i = 0; i < 4; ++i) batch += get_request(path);
                        RawClient client = server.connect();
                        client.send(batch);
                        for (int i = 0; i < before; ++i) CHECK(client.read_response().body == "ran");
                        const Response refusal = client.read_response();
                        CHECK(refusal.status >= 400);
                        CHECK(refusal.header("Connection") == "close");
                        CHECK(client.expect_closed());
                        CHECK(runs == before);
                    }
                }
            }
        },
        quiet_config().with_max_body(100));
}

TEST_CASE("C2 nothing runs after a request that closes the connection") {
    std::atomic<int> runs{0};
    const auto requests = [](const std::string& path) {
        return std::vector<std::string>{get_request(path, "Connection: close\r\n"),
                                        get_request(path, "Connection: x, Close\r\n"),
                                        "GET " + path + " HTTP/1.0\r\n\r\n",
                                        get_request(path, "Connection: keep-alive\r\nConnection: close\r\n"),
                                        get_request(path + "-close")};
    };
    on_every_poller([&](const sake::Config& config) {
        with_server(
            [&](sake::Engine& app) {
                const auto plain = [&](sake::Context& ctx) {
                    ++runs;
                    if (ctx.path().ends_with("-close")) ctx.set_header("Connection", "close");
                    ctx.text("ran");
                };
                const auto later = [&](sake::Context& ctx) -> sake::Task<> {
                    co_await sake::yield();
                    ++runs;
                    if (ctx.path().ends_with("-close")) ctx.set_header("Connection", "close");
                    ctx.text("ran");
                };
                app.get("/plain", plain);
                app.get("/plain-close", plain);
                app.get("/later", later);
                app.get("/later-close", later);
            },
            [&](TestServer& server) {
                for (const std::string path : {"/plain", "/later"}) {
                    for (const std::string& last : requests(path)) {
                        CAPTURE(last);
                        runs = 0;
                        RawClient client = server.connect();
                        client.send(get_request(path) + last + get_request(path) + get_request(path));
                        CHECK_FALSE(client.read_response().has_header("Connection"));
                        CHECK(client.read_response().header("Connection") == "close");
                        CHECK(client.expect_closed());
                        CHECK_FALSE(client.was_reset());
                        CHECK(runs == 2);
                    }
                }
            },
            config);
    });
}

TEST_CASE("nothing more is read from a connection while its coroutine handler is at work") {
    std::atomic<bool> is_running{false};
    std::atomic<bool> may_end{false};
    with_server(
        [&](sake::Engine& app) {
            app.post("/", [&](sake::Context& ctx) -> sake::Task<> {
                is_running = true;
                while (!may_end) co_await sake::sleep(1ms);
                ctx.text("done");
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(post_request("/", "first"));
            REQUIRE(eventually([&] { return is_running.load(); }));
            const auto before = faults::calls("recv");
            client.send(post_request("/", std::string(100'000, 'x')));
            CHECK(client.expect_silence(20ms));
            CHECK(faults::calls("recv") == before);
            may_end = true;
            CHECK(client.read_response().body == "done");
            CHECK(client.read_response().body == "done");
        });
}

}  // namespace test_pipelining
