// Whoever is at the other end may go at any byte, by an end or by a reset: nobody waits without end, nothing
// that was cut off is taken for whole, and nothing is left behind.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/oracle.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_peers_that_go {

using namespace std::chrono_literals;
using harness::failure_of;
using sake::spawn;
using sake::Task;
using sake::TcpListener;
using sake::TcpStream;
namespace http = sake::http;

namespace {

enum class End { orderly, reset };

std::string address_of(const TcpListener& listener) { return "127.0.0.1:" + std::to_string(listener.port()); }

Task<> go(TcpStream stream, End end) {
    if (end == End::reset) stream.abort();
    co_return;
}

/// Takes so many bytes, then goes.
Task<> take_and_go(TcpListener& listener, std::size_t bytes, End end) {
    TcpStream stream = co_await listener.accept();
    static_cast<void>(co_await stream.read_exactly(bytes));
    co_await go(std::move(stream), end);
}

/// Calls `run(bytes, end)` for all bytes below `size` and both ends, and looks for what it leaves behind.
template <class Run>
void at_any_byte(std::size_t size, Run run) {
    harness::make_what_stays();
    harness::Oracle oracle;
    for (const End end : {End::orderly, End::reset}) {
        for (std::size_t bytes = 0; bytes < size; ++bytes) {
            const std::string wrong = run(bytes, end);
            if (!wrong.empty()) FAIL("after ", bytes, " bytes, reset: ", end == End::reset, ": ", wrong);
        }
    }
    CHECK(oracle.check_returned_to_baseline());
}

}  // namespace

TEST_CASE("a peer that goes at any byte of its lines gives whole lines only") {
    constexpr std::string_view text = "one\ntwo\n\nfour, the last\n";
    at_any_byte(text.size() + 1, [&](std::size_t bytes, End end) {
        const auto whole = [&]() -> Task<std::string> {
            TcpListener listener("127.0.0.1:0");
            auto accepting = spawn(listener.accept());
            TcpStream near = co_await TcpStream::connect(address_of(listener));
            TcpStream far = co_await accepting;
            co_await far.write_all(text.substr(0, bytes));
            co_await go(std::move(far), end);
            std::string got;
            const auto read = [&]() -> Task<> {
                while (const auto line = co_await near.read_until("\n")) got += *line + "\n";
            };
            const std::string why = co_await failure_of(sake::timeout(read(), 10s));
            if (!text.starts_with(got) || got.size() > bytes) co_return "got " + got;
            if (why == "no exception")
                co_return got.size() == bytes ? "" : "the end of a part was taken for one";
            co_return why == sake::TimedOut().what() ? why : "";
        };
        return sake::run_until_complete(whole());
    });
}

TEST_CASE("a peer that goes while much is written to it ends the writing") {
    const std::string much(8 << 20, 'x');  // more than the kernel keeps
    for (const std::size_t taken : {0U, 1U, 100'000U, 1'000'000U}) {
        harness::Oracle oracle;
        for (const End end : {End::orderly, End::reset}) {
            const auto whole = [&]() -> Task<std::string> {
                TcpListener listener("127.0.0.1:0");
                auto peer = spawn(take_and_go(listener, taken, end));
                TcpStream near = co_await TcpStream::connect(address_of(listener));
                const std::string why = co_await failure_of(sake::timeout(near.write_all(much), 10s));
                co_await peer;
                co_return why;
            };
            const std::string why = sake::run_until_complete(whole());
            CHECK(why != "no exception");
            CHECK(why != sake::TimedOut().what());
        }
        CHECK(oracle.check_returned_to_baseline());
    }
}

TEST_CASE("a server that goes at any byte of an upload fails the request") {
    const std::string head_and_body_at_least =
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n" + std::string(60, 'b');
    for (const bool is_streamed : {false, true}) {
        at_any_byte(head_and_body_at_least.size(), [&](std::size_t bytes, End end) {
            const auto whole = [&]() -> Task<std::string> {
                TcpListener listener("127.0.0.1:0");
                auto peer = spawn(take_and_go(listener, bytes, end));
                http::Client client;
                http::Request request("POST", "http://" + address_of(listener) + "/");
                if (is_streamed) {
                    request.stream(
                        [pieces = 0]() mutable -> Task<std::string> {
                            co_return pieces++ < 6 ? "bbbbbbbbbb" : "";
                        },
                        "text/plain");
                } else {
                    request.body(std::string(60, 'b'), "text/plain");
                }
                const std::string why =
                    co_await failure_of(sake::timeout(client.send(std::move(request)), 10s));
                co_await peer;
                co_return why == "no exception" || why == sake::TimedOut().what() ? why : "";
            };
            return sake::run_until_complete(whole());
        });
    }
}

TEST_CASE("kept connections whose peers have gone are not lent, whenever they went") {
    at_any_byte(8, [](std::size_t turns, End end) {
        const auto whole = [&]() -> Task<std::string> {
            TcpListener listener("127.0.0.1:0");
            const std::string address = address_of(listener);
            sake::Pool<TcpStream> pool(
                {.max_size = 2}, [&] { return TcpStream::connect(address); },
                [](TcpStream& stream) { return stream.is_quiet(); });
            {
                auto accepting = spawn(listener.accept());
                auto lease = co_await pool.acquire();
                TcpStream far = co_await accepting;
                auto going = spawn(go(std::move(far), end));
                for (std::size_t i = 0; i < turns; ++i) co_await sake::yield();
                co_await going;
            }
            auto accepting = spawn(listener.accept());
            auto lease = co_await pool.acquire();
            TcpStream far = co_await accepting;
            co_await lease->write_all("x");
            const std::string got = co_await far.read_exactly(1);
            co_return got == "x" ? "" : "another connection answered";
        };
        return sake::run_until_complete(whole());
    });
}

TEST_CASE("a client that goes at any byte while its handler asks others ends what the handler waits for") {
    const std::string request = harness::get_request("/gather");
    std::atomic<int> port = 0;
    std::atomic<int> gathering = 0;
    const auto routes = [&](sake::Engine& app) {
        app.get("/never", [](sake::Context&) -> Task<> { co_await sake::sleep(1h); });
        app.get("/gather", [&](sake::Context& ctx) -> Task<> {
            const sake::detail::AtExit counted([&] { --gathering; });
            ++gathering;
            const std::string never = "http://127.0.0.1:" + std::to_string(port) + "/never";
            co_await sake::when_all(http::get(never), sake::sleep(1h), http::get(never));
            ctx.text("never");
        });
    };
    const auto clients = [&](harness::TestServer& server) {
        port = server.port();
        for (std::size_t bytes = 0; bytes <= request.size(); ++bytes) {
            for (const End end : {End::orderly, End::reset}) {
                harness::RawClient client = server.connect();
                client.send(request.substr(0, bytes));
                if (bytes == request.size()) CHECK(harness::eventually([&] { return gathering == 1; }));
                if (end == End::reset) client.reset();
                client.close();
                CHECK(harness::eventually([&] { return gathering == 0; }));
            }
        }
    };
    // Without the window, an end of input at any time after the request is taken for a client that has gone.
    harness::with_server(routes, clients, harness::quiet_config().with_half_close_window(0ms));
}

}  // namespace test_peers_that_go
