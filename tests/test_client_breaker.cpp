// The circuit breaker of http::Client: its table of states, what counts, and what a refused request says.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/coroutines.hpp"
#include "support/machinery.hpp"
#include "support/scripted_server.hpp"

namespace test_client_breaker {

using namespace std::chrono_literals;
namespace http = sake::http;
using harness::answer;
using harness::failure_of;
using harness::outcome;
using harness::ScriptedServer;
using harness::with_script;
using http::BreakerOptions;
using http::Client;
using http::Request;
using http::detail::Breaker;
using sake::Task;
using End = Breaker::End;
using Role = Breaker::Role;
using State = Breaker::State;

namespace {

const std::string origin = "http://here:80";

/// A breaker and its clock, from 0 s on.
struct Bench {
    explicit Bench(BreakerOptions options) : breaker(options) {}

    /// A request that ends at once.
    void pass(End end) { end_of(begin(), end); }
    Role begin() { return breaker.admit(origin, now); }
    void end_of(Role role, End end) { breaker.note(origin, role, end, now); }
    /// When the next would be let through; -1 ms if it is.
    std::chrono::milliseconds refused() {
        try {
            static_cast<void>(begin());
        } catch (const http::CircuitOpen& refusal) {
            CHECK(breaker.refuses(origin, now));
            return refusal.retry_after();
        }
        return -1ms;
    }
    [[nodiscard]] State state() const { return breaker.state(origin); }

