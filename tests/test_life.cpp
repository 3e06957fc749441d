// What a program runs beside its requests: on_start, on_stop, every, background, and the tokens by which a
// stop tells handlers, tasks and work in the background.
#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/attempts.hpp"
#include "support/client_fixture.hpp"
#include "support/faults.hpp"
#include "support/observed.hpp"
#include "support/programs.hpp"
#include "support/reliability.hpp"

namespace test_life {

using namespace harness;
using sake::Cancelled;
using sake::Context;
using sake::Engine;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;

namespace {

void wait_until_stopped(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never_told;
    std::unique_lock lock(mutex);
    never_told.wait(lock, stop, [] { return false; });
}

/// What is answered. Unlike client.get, does not wait for what threads do meanwhile.
std::string answer_alone(TestClient& client, std::string_view target) {
    TestConnection connection = client.connect();
    connection.send(get_request(target));
    return connection.response().body;
}

}  // namespace

// ---- on_start, on_stop ----

TEST_CASE("on_start runs before the first request, coroutines to their end, in order") {
    std::string order;
    order.reserve(100);
    with_client(
        [&](Engine& app) {
            app.on_start([&] { order += "a"; });
            app.on_start([&]() -> Task<> {
                co_await sake::sleep(10s);
                order += "b";
            });
            app.on_start([&](std::stop_token stop) { order += stop.stop_requested() ? "?" : "c"; });
            app.get("/", [&](Context& ctx) { ctx.text(order); });
        },
        [&](TestClient& client) { CHECK(client.get("/").body == "abc"); });
}

TEST_CASE("what on_start throws, run() throws, and the engine can run again") {
    bool fails = true;
    std::string stops;
    Engine app(quiet_config());
    app.on_start([&]() -> Task<> {
        co_await sake::sleep(1ms);
        if (fails) throw std::runtime_error("no database");
    });
    app.on_stop([&] { stops += "x"; });
    app.background([](std::stop_token stop) { wait_until_stopped(stop); });
    CHECK_THROWS_WITH_AS(TestClient{app}, "no database", std::runtime_error);
    app.listen("127.0.0.1:0");
    CHECK_THROWS_WITH_AS(app.run(), "no database", std::runtime_error);
    CHECK(stops.empty());
    fails = false;
    std::thread stopper([&] { app.stop(); });
    CHECK(app.run() == 0);
    stopper.join();
}

TEST_CASE("a stop cuts on_start short, and nothing is served") {
    Engine app(quiet_config());
    bool was_cancelled = false;
    bool has_begun = false;
    bool stops = false;
    app.on_start([&]() -> Task<> {
        has_begun = true;
        app.stop();
        try {
            co_await sake::sleep(1h);
        } catch (const Cancelled&) {
            was_cancelled = true;
            throw;
        }
    });
    app.on_stop([&] { stops = true; });
    app.listen("127.0.0.1:0");
    CHECK(app.run() == 0);
    CHECK(has_begun);
    CHECK(was_cancelled);
    CHECK_FALSE(stops);
}

TEST_CASE("on_stop runs when a graceful stop begins, while requests in flight are answered") {
    std::string order;
    order.reserve(100);
    Engine* engine = nullptr;
    with_client(
        [&](Engine& app) {
            engine = &app;
            app.on_stop([&] { order += "a"; });
            app.on_stop([&]() -> Task<> {
                co_await sake::sleep(2s);
                order += "c";
            });
            app.get("/slow", [&](Context& ctx) -> Task<> {
                co_await sake::sleep(1s);
                order += "b";
                ctx.text("slow");
            });
        },
        [&](TestClient& client) {
            TestConnection connection = client.connect();
            connection.send(get_request("/slow"));
            client.advance(0s);
            engine->stop();
            CHECK(connection.response().body == "slow");
            CHECK(client.stop() == 0);
            CHECK(order == "abc");
        });
}

TEST_CASE("an on_stop that throws is logged, and one that outlives the grace is cut off") {
    Log log;
    bool was_cancelled = false;
    Engine app(log.config().with_shutdown_grace(5s));
    app.on_stop([] { throw std::runtime_error("cannot say goodbye"); });
    app.on_stop([&]() -> Task<> {
        try {
            co_await sake::sleep(1h);
        } catch (const Cancelled&) {
            was_cancelled = true;
            throw;
        }
    });
    TestClient client(app);
    CHECK(client.stop() == 1);
    CHECK(was_cancelled);
    CHECK(log.has(std::string("on_stop at ") + __FILE__ + ":"));
    CHECK(log.has(" failed: cannot say goodbye"));
}

TEST_CASE("hooks cannot be added while the engine runs") {
    Engine app(quiet_config());
    TestClient client(app);
    CHECK_THROWS_AS(app.on_start([] {}), std::logic_error);
    CHECK_THROWS_AS(app.on_stop([] {}), std::logic_error);
    CHECK_THROWS_AS(app.every(1s, [] {}), std::logic_error);
}

// ---- every ----

TEST_CASE("every calls at the multiples of its period, plain functions and coroutines") {
    int plain = 0;
    int awaited = 0;
    with_client(
        [&](Engine& app) {
            app.every(10s, [&] { ++plain; });
            app.every(1min, [&]() -> Task<> {
                co_await sake::sleep(1s);
                ++awaited;
            });
        },
        [&](TestClient& client) {
            client.advance(9'999ms);
            CHECK(plain == 0);
            client.advance(1ms);
            CHECK(plain == 1);
            client.advance(49s);
            CHECK(plain == 5);
            CHECK(awaited == 0);
            client.advance(2s);
            CHECK(plain == 6);
            CHECK(awaited == 1);
            client.advance(59s);
            CHECK(awaited == 1);
            client.advance(1s);
            CHECK(awaited == 2);
        });
}

TEST_CASE("calls of every do not overlap: those that are missed are left out") {
    std::vector<std::chrono::seconds> begun;
    begun.reserve(100);
    int at_work = 0;
    with_client(
        [&](Engine& app) {
            app.every(10s, [&]() -> Task<> {
                CHECK(at_work++ == 0);
                static const auto start = virtual_now() - 10s;
                begun.push_back(std::chrono::duration_cast<std::chrono::seconds>(virtual_now() - start));
                co_await sake::sleep(25s);
                --at_work;
            });
        },
        [&](TestClient& client) { client.advance(100s); });
    CHECK(begun == std::vector<std::chrono::seconds>{10s, 40s, 70s, 100s});
}

TEST_CASE("a call of every that throws is logged, and the next one comes") {
    Log log;
    int calls = 0;
    {
        Engine app(log.config());
        app.every(1s, [&] {
            ++calls;
            throw std::runtime_error("tick");
        });
        TestClient client(app);
        client.advance(3s);
        CHECK(client.stop() == 0);
    }
    CHECK(calls == 3);
    CHECK(log.count(std::string("every at ") + __FILE__ + ":") == 3);
    CHECK(log.count(" failed: tick") == 3);
}

TEST_CASE("a stop wakes every that rests, and waits for one that is at work, which the token tells") {
    bool was_told = false;
    int calls = 0;
    Engine app(quiet_config());
    app.every(1h, [&] { ++calls; });
    app.every(1s, [&](std::stop_token stop) -> Task<> {
        while (!stop.stop_requested()) co_await sake::sleep(100ms);
        was_told = true;
        co_await sake::sleep(1s);
        ++calls;
    });
    TestClient client(app);
    client.advance(2s);
    CHECK(client.stop() == 0);
    CHECK(was_told);
    CHECK(calls == 1);
}

TEST_CASE("a period that is not positive is refused, and one beyond the clock never comes") {
    Engine app(quiet_config());
    CHECK_THROWS_AS(app.every(0s, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(app.every(-1s, [] {}), std::invalid_argument);
    int calls = 0;
    app.every(std::chrono::hours::max(), [&] { ++calls; });
    TestClient client(app);
    client.advance(24h);
    CHECK(client.stop() == 0);
    CHECK(calls == 0);
}

// ---- background ----

TEST_CASE("background runs beside the requests, and its token tells it of the stop") {
    std::atomic<bool> has_begun{false};
    std::atomic<bool> was_told{false};
    bool coroutine_was_told = false;
    const auto loop_thread = std::this_thread::get_id();
    std::atomic<bool> is_on_its_own{false};
    const int exit_code = with_client(
        [&](Engine& app) {
            app.background([&](std::stop_token stop) {
                is_on_its_own = std::this_thread::get_id() != loop_thread;
                has_begun = true;
                wait_until_stopped(stop);
                was_told = true;
            });
            app.background([&](std::stop_token stop) -> Task<> {
                while (!stop.stop_requested()) co_await sake::sleep(1s);
                coroutine_was_told = true;
            });
            app.background([] {});  // one that ends by itself
        },
        [&](TestClient& client) {
            CHECK(eventually([&] { return has_begun.load(); }));
            client.advance(1h);
            CHECK_FALSE(was_told);
            CHECK(client.get("/_ping").body == "pong");
        });
    CHECK(exit_code == 0);
    CHECK(is_on_its_own);
    CHECK(was_told);
    CHECK(coroutine_was_told);
}

TEST_CASE("a background function that throws or ends its thread is no more, and the server goes on") {
    Log log;
    {
        Engine app(log.config());
        app.background([](std::stop_token) { throw std::runtime_error("lost"); });
        app.background([](std::stop_token) -> Task<> {
            co_await sake::sleep(1ms);
            throw std::runtime_error("astray");
        });
        app.background([](std::stop_token) { ::pthread_exit(nullptr); });
        app.get("/", [](Context& ctx) { ctx.text("here"); });
        TestClient client(app);
        client.advance(1s);
        CHECK(client.get("/").body == "here");
        CHECK(eventually([&] { return log.has(" failed: lost"); }));
        CHECK(log.has(" failed: astray"));
        CHECK(log.count(std::string("background at ") + __FILE__ + ":") == 2);
        CHECK(client.stop() == 0);
    }
}

TEST_CASE("background from a handler begins at once, for this run alone, and is told of the stop") {
    std::atomic<int> begun{0};
    std::atomic<int> told{0};
    bool coroutine_was_told = false;
    Engine app(quiet_config());
    app.get("/", [&](Context& ctx) {
        app.background([&](std::stop_token stop) {
            ++begun;
            wait_until_stopped(stop);
            ++told;
        });
        app.background([&](std::stop_token stop) -> Task<> {
            while (!stop.stop_requested()) co_await sake::sleep(1s);
            coroutine_was_told = true;
        });
        ctx.text("begun");
    });
    app.get("/next", [] { return "next"; });
    {
        TestClient client(app);
        CHECK(answer_alone(client, "/") == "begun");
        CHECK(answer_alone(client, "/next") == "next");  // meanwhile the loop has had its turn
        CHECK(eventually([&] { return begun == 1; }));
        CHECK(client.stop() == 0);
    }
    CHECK(told == 1);
    CHECK_FALSE(coroutine_was_told);  // it is cancelled in its sleep, as all tasks are that are spawned
    {
        TestClient client(app);
        CHECK(client.stop() == 0);
    }
    CHECK(begun == 1);
}

TEST_CASE("background from a handler that fails is logged with its place") {
    Log log;
    {
        Engine app(log.config());
        app.get("/plain",
                [&](Context&) { app.background([](std::stop_token) { throw std::runtime_error("lost"); }); });
        app.get("/coroutine", [&](Context&) {
            app.background([](std::stop_token) -> Task<> {
                co_await sake::sleep(1s);
                throw std::runtime_error("astray");
            });
        });
        TestClient client(app);
        static_cast<void>(client.get("/plain"));
        static_cast<void>(client.get("/coroutine"));
        client.advance(2s);
        CHECK(eventually([&] {
            client.advance(0s);
            return log.has(" failed: lost");
        }));
        CHECK(log.has(" failed: astray"));
        CHECK(log.count(std::string("background at ") + __FILE__ + ":") == 2);
    }
}

TEST_CASE("a stop names what it waits for, with its place") {
    Log log;
    const std::string here = std::string(" at ") + __FILE__ + ":";
    {
        Engine app(log.config().with_shutdown_grace(10s));
        app.every(1h, [] {});  // it rests
        app.every(1s, []() -> Task<> { co_await sake::sleep(5s); });
        app.background([]() -> Task<> { co_await sake::sleep(24h); });
        TestClient client(app);
        client.advance(1s);
        static_cast<void>(client.stop());
    }
    CHECK(log.has("waiting up to 10 s for 2 functions ("));
    CHECK(log.count("every" + here) == 1);
    CHECK(log.count("background" + here) == 1);
}

TEST_CASE("a stop that is over names what it cannot cut short, with its place") {
    Log log;
    std::atomic<bool> has_begun{false};
    std::atomic<bool> may_end{false};
    Engine app(log.config().with_shutdown_grace(10ms));
    app.background([&](std::stop_token) {
        has_begun = true;
        while (!may_end) std::this_thread::yield();
    });
    app.listen("127.0.0.1:0");
    std::thread server([&] { static_cast<void>(app.run()); });
    CHECK(eventually([&] { return has_begun.load(); }));
    app.stop();
    CHECK(eventually([&] {
        return log.has(std::string("the stop waits for work that cannot be cancelled: background at ") +
                       __FILE__ + ":");
    }));
    may_end = true;
    server.join();
}

TEST_CASE("a run that ends without a stop tells what runs beside it") {
    std::atomic<bool> was_told{false};
    Engine app(quiet_config());
    app.background([&](std::stop_token stop) {
        wait_until_stopped(stop);
        was_told = true;
    });
    {
        const TestClient client(app);
    }
    CHECK(was_told);
}

TEST_CASE("a run that has no memory to begin throws, and waits for no thread without end") {
    Engine app(quiet_config());
    app.on_start([]() -> Task<> { co_await sake::sleep(1ms); });
    app.on_stop([] {});
    app.every(1s, [] {});
    app.background([](std::stop_token stop) { wait_until_stopped(stop); });
    app.background([](std::stop_token) -> Task<> { co_await sake::sleep(1h); });
    int failures = 0;
    bool is_through = false;
    std::thread server([&] {
        faults::apply_to_this_thread();
        for (std::uint64_t nth = 1; !is_through; ++nth) {
            const allocations::ScopedFailure failure(nth);
            try {
                TestClient client(app);
                is_through = !failure.fired();
            } catch (const std::bad_alloc&) {
                ++failures;
            }
        }
    });
    server.join();
    CHECK(failures > 0);
}

TEST_CASE("each run has its own") {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    int started = 0;
    Engine app(quiet_config());
    app.on_start([&] { ++started; });
    app.background([&](std::stop_token stop) {
        ++begun;
        wait_until_stopped(stop);
        ++ended;
    });
    for (int round = 1; round <= 3; ++round) {
        TestClient client(app);
        CHECK(client.stop() == 0);
        CHECK(started == round);
        CHECK(begun == round);
        CHECK(ended == round);
    }
}

// ---- tokens ----

TEST_CASE("draining_token and this_task::stop_token tell handlers and spawned tasks of a stop, not before") {
    std::string told;
    told.reserve(100);
    Engine* engine = nullptr;
    with_client(
        [&](Engine& app) {
            engine = &app;
            app.get("/plain", [](Context& ctx) {
                ctx.text(ctx.draining_token().stop_possible() && !ctx.draining_token().stop_requested()
                             ? "not yet"
                             : "?");
            });
            app.get("/drains", [&](Context& ctx) -> Task<> {
                const auto spawned = [&]() -> Task<> {
                    while (!sake::this_task::stop_token().stop_requested()) co_await sake::sleep(1s);
                    told += "s";
                };
                auto task = sake::spawn(spawned);
                sake::Event stops;
                const std::stop_callback on_drain(ctx.draining_token(), [&] { stops.set(); });
                co_await stops.wait();
                told += "h";
                co_await task;
                ctx.text("drained");
            });
        },
        [&](TestClient& client) {
            CHECK(client.get("/plain").body == "not yet");
            TestConnection connection = client.connect();
            connection.send(get_request("/drains"));
            client.advance(10s);
            CHECK(told.empty());
            engine->stop();
            CHECK(connection.response().body == "drained");
            CHECK(told == "hs");
        });
}

TEST_CASE("a worker's handler is told of a stop too") {
    std::atomic<int> begun{0};
    Engine app(quiet_config().with_worker_pool_size(2));
    const auto plain = [&](Context& ctx) {
        ++begun;
        wait_until_stopped(ctx.draining_token());
        ctx.text("told");
    };
    const auto coroutine = [&](Context& ctx) -> Task<> {
        ++begun;
        while (!sake::this_task::stop_token().stop_requested()) co_await sake::sleep(1ms);
        ctx.text("told");
    };
    app.get("/plain", plain).worker();
    app.get("/coroutine", coroutine).worker();
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    TestConnection first = client.connect();
    TestConnection second = client.connect();
    first.send(get_request("/plain"));
    second.send(get_request("/coroutine"));
    CHECK(answer_alone(client, "/") == "hello");  // meanwhile the loop has had its turn
    CHECK(eventually([&] { return begun == 2; }));
    app.stop();
    CHECK(first.response().body == "told");
    CHECK(second.response().body == "told");
    CHECK(client.stop() == 0);
}

TEST_CASE("outside of a server the token never tells anything") {
    CHECK_FALSE(sake::this_task::stop_token().stop_possible());
    const auto task = []() -> Task<bool> { co_return sake::this_task::stop_token().stop_requested(); };
    CHECK_FALSE(sake::run_until_complete(task()));
}

TEST_CASE("work in the background that takes a token is told when its caller is cancelled") {
    const auto test = []() -> Task<std::string> {
        std::atomic<bool> has_begun{false};
        std::string how = "not at all";
        const auto works = [&]() -> Task<> {
            auto work = [&](std::stop_token stop) {
                has_begun = true;
                wait_until_stopped(stop);
                return 7;
            };
            const int result = co_await sake::background(work);
            how = "with " + std::to_string(result);
            co_await sake::sleep(1h);
        };
        auto task = sake::spawn(works);
        while (!has_begun) co_await sake::sleep(1ms);
        task.cancel();
        try {
            co_await task;
        } catch (const Cancelled&) {
            how += ", cancelled";
        }
        co_return how;
    };
    CHECK(sake::run_until_complete(test()) == "with 7, cancelled");
}

TEST_CASE(
    "work in the background that takes a token is told when the server stops, and its request answered") {
    Engine app(quiet_config());
    app.get("/", [&](Context& ctx) -> Task<> {
        auto work = [&](std::stop_token stop) {
            app.stop();
            wait_until_stopped(stop);
        };
        co_await sake::background(work);
        ctx.text("done so far");
    });
    TestClient client(app);
    CHECK(client.get("/").body == "done so far");
    CHECK(client.stop() == 0);
}

// ---- a process that is told to end, ends ----

namespace {

struct End {
    int status = -1;
    std::chrono::milliseconds after{};  // the last signal
    bool took_two_for_one = false;
    std::string log;
};

/// Runs this test case in a process of its own, which serves and is asked for `path`; when it says that it is
/// at work, sends so many SIGTERM. A process that is held up at the first of two may take both for one wish.
/// Then a third ends it.
End end_of_process(const char* test_case, const std::string& path, int signals) {
    int output[2];
    REQUIRE(::pipe(output) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(output[1], STDERR_FILENO);
        harness::become_test(test_case, path, 60);
    }
    ::close(output[1]);
    End end;
    const auto read_until = [&](std::string_view word) {
        char bytes[4096];
        while (end.log.find(word) == std::string::npos) {
            const ssize_t count = ::read(output[0], bytes, sizeof bytes);
            if (count <= 0) return;
            end.log.append(bytes, static_cast<std::size_t>(count));
        }
    };
    read_until("AT WORK");
    for (int i = 0; i < signals; ++i) {
        if (i > 0) std::this_thread::sleep_for(700ms);  // within half a second they are one wish
        ::kill(child, SIGTERM);
    }
    const auto begun = std::chrono::steady_clock::now();
    const auto has_ended = [&] { return ::waitpid(child, &end.status, WNOHANG) == child; };
    if (!eventually(has_ended, signals > 1 ? 5s : 50s)) {
        end.took_two_for_one = true;
        ::kill(child, SIGTERM);
        REQUIRE(eventually(has_ended, 50s));
    }
    end.after =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    read_until("no such word");
    ::close(output[0]);
    return end;
}

void say_at_work() { static_cast<void>(::write(STDERR_FILENO, "AT WORK\n", 8)); }
void work_for_long() {
    say_at_work();
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < until) ::poll(nullptr, 0, 10);
}

void serve_in_this_process() {
    const std::string_view path = harness::task_of_process();
    sake::Config config;
    config.shutdown_grace = path == "/short-grace" || path == "/sink-grace" ? 200ms : 30s;
    std::mutex held;
    std::atomic<bool> is_held{false};
    if (path.starts_with("/sink")) {
        config.log = [&, path](sake::LogLevel level, std::string_view text) {
            std::unique_lock lock(held, std::defer_lock);
            if (level == sake::LogLevel::error || (path == "/sink-of-all" && is_held)) lock.lock();
            sake::log_to_stderr(level, text);
        };
    }
    Engine app(config);
    const auto in_background = [](Context&) -> Task<> { co_await sake::background([] { work_for_long(); }); };
    app.get("/background", in_background);
    app.get("/short-grace", in_background);
    app.get("/detached", [&](Context& ctx) {
        const auto detached = []() -> Task<> { co_await sake::background([] { work_for_long(); }); };
        sake::spawn(detached).detach();
        ctx.text("detached");
    });
    app.get("/worker", [](Context&) { work_for_long(); }).worker();
    app.get("/holds", [](Context&) { work_for_long(); });
    app.get("/told", [](Context& ctx) -> Task<> {
        auto work = [](std::stop_token stop) {
            say_at_work();
            wait_until_stopped(stop);
        };
        co_await sake::background(work);
        ctx.text("told");
    });
    if (path == "/life") app.background([](std::stop_token) { work_for_long(); });
    if (path.starts_with("/sink")) {
        app.background([&](std::stop_token) {
            const std::lock_guard lock(held);
            is_held = true;
            work_for_long();
        });
    }
    app.listen("127.0.0.1:0");
    std::thread client;
    if (path != "/life" && !path.starts_with("/sink")) {  // which are at work without a request
        client = std::thread([path, port = app.port()] {
            RawClient raw(port);
            raw.send(get_request(std::string(path)));
            static_cast<void>(::poll(nullptr, 0, 60'000));
        });
    }
    const int exit_code = app.run();
    ::_exit(exit_code == 0 ? 40 : 41);
}

}  // namespace

TEST_CASE("a second signal ends the process within a second, whatever runs, and the log names it") {
    if (harness::task_of_process() != nullptr) serve_in_this_process();
    struct Case {
        const char* path;
        const char* named;
    };
    const Case cases[] = {{"/background", "GET /background"},
                          {"/detached", "GET /detached"},
                          {"/worker", "worker"},  // "worker jobs", or if that is late "1 in the worker pool"
                          {"/holds", "GET /holds ("},
                          {"/life", "background"},
                          {"/sink-of-errors", "the process exits now"},  // which the sink cannot say
                          {"/sink-of-all", "the process exits now"}};
    for (const Case& each : cases) {
        CAPTURE(std::string(each.path));
        // ThreadSanitizer keeps a signal back from a thread that waits for a lock.
        if (is_thread_sanitized && each.path == std::string_view("/sink-of-all")) continue;
        const auto test = [&](Attempt& attempt) {
            const End end = end_of_process("a second signal ends the process*", each.path, 2);
            if (end.took_two_for_one) return attempt.make_void();
            CAPTURE(end.log);
            CHECK(WIFEXITED(end.status));
            CHECK((WEXITSTATUS(end.status) == 1 || WEXITSTATUS(end.status) == 41));
            CHECK(end.after < 20s);  // a second, and what a busy machine adds; what runs takes longer
            CHECK(end.log.find(each.named) != std::string::npos);
        };
        until_in_time(1s, test, 1);
    }
}

TEST_CASE("one signal ends the process after the grace, and at once what takes a token") {
    if (harness::task_of_process() != nullptr) serve_in_this_process();
    const End end = end_of_process("one signal ends the process*", "/short-grace", 1);
    CAPTURE(end.log);
    CHECK(WIFEXITED(end.status));
    CHECK(WEXITSTATUS(end.status) == 1);
    CHECK(end.after < 20s);
    CHECK(end.log.find("GET /short-grace") != std::string::npos);
    const End stuck = end_of_process("one signal ends the process*", "/sink-grace", 1);
    CAPTURE(stuck.log);
    CHECK(WIFEXITED(stuck.status));
    CHECK(WEXITSTATUS(stuck.status) == 1);
    CHECK(stuck.after < 20s);
    CHECK(stuck.log.find("the stop does not end, so the process exits now") != std::string::npos);
    const End told = end_of_process("one signal ends the process*", "/told", 1);
    CHECK(WIFEXITED(told.status));
    CHECK(WEXITSTATUS(told.status) == 40);
    CHECK(told.after < 20s);
}

}  // namespace test_life
