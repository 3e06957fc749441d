// Engine::on_answered: every answer passes it, whoever made it, with what a log or a metric needs.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/faults.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_answered {

using namespace harness;
using sake::AnswerCause;
using sake::Answered;
using sake::Context;
using sake::Task;

namespace {

/// What an observer was told of one answer.
struct Seen {
    std::string line;  // "GET /target /pattern 200 5 handler"
    std::chrono::nanoseconds duration{};
    std::string fields;  // of the request, as the context shows them
};

/// An observer that keeps what it is told.
class Recorder {
  public:
    void observe(sake::Engine& app) {
        app.on_answered([this](const Answered& answered) {
            const allocations::Exempt exempt;
            Seen seen;
            for (const std::string_view part :
                 {answered.method, answered.target, answered.route, std::string_view()}) {
                seen.line.append(part.empty() ? "" : std::string(part) + " ");
            }
            seen.line += std::to_string(answered.status) + " " + std::to_string(answered.bytes) + " " +
                         std::string(to_string(answered.cause));
            seen.duration = answered.duration;
            for (const auto& [name, value] : answered.ctx.headers()) {
                seen.fields.append(name).append("=").append(value).append("|");
            }
            const std::lock_guard lock(mutex_);
            seen_.push_back(std::move(seen));
        });
    }
    [[nodiscard]] std::vector<Seen> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(seen_, {});
    }
    /// The lines of all that was told since the last time.
    [[nodiscard]] std::vector<std::string> lines() {
        std::vector<std::string> lines;
        for (Seen& each : take()) lines.push_back(std::move(each.line));
        return lines;
    }
    /// The one line that was told; the number of lines if it was not one.
    [[nodiscard]] std::string line() {
        std::vector<std::string> all = lines();
        return all.size() == 1 ? all[0] : std::to_string(all.size()) + " answers";
    }

  private:
    std::mutex mutex_;
    std::vector<Seen> seen_;
};

using Lines = std::vector<std::string>;

std::string size_of(const Response& response) { return std::to_string(response.body.size()); }

/// Sends bytes on a connection of their own and reads the one answer, with its body unless it is to a HEAD.
Response ask(const TestServer& server, std::string_view request, bool is_head = false) {
    RawClient client = server.connect();
    client.send(request);
    return client.read_response(is_head);
}

/// Asks for a path.
Response fetch(const TestServer& server, std::string_view path) { return ask(server, get_request(path)); }

/// A handler's gate, for jobs of a worker.
class Gate {
  public:
    void wait() const {
        started_ = true;
        open_.wait(false);
    }
    void open() {
        open_ = true;
        open_.notify_all();
    }
    [[nodiscard]] bool has_started() const { return started_; }

  private:
    mutable std::atomic<bool> started_{false};
    std::atomic<bool> open_{false};
};

}  // namespace

TEST_CASE("the observer is told of answers that handlers make, plain, coroutine or worker") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/plain/:id", [](Context& ctx) { ctx.text(201, "plain"); });
            app.get("/later", [](Context& ctx) -> Task<> {
                co_await sake::yield();
                ctx.text("later");
            });
            app.get("/worker", [] { return "worker"; }).worker();
            app.post("/echo", [](Context& ctx) { ctx.text(ctx.body()); });
            app.any("/any/*rest", [] {});
            app.group("/group").get("/:x", [] { return "g"; });
            app.get("/aborted", [] {}).use([](Context& ctx) { ctx.abort(401).text("no"); });
        },
        [&](TestServer& server) {
            fetch(server, "/plain/7?q=%20");
            CHECK(recorder.line() == "GET /plain/7?q=%20 /plain/:id 201 5 handler");
            fetch(server, "/later");
            CHECK(recorder.line() == "GET /later /later 200 5 handler");
            fetch(server, "/worker");
            CHECK(recorder.line() == "GET /worker /worker 200 6 handler");
            ask(server, post_request("/echo", "four"));
            CHECK(recorder.line() == "POST /echo /echo 200 4 handler");
            ask(server, chunked_request("/echo", "4\r\nfour\r\n0\r\n\r\n"));
            CHECK(recorder.line() == "POST /echo /echo 200 4 handler");
            ask(server, "PROPFIND /any/a HTTP/1.1\r\nHost: t\r\n\r\n");
            CHECK(recorder.line() == "PROPFIND /any/a /any/*rest 200 0 handler");
            fetch(server, "/group/7");
            CHECK(recorder.line() == "GET /group/7 /group/:x 200 1 handler");
            fetch(server, "/aborted");
            CHECK(recorder.line() == "GET /aborted /aborted 401 2 handler");
            ask(server, "GET http://h/plain/1 HTTP/1.1\r\nHost: h\r\n\r\n");
            CHECK(recorder.line() == "GET http://h/plain/1 /plain/:id 201 5 handler");
            ask(server, "GET /plain/1 HTTP/1.0\r\n\r\n");
            CHECK(recorder.line() == "GET /plain/1 /plain/:id 201 5 handler");
        },
        quiet_config());
}