    Breaker breaker;
    sake::detail::TimePoint now{};
};

http::ClientOptions with(BreakerOptions breaker) {
    http::ClientOptions options;
    options.breaker = breaker;
    return options;
}

std::string text(std::string_view constant) { return std::string(constant); }

constexpr std::string_view refusal =
    "http://here: refused, as 2 requests in a row have failed; the next is let through in 10000 ms";

}  // namespace

// ---- The table ----

TEST_CASE("a circuit opens after so many failures in a row, not one fewer") {
    Bench bench({.failures = 3});
    for (const End end :
         {End::failure, End::failure, End::success, End::failure, End::failure, End::unknown}) {
        bench.pass(end);
        CHECK(bench.state() == State::closed);
    }
    bench.pass(End::failure);
    CHECK(bench.state() == State::open);
    CHECK(bench.refused() == 10s);
}

TEST_CASE("an open circuit refuses for its time, to the millisecond, and then lets one through") {
    Bench bench({.failures = 1, .open_time = 5s});
    bench.pass(End::failure);
    CHECK(bench.refused() == 5s);
    bench.now += 4999ms;
    CHECK(bench.refused() == 1ms);
    bench.now += 1ms;
    CHECK_FALSE(bench.breaker.refuses(origin, bench.now));
    CHECK(bench.begin() == Role::trial);
    CHECK(bench.state() == State::half_open);
    CHECK(bench.refused() == 5s);  // the next one
}

TEST_CASE("the trial decides: every end of it, and every end of those that began before") {
    const auto after = [](Role role, End end) {
        Bench bench({.failures = 1, .open_time = 5s});
        bench.pass(End::failure);
        bench.now += 5s;
        CHECK(bench.begin() == Role::trial);
        bench.now += 1s;
        bench.end_of(role, end);
        const State state = bench.state();
        return std::pair(state, bench.refused());
    };
    CHECK(after(Role::trial, End::success) == std::pair(State::closed, -1ms));
    CHECK(after(Role::trial, End::failure) == std::pair(State::open, 5000ms));
    CHECK(after(Role::trial, End::unknown) == std::pair(State::open, -1ms));  // the next is a trial at once
    for (const End end : {End::success, End::failure, End::unknown}) {
        CHECK(after(Role::ordinary, end) == std::pair(State::half_open, 4000ms));
    }
}

TEST_CASE("requests that began before the circuit opened do not change it") {
    for (const End end : {End::success, End::failure, End::unknown}) {
        Bench bench({.failures = 1, .open_time = 5s});
        const Role early = bench.begin();
        bench.pass(End::failure);
        bench.now += 1s;
        bench.end_of(early, end);
        CHECK(bench.state() == State::open);
        CHECK(bench.refused() == 4s);
    }
}

TEST_CASE("after a trial that failed the circuit stays open as long again; after success it counts anew") {
    Bench bench({.failures = 2, .open_time = 5s});
    bench.pass(End::failure);
    bench.pass(End::failure);
    for (int i = 0; i < 3; ++i) {
        bench.now += 5s;
        bench.pass(End::failure);
        CHECK(bench.refused() == 5s);
    }
    bench.now += 5s;
    bench.pass(End::success);
    bench.pass(End::failure);
    CHECK(bench.state() == State::closed);
    bench.pass(End::failure);
    CHECK(bench.state() == State::open);
}

TEST_CASE("a trial that does not end keeps others out only for a time") {
    Bench bench({.failures = 1, .open_time = 5s});
    bench.pass(End::failure);
    bench.now += 5s;
    const Role hangs = bench.begin();
    bench.now += 5s;
    const Role second = bench.begin();
    CHECK(second == Role::trial);
    bench.end_of(second, End::success);
    CHECK(bench.state() == State::closed);
    bench.end_of(hangs, End::failure);  // counts as any other
    CHECK(bench.state() == State::open);
}

TEST_CASE("origins do not share circuits, and only those that fail are remembered, up to a limit") {
    Breaker breaker({.failures = 1, .open_time = 5s, .max_origins = 3});
    const sake::detail::TimePoint now{};
    const auto fail = [&](const std::string& name) { breaker.note(name, Role::ordinary, End::failure, now); };
    breaker.note("well", Role::ordinary, End::success, now);
    CHECK(breaker.size() == 0);
    for (const char* name : {"a", "b", "c"}) fail(name);
    CHECK(breaker.size() == 3);
    CHECK(breaker.state("a") == State::open);
    CHECK(breaker.state("d") == State::closed);
    fail("d");
    CHECK(breaker.size() == 3);
    CHECK(breaker.state("a") == State::closed);  // which failed least recently
    for (const char* name : {"b", "c", "d"}) CHECK(breaker.state(name) == State::open);

    Breaker counts({.failures = 2, .max_origins = 2});
    const auto count = [&](const std::string& name) { counts.note(name, Role::ordinary, End::failure, now); };
    for (const char* name : {"a", "b", "a", "c"}) count(name);
    CHECK(counts.state("a") == State::open);  // b went
    count("b");
    CHECK(counts.state("b") == State::closed);
}

TEST_CASE("the longest time to stay open does not overflow") {
    Bench bench({.failures = 1, .open_time = std::chrono::milliseconds::max()});
    bench.pass(End::failure);
    bench.now += 24h * 365 * 100;
    CHECK(bench.refused() > 24h * 365 * 100);
}

// ---- Over sockets ----

TEST_CASE("5xx, failures of the connection, time limits and what is not HTTP open the circuit") {
    http::ClientOptions options = with({.failures = 2});
    options.response_timeout = 1s;
    const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    for (const std::string& failure :
         {answer(500), answer(503), answer(599), text(ScriptedServer::closes), text(ScriptedServer::resets),
          text(ScriptedServer::never), cut, std::string("SSH-2.0-x\r\n\r\n")}) {
        CAPTURE(failure);
        with_script({failure}, options, [](ScriptedServer& server, Client& client) -> Task<> {
            for (int i = 0; i < 2; ++i) {
                const std::string result = co_await outcome(client, server.origin() + "/");
                CHECK(result.find("refused, as") == std::string::npos);
            }
            const std::string result = co_await outcome(client, server.origin() + "/");
            CHECK(result == refusal);
            CHECK(server.count() == 2);
        });
    }
}

TEST_CASE("a refused connection opens the circuit") {
    harness::in_virtual_time([]() -> Task<> {
        std::string url;
        {
            const sake::TcpListener gone("127.0.0.1:0");
            url = "http://127.0.0.1:" + std::to_string(gone.port()) + "/";
        }
        Client client(with({.failures = 2}));
        for (int i = 0; i < 2; ++i) static_cast<void>(co_await outcome(client, url));
        const std::string result = co_await outcome(client, url);
        CHECK(result == refusal);
    });
}

TEST_CASE("a 4xx and whatever else the server says well leave the circuit closed") {
    for (const int status : {200, 204, 304, 400, 404, 429, 499}) {
        CAPTURE(status);
        with_script({answer(503), answer(status)}, with({.failures = 2}),
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        for (int i = 0; i < 5; ++i) {
                            static_cast<void>(co_await outcome(client, server.origin() + "/"));
                        }
                        CHECK(server.count() == 5);
                    });
    }
}

TEST_CASE("an answer that is longer than the client allows counts by its status") {
    for (const int status : {200, 404, 500}) {
        CAPTURE(status);
        http::ClientOptions options = with({.failures = 2});
        options.max_body = 4;
        with_script({answer(503), answer(status, "", "12345")}, options,
                    [&](ScriptedServer& server, Client& client) -> Task<> {
                        static_cast<void>(co_await outcome(client, server.origin() + "/"));
                        for (int i = 0; i < 4; ++i) {
                            const std::string result = co_await outcome(client, server.origin() + "/");
                            const bool was_refused = result == refusal;
                            CHECK(was_refused == (status == 500 && i > 0));
                        }
                        CHECK(server.count() == (status == 500 ? 2 : 5));
                    });
    }
    // A trial that brings such an answer has found the server well.
    http::ClientOptions options = with({.failures = 2});
    options.max_body = 4;
    with_script({answer(503), answer(503), answer(200, "", "12345"), answer(200, "", "1234")}, options,
                [&](ScriptedServer& server, Client& client) -> Task<> {
                    for (int i = 0; i < 2; ++i)
                        static_cast<void>(co_await outcome(client, server.origin() + "/"));
                    co_await sake::sleep(10s);
                    bool is_too_long = false;
                    try {
                        static_cast<void>(co_await client.get(server.origin() + "/"));
                    } catch (const http::ResponseTooLong&) {
                        is_too_long = true;
                    }
                    CHECK(is_too_long);
                    const std::string result = co_await outcome(client, server.origin() + "/");
                    CHECK(result == "200 1234");
                });
}

