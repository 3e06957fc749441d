// What a warm connection costs: no allocation, one recv and one send per request or per pipelined batch, and
// no registration call.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_hot_path {

using namespace harness;

namespace {

void add_routes(sake::Engine& app) {
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/users/:id/posts/:post", [](sake::Context& ctx, int id, int post) {
        char text[] = "user 0 post 0";
        text[5] = static_cast<char>(text[5] + id % 10);
        text[12] = static_cast<char>(text[12] + post % 10);
        ctx.text(text);
    });
    app.get("/search", [](sake::Context& ctx) { ctx.text(ctx.query("q", "")); });
    app.get("/headers", [](sake::Context& ctx) {
        ctx.set_header("X-Copy", ctx.header("X-Text"));
        ctx.text(ctx.cookie("c"));
    });
    app.post("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/late", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text("late");
    });
}

/// Reads `count` answers of which each ends in `body`.
void read_answers(RawClient& client, int count, std::string_view body) {
    for (int i = 0; i < count; ++i) REQUIRE(client.read_response().body == std::string(body));
}

std::string repeated(const std::string& text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}

}  // namespace

TEST_CASE("a warm connection serves a plain handler without an allocation and with two system calls") {
    struct Case {
        std::string request;
        std::string body;
    };
    const Case cases[] = {
        {get_request("/"), "Hello, World!"},
        {get_request("/", "User-Agent: test\r\nAccept: */*\r\nX-1: 1\r\nX-2: 2\r\nX-3: 3\r\n"),
         "Hello, World!"},
        {get_request("/users/7/posts/9"), "user 7 post 9"},
        {get_request("/search?a=b&q=text"), "text"},
        {get_request("/headers", "X-Text: a text\r\nCookie: a=b; c=d\r\n"), "d"},
        {post_request("/echo", std::string(500, 'e')), std::string(500, 'e')},
    };
    on_every_poller([&](const sake::Config& config) {
        with_server(
            add_routes,
            [&](TestServer& server) {
                RawClient client = server.connect();
                for (const Case& each : cases) {
                    CAPTURE(each.request);
                    for (int i = 0; i < 3; ++i) {
                        client.send(each.request);
                        read_answers(client, 1, each.body);
                    }
                    // The server is done with the last answer once it sleeps again, which a probe shows.
                    CHECK(client.expect_silence(5ms));
                    const auto allocated = allocations::by_server_threads();
                    faults::reset_calls();
                    constexpr int count = 200;
                    for (int i = 0; i < count; ++i) {
                        client.send(each.request);
                        read_answers(client, 1, each.body);
                    }
                    CHECK(allocations::by_server_threads() == allocated);
                    CHECK(faults::calls("recv") == count);
                    CHECK(faults::calls("send") == count);
                    for (const char* call :
                         {"sendmsg", "write", "epoll_ctl", "fcntl", "setsockopt", "accept4"}) {
                        CAPTURE(std::string(call));
                        CHECK(faults::calls(call) == 0);
                    }
                    CHECK(faults::calls("epoll_wait") + faults::calls("poll") <= count + 1);
                }
            },
            config);
    });
}

TEST_CASE("a pipelined batch of sixteen costs one recv and one send, and no allocation") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            add_routes,
            [](TestServer& server) {
                RawClient client = server.connect();
                const std::string batch = repeated(get_request("/"), 16);
                for (int i = 0; i < 3; ++i) {
                    client.send(batch);
                    read_answers(client, 16, "Hello, World!");
                }
                CHECK(client.expect_silence(5ms));
                const auto allocated = allocations::by_server_threads();
                faults::reset_calls();
                for (int i = 0; i < 50; ++i) {
                    client.send(batch);
                    read_answers(client, 16, "Hello, World!");
                }
                CHECK(allocations::by_server_threads() == allocated);
                CHECK(faults::calls("recv") == 50);
                CHECK(faults::calls("send") == 50);
                CHECK(faults::calls("epoll_ctl") == 0);
            },
            config);
    });
}

TEST_CASE("an answer with a large body leaves with one call, head and body together") {
    const std::string body = pattern_bytes(100'000);
    with_server(
        [&](sake::Engine& app) { app.get("/", [&](sake::Context& ctx) { ctx.send(body, "text/plain"); }); },
        [&](TestServer& server) {
            RawClient client = server.connect();
            for (int i = 0; i < 20; ++i) {
                faults::reset_calls();
                client.send(get_request("/"));
                CHECK((client.read_response().body == body));
                CHECK(faults::calls("sendmsg") == 1);
                CHECK(faults::calls("send") == 0);
            }
        });
}

TEST_CASE("a coroutine handler costs a fixed number of allocations and no call besides recv and send") {
    with_server(add_routes, [](TestServer& server) {
        RawClient client = server.connect();
        client.send(get_request("/late"));
        read_answers(client, 1, "late");
        CHECK(client.expect_silence(5ms));
        const auto cost_of = [&](int count) {
            const auto allocated = allocations::by_server_threads();
            faults::reset_calls();
            for (int i = 0; i < count; ++i) {
                client.send(get_request("/late"));
                read_answers(client, 1, "late");
            }
            CHECK(faults::calls("recv") == static_cast<std::uint64_t>(count));
            CHECK(faults::calls("send") == static_cast<std::uint64_t>(count));
            CHECK(faults::calls("epoll_ctl") == 0);
            CHECK(client.expect_silence(5ms));
            return allocations::by_server_threads() - allocated;
        };
        cost_of(10);  // the queue of timers has room by then
        const auto ten = cost_of(10);
        CHECK(cost_of(100) == 10 * ten);
        CHECK(ten <= 10 * 4);  // frames of the chain and of the handler, and what it keeps of the request
    });
}

TEST_CASE("R4 an idle connection costs at most 2 KiB") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            add_routes,
            [](TestServer& server) {
                const int count = is_full_size() ? 9'000 : 500;  // of both ends, 20,000 files at most
                std::vector<RawClient> clients;
                for (int i = 0; i < count; ++i) clients.push_back(server.connect());
                for (RawClient& each : clients) each.send(get_request("/"));
                for (RawClient& each : clients) read_answers(each, 1, "Hello, World!");
                CHECK(server.ping());
                const auto before = allocations::live_bytes();
                for (RawClient& each : clients) each.close();
                clients.clear();
                const int fds = Snapshot::take().fds;
                CHECK(eventually([&] { return Snapshot::take().fds <= fds; }));
                CHECK(settled_fds(server) <= fds);
                const auto freed = before - allocations::live_bytes();
                CHECK(freed > 0);
                CHECK(freed / count <= 2048);
            },
            config);
    });
}

TEST_CASE("hundreds of thousands of requests on one connection do not make the server grow") {
    with_server(add_routes, [](TestServer& server) {
        RawClient client = server.connect();
        const std::string batch = repeated(get_request("/users/3/posts/4"), 500);
        const auto round = [&] {
            client.send(batch);
            std::size_t answers = 0;
            std::string received;
            while (answers < 500) {
                received += client.read_some(1024 * 1024);
                answers = count_of(received, "user 3 post 4");
            }
            REQUIRE(answers == 500);
        };
        // The answers come before the server has let go of what they were made of.
        const auto settled = [&] { return server.ping() ? allocations::live_bytes() : 0; };
        round();
        const auto before = settled();
        for (int i = 0; i < 200; ++i) round();
        CHECK(eventually([&] { return settled() <= before + 4096; }));
    });
}

}  // namespace test_hot_path