TEST_CASE("the observer is told of what was thrown, with the status that it became") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/http", [] { throw sake::HttpError(418, "tea"); });
            app.get("/later", []() -> Task<> {
                co_await sake::yield();
                throw std::runtime_error("secret");
            });
            app.get("/worker", [] { throw sake::HttpError(409); }).worker();
            app.get("/int/:n", [](int) {});
            app.get("/memory", [] { throw std::bad_alloc(); });
            app.get("/after", [](Context& ctx) { ctx.after([](Context&) { throw sake::HttpError(410); }); });
            app.on_error([](Context& ctx) { ctx.text("e"); });
            app.not_found([](Context& ctx) {
                if (ctx.path() == "/throws") throw sake::HttpError(410);
            });
        },
        [&](TestServer& server) {
            fetch(server, "/http");
            CHECK(recorder.line() == "GET /http /http 418 1 error");
            fetch(server, "/later");
            CHECK(recorder.line() == "GET /later /later 500 1 error");
            fetch(server, "/worker");
            CHECK(recorder.line() == "GET /worker /worker 409 1 error");
            fetch(server, "/int/x");
            CHECK(recorder.line() == "GET /int/x /int/:n 400 1 error");
            fetch(server, "/memory");
            CHECK(recorder.line() == "GET /memory /memory 503 1 error");
            fetch(server, "/after");
            CHECK(recorder.line() == "GET /after /after 410 1 error");
            fetch(server, "/throws");
            CHECK(recorder.line() == "GET /throws unmatched 410 1 error");
        },
        quiet_config());
}

TEST_CASE("the observer is told of requests that no route takes") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/here", [] { return "here"; });
            app.use([](Context& ctx) {
                if (ctx.path() == "/guarded") ctx.abort(401);
            });
        },
        [&](TestServer& server) {
            Response answer = server.get("/none");
            CHECK(recorder.line() == "GET /none unmatched 404 " + size_of(answer) + " no_route");
            answer = ask(server, post_request("/here", "body"));
            CHECK(recorder.line() == "POST /here unmatched 405 " + size_of(answer) + " no_route");
            ask(server, "OPTIONS /here HTTP/1.1\r\nHost: t\r\n\r\n");
            CHECK(recorder.line() == "OPTIONS /here unmatched 204 0 no_route");
            ask(server, "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n");
            CHECK(recorder.line() == "OPTIONS * unmatched 204 0 no_route");
            answer = ask(server, "BREW / HTTP/1.1\r\nHost: t\r\n\r\n");
            CHECK(recorder.line() == "BREW / unmatched 501 " + size_of(answer) + " no_route");
            ask(server, "HEAD /none HTTP/1.1\r\nHost: t\r\n\r\n", true);
            CHECK(recorder.line() == "HEAD /none unmatched 404 0 no_route");
            fetch(server, "/guarded");
            CHECK(recorder.line() == "GET /guarded unmatched 401 0 handler");
        },
        quiet_config());
    Recorder of_other;
    with_server([&](sake::Engine& app) { of_other.observe(app); },
                [&](TestServer& server) {
                    // Its body is not asked for, since its answer is known.
                    const Response answer = ask(server,
                                                "POST /none HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n"
                                                "Expect: 100-continue\r\n\r\n");
                    CHECK(of_other.line() == "POST /none unmatched 404 " + size_of(answer) + " no_route");
                },
                quiet_config());
}