TEST_CASE("what the request itself does wrong, and a cancelled one, do not count") {
    with_script({text(ScriptedServer::never)}, with({.failures = 1}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    for (int i = 0; i < 3; ++i) {
                        auto asking = client.get(server.origin() + "/");
                        const std::string why = co_await failure_of(sake::timeout(std::move(asking), 1s));
                        CHECK(why == sake::TimedOut().what());
                    }
                    CHECK(server.count() == 3);
                    const auto broken = []() -> Task<std::string> {
                        co_await sake::yield();
                        throw std::system_error(std::make_error_code(std::errc::io_error), "the disk");
                    };
                    for (int i = 0; i < 3; ++i) {
                        Request request("PUT", server.origin() + "/");
                        request.stream(broken, "text/plain");
                        const std::string why = co_await outcome(client, std::move(request));
                        CHECK(why.find("the disk") == 0);
                    }
                });
}

TEST_CASE("after its time one request finds out whether the server is well again") {
    with_script({answer(500), answer(500), answer(503), answer(200, "", "hi")}, with({.failures = 2}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    const std::string url = server.origin() + "/";
                    const auto ask = [&] { return outcome(client, url); };
                    for (int i = 0; i < 2; ++i) static_cast<void>(co_await ask());
                    co_await sake::sleep(9999ms);
                    const std::string early = co_await ask();
                    CHECK(early.ends_with("is let through in 1 ms"));
                    co_await sake::sleep(1ms);
                    const std::string trial = co_await ask();
                    CHECK(trial == "503 ");
                    const std::string again = co_await ask();
                    CHECK(again.find("as 3 requests in a row have failed") != std::string::npos);
                    co_await sake::sleep(10s);
                    for (int i = 0; i < 2; ++i) {
                        const std::string well = co_await ask();
                        CHECK(well == "200 hi");
                    }
                    CHECK(server.count() == 5);
                });
}

TEST_CASE("while the trial is under way, others are refused; a cancelled trial lets the next one try") {
    with_script({answer(500), text(ScriptedServer::never), answer(200)},
                with({.failures = 1, .open_time = 5s}), [](ScriptedServer& server, Client& client) -> Task<> {
                    const std::string url = server.origin() + "/";
                    static_cast<void>(co_await outcome(client, url));
                    co_await sake::sleep(5s);
                    auto trial = sake::spawn(outcome(client, url));
                    co_await sake::sleep(1s);
                    const std::string other = co_await outcome(client, url);
                    CHECK(other.ends_with("is let through in 4000 ms"));
                    trial.cancel();
                    const std::string cancelled = co_await trial;
                    CHECK(cancelled == "Cancelled");
                    const std::string next = co_await outcome(client, url);
                    CHECK(next == "200 ");
                });
}

TEST_CASE("a refusal is an exception of its own, with the origin and the time") {
    with_script({answer(500)}, with({.failures = 1, .open_time = 1500ms}),
                [](ScriptedServer& server, Client& client) -> Task<> {
                    static_cast<void>(co_await outcome(client, server.origin() + "/secret?key=1"));
                    bool is_refused = false;
                    try {
                        static_cast<void>(co_await client.get(server.origin() + "/secret?key=1"));
                    } catch (const http::CircuitOpen& refused) {
                        is_refused = true;
                        CHECK(refused.origin() == server.origin());
                        CHECK(refused.retry_after() == 1500ms);
                        CHECK(std::string_view(refused.what()).find("secret") == std::string_view::npos);
                    }
                    CHECK(is_refused);
                });
}

TEST_CASE("a stream counts by its head, and a redirect as a success where it comes from") {
    with_script({answer(500), answer(302, "Location: /there\r\n"), answer(500), answer(500)},
                with({.failures = 2}), [](ScriptedServer& server, Client& client) -> Task<> {
                    for (int i = 0; i < 3; ++i) {
                        http::ResponseStream stream =
                            co_await client.open(Request("GET", server.origin() + "/"));
                        CHECK(stream.status == 500);
                    }
                    CHECK(server.count() == 4);
                    const std::string result = co_await outcome(client, server.origin() + "/");
                    CHECK(result == refusal);
                });
}

TEST_CASE("retries count one by one, and end when the circuit opens, with the failure that opened it") {
    http::ClientOptions options = with({.failures = 2});
    options.retry = {.attempts = 5};
    with_script({answer(503, "", "busy")}, options, [](ScriptedServer& server, Client& client) -> Task<> {
        const std::string first = co_await outcome(client, server.origin() + "/");
        CHECK(first == "503 busy");
        CHECK(server.count() == 2);
        const std::string second = co_await outcome(client, server.origin() + "/");
        CHECK(second.find("refused, as 2") != std::string::npos);
        CHECK(server.count() == 2);
    });
}

}  // namespace test_client_breaker
