// Bodies beyond what comes with a head: received where the handler finds them, and answers that are sent from
// where they are.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/client_fixture.hpp"
#include "support/common.hpp"
#include "support/faults.hpp"
#include "support/machinery.hpp"

namespace test_large_bodies {

using namespace harness;
using namespace std::string_literals;
using sake::BodyWriter;
using sake::Context;
using sake::Engine;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::detail::BodyBytes;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

/// Around where a body is received directly, grows, and is kept in pages.
const std::vector<std::size_t> sizes = {
    1,           64 * kib - 1,   64 * kib, 64 * kib + 1, 128 * kib - 1, 128 * kib,   128 * kib + 1,
    320 * kib,   320 * kib + 1,  mib - 1,  mib,          mib + 1,       4 * mib - 1, 4 * mib,
    4 * mib + 1, 6 * mib + 12345};

std::string head_of(std::string_view path, std::size_t length) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(length) +
           "\r\n\r\n";
}

/// "/whole" and "/whole/late" answer with the body, "/pieces" with what it has read.
void add_echoes(Engine& app) {
    app.post("/whole", [](Context& ctx) { ctx.text(ctx.body()); }).max_body(8 * mib);
    app.post("/whole/late",
             [](Context& ctx) -> Task<std::string> {
                 co_await sake::yield();
                 co_return std::string(ctx.body());
             })
        .max_body(8 * mib);
    app.post("/pieces",
             [](Context& ctx) -> Task<std::string> {
                 std::string all;
                 while (const auto piece = co_await ctx.read()) all.append(*piece);
                 co_return all;
             })
        .stream_body()
        .max_body(8 * mib);
    app.get("/next", [](Context& ctx) { ctx.text("next"); });
}
constexpr std::string_view echoes[] = {"/whole", "/whole/late", "/pieces"};

}  // namespace

// --- Receiving ---

TEST_CASE("a body of any size arrives whole, and the request behind it is the next") {
    with_client(add_echoes, [](TestClient& client) {
        for (const std::string_view path : echoes) {
            for (const std::size_t size : sizes) {
                CAPTURE(path);
                CAPTURE(size);
                const std::string body = pattern_bytes(size);
                TestConnection connection = client.connect();
                connection.send(head_of(path, size) + body + get_request("/next"));
                CHECK((connection.response().body == body));
                CHECK(connection.response().body == "next");
            }
        }
    });
}

TEST_CASE("a body of any size arrives whole over a socket, and the request behind it is the next") {
    with_server(add_echoes, [](TestServer& server) {
        RawClient client = server.connect();
        client.set_deadline(60s);
        for (const std::string_view path : echoes) {
            for (const std::size_t size : sizes) {
                CAPTURE(path);
                CAPTURE(size);
                const std::string body = pattern_bytes(size);
                client.send(head_of(path, size) + body + get_request("/next"));
                CHECK((client.read_response().body == body));
                CHECK(client.read_response().body == "next");
            }
        }
    });
}