TEST_CASE("the observer is told of requests that are refused while they are read") {
    struct Row {
        std::string request;
        int status;
        std::string known;  // what the observer knows of the request
    };
    const std::string host = "Host: t\r\n";
    const Row rows[] = {
        {"\x01\r\n\r\n", 400, "unmatched"},
        {"GET / HTTP/1.1\nHost: t\n\n", 400, "unmatched"},
        {"GET / HTTP/1.1\r\nHost t\r\n\r\n", 400, "GET / unmatched"},
        {"GET / HTTP/1.1\r\n\r\n", 400, "GET / unmatched"},
        {"GET nowhere HTTP/1.1\r\n" + host + "\r\n", 400, "GET nowhere unmatched"},
        {"GET /%ff HTTP/1.1\r\n" + host + "\r\n", 400, "GET /%ff unmatched"},
        {"GET /%4 HTTP/1.1\r\n" + host + "\r\n", 400, "unmatched"},
        {"POST / HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", 400, "POST / unmatched"},
        {"POST /post HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400,
         "POST /post /post"},
        {"POST /post HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\n", 413, "POST /post /post"},
        {"POST /none HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\n", 413, "POST /none unmatched"},
        {chunked_request("/post", "b\r\n"), 413, "POST /post /post"},
        {chunked_request("/post", "8\r\n12345678\r\n8\r\n"), 413, "POST /post /post"},
        {"GET /" + std::string(300, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414, "unmatched"},
        {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect: 200-ok\r\n\r\nx", 417,
         "POST / unmatched"},
        {"GET https://t/ HTTP/1.1\r\n" + host + "\r\n", 421, "GET https://t/ unmatched"},
        {"GET / HTTP/1.1\r\n" + host + "X: " + std::string(600, 'x') + "\r\n\r\n", 431, "GET / unmatched"},
        {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "POST / unmatched"},
        {std::string(300, 'M') + " / HTTP/1.1\r\n" + host + "\r\n", 501, "unmatched"},
        {"GET / HTTP/2.0\r\n" + host + "\r\n", 505, "unmatched"},
    };
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/", [] { return "root"; });
            app.post("/post", [] {});
        },
        [&](TestServer& server) {
            for (const bool is_first : {true, false}) {  // on its connection
                for (const Row& row : rows) {
                    CAPTURE(row.request);
                    RawClient client = server.connect();
                    if (!is_first) {
                        client.send(get_request("/", "X-Old: of the request before\r\n"));
                        CHECK(client.read_response().body == "root");
                        CHECK(recorder.line() == "GET / / 200 4 handler");
                    }
                    client.send(row.request);
                    const Response answer = client.read_response();
                    CHECK(answer.status == row.status);
                    const std::vector<Seen> seen = recorder.take();
                    REQUIRE(seen.size() == 1);
                    CHECK(seen[0].line ==
                          row.known + " " + std::to_string(row.status) + " " + size_of(answer) + " refused");
                    CHECK(seen[0].fields.find("X-Old") == std::string::npos);
                    CHECK(client.expect_closed());
                }
            }
        },
        quiet_config().with_max_body(10).with_max_request_line(200).with_max_header_block(500));
}

TEST_CASE("of a refused request, the observer sees the fields that were read") {
    Recorder recorder;
    with_server([&](sake::Engine& app) { recorder.observe(app); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send_split("\r\nGET /x HTTP/1.1\r\nHost: t\r\nX-A: 1\r\nbad line\r\n\r\n", 7);
                    CHECK(client.read_response().status == 400);
                    const auto seen = recorder.take();
                    REQUIRE(seen.size() == 1);
                    CHECK(seen[0].line.starts_with("GET /x unmatched 400 "));
                    CHECK(seen[0].fields == "Host=t|X-A=1|");
                },
                quiet_config());
}

