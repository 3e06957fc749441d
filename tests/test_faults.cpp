// Faults: system calls that fail or do half their work (F1, F2), no descriptors left (F3), and no memory
// (L5). The server answers correctly, or closes the one connection that was hit, and lives on.
#include <doctest/doctest.h>
#include <errno.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_faults {

using namespace harness;

namespace {

sake::Task<std::string> copied(sake::Context& ctx) {
    co_await sake::yield();
    co_return std::string(ctx.body());
}

void add_routes(sake::Engine& app) {
    app.get("/plain/:n", [](sake::Context& ctx, int n) { ctx.text("plain " + std::to_string(n)); });
    app.get("/work/:n", [](sake::Context& ctx, int n) { ctx.text("work " + std::to_string(n)); }).worker();
    app.get("/sleep/:n", [](sake::Context& ctx, int n) -> sake::Task<> {
        co_await sake::sleep(1ms);
        ctx.text("sleep " + std::to_string(n));
    });
    app.post("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.post("/echo-later", [](sake::Context& ctx) -> sake::Task<> {
        const std::string body = co_await copied(ctx);
        ctx.text(body);
    });
    app.post("/echo-pieces",
             [](sake::Context& ctx) -> sake::Task<> {
                 std::string body;
                 while (const auto piece = co_await ctx.read()) body.append(*piece);
                 ctx.text(body);
             })
        .stream_body();
    // A text and no object, since nlohmann's destructor of a filled array or object allocates and is
    // noexcept: a failure in there ends the process, and nobody else can do anything about it.
    app.post("/json", [](sake::Context& ctx) { ctx.json(ctx.bind<std::string>()); });
    app.get("/big", [](sake::Context& ctx) { ctx.send(pattern_bytes(200'000, 9), "text/plain"); });
    app.get("/nested", [](sake::Context& ctx) -> sake::Task<> {
        const std::string body = co_await copied(ctx);
        co_await sake::sleep(1ms);
        ctx.set("key", body);
        ctx.set_header("X-Text", "some text that needs memory of its own");
        ctx.text("nested" + body);
    });
}

/// One round of requests of every kind; the answers must be right to the byte.
void check_round(RawClient& client, int n) {
    const std::string number = std::to_string(n);
    const std::string body =
        pattern_bytes(static_cast<std::size_t>(n * 131 % 9000), static_cast<unsigned>(n));
    client.send(get_request("/plain/" + number) + get_request("/sleep/" + number));
    client.send(post_request("/echo", body));
    client.send(chunked_request("/echo-later", "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"));
    REQUIRE(client.read_response().body == "plain " + number);
    REQUIRE(client.read_response().body == "sleep " + number);
    REQUIRE((client.read_response().body == body));
    REQUIRE(client.read_response().body == "firstsecond");
}

/// Everything that comes back for these bytes, whatever happens to the connection.
std::string fate_of(const TestServer& server, const std::string& request) {
    try {
        RawClient client = server.connect();
        client.try_send(request);
        return client.read_until_close();
    } catch (const std::exception&) {
        return "(deadline)";
    }
}

}  // namespace

TEST_CASE("F1 interrupted, empty and one-byte system calls change no byte of any answer") {
    const std::uint64_t seeds = is_full_size() ? 20 : 1;
    const int count = rounds(2'500);  // of four requests each
    on_every_poller([&](const sake::Config& config) {
        for (const double share : {0.01, 0.1, 0.5}) {
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                CAPTURE(share);
                CAPTURE(seed);
                with_server(
                    add_routes,
                    [&](TestServer& server) {
                        const ScopedFaults faults(FaultPlan(seed).storm(share));
                        RawClient kept = server.connect();
                        for (int i = 0; i < count; ++i) {
                            CAPTURE(i);
                            RawClient fresh = server.connect();
                            check_round(i % 2 == 0 ? kept : fresh, i);
                        }
                        const double expected = share * count / 2;
                        if (expected < 1) return;  // there may well be none
                        CHECK(faults.fired("recv") > static_cast<std::uint64_t>(expected));
                        CHECK(faults.fired("send") > static_cast<std::uint64_t>(expected));
                    },
                    config);
            }
        }
    });
}

TEST_CASE("F1 half of all system calls may go wrong, and large answers still arrive whole") {
    on_every_poller([](const sake::Config& config) {
        with_server(
            add_routes,
            [](TestServer& server) {
                const ScopedFaults faults(FaultPlan(7)
                                              .fail_randomly("recv", 0.5, EINTR)
                                              .fail_randomly("send", 0.5, EINTR)
                                              .fail_randomly("sendmsg", 0.3, EINTR)
                                              .fail_randomly("sendmsg", 0.3, EAGAIN)
                                              .short_io("sendmsg", 0.5, 1000)
                                              .short_io("send", 0.5, 1000)
                                              .short_io("recv", 0.5, 100)
                                              .fail_randomly("epoll_wait", 0.3, EINTR)
                                              .fail_randomly("poll", 0.3, EINTR));
                const std::string body = pattern_bytes(200'000, 9);
                RawClient client = server.connect();
                for (int i = 0; i < 10; ++i) {
                    CHECK((client.send(get_request("/big")).read_response().body == body));
                    CHECK((client.send(post_request("/echo", body)).read_response().body == body));
                }
                CHECK(faults.fired() > 100);
            },
            config);
    });
}

namespace {

/// The Date moves on. One that is cut short goes too.
std::string without_dates(std::string answers) {
    constexpr std::string_view field = "\r\nDate: ";
    constexpr std::size_t length = field.size() + std::string_view("Sun, 06 Nov 1994 08:49:37 GMT").size();
    for (std::size_t at = answers.find(field); at != answers.npos; at = answers.find(field, at)) {
        answers.erase(at, length);
    }
    return answers;
}

}  // namespace

TEST_CASE("F2 the failure of any call costs at most the connection that it serves") {
    struct Failure {
        std::string call;
        std::vector<int> errors;
    };
    const std::vector<Failure> failures = {
        {"accept4", {ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH, EOPNOTSUPP, EINTR, EAGAIN}},
        {"recv", {ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH, EPIPE, EINTR, EAGAIN}},
        {"send", {EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETIMEDOUT, EINTR, EAGAIN}},
        {"sendmsg", {EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EINTR, EAGAIN}},
        {"epoll_ctl", {ENOMEM, ENOSPC}},
        {"shutdown", {ENOTCONN}},
        {"close", {EIO, EINTR}},
        {"epoll_wait", {EINTR}},
        {"poll", {EINTR}},
    };
    std::map<std::pair<std::string, int>, std::size_t> fired;
    const std::vector<std::string> requests = {
        get_request("/plain/1", "Connection: close\r\n"),
        get_request("/sleep/1") + get_request("/plain/1", "Connection: close\r\n"),
        post_request("/echo", pattern_bytes(3000), "Connection: close\r\n"),
        get_request("/big", "Connection: close\r\n"),
        "nonsense\r\n\r\n",
    };
    const auto with_every_failure = [&](TestServer& server, sake::PollerKind poller) {
        RawClient steady = server.connect();
        for (const Failure& failure : failures) {
            // The double of kqueue keeps its books by this call, and a real one has no such failure.
            if (poller == sake::PollerKind::kqueue && failure.call == "epoll_ctl") continue;
            for (const int error : failure.errors) {
                for (const std::string& request : requests) {
                    const std::string untouched = without_dates(fate_of(server, request));
                    for (std::uint64_t nth = 1; nth <= 4; ++nth) {
                        CAPTURE(failure.call);
                        CAPTURE(error);
                        CAPTURE(nth);
                        std::string fate;
                        {
                            const ScopedFaults faults(FaultPlan().fail_nth(failure.call, nth, error));
                            fate = without_dates(fate_of(server, request));
                            fired[{failure.call, error}] += faults.fired();
                        }
                        // Cut short perhaps, but never something else.
                        REQUIRE(untouched.starts_with(fate));
                        REQUIRE(steady.send(get_request("/plain/7")).read_response().body == "plain 7");
                    }
                }
            }
        }
    };
    on_every_poller([&](const sake::Config& config) {
        with_server(
            add_routes, [&](TestServer& server) { with_every_failure(server, config.poller); }, config);
    });
    for (const auto& each : fired) {
        CAPTURE(each.first.first);
        CAPTURE(each.first.second);
        CHECK(each.second > 0);
    }
}

TEST_CASE("F2 where no large pages are to be had, a large body arrives all the same") {
    with_server(
        add_routes,
        [](TestServer& server) {
            const ScopedFaults faults(FaultPlan().fail_randomly("madvise", 1.0, EINVAL));
            const std::string body = pattern_bytes(5'000'000);
            RawClient client = server.connect();
            CHECK((client.send(post_request("/echo", body)).read_response().body == body));
            CHECK(faults.fired("madvise") >= 1);
        },
        quiet_config().with_max_body(8 * 1024 * 1024));
}

TEST_CASE("F2 where no pages are to be had, a large body gets 503 or a close, and the next one arrives") {
    with_server(
        add_routes,
        [](TestServer& server) {
            // Wherever its memory grows from 4 MiB or less, it grows once more by moving pages.
            const std::string body = pattern_bytes(24'000'000);
            const std::string request = post_request("/echo", body, "Connection: close\r\n");
            const auto fate = [&] {
                RawClient client = server.connect();
                client.set_deadline(60s);
                try {
                    return client.send(request).read_until_close();
                } catch (const std::exception&) {
                    return std::string();  // it was closed while the body was sent
                }
            };
            CHECK(fate().ends_with(body));
            for (const std::string_view call : {"mmap", "mremap"}) {
                for (const int error : {ENOMEM, EAGAIN}) {
                    CAPTURE(call);
                    CAPTURE(error);
                    const ScopedFaults faults(FaultPlan().fail_nth(call, 1, error));
                    const auto before = allocations::live_bytes();
                    const std::string refused = fate();
                    CHECK((refused.empty() || refused.starts_with("HTTP/1.1 503 ")));
                    CHECK(faults.fired(call) == 1);
                    CHECK(server.ping());
                    CHECK(allocations::live_bytes() - before < 1024 * 1024);
                    CHECK(fate().ends_with(body));
                }
            }
        },
        quiet_config().with_max_body(32 * 1024 * 1024));
}

TEST_CASE(
    "F3 a worker without descriptors for its loop answers 503, says so once, and works when there are some") {
    std::mutex mutex;
    std::string log;
    log.reserve(4096);  // the oracle counts live bytes
    with_server(
        [](sake::Engine& app) {
            app.get("/", [] { return "here"; });
            app.get("/worker", [] { return "worked"; }).worker();
        },
        [&](TestServer& server) {
            const auto get = [&] { return server.connect().send(get_request("/worker")).read_response(); };
            CHECK(server.get("/").body == "here");  // it has what it needs itself
            {
                const faults::AllOtherThreads workers_too;
                const ScopedFaults faults(
                    FaultPlan().fail_range("pipe2", 1, 4, EMFILE).fail_range("epoll_create1", 1, 4, EMFILE));
                for (int i = 0; i < 2; ++i) {
                    const Response refused = get();
                    CHECK(refused.status == 503);
                    CHECK(refused.header("Retry-After") == "1");
                    CHECK(refused.body.find("no resources") != std::string::npos);
                }
                CHECK(faults.fired() >= 2);
            }
            CHECK(get().body == "worked");
            const std::lock_guard lock(mutex);
            CHECK(log.find("a worker has no event loop: ") != std::string::npos);
            CHECK(log.find("a worker has no event loop: ") == log.rfind("a worker has no event loop: "));
        },
        sake::Config()
            .with_worker_pool_size(1)
            .with_poller(sake::PollerKind::epoll)
            .with_log([&](sake::LogLevel, std::string_view line) {
                const std::lock_guard lock(mutex);
                log.append(line).append("\n");
            }));
}

TEST_CASE("F3 no descriptors left: accepting pauses without spinning, and recovers by itself") {
    on_every_poller([](const sake::Config& config) {
        for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
            CAPTURE(error);
            with_server(
                add_routes,
                [&](TestServer& server) {
                    RawClient steady = server.connect();
                    // Twice: the first answer may come while the server still looks for another client.
                    for (int i = 0; i < 2; ++i) {
                        CHECK(steady.send(get_request("/plain/1")).read_response().body == "plain 1");
                    }
                    std::vector<RawClient> waiting;
                    {
                        const ScopedFaults faults(FaultPlan().fail_range("accept4", 1, 1'000'000, error));
                        const auto begin = std::chrono::steady_clock::now();
                        faults::reset_calls();
                        for (int i = 0; i < 20; ++i) waiting.push_back(server.connect());
                        for (RawClient& each : waiting) each.send(get_request("/plain/2"));
                        CHECK(waiting.front().expect_silence(250ms));
                        const auto accepts = faults::calls("accept4");
                        const auto waits = faults::calls("epoll_wait") + faults::calls("poll");
                        // It tries again every 100 ms.
                        const auto pauses =
                            static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begin) / 100ms);
                        CHECK(accepts >= 1);
                        CHECK(accepts <= 3 + pauses);
                        CHECK(waits <= 30 + 5 * pauses);
                        CHECK(steady.send(get_request("/plain/3")).read_response().body == "plain 3");
                    }
                    for (RawClient& each : waiting) CHECK(each.read_response().body == "plain 2");
                },
                config);
        }
    });
}

TEST_CASE("F3 errors of single connections in a row neither stop nor pause accepting") {
    with_server(add_routes, [](TestServer& server) {
        const ScopedFaults faults(FaultPlan().fail_range("accept4", 1, 500, ECONNABORTED));
        RawClient client = server.connect();
        CHECK(client.send(get_request("/plain/1")).read_response().body == "plain 1");
        CHECK(faults.fired("accept4") == 500);
    });
}

TEST_CASE("F6 a log sink that throws costs its line and nothing else, whatever it throws") {
    for (const bool is_an_exception : {true, false}) {
        std::atomic<int> lines{0};
        with_server(
            [](sake::Engine& app) {
                app.get("/fine", [](sake::Context&) { return "fine"; });
                app.get("/fails", [](sake::Context&) { throw std::runtime_error("a failure"); });
                app.get("/fails-later", [](sake::Context&) -> sake::Task<> {
                    co_await sake::yield();
                    throw std::runtime_error("a failure");
                });
                app.get("/fails-in-worker", [](sake::Context&) { throw 7; }).worker();
                app.get("/holds-the-loop", [](sake::Context&) {
                    const auto until = std::chrono::steady_clock::now() + 20ms;
                    while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
                });
            },
            [&](TestServer& server) {
                RawClient client = server.connect();
                int expected = 0;
                for (const char* path : {"/fails", "/fails-later", "/fails-in-worker"}) {
                    CAPTURE(path);
                    CHECK(client.send(get_request(path)).read_response().status == 500);
                    CHECK(client.send(get_request("/fine")).read_response().body == "fine");
                    CHECK(lines >= ++expected);
                }
                const int before = lines;
                CHECK(client.send(get_request("/holds-the-loop")).read_response().status == 200);
                CHECK(client.send(get_request("/fine")).read_response().body == "fine");
                CHECK(lines > before);
                {
                    const ScopedFaults faults(FaultPlan().fail_nth("accept4", 1, EMFILE));
                    RawClient second = server.connect();
                    CHECK(second.send(get_request("/fine")).read_response().body == "fine");
                    CHECK(faults.fired("accept4") == 1);
                }
                CHECK(lines > before + 1);
            },
            sake::Config().with_stall_warning(10ms).with_log([&](sake::LogLevel level, std::string_view) {
                if (level == sake::LogLevel::info) return;
                ++lines;
                if (is_an_exception) throw std::runtime_error("the disk is full");
                throw 7;
            }));
    }
}

namespace {

/// Fails allocation 1, 2, 3 ... and `in_a_row - 1` after it, during one exchange each, until an exchange is
/// clean. Every answer must be whole: what the handler says, or 503, or none. `first` is the answer before
/// it, if the request is one of two, after which there may be nothing or a 503.
void fail_every_allocation(const TestServer& server, const std::string& request, const std::string& first,
                           const std::string& expected, std::uint64_t in_a_row) {
    std::uint64_t refused = 0;
    std::uint64_t nth = 1;
    for (bool is_clean = false; !is_clean; ++nth) {
        CAPTURE(nth);
        std::string fate;
        // Once this is answered, earlier connections have closed: none takes the failure upon itself.
        RawClient latest = server.connect();
        REQUIRE(latest.send(get_request("/_ping")).read_response().body == "pong");
        {
            const allocations::ScopedFailure failure(nth, in_a_row);
            fate = fate_of(server, request);
            is_clean = !failure.fired();
        }
        const bool is_answer = fate.starts_with("HTTP/1.1 200 ") && fate.ends_with(expected);
        const bool is_503 = fate.find("HTTP/1.1 503 ") != std::string::npos &&
                            (fate.ends_with("}") || fate.ends_with(expected));
        const bool first_only = !first.empty() && fate.starts_with("HTTP/1.1 200 ") && fate.ends_with(first);
        const bool is_refusal = fate.empty() || is_503 || first_only;
        CAPTURE(fate);
        REQUIRE((is_answer || is_refusal));
        if (is_clean) REQUIRE(is_answer);
        refused += is_refusal ? 1U : 0U;
        REQUIRE(server.ping());
        REQUIRE(nth < 1000);
    }
    CHECK(refused > 0);
}

}  // namespace

TEST_CASE("L5 any allocation may fail: the request gets 503 or a close, and the server stays up") {
    struct Case {
        std::string what;
        std::string request;
        std::string expected;
        std::string first = {};
    };
    const std::string close = "Connection: close\r\n";
    const std::string large = pattern_bytes(100'000);
    const std::vector<Case> cases = {
        {"GET", get_request("/plain/1", close), "plain 1"},
        {"a large answer", get_request("/big", close), pattern_bytes(200'000, 9)},
        {"a request in the path of which much is encoded", get_request("/plain/%31?a=%20", close), "plain 1"},
        {"POST JSON", post_request("/json", R"("a text that is longer than a string holds")", close),
         R"("a text that is longer than a string holds")"},
        {"an upload", post_request("/echo", large, close), large},
        {"a coroutine", get_request("/nested", close), "nested"},
        {"a worker", get_request("/work/1", close), "work 1"},
        {"an upload that is read in pieces", post_request("/echo-pieces", large, close), large},
        {"an upload to a coroutine", post_request("/echo-later", large, close), large},
        {"pipelined coroutines", get_request("/sleep/1") + get_request("/sleep/2", close), "sleep 2",
         "sleep 1"},
    };
    with_server(
        add_routes,
        [&](TestServer& server) {
            {
                // There are timers enough from now on: the one of an idle connection is set after its answer.
                std::vector<RawClient> idle;
                for (int i = 0; i < 40; ++i) {
                    idle.push_back(server.connect());
                    REQUIRE(idle.back().send(get_request("/_ping")).read_response().body == "pong");
                }
            }
            REQUIRE(server.ping());
            for (const Case& each : cases) {
                for (const std::uint64_t in_a_row : {1U, 3U, 100'000U}) {
                    CAPTURE(each.what);
                    CAPTURE(in_a_row);
                    fail_every_allocation(server, each.request, each.first, each.expected, in_a_row);
                }
            }
        },
        quiet_config());
}

TEST_CASE("L5 any allocation may fail while a connection is accepted, with the server full or not") {
    for (const int most : {0, 2}) {
        CAPTURE(most);
        with_server(
            add_routes,
            [&](TestServer& server) {
                const std::string request = get_request("/plain/1");
                REQUIRE(server.ping());
                for (std::uint64_t nth = 1; nth < 200; ++nth) {
                    CAPTURE(nth);
                    bool is_clean = false;
                    {
                        std::vector<RawClient> clients;
                        const allocations::ScopedFailure failure(nth);
                        for (int i = 0; i < 4; ++i) {
                            clients.push_back(server.connect());
                            clients.back().try_send(request);
                            try {
                                static_cast<void>(clients.back().set_deadline(1s).read_some(1));
                            } catch (const std::exception&) {
                                // Lost for want of memory; the ping below tells about the server.
                            }
                        }
                        is_clean = !failure.fired();
                    }
                    REQUIRE(server.ping());
                    if (is_clean) break;
                    REQUIRE(nth < 199);
                }
            },
            quiet_config().with_max_connections(most));
    }
}

TEST_CASE("L5 no memory and no descriptors together: accepting recovers") {
    with_server(
        add_routes,
        [](TestServer& server) {
            REQUIRE(server.ping());
            for (std::uint64_t nth = 1; nth <= 6; ++nth) {
                CAPTURE(nth);
                RawClient client = server.connect();
                {
                    const ScopedFaults faults(FaultPlan().fail_range("accept4", 1, 1, EMFILE));
                    const allocations::ScopedFailure failure(nth, 1000);
                    RawClient other = server.connect();
                    CHECK(eventually([&] { return faults.fired("accept4") > 0; }));
                }
                REQUIRE(server.ping());
            }
        },
        quiet_config());
}

TEST_CASE("F3 an error that is not of one connection pauses accepting instead of spinning") {
    with_server(
        add_routes,
        [](TestServer& server) {
            const auto calls_before = faults::calls("accept4");
            const ScopedFaults einval(FaultPlan().fail_range("accept4", 1, 2, EINVAL));
            RawClient client = server.connect();
            CHECK(client.send(get_request("/plain/1")).read_response().body == "plain 1");
            CHECK(einval.fired("accept4") == 2);
            CHECK(faults::calls("accept4") - calls_before <= 6);
        },
        quiet_config());
}

}  // namespace test_faults