TEST_CASE("a body that comes byte by byte, or in pieces of any size, is the same") {
    with_client(add_echoes, [](TestClient& client) {
        const std::string body = pattern_bytes(200'000);
        for (const std::string_view path : echoes) {
            for (const std::size_t at_a_time : {1U, 100U, 1'023U, 65'535U, 65'536U, 65'537U, 131'072U}) {
                CAPTURE(path);
                CAPTURE(at_a_time);
                const std::size_t size = at_a_time == 1 ? 66'000 : body.size();
                TestConnection connection = client.connect();
                connection.send(head_of(path, size));
                for (std::size_t sent = 0; sent < size; sent += at_a_time) {
                    connection.send(std::string_view(body).substr(0, size).substr(sent, at_a_time));
                    client.advance(0ms);
                }
                connection.send(get_request("/next"));
                CHECK((connection.response().body == std::string_view(body).substr(0, size)));
                CHECK(connection.response().body == "next");
            }
        }
    });
}

TEST_CASE("a large body arrives whole where calls are interrupted and cut short") {
    with_server(add_echoes, [](TestServer& server) {
        const ScopedFaults active(FaultPlan(7)
                                      .short_io("recv", 0.5, 3'000)
                                      .fail_randomly("recv", 0.2, EAGAIN)
                                      .fail_randomly("recv", 0.1, EINTR));
        RawClient client = server.connect();
        client.set_deadline(60s);
        const std::string body = pattern_bytes(mib + 1);
        for (const std::string_view path : echoes) {
            client.send(head_of(path, body.size()) + body + get_request("/next"));
            CHECK((client.read_response().body == body));
            CHECK(client.read_response().body == "next");
        }
    });
}

TEST_CASE("a client that leaves within a large body gets no answer, and leaves no memory behind") {
    for (const std::size_t sent : {64 * kib, 64 * kib + 1, 300 * kib, 5 * mib}) {
        with_client(add_echoes, [&](TestClient& client) {
            const std::string body = pattern_bytes(sent);
            for (const std::string_view path : echoes) {
                CAPTURE(path);
                CAPTURE(sent);
                const auto before = allocations::live_bytes();
                {
                    TestConnection connection = client.connect();
                    connection.send(head_of(path, sent + 1) + body);
                    client.advance(1ms);
                    connection.close();
                    client.advance(10s);
                }
                CHECK(allocations::live_bytes() - before < 64 * 1024);
                CHECK(client.get("/next").body == "next");
            }
        });
    }
}

TEST_CASE("the limit of a large body holds, one below, at and above") {
    constexpr std::size_t limit = 200'000;
    with_client(
        [](Engine& app) {
            app.post("/whole", [](Context& ctx) { ctx.text(ctx.body()); }).max_body(limit);
            app.post("/pieces",
                     [](Context& ctx) -> Task<std::string> {
                         std::string all;
                         while (const auto piece = co_await ctx.read()) all.append(*piece);
                         co_return all;
                     })
                .stream_body()
                .max_body(limit);
        },
        [](TestClient& client) {
            for (const std::string_view path : {"/whole", "/pieces"}) {
                CHECK((client.post(path, std::string(limit - 1, 'x')).body == std::string(limit - 1, 'x')));
                CHECK((client.post(path, std::string(limit, 'x')).body == std::string(limit, 'x')));
                CHECK(client.post(path, std::string(limit + 1, 'x')).status == 413);
            }
        });
}

TEST_CASE("memory is reserved for what has come, not for what is announced") {
    with_client(add_echoes, [](TestClient& client) {
        for (const std::string_view path : echoes) {
            CAPTURE(path);
            TestConnection connection = client.connect();
            const auto before = allocations::live_bytes();
            connection.send(head_of(path, 8 * mib) + "x");
            client.advance(1ms);
            CHECK(allocations::live_bytes() - before < 16 * 1024);
            connection.send(std::string(100 * kib - 1, 'x'));
            client.advance(1ms);
            // As much again four times, and what the handler of "/pieces" keeps.
            CHECK(allocations::live_bytes() - before < 800 * 1024);
        }
        for (const std::string_view path : echoes) {
            CAPTURE(path);
            TestConnection connection = client.connect();
            const auto before = allocations::live_bytes();
            connection.send("POST " + std::string(path) +
                            " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n7f0000\r\nx");
            client.advance(1ms);
            CHECK(allocations::live_bytes() - before < 16 * 1024);
        }
    });
}

// --- The memory of a body ---

TEST_CASE("the memory of a body keeps its bytes as it grows from the heap into pages") {
    const std::string bytes = pattern_bytes(9 * mib);
    for (const std::size_t first : {std::size_t{1}, 4 * mib - 1, 4 * mib, 4 * mib + 1, 6 * mib}) {
        CAPTURE(first);
        BodyBytes body;
        body.append(std::string_view(bytes).substr(0, first));
        CHECK((body.view() == std::string_view(bytes).substr(0, first)));
        body.reserve(first + 1);
        body.append(std::string_view(bytes).substr(first, 1));
        body.reserve(bytes.size());
        CHECK(body.capacity() >= bytes.size());
        body.append(std::string_view(bytes).substr(first + 1));
        CHECK((body.view() == bytes));
        body.clear();
        CHECK(body.empty());
        CHECK(body.capacity() >= bytes.size());
        body.shrink();
        CHECK(body.capacity() == 0);
        body.append("again");
        CHECK(body.view() == "again");
        body.shrink();
        CHECK(body.capacity() > 0);
    }
}

TEST_CASE("the memory of a body that cannot grow stays as it was") {
    constexpr std::size_t beyond_everything = std::size_t{1} << 60U;
    for (const std::size_t size : {std::size_t{0}, kib, 5 * mib}) {
        const std::string bytes = pattern_bytes(size);
        BodyBytes body;
        body.append(bytes);
        CHECK_THROWS_AS(body.reserve(beyond_everything), std::bad_alloc);
        CHECK((body.view() == bytes));
    }
}

TEST_CASE("pages that cannot grow stay as they are, nothing is unmapped, and later they grow") {
    const std::string bytes = pattern_bytes(5 * mib);
    std::thread([&] {
        faults::apply_to_this_thread();
        const auto before = allocations::live_bytes();
        {
            BodyBytes body;
            body.append(bytes);
            const std::size_t capacity = body.capacity();
            for (const int error : {ENOMEM, EAGAIN}) {
                const ScopedFaults active(FaultPlan().fail_nth("mremap", 1, error));
                faults::reset_calls();
                CHECK_THROWS_AS(body.reserve(20 * mib), std::bad_alloc);
                CHECK(active.fired() == 1);
                CHECK(faults::calls("munmap") == 0);
                CHECK(body.capacity() == capacity);
                CHECK((body.view() == bytes));
            }
            body.reserve(20 * mib);
            CHECK((body.view() == bytes));
            CHECK(allocations::live_bytes() - before == 20 * mib);
        }
        CHECK(allocations::live_bytes() == before);
    }).join();
}

TEST_CASE("where no pages are to be had, memory of the heap stays as it was") {
    const std::string bytes = pattern_bytes(mib);
    std::thread([&] {
        faults::apply_to_this_thread();
        BodyBytes body;
        body.append(bytes);
        for (const int error : {ENOMEM, EAGAIN}) {
            const ScopedFaults active(FaultPlan().fail_nth("mmap", 1, error));
            CHECK_THROWS_AS(body.reserve(5 * mib), std::bad_alloc);
            CHECK(active.fired() == 1);
            CHECK(body.capacity() < 4 * mib);
            CHECK((body.view() == bytes));
        }
        body.reserve(5 * mib);
        CHECK((body.view() == bytes));
    }).join();
}

// --- Answers ---

TEST_CASE("a text that is moved or returned is not copied, one that is only named is copied once") {
    const std::string kept(200'000, 'x');
    const auto make = [] { return std::string(200'000, 'x'); };
    std::string referred = kept;
    with_server(
        [&](Engine& app) {
            app.get("/named", [&](Context& ctx) { ctx.text(kept); });
            app.get("/view", [&](Context& ctx) { ctx.html(std::string_view(kept)); });
            app.get("/sent", [&](Context& ctx) { ctx.send(kept, "text/plain"); });
            app.get("/made", [&](Context& ctx) { ctx.text(make()); });
            app.get("/made/html", [&](Context& ctx) { ctx.html(200, make()); });
            app.get("/made/sent", [&](Context& ctx) { ctx.send(make(), "text/plain"); });
            app.get("/moved", [&](Context& ctx) {
                std::string text = make();
                ctx.text(200, std::move(text));
            });
            app.get("/returned", [&] { return make(); });
            app.get("/by/reference", [&]() -> std::string& { return referred; });
            app.get("/returned/late", [&]() -> Task<std::string> {
                co_await sake::yield();
                co_return make();
            });
            app.get("/late", [&]() -> Task<std::string> {
                co_await sake::yield();
                co_return "late";
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            const auto cost_of = [&](std::string_view path) {
                for (int i = 0;; ++i) {
                    const auto before = allocations::by_server_threads();
                    client.send(get_request(path));
                    const auto response = client.read_response();
                    CHECK(response.status == 200);
                    if (path != "/late") CHECK((response.body == kept));
                    CHECK(client.expect_silence(2ms));
                    if (i == 3) return allocations::by_server_threads() - before;
                }
            };
            for (const std::string_view path :
                 {"/named", "/view", "/made", "/made/html", "/moved", "/returned", "/by/reference"}) {
                CAPTURE(path);
                CHECK(cost_of(path) == cost_of("/named"));
            }
            CHECK(cost_of("/named") <= 1);
            CHECK(cost_of("/made/sent") == cost_of("/sent"));
            CHECK(cost_of("/returned/late") == cost_of("/late") + 1);
            CHECK((referred == kept));
        });
}

TEST_CASE("a large text may be a literal, a view, a const string or an array") {
    with_client(
        [](Engine& app) {
            app.get("/1", [](Context& ctx) { ctx.text("literal"); });
            app.get("/2", [](Context& ctx) { ctx.text(201, "literal"); });
            app.get("/3", [](Context& ctx) {
                const std::string text(5 * mib, 'x');
                ctx.html(std::move(text));  // NOLINT: it stays a copy
            });
            app.get("/4", [](Context& ctx) {
                ctx.text("short");
                ctx.text(std::string(4 * mib, 'y'));
                const std::string text(4 * mib + 1, 'z');
                ctx.text(text);
            });
        },
        [](TestClient& client) {
            CHECK(client.get("/1").body == "literal");
            CHECK(client.get("/2").status == 201);
            CHECK((client.get("/3").body == std::string(5 * mib, 'x')));
            CHECK((client.get("/4").body == std::string(4 * mib + 1, 'z')));
        });
}

TEST_CASE("a streamed write of any size arrives whole, however slowly it is read") {
    for (const std::size_t size :
         {16 * kib, 16 * kib + 1, 64 * kib, 64 * kib + 1, mib - 1, mib, mib + 1, mib + 64 * kib, 3 * mib}) {
        const std::string body = pattern_bytes(size);
        with_client(
            [&](Engine& app) {
                app.get("/", [&](Context& ctx) -> Task<> {
                    BodyWriter out = ctx.stream("text/plain");
                    co_await out.write(body);
                    co_await out.write("the end");
                });
            },
            [&](TestClient& client) {
                for (const std::size_t capacity : {1'000U, 65'536U, 70'000U, 2'000'000U}) {
                    CAPTURE(size);
                    CAPTURE(capacity);
                    TestConnection connection = client.connect(capacity);
                    connection.send(get_request("/"));
                    CHECK((connection.response().body == body + "the end"));
                    connection.send("GET / HTTP/1.0\r\n\r\n");
                    const std::string old = connection.receive_all();
                    CHECK(old.ends_with(body.substr(size - 1'000) + "the end"));
                }
            });
    }
}

TEST_CASE("a large write that is given up, wherever the socket was full, is cut or whole") {
    const std::string large(200'000, 'x');
    with_client(
        [&](Engine& app) {
            app.get("/", [&](Context& ctx) -> Task<> {
                BodyWriter out = ctx.stream("text/plain");
                try {
                    co_await sake::timeout(out.write(large), 1s);
                } catch (const sake::TimedOut&) {
                }
                co_await out.write("the end");
            });
        },
        [&](TestClient& client) {
            const auto body_over = [&](std::size_t capacity) -> std::optional<std::string> {
                TestConnection connection = client.connect(capacity);
                connection.send(get_request("/"));
                client.advance(3s);
                try {
                    return connection.response().body;
                } catch (const std::exception&) {
                    return std::nullopt;  // it was cut
                }
            };
            // Full within the head, between head and chunk, or early in the chunk.
            for (std::size_t capacity = 1; capacity < 400; ++capacity) {
                CAPTURE(capacity);
                CHECK_FALSE(body_over(capacity).has_value());
            }
            // Around where the rest is small enough to be copied: from there on the write is not given up.
            constexpr std::size_t with_small_rest = 200'000 - 64 * kib;
            std::size_t whole = 0;
            for (std::size_t capacity = with_small_rest; capacity < with_small_rest + 400; ++capacity) {
                CAPTURE(capacity);
                const std::optional<std::string> body = body_over(capacity);
                if (whole > 0) CHECK(body.has_value());
                if (body) ++whole;
                if (body) CHECK((*body == large + "the end"));
            }
            CHECK(whole > 0);
            CHECK(whole < 400);
        });
}

}  // namespace test_large_bodies