TEST_CASE("a HEAD that cannot be read is answered without a body, and told") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/", [] { return "root"; });
        },
        [&](TestServer& server) {
            struct Row {
                std::string request;
                int status;
                std::string known;
            };
            for (const Row& row :
                 {Row{"HEAD /" + std::string(300, 'x') + " HTTP/1.1\r\n", 414, "unmatched"},
                  {"\r\nHEAD /%4 HTTP/1.1\r\n\r\n", 400, "unmatched"},
                  {"HEAD / HTTP/1.1\r\nbad line\r\n\r\n", 400, "HEAD / unmatched"},
                  {"HEAD / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n", 413, "HEAD / /"},
                  {"HEAD / HTTP/1.1\r\n\r\n", 400, "HEAD / unmatched"}}) {
                CAPTURE(row.request);
                RawClient client = server.connect();
                client.send(row.request);
                const std::string answer = client.read_until_close();
                CHECK(answer.starts_with("HTTP/1.1 " + std::to_string(row.status)));
                CHECK(answer.ends_with("\r\n\r\n"));
                CHECK(recorder.line() == row.known + " " + std::to_string(row.status) + " 0 refused");
            }
        },
        quiet_config().with_max_body(10).with_max_request_line(200));
}

TEST_CASE("the observer is told of requests that did not come in time") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.post("/body", [] {});
        },
        [&](TestServer& server) {
            Response answer = ask(server, "GE");
            CHECK(answer.status == 408);
            CHECK(recorder.line() == "unmatched 408 " + size_of(answer) + " timeout");
            answer = ask(server, "GET /slow HTTP/1.1\r\nHost: t\r\n");
            CHECK(answer.status == 408);
            auto seen = recorder.take();
            REQUIRE(seen.size() == 1);
            CHECK(seen[0].line == "GET /slow unmatched 408 " + size_of(answer) + " timeout");
            CHECK(seen[0].duration > 0ms);
            answer = ask(server, "POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab");
            CHECK(answer.status == 408);
            seen = recorder.take();
            REQUIRE(seen.size() == 1);
            CHECK(seen[0].line == "POST /body /body 408 " + size_of(answer) + " timeout");
            CHECK(seen[0].duration >= 80ms);
            // A connection that never begins a request has no answer.
            RawClient silent = server.connect();
            CHECK(silent.expect_closed());
            CHECK(recorder.line() == "0 answers");
        },
        quiet_config().with_header_timeout(80ms).with_read_timeout(80ms));
}

TEST_CASE("the observer is told of a handler that took too long, once") {
    Recorder recorder;
    std::atomic<int> ended{0};
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/slow/:id", [&](Context& ctx) -> Task<> {
                try {
                    co_await sake::sleep(1h);
                } catch (const sake::Cancelled&) {
                }
                ctx.text("too late");
                ++ended;
            });
        },
        [&](TestServer& server) {
            const Response answer = server.get("/slow/7");
            CHECK(answer.status == 504);
            CHECK(eventually([&] { return ended == 1; }));
            REQUIRE(server.ping());
            const auto seen = recorder.take();
            REQUIRE(seen.size() == 2);
            CHECK(seen[0].line == "GET /slow/7 /slow/:id 504 " + size_of(answer) + " timeout");
            CHECK(seen[0].duration >= 50ms);
            CHECK(seen[0].duration < 1h);
            CHECK(seen[1].line == "GET /_ping /_ping 200 4 handler");
        },
        quiet_config().with_request_timeout(50ms));
}

