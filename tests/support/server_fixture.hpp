// A live server for tests, written against the public API only, and with_server, which runs a test body
// against one under the oracle: still answering after the body, and nothing left behind after the stop.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <string_view>
#include <thread>

#include "allocations.hpp"
#include "attempts.hpp"
#include "coroutines.hpp"
#include "faults.hpp"
#include "oracle.hpp"
#include "raw_client.hpp"
#include "sake.hpp"

namespace harness {

/// An engine on a free port of 127.0.0.1 that serves from a thread of its own, which is a server thread for
/// faults.hpp. Answers `GET /_ping`. Ends with stop() or its destructor, whichever is first.
class TestServer {
  public:
    using Setup = std::function<void(sake::Engine&)>;

    explicit TestServer(const Setup& setup, const sake::Config& config = {})
        : app_(quiet(config)), header_timeout_(config.header_timeout) {
        app_.get("/_ping", [](sake::Context& ctx) { ctx.text("pong"); });
        setup(app_);
        app_.listen("127.0.0.1:0");
        port_ = static_cast<int>(app_.port());
        thread_ = std::thread([this] { serve(); });
    }
    ~TestServer() { stop(); }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] sake::Engine& app() { return app_; }
    [[nodiscard]] RawClient connect() const { return RawClient(port_); }
    [[nodiscard]] Response get(std::string_view path) const { return harness::get(port_, path); }

    /// Stops the engine, waits for run() to return and gives its exit code; -1 if it threw.
    int stop() {
        if (thread_.joinable()) {
            app_.stop();
            wait();
        }
        return exit_code_;
    }
    /// Waits for a run() that something else ends: a handler, a signal. Gives its exit code.
    int wait() {
        if (thread_.joinable()) thread_.join();
        return exit_code_;
    }
    [[nodiscard]] bool is_running() const { return thread_.joinable(); }

    /// Whether a fresh connection gets its answer in time. That is generous on purpose: sanitizers and a
    /// shared machine are slow, and latency is for the benchmarks. Asks again if its request may have come
    /// too late for the header timeout.
    [[nodiscard]] bool ping(std::chrono::milliseconds timeout = std::chrono::seconds(9)) const {
        for (int tries = 0; tries < 10; ++tries) {
            Attempt attempt(header_timeout_);
            if (gets_pong(attempt, timeout)) return true;
            if (attempt.counts()) return false;
        }
        return false;
    }

  private:
    bool gets_pong(Attempt& attempt, std::chrono::milliseconds timeout) const {
        try {
            RawClient client(port_);
            client.set_deadline(timeout);
            client.send("GET /_ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            attempt.note_step();
            return client.read_response().status == 200;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "ping: %s\n", error.what());
            return false;
        }
    }

    // Neither signal handlers nor start lines: there may be hundreds of servers in one run.
    static sake::Config quiet(sake::Config config) {
        config.handle_signals = false;
        config.announce = false;
        const auto* const sink = config.log.target<void (*)(sake::LogLevel, std::string_view)>();
        if (sink != nullptr && *sink == &sake::log_to_stderr) config.log = log_but_info;
        // Sanitizers and a shared machine stall by themselves; a test of stalls asks for another time.
        if (config.stall_warning == sake::Config().stall_warning)
            config.stall_warning = std::chrono::hours(1);
        return config;
    }

    static void log_but_info(sake::LogLevel level, std::string_view line) {
        if (level != sake::LogLevel::info) sake::log_to_stderr(level, line);
    }

    void serve() {
        faults::apply_to_this_thread();
        try {
            exit_code_ = app_.run();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "run() threw: %s\n", error.what());
            exit_code_ = -1;
        }
    }

    sake::Engine app_;
    std::chrono::milliseconds header_timeout_;
    int port_ = 0;
    int exit_code_ = -1;
    std::thread thread_;
};

namespace detail {

/// Lets the library make what it makes once per process, before the first baseline.
inline void warm_up() {
    static const bool done = [] {
        make_what_stays();
        TestServer server([](sake::Engine&) {});
        const bool answered = server.ping();
        server.stop();
        return answered;
    }();
    CHECK_MESSAGE(done, "the warm-up server did not answer");
}

}  // namespace detail

/// Runs `body` against a server made by `setup`, then checks: a ping is answered (unless the
/// body stopped the server), and after the stop descriptors, threads and live heap are back where they were.
/// Returns the exit code of run(). The body's own allocations are exempt from the balance; state that a
/// *handler* keeps outside the server must be made under allocations::Exempt.
inline int with_server(const TestServer::Setup& setup, const std::function<void(TestServer&)>& body,
                       const sake::Config& config = {}) {
    detail::warm_up();
    bool answered = true;
    int exit_code = -1;
    Oracle oracle;
    {
        TestServer server(setup, config);
        {
            const allocations::Exempt not_the_servers;
            body(server);
            if (server.is_running()) answered = server.ping();
        }
        exit_code = server.stop();
    }
    const bool is_back = oracle.check_returned_to_baseline();
    CHECK_MESSAGE(answered, "no answer to a ping after the test");
    CHECK_MESSAGE(is_back, "something was left behind, see above");
    return exit_code;
}

}  // namespace harness