TEST_CASE("the observer is told of what was turned away for want of memory or of a worker") {
    Recorder recorder;
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.post("/body", [] {});
            app.get("/heavy",
                    [&] {
                        gate.wait();
                        return "done";
                    })
                .worker();
        },
        [&](TestServer& server) {
            RawClient large = server.connect();
            const std::string all = post_request("/body", std::string(60'000, 'b'));
            large.send(all.substr(0, all.size() - 10));
            REQUIRE(server.ping());
            CHECK(recorder.line() == "GET /_ping /_ping 200 4 handler");
            Response answer = ask(server, all.substr(0, all.size() - 10));
            CHECK(answer.status == 503);
            CHECK(recorder.line() == "POST /body /body 503 " + size_of(answer) + " overload");
            large.close();

            RawClient first = server.connect();
            first.send(get_request("/heavy"));
            REQUIRE(eventually([&] { return gate.has_started(); }));
            answer = server.get("/heavy");
            CHECK(answer.status == 503);
            CHECK(recorder.line() == "GET /heavy /heavy 503 " + size_of(answer) + " overload");
            gate.open();
            CHECK(first.read_response().body == "done");
            CHECK(recorder.line() == "GET /heavy /heavy 200 4 handler");
        },
        quiet_config().with_max_buffered(100'000).with_worker_pool_size(1).with_worker_queue_limit(0));
}

TEST_CASE("the observer is told of a job that no worker took in time") {
    Recorder recorder;
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/heavy", [&] { gate.wait(); }).worker();
        },
        [&](TestServer& server) {
            RawClient first = server.connect();
            first.send(get_request("/heavy"));
            REQUIRE(eventually([&] { return gate.has_started(); }));
            const Response answer = server.get("/heavy");
            CHECK(answer.status == 503);
            CHECK(recorder.line() == "GET /heavy /heavy 503 " + size_of(answer) + " overload");
            gate.open();
            CHECK(first.read_response().status == 200);
        },
        quiet_config().with_worker_pool_size(1).with_worker_queue_timeout(500ms));
}

TEST_CASE("the observer is told of what a forced stop cuts off") {
    Recorder recorder;
    std::atomic<bool> has_started{false};
    const int exit_code = with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/waits", [&]() -> Task<> {
                has_started = true;
                co_await sake::sleep(1h);
            });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/waits"));
            REQUIRE(eventually([&] { return has_started.load(); }));
            server.stop();
            const Response answer = client.read_response();
            CHECK(answer.status == 503);
            CHECK(recorder.line() == "GET /waits /waits 503 " + size_of(answer) + " stop");
        },
        quiet_config().with_shutdown_grace(0ms));
    CHECK(exit_code == 1);
}

TEST_CASE("the observer is told of a request that a graceful stop does not wait for") {
    Recorder recorder;
    with_server([&](sake::Engine& app) { recorder.observe(app); },
                [&](TestServer& server) {
                    RawClient client = server.connect();
                    client.send("GET /half HTTP/1.1\r\n");
                    REQUIRE(server.ping());  // what came before it was read before it
                    CHECK(recorder.line() == "GET /_ping /_ping 200 4 handler");
                    server.app().stop();
                    const Response answer = client.read_response();
                    CHECK(answer.status == 503);
                    CHECK(recorder.line() == "GET /half unmatched 503 " + size_of(answer) + " stop");
                    client.close();
                    CHECK(server.wait() == 0);
                },
                quiet_config());
}

TEST_CASE("the observer is told of a request whose client left before its answer") {
    for (const bool resets : {false, true}) {
        Recorder recorder;
        int begun = 0;
        int afters = 0;
        sake::Engine app(quiet_config());
        recorder.observe(app);
        app.use([&](Context& ctx) { ctx.after([&](Context&) { ++afters; }); });
        app.post("/pay", [&](Context& ctx) -> Task<> {
            ++begun;
            co_await sake::sleep(1h);
            ctx.text("paid");
        });
        app.post("/pays/in_spite", [&](Context& ctx) -> Task<> {
            ++begun;
            try {
                co_await sake::sleep(1h);
            } catch (const sake::Cancelled&) {
                ctx.text(201, "paid");
            }
        });
        app.post("/upload",
                 [&](Context& ctx) -> Task<> {
                     ++begun;
                     while (co_await ctx.read()) continue;
                 })
            .stream_body();
        sake::TestClient client(app);
        for (const std::string path : {"/pay", "/pays/in_spite", "/upload"}) {
            sake::TestConnection connection = client.connect();
            const bool is_upload = path == "/upload";
            connection.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nX-Id: 7\r\nContent-Length: 4\r\n\r\n" +
                            (is_upload ? "12" : "1234"));
            client.advance(2s);
            CHECK(std::exchange(begun, 0) == 1);
            CHECK(recorder.take().empty());
            resets ? connection.reset() : connection.close();
            client.advance(1ms);
            const std::vector<Seen> seen = recorder.take();
            REQUIRE(seen.size() == 1);
            CHECK(seen[0].line == "POST " + path + " " + path + " 499 0 client_closed");
            CHECK(seen[0].duration >= 2s);
            CHECK(seen[0].fields.find("X-Id=7|") != std::string::npos);
        }
        CHECK(afters == 0);  // there is no answer for them
    }
}

TEST_CASE("the observer is told of a request whose client left before its handler began") {
    Recorder recorder;
    Gate gate;
    std::atomic<bool> has_begun{false};
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/holds_the_loop", [&] { gate.wait(); });
            app.get("/", [&](Context&) -> Task<> {
                has_begun = true;
                co_return;
            });
        },
        [&](TestServer& server) {
            RawClient leaving = server.connect();
            leaving.send(get_request("/_ping"));
            CHECK(leaving.read_response().status == 200);
            RawClient other = server.connect();
            other.send(get_request("/holds_the_loop"));
            REQUIRE(eventually([&] { return gate.has_started(); }));
            leaving.send(get_request("/"));
            leaving.reset();
            gate.open();
            CHECK(other.read_response().status == 200);
            const auto is_told = [&] {
                const std::vector<std::string> lines = recorder.lines();
                return std::count(lines.begin(), lines.end(), "GET / / 499 0 client_closed") == 1;
            };
            CHECK(eventually(is_told));
            CHECK_FALSE(has_begun);
        });
}

TEST_CASE("the observer is told once of a handler that outlives its 504 and its client") {
    Recorder recorder;
    sake::Engine app(quiet_config().with_request_timeout(1s));
    recorder.observe(app);
    app.get("/", [](Context&) -> Task<> {
        try {
            co_await sake::sleep(1h);
        } catch (const sake::Cancelled&) {
            throw std::runtime_error("thrown late");
        }
    });
    sake::TestClient client(app);
    sake::TestConnection connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(connection.response().status == 504);
    connection.reset();
    client.advance(10s);
    CHECK(recorder.lines().size() == 1);
}

TEST_CASE("the observer is told of a job whose client left, once") {
    Recorder recorder;
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/job", [&] { gate.wait(); }).worker();
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            client.send(get_request("/job"));
            REQUIRE(eventually([&] { return gate.has_started(); }));
            client.reset();
            std::vector<std::string> lines;
            CHECK(eventually([&] { return !(lines = recorder.lines()).empty(); }));
            gate.open();
            CHECK(lines == Lines{"GET /job /job 499 0 client_closed"});
            CHECK(server.stop() == 0);
            CHECK(recorder.lines().empty());
        });
}

TEST_CASE("the bytes are those of the body that is sent") {
    Recorder recorder;
    const std::string large = pattern_bytes(3'000'000);
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/size/:n", [&](int n) { return large.substr(0, static_cast<std::size_t>(n)); });
            app.get("/status/:code", [](Context& ctx, int code) { ctx.text(code, "not to be sent"); });
            app.get("/later", [&]() -> Task<std::string> {
                co_await sake::yield();
                co_return large;
            });
        },
        [&](TestServer& server) {
            for (const int size : {0, 1, 16 * 1024, 16 * 1024 + 1, 3'000'000}) {
                const std::string path = "/size/" + std::to_string(size);
                const Response answer = server.get(path);
                CHECK(answer.body.size() == static_cast<std::size_t>(size));
                CHECK(recorder.line() ==
                      "GET " + path + " /size/:n 200 " + std::to_string(size) + " handler");
                const Response head = ask(server, "HEAD " + path + " HTTP/1.1\r\nHost: t\r\n\r\n", true);
                CHECK(head.header("Content-Length") == std::to_string(size));
                CHECK(recorder.line() == "HEAD " + path + " /size/:n 200 0 handler");
            }
            CHECK((server.get("/later").body == large));
            CHECK(recorder.line() == "GET /later /later 200 3000000 handler");
            for (const char* code : {"204", "304", "205"}) {
                fetch(server, std::string("/status/") + code);
                CHECK(recorder.line() ==
                      std::string("GET /status/") + code + " /status/:code " + code + " 0 handler");
            }
        },
        quiet_config());
}

TEST_CASE("the duration is from the first byte of the request, and covers what its handler waits for") {
    Recorder recorder;
    with_server(
        [&](sake::Engine& app) {
            recorder.observe(app);
            app.get("/", [] {});
            app.get("/sleeps", []() -> Task<> { co_await sake::sleep(30ms); });
            app.get("/holds", [] { std::this_thread::sleep_for(30ms); });
            app.get("/worker", [] { std::this_thread::sleep_for(30ms); }).worker();
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            const auto duration_of = [&](const char* path) {
                client.send(get_request(path));
                CHECK(client.read_response().status == 200);
                const auto seen = recorder.take();
                REQUIRE(seen.size() == 1);
                return seen[0].duration;
            };
            for (const char* path : {"/sleeps", "/holds", "/worker"}) {
                CAPTURE(std::string(path));
                CHECK(duration_of(path) >= 30ms);
            }
            // An idle connection costs its next request nothing.
            CHECK(client.expect_silence(50ms));
            const auto quick = duration_of("/");
            CHECK(quick > 0ns);
            CHECK(quick < 1h);
            // The second of two pipelined requests begins when the first one is answered.
            client.send(get_request("/sleeps") + get_request("/sleeps"));
            client.read_response();
            client.read_response();
            const auto both = recorder.take();
            REQUIRE(both.size() == 2);
            CHECK(both[0].duration >= 30ms);
            CHECK(both[1].duration >= 30ms);
            // A request that trickles in began with its first byte.
            const auto before = harness::faults::calls("recv");
            client.send("GET / HTTP/1.1\r\n");
            CHECK(eventually([&] { return harness::faults::calls("recv") > before; }));
            CHECK(client.expect_silence(30ms));
            client.send("Host: t\r\n\r\n");
            client.read_response();
            const auto trickled = recorder.take();
            REQUIRE(trickled.size() == 1);
            CHECK(trickled[0].duration >= 30ms);
        },
        quiet_config());
}

TEST_CASE("observers are called in the order added, and one that throws loses only itself") {
    std::atomic<int> lines{0};
    std::string order;
    std::string log;
    std::mutex mutex;
    with_server(
        [&](sake::Engine& app) {
            const auto add = [&](char name, bool throws) {
                app.on_answered([&, name, throws](const Answered& answered) {
                    {
                        const allocations::Exempt exempt;
                        const std::lock_guard lock(mutex);
                        if (answered.route == "/") order += name;
                    }
                    if (throws && answered.route == "/") throw std::runtime_error("observer broke\n");
                });
            };
            add('a', false);
            add('b', true);
            add('c', false);
            app.get("/", [] { return "answer"; });
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            for (int i = 0; i < 2; ++i) {
                client.send(get_request("/"));
                CHECK(client.read_response().body == "answer");
            }
            CHECK(server.ping());
            const std::lock_guard lock(mutex);
            CHECK(order == "abcabc");
            CHECK(lines == 2);
            CHECK(log.starts_with("on_answered failed: observer broke"));
            CHECK(log.find('\n') == std::string::npos);
        },
        quiet_config().with_log([&](sake::LogLevel level, std::string_view text) {
            const allocations::Exempt exempt;
            const std::lock_guard lock(mutex);
            if (level == sake::LogLevel::info) return;  // of the stop
            CHECK(level == sake::LogLevel::error);
            log = text;
            ++lines;
        }));
}

TEST_CASE("an observer is told before the answer leaves, and cannot change it") {
    with_server(
        [&](sake::Engine& app) {
            app.on_answered([](const Answered& answered) {
                answered.ctx.text(500, "changed").set_header("X-Late", "yes");
            });
            app.get("/plain", [] { return "plain"; });
            app.get("/large", [] { return std::string(100'000, 'l'); });
            app.get("/later", []() -> Task<std::string> {
                co_await sake::yield();
                co_return std::string("later");
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/plain").body == "plain");
            CHECK(server.get("/plain").status == 200);
            CHECK_FALSE(server.get("/plain").has_header("X-Late"));
            CHECK(server.get("/large").body == std::string(100'000, 'l'));
            CHECK(server.get("/later").body == "later");
            CHECK(server.get("/none").status == 404);
            CHECK(ask(server, "GET nowhere HTTP/1.1\r\nHost: t\r\n\r\n").status == 400);
        },
        quiet_config());
}

TEST_CASE("observers may use all of the context, whatever the answer") {
    std::atomic<int> seen{0};
    with_server(
        [&](sake::Engine& app) {
            app.on_answered([&](const Answered& answered) {
                const allocations::Exempt exempt;
                Context& ctx = answered.ctx;
                std::string all;
                for (const std::string_view part :
                     {ctx.method(), ctx.path(), ctx.target(), ctx.query_string(), ctx.body(), ctx.host(),
                      ctx.scheme(), ctx.remote_address(), ctx.route(), ctx.header("Host"), ctx.cookie("c"),
                      ctx.query("q", ""), ctx.param("id", "")}) {
                    all.append(part);
                }
                ctx.state<int>() += static_cast<int>(all.size());
                if (ctx.remote_address() == "127.0.0.1") ++seen;
            });
            app.get("/:id", [] {});
            app.post("/", [] {});
        },
        [&](TestServer& server) {
            int sent = 0;
            for (const std::string& request :
                 {get_request("/7?q=%20", "Cookie: c=1\r\n"), get_request("/a/b"),
                  std::string("\x01\r\n\r\n"), std::string("GET / HTTP/1.1\r\nHost t\r\n\r\n"),
                  std::string("GET https://t/x HTTP/1.1\r\nHost: t\r\n\r\n"),
                  std::string("GET /%ff HTTP/1.1\r\nHost: t\r\n\r\n"), post_request("/", "12345"),
                  chunked_request("/", "4\r\n1234\r\n1\r\n"),
                  std::string("CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n")}) {
                CAPTURE(request);
                for (const std::string& before : {std::string(), get_request("/1")}) {
                    RawClient client = server.connect();
                    client.send(before + request);
                    if (!before.empty()) client.read_response();
                    client.read_response();
                    sent += before.empty() ? 1 : 2;
                    CHECK(seen == sent);
                }
            }
        },
        quiet_config().with_max_body(4));
}

TEST_CASE("pipelined answers leave with one call though an observer looks on, and no memory is asked for") {
    std::atomic<std::uint64_t> told{0};
    with_server(
        [&](sake::Engine& app) {
            app.on_answered([&](const Answered& answered) { told += answered.bytes; });
            app.get("/", [](Context& ctx) { ctx.text("Hello, World!"); });
        },
        [&](TestServer& server) {
            std::string batch;
            for (int i = 0; i < 16; ++i) batch += get_request("/");
            RawClient client = server.connect();
            const auto round = [&] {
                client.send(batch);
                for (int i = 0; i < 16; ++i) REQUIRE(client.read_response().body == "Hello, World!");
            };
            for (int i = 0; i < 3; ++i) round();
            CHECK(client.expect_silence(5ms));
            const auto allocated = allocations::by_server_threads();
            faults::reset_calls();
            for (int i = 0; i < 20; ++i) round();
            CHECK(allocations::by_server_threads() == allocated);
            CHECK(faults::calls("recv") == 20);
            CHECK(faults::calls("send") == 20);
            CHECK(told == 23 * 16 * 13);
        },
        quiet_config());
}

TEST_CASE("observers are added before serving") {
    with_server([](sake::Engine&) {},
                [](TestServer& server) {
                    REQUIRE(server.ping());
                    CHECK_THROWS_AS(server.app().on_answered([](const Answered&) {}), std::logic_error);
                });
}

TEST_CASE("every cause has a name") {
    CHECK(to_string(AnswerCause::handler) == "handler");
    CHECK(to_string(AnswerCause::error) == "error");
    CHECK(to_string(AnswerCause::no_route) == "no_route");
    CHECK(to_string(AnswerCause::refused) == "refused");
    CHECK(to_string(AnswerCause::timeout) == "timeout");
    CHECK(to_string(AnswerCause::overload) == "overload");
    CHECK(to_string(AnswerCause::stop) == "stop");
}

}  // namespace test_answered
