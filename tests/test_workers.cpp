// Worker routes on a live server: the same answers as on the reactor, saturation, and handlers that fail, end
// their thread or never return.
#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/attempts.hpp"
#include "support/client_fixture.hpp"
#include "support/programs.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"

namespace test_workers {

using namespace harness;

namespace {

sake::Config two_workers() { return quiet_config().with_worker_pool_size(2).with_worker_queue_limit(8); }

/// A gate that handlers wait behind, which blocks their thread as computing does.
class Gate {
  public:
    ~Gate() { open(); }
    void open() {
        is_open_ = true;
        is_open_.notify_all();
    }
    void wait() const { is_open_.wait(false); }

  private:
    std::atomic<bool> is_open_{false};
};

/// All that a handler can see of its request, as text.
std::string describe(sake::Context& ctx) {
    std::string out;
    const auto line = [&](std::string_view name, std::string_view value) {
        out.append(name).append("=").append(value).append("\n");
    };
    line("method", ctx.method());
    line("path", ctx.path());
    line("target", ctx.target());
    line("query", ctx.query_string());
    line("q", ctx.query("q", "(none)"));
    line("from", ctx.remote_address());
    line("cookie", ctx.cookie("c"));
    for (const auto& [name, value] : ctx.headers()) line(name, value);
    line("size", std::to_string(ctx.headers().size()));
    line("values", ctx.get("user").dump());
    line("body", ctx.body());
    return out;
}

struct Note {
    std::string text;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Note, text)
};

/// The same routes, on the pool or not.
void add_mirrored_routes(sake::Engine& app, bool on_pool) {
    app.use([](sake::Context& ctx) -> sake::Task<> {
        ctx.set("user", sake::Json{{"name", "ada"}, {"ratio", 0.1}, {"latin", "caf\xE9"}});
        ctx.set_header("X-Before", "1");
        ctx.add_header("Set-Cookie", "early=1");
        co_await ctx.next();
        ctx.add_header("X-After", std::to_string(ctx.response().status()) + ctx.get("left").dump());
    });
    app.any("/see/*rest",
            [](sake::Context& ctx) {
                ctx.set("left", sake::Json{1, "two"});
                ctx.send(describe(ctx) + "rest=" + std::string(ctx.param("rest")), "text/x-seen");
            })
        .worker(on_pool);
    app.get("/typed/:id/:flag",
            [](sake::Context&, int id, bool flag) {
                return "typed " + std::to_string(id) + (flag ? " yes" : " no");
            })
        .worker(on_pool);
    app.get("/json", [](sake::Context&) { return sake::Json{{"latin", "caf\xE9"}, {"n", 1}}; })
        .worker(on_pool);
    app.get("/coroutine/:n",
            [](sake::Context& ctx, int n) -> sake::Task<std::string> {
                co_await sake::sleep(1ms);
                ctx.status(202);
                co_return "slept " + std::to_string(n);
            })
        .worker(on_pool);
    app.post("/echo",
             [](sake::Context& ctx) { ctx.send(std::string(ctx.body()), "application/octet-stream"); })
        .worker(on_pool);
    app.post("/bind", [](sake::Context& ctx) { return ctx.bind<Note>().text; }).worker(on_pool);
    app.get("/headers",
            [](sake::Context& ctx) {
                ctx.set_header("X-Before", "2").add_header("X-Twice", "a").add_header("X-Twice", "b");
                ctx.set_cookie({.name = "sid", .value = "1"});
                ctx.html("<p>").status(203);
            })
        .worker(on_pool);
    app.get("/redirect", [](sake::Context& ctx) { ctx.redirect("/there", 307); }).worker(on_pool);
    app.get("/nothing", [](sake::Context& ctx) { ctx.no_content(); }).worker(on_pool);
    app.get("/silent", [](sake::Context&) {}).worker(on_pool);
    app.get("/close", [](sake::Context& ctx) { ctx.text("bye").set_header("Connection", "close"); })
        .worker(on_pool);
    app.get("/abort",
            [](sake::Context& ctx) {
                ctx.text("aborted");
                ctx.abort();
            })
        .worker(on_pool);
    app.get("/refuse",
            [](sake::Context& ctx) {
                ctx.set_header("X-Set-Before-The-Throw", "1");
                throw sake::HttpError(418, "tea");
            })
        .worker(on_pool);
    app.get("/fail",
            [](sake::Context& ctx) {
                ctx.set("left", "half");
                throw std::runtime_error("secret");
            })
        .worker(on_pool);
    app.get("/fail-later",
            [](sake::Context&) -> sake::Task<> {
                co_await sake::yield();
                throw 7;
            })
        .worker(on_pool);
    app.get("/no-memory", [](sake::Context&) { throw std::bad_alloc(); }).worker(on_pool);
    app.get("/big", [](sake::Context& ctx) { ctx.text(pattern_bytes(1'000'000, 3)); }).worker(on_pool);
}

std::vector<std::string> corpus() {
    std::vector<std::string> requests;
    const std::string close = "Connection: close\r\n";
    std::string escaped;
    std::string bytes;
    std::string field;
    for (int byte = 0; byte < 256; ++byte) {
        char text[8];
        std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned>(byte));
        escaped += text;
        bytes += static_cast<char>(byte);
        if ((byte >= 0x20 && byte != 0x7f) || byte == '\t') field += static_cast<char>(byte);
        // One by one: some are refused, alike in both modes.
        requests.push_back(get_request("/see/x" + std::string(text), close));
        requests.push_back(get_request("/see/x?q=" + std::string(text), close));
    }
    requests.push_back(
        get_request("/see/%C3%A4/%F0%9F%8D%B6?q=%C3%A4+b&q=2", "Cookie: a=1; c=\"x\"\r\n" + close));
    requests.push_back(get_request("/see/\xC3\xA4/raw", close));
    requests.push_back(get_request("/see/%FF", close));
    requests.push_back(get_request("/see/a/b?q=100%&x=%zz", close));
    requests.push_back(get_request("/see/x?" + escaped, close));
    requests.push_back(
        get_request("/see/x", "X-All: a" + field + "b\r\nX-Empty:\r\nX-Same: 1\r\nx-same: 2\r\n" + close));
    requests.push_back("HEAD /see/x HTTP/1.1\r\nHost: test\r\n" + close + "\r\n");
    requests.push_back("PROPFIND /see/x HTTP/1.1\r\nHost: test\r\n" + close + "\r\n");
    requests.push_back("GET /see/x HTTP/1.0\r\n\r\n");
    requests.push_back("GET http://other/see/x?q=1 HTTP/1.1\r\nHost: other\r\n" + close + "\r\n");
    for (const std::size_t size : {0U, 1U, 2U, 1000U, 70'000U, 1024U * 1024U}) {
        requests.push_back(post_request("/echo", pattern_bytes(size), close));
    }
    requests.push_back(post_request("/echo", bytes + bytes, close));
    for (int byte = 0; byte < 256; byte += 5) {
        requests.push_back(post_request("/echo", std::string(3, static_cast<char>(byte)), close));
    }
    requests.push_back("POST /see/chunked HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n" + close +
                       "\r\n3\r\nab\xff\r\n0\r\nTrailer: x\r\n\r\n");
    for (const char* body : {R"({"text":"hi"})", R"({"text":7})", "{}", "{", "", "\xff"}) {
        requests.push_back(post_request("/bind", body, close));
    }
    for (const char* path : {"/typed/7/true", "/typed/-1/0", "/typed/x/true", "/typed/7/perhaps",
                             "/typed/7",      "/json",       "/coroutine/5",  "/coroutine/x",
                             "/headers",      "/redirect",   "/nothing",      "/silent",
                             "/close",        "/abort",      "/refuse",       "/fail",
                             "/fail-later",   "/no-memory",  "/big",          "/none"}) {
        requests.push_back(get_request(path, close));
    }
    return requests;
}

std::string without_date(std::string answer) {
    const std::size_t begin = answer.find("Date: ");
    if (begin != std::string::npos) answer.erase(begin, answer.find("\r\n", begin) - begin);
    return answer;
}

std::vector<std::string> answers(bool on_pool, const sake::Config& config) {
    std::vector<std::string> seen;
    const std::vector<std::string> requests = corpus();
    with_server([&](sake::Engine& app) { add_mirrored_routes(app, on_pool); },
                [&](TestServer& server) {
                    for (const std::string& request : requests) {
                        RawClient client = server.connect();
                        client.send(request);
                        seen.push_back(without_date(client.read_until_close()));
                    }
                },
                config);
    return seen;
}

}  // namespace

TEST_CASE("a handler answers the same, byte for byte, on the reactor, on the pool, and with the pool off") {
    const std::vector<std::string> requests = corpus();
    const std::vector<std::string> here = answers(false, two_workers());
    const std::vector<std::string> pool = answers(true, two_workers());
    const std::vector<std::string> off = answers(true, two_workers().with_worker_pool(false));
    REQUIRE(here.size() == requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CAPTURE(requests[i].substr(0, 200));
        CHECK(here[i] == pool[i]);
        CHECK(here[i] == off[i]);
        CHECK(here[i].starts_with("HTTP/1.1 "));
    }
}

TEST_CASE("a handler can tell where it runs, and middleware stays on the reactor's thread") {
    for (const bool pool_on : {true, false}) {
        CAPTURE(pool_on);
        std::atomic<std::thread::id> middleware;
        std::atomic<std::thread::id> plain;
        std::atomic<std::thread::id> worker;
        with_server(
            [&](sake::Engine& app) {
                app.use([&](sake::Context&) { middleware = std::this_thread::get_id(); });
                const auto tell = [](sake::Context& ctx) {
                    return std::to_string(ctx.in_worker_pool()) + " " +
                           std::to_string(ctx.worker_pool_size());
                };
                app.get("/plain", [&, tell](sake::Context& ctx) {
                    plain = std::this_thread::get_id();
                    return tell(ctx);
                });
                app.get("/worker",
                        [&, tell](sake::Context& ctx) {
                            worker = std::this_thread::get_id();
                            return tell(ctx);
                        })
                    .worker();
            },
            [&](TestServer& server) {
                CHECK(server.get("/plain").body == (pool_on ? "0 3" : "0 0"));
                CHECK(server.get("/worker").body == (pool_on ? "1 3" : "0 0"));
                CHECK(plain.load() == middleware.load());
                CHECK((worker.load() == middleware.load()) == !pool_on);
            },
            quiet_config().with_worker_pool(pool_on).with_worker_pool_size(3));
    }
}

TEST_CASE("W1 when the pool is full the rest get 503 with Retry-After at once, and reactor routes go on") {
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            app.get("/heavy",
                    [&](sake::Context& ctx) {
                        gate.wait();
                        ctx.text("done");
                    })
                .worker();
            app.get("/light", [](sake::Context& ctx) { ctx.text("light"); });
        },
        [&](TestServer& server) {
            std::vector<RawClient> clients;
            const auto send_up_to = [&](std::size_t count) {
                while (clients.size() < count) {
                    clients.push_back(server.connect());
                    clients.back().send(get_request("/heavy"));
                }
            };
            const auto is_full = [&] {
                const auto workers = server.app().stats().workers;
                return workers.running == 2 && workers.queued == 8;
            };
            send_up_to(10);
            REQUIRE(eventually(is_full));  // of these, and of no later ones
            send_up_to(500);
            CHECK(server.get("/light").body == "light");
            CHECK(eventually([&] { return server.app().stats().workers.rejected == 490; }));
            CHECK(is_full());
            int rejected = 0;
            for (std::size_t i = 10; i < clients.size(); ++i) {
                const Response answer = clients[i].read_response();
                rejected += answer.status == 503 && answer.header("Retry-After") == "1" ? 1 : 0;
            }
            CHECK(rejected == 490);
            CHECK(server.get("/light").body == "light");
            gate.open();
            for (std::size_t i = 0; i < 10; ++i) CHECK(clients[i].read_response().body == "done");
            CHECK(clients[10].send(get_request("/heavy")).read_response().body == "done");
        },
        two_workers().with_worker_queue_timeout(60s));
}

TEST_CASE("W2 a thousand idle connections hold no worker") {
    with_server(
        [](sake::Engine& app) { app.get("/heavy", [](sake::Context& ctx) { ctx.text("done"); }).worker(); },
        [](TestServer& server) {
            std::vector<RawClient> idle;
            for (int i = 0; i < rounds(1000); ++i) idle.push_back(server.connect());
            for (int i = 0; i < 20; ++i) {
                CHECK(idle[static_cast<std::size_t>(i)].send(get_request("/heavy")).read_response().body ==
                      "done");
            }
            CHECK(server.app().stats().workers.running == 0);
            CHECK(server.get("/heavy").body == "done");
        },
        two_workers());
}

TEST_CASE("W3 a job whose client has gone, or that has waited too long, is dropped before it runs") {
    until_in_time(200ms, [](Attempt& attempt) {
        Gate gate;
        std::atomic<int> ran{0};
        with_server(
            [&](sake::Engine& app) {
                app.get("/block", [&](sake::Context&) { gate.wait(); }).worker();
                app.get("/heavy", [&](sake::Context&) { ++ran; }).worker();
            },
            [&](TestServer& server) {
                // Or too late, which the attempt notes.
                const auto wait_until = [&](auto is_so) {
                    static_cast<void>(
                        eventually([&] { return is_so(server.app().stats().workers); }, attempt.limit()));
                };
                attempt.begin();
                std::vector<RawClient> blocking;
                for (int i = 0; i < 2; ++i) {
                    blocking.push_back(server.connect());
                    blocking.back().send(get_request("/block"));
                }
                wait_until([](const auto& workers) { return workers.running == 2; });
                RawClient gone = server.connect();
                gone.send(get_request("/heavy"));
                wait_until([](const auto& workers) { return workers.queued == 1; });
                gone.reset();
                wait_until([](const auto& workers) { return workers.queued == 0; });
                if (!attempt.note_step()) return gate.open();
                RawClient patient = server.connect();
                patient.set_deadline(attempt.limit() + 9s);
                const Response late = patient.send(get_request("/heavy")).read_response();
                CHECK(late.status == 503);
                CHECK(late.header("Retry-After") == "1");
                CHECK(server.app().stats().workers.queued == 0);
                gate.open();
                for (RawClient& each : blocking) CHECK(each.read_response().status == 200);
                CHECK(ran == 0);
                attempt.begin();
                const Response next = patient.send(get_request("/heavy")).read_response();
                if (!attempt.note_step()) return;
                CHECK(next.status == 200);
                CHECK(ran == 1);
            },
            two_workers().with_worker_queue_timeout(attempt.limit()));
    });
}

TEST_CASE("W4 what a worker throws is answered on the reactor, with its own type, and logged once") {
    struct Special : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    std::mutex mutex;
    std::vector<std::string> log;
    std::atomic<std::thread::id> reactor;
    with_server(
        [&](sake::Engine& app) {
            app.use([&](sake::Context&) { reactor = std::this_thread::get_id(); });
            app.get("/special", [](sake::Context&) { throw Special("the secret"); }).worker();
            app.get("/int", [](sake::Context&) { throw 7; }).worker();
            app.get("/memory", [](sake::Context&) { throw std::bad_alloc(); }).worker();
            app.on_error([&](sake::Context& ctx, std::exception_ptr error) {
                CHECK(std::this_thread::get_id() == reactor.load());
                try {
                    std::rethrow_exception(error);
                } catch (const Special&) {
                    ctx.text("special");
                } catch (...) {
                }
            });
        },
        [&](TestServer& server) {
            const Response special = server.get("/special");
            CHECK(special.status == 500);
            CHECK(special.body == "special");
            CHECK(server.get("/int").status == 500);
            CHECK(server.get("/memory").status == 503);
            const auto stats = server.app().stats().workers;
            CHECK(stats.replaced == 0);
            CHECK(stats.done == 3);
            const std::lock_guard lock(mutex);
            REQUIRE(log.size() == 3);
            CHECK(log[0].find("GET /special failed in GET /special (") != std::string::npos);
            CHECK(log[0].ends_with("): the secret"));
        },
        sake::Config().with_worker_pool_size(2).with_log([&](sake::LogLevel, std::string_view line) {
            const allocations::Exempt not_the_servers;
            const std::lock_guard lock(mutex);
            log.emplace_back(line);
        }));
}

TEST_CASE("W5 a handler that ends its thread is answered with 500, again and again") {
    with_server(
        [](sake::Engine& app) {
            app.get("/exit", [](sake::Context&) { pthread_exit(nullptr); }).worker();
            app.get("/fine", [](sake::Context& ctx) { ctx.text("fine"); }).worker();
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            const int times = rounds(1000);
            for (int i = 0; i < times; ++i) {
                REQUIRE(client.send(get_request("/exit")).read_response().status == 500);
            }
            CHECK(client.send(get_request("/fine")).read_response().body == "fine");
            const auto replaced = [&] { return server.app().stats().workers.replaced; };
            CHECK(eventually([&] { return replaced() == static_cast<std::uint64_t>(times); }));
        },
        two_workers());
}

TEST_CASE("W5 a coroutine that ends its thread, or whose spawned task does, leaves nothing behind") {
    std::atomic<int> destroyed{0};
    struct Guard {
        std::atomic<int>& count;
        ~Guard() { ++count; }
    };
    with_server(
        [&](sake::Engine& app) {
            app.get("/exit",
                    [&](sake::Context&) -> sake::Task<> {
                        const Guard guard{destroyed};
                        const auto other = [&]() -> sake::Task<> {
                            const Guard inner{destroyed};
                            co_await sake::sleep(1ms);
                            co_await sake::sleep(60s);
                        };
                        sake::spawn(other).detach();
                        co_await sake::sleep(1ms);
                        pthread_exit(nullptr);
                    })
                .worker();
            app.get("/spawned-exit",
                    [&](sake::Context& ctx) -> sake::Task<> {
                        const Guard guard{destroyed};
                        const auto other = []() -> sake::Task<> {
                            co_await sake::sleep(1ms);
                            pthread_exit(nullptr);
                        };
                        sake::spawn(other).detach();
                        co_await sake::sleep(60s);
                        ctx.text("never");
                    })
                .worker();
            app.get("/fine", [](sake::Context& ctx) { ctx.text("fine"); }).worker();
        },
        [&](TestServer& server) {
            RawClient client = server.connect();
            const int times = rounds(500);
            for (int i = 0; i < times; ++i) {
                REQUIRE(client.send(get_request("/exit")).read_response().status == 500);
                REQUIRE(client.send(get_request("/spawned-exit")).read_response().status == 500);
            }
            CHECK(client.send(get_request("/fine")).read_response().body == "fine");
            CHECK(destroyed == times * 3);
        },
        two_workers());
}

TEST_CASE("W6 a handler that never returns gets its client a 504, and the server stops all the same") {
    const auto gate = std::make_shared<Gate>();
    const int threads_before = Snapshot::take_in_calm().threads;
    {
        TestServer server(
            [&](sake::Engine& app) {
                app.get("/endless", [gate](sake::Context&) { gate->wait(); }).worker();
            },
            two_workers().with_request_timeout(100ms).with_shutdown_grace(200ms));
        CHECK(server.get("/endless").status == 504);
        CHECK(eventually([&] { return server.app().stats().workers.stuck == 1; }));
        CHECK(server.ping());
        const auto begin = std::chrono::steady_clock::now();
        CHECK(server.stop() == 0);
        CHECK(std::chrono::steady_clock::now() - begin < 5s);
    }
    // The kernel lists a thread for a moment after its end: those of this test, and before it, earlier ones.
    CHECK(eventually([&] { return Snapshot::take().threads <= threads_before + 1; }));
    CHECK(gate.use_count() > 1);
    gate->open();
    CHECK(eventually([&] { return Snapshot::take().threads <= threads_before && gate.use_count() == 1; }));
}

TEST_CASE("W7 a result that comes after a 504 or a hang-up is dropped") {
    std::atomic<int> ran{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/work/:ms",
                    [&](sake::Context& ctx, int ms) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
                        ++ran;
                        ctx.text("late " + std::to_string(ms));
                    })
                .worker();
        },
        [&](TestServer& server) {
            int answered = 0;
            int timed_out = 0;
            for (int i = 0; i < rounds(10'000); ++i) {
                RawClient client = server.connect();
                client.send(get_request("/work/" + std::to_string(i % 9)));
                if (i % 3 == 0) {
                    client.reset();
                    continue;
                }
                const int status = client.read_response().status;
                CHECK((status == 200 || status == 504));
                (status == 200 ? answered : timed_out) += 1;
            }
            CHECK(answered > 0);
            CHECK(timed_out > 0);
            CHECK(eventually([&] { return server.app().stats().workers.running == 0; }));
            CHECK(server.app().stats().workers.stuck == 0);
        },
        quiet_config().with_worker_pool_size(2).with_request_timeout(4ms));
}

TEST_CASE(
    "W7 a worker that asks its own server, with one thread for both, ends in an error and not in a "
    "deadlock") {
    std::atomic<int> port{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/inner", [](sake::Context& ctx) { ctx.text("inner"); }).worker();
            app.get("/outer",
                    [&](sake::Context& ctx) {
                        const allocations::Exempt not_the_servers;
                        ctx.text(std::to_string(get(port, "/inner").status));
                    })
                .worker();
        },
        [&](TestServer& server) {
            port = server.port();
            const Response answer = server.get("/outer");
            CHECK((answer.body == "503" || answer.status == 504));
            CHECK(eventually([&] { return server.app().stats().workers.running == 0; }));
        },
        quiet_config().with_worker_pool_size(1).with_worker_queue_timeout(100ms));
}

TEST_CASE("a stop answers what has begun and what is queued in the pool, and returns 0") {
    Gate gate;
    const int exit_code = with_server(
        [&](sake::Engine& app) {
            app.get("/heavy",
                    [&](sake::Context& ctx) {
                        gate.wait();
                        ctx.text("done");
                    })
                .worker();
        },
        [&](TestServer& server) {
            std::vector<RawClient> clients;
            for (int i = 0; i < 10; ++i) {
                clients.push_back(server.connect());
                clients.back().send(get_request("/heavy"));
            }
            REQUIRE(eventually([&] { return server.app().stats().workers.queued == 8; }));
            server.app().stop();
            gate.open();
            for (RawClient& each : clients) {
                const Response answer = each.read_response();
                CHECK(answer.body == "done");
                CHECK(answer.header("Connection") == "close");
            }
            CHECK(server.wait() == 0);
        },
        two_workers());
    CHECK(exit_code == 0);
}

TEST_CASE("a handler on a worker learns that its answer is not wanted any more") {
    std::atomic<int> stopped{0};
    std::atomic<int> cancelled{0};
    std::atomic<int> started{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/compute",
                    [&](sake::Context& ctx) {
                        const std::stop_token stop = ctx.stop_token();
                        ++started;
                        while (!stop.stop_requested()) std::this_thread::yield();
                        ++stopped;
                    })
                .worker();
            app.get("/wait",
                    [&](sake::Context&) -> sake::Task<> {
                        ++started;
                        try {
                            co_await sake::sleep(60s);
                        } catch (const sake::Cancelled&) {
                            ++cancelled;
                            throw;
                        }
                    })
                .worker();
        },
        [&](TestServer& server) {
            for (const char* path : {"/compute", "/wait"}) {
                const int before = started;
                RawClient client = server.connect();
                client.send(get_request(path));
                REQUIRE(eventually([&] { return started == before + 1; }));
                client.reset();
            }
            CHECK(eventually([&] { return stopped == 1 && cancelled == 1; }));
            CHECK(eventually([&] { return server.app().stats().workers.running == 0; }));
            CHECK(server.app().stats().workers.stuck == 0);
        },
        two_workers());
}

TEST_CASE("what a handler spawns on a worker outlives the request") {
    std::atomic<bool> answered{false};
    std::atomic<bool> finished{false};
    with_server(
        [&](sake::Engine& app) {
            app.get("/spawn",
                    [&](sake::Context& ctx) -> sake::Task<> {
                        sake::spawn([&]() -> sake::Task<> {
                            while (!answered) co_await sake::sleep(1ms);
                            finished = true;
                        }).detach();
                        ctx.text("spawned");
                        co_return;
                    })
                .worker();
        },
        [&](TestServer& server) {
            CHECK(server.get("/spawn").body == "spawned");
            CHECK_FALSE(finished);
            answered = true;
            CHECK(eventually([&] { return finished.load(); }));
        },
        two_workers());
}

TEST_CASE("a plain handler can spawn on a worker as it can on the reactor") {
    std::atomic<int> ran{0};
    with_server(
        [&](sake::Engine& app) {
            for (const bool on_pool : {false, true}) {
                app.get(sake::runtime(on_pool ? "/worker" : "/reactor"),
                        [&](sake::Context& ctx) {
                            const auto task = [&]() -> sake::Task<> {
                                co_await sake::sleep(1ms);
                                ++ran;
                            };
                            sake::spawn(task).detach();
                            ctx.text("spawned");
                        })
                    .worker(on_pool);
            }
        },
        [&](TestServer& server) {
            CHECK(server.get("/reactor").body == "spawned");
            CHECK(server.get("/worker").body == "spawned");
            CHECK(eventually([&] { return ran == 2; }));
        },
        two_workers());
}

TEST_CASE("what a worker gave to after runs there, the last first, and all of it though one throws") {
    std::string seen;
    seen.reserve(100);
    std::atomic<int> spawned{0};
    with_client(
        [&](sake::Engine& app) {
            const auto add_afters = [&](sake::Context& ctx) {
                ctx.after([&](sake::Context& c) {
                    seen += "first ";
                    c.set_header("X-First", "1");
                });
                ctx.after([&](sake::Context&) {
                    seen += "throws ";
                    throw sake::HttpError(409, "too late");
                });
                ctx.after([&](sake::Context&) {
                    seen += "spawns ";
                    const auto task = [&]() -> sake::Task<> {
                        co_await sake::yield();
                        ++spawned;
                    };
                    sake::spawn(task).detach();
                });
                ctx.after([&](sake::Context& c) { seen += c.in_worker_pool() ? "last " : "wrong "; });
                ctx.text("made");
            };
            app.get("/plain", add_afters).worker();
            app.get("/later",
                    [add_afters](sake::Context& ctx) -> sake::Task<> {
                        co_await sake::yield();
                        add_afters(ctx);
                    })
                .worker();
            app.get("/fails",
                    [&](sake::Context& ctx) {
                        ctx.after([&](sake::Context&) { seen += "wrong "; });
                        throw sake::HttpError(418);
                    })
                .worker();
        },
        [&](sake::TestClient& client) {
            int answered = 0;
            for (const char* path : {"/plain", "/later"}) {
                CAPTURE(path);
                seen.clear();
                const sake::TestResponse answer = client.get(path);
                CHECK(answer.status == 409);
                CHECK(answer.header("X-First") == "1");
                CHECK(seen == "last spawns throws first ");
                CHECK(eventually([&] { return spawned == answered + 1; }));
                ++answered;
            }
            seen.clear();
            CHECK(client.get("/fails").status == 418);
            CHECK(seen.empty());
        },
        two_workers());
}

TEST_CASE("a stop cancels what handlers have spawned on workers") {
    std::atomic<int> cancelled{0};
    with_server(
        [&](sake::Engine& app) {
            app.get("/spawn",
                    [&](sake::Context&) {
                        const auto task = [&]() -> sake::Task<> {
                            try {
                                for (;;) co_await sake::sleep(10ms);
                            } catch (const sake::Cancelled&) {
                                ++cancelled;
                            }
                        };
                        sake::spawn(task).detach();
                    })
                .worker();
        },
        [&](TestServer& server) {
            CHECK(server.get("/spawn").status == 200);
            CHECK(server.stop() == 0);
            CHECK(cancelled == 1);
        },
        two_workers());
}

TEST_CASE("what a handler spawned on a worker may end its thread after the answer") {
    with_server(
        [&](sake::Engine& app) {
            app.get("/spawn",
                    [&](sake::Context& ctx) -> sake::Task<> {
                        const auto task = []() -> sake::Task<> {
                            co_await sake::sleep(2ms);
                            pthread_exit(nullptr);
                        };
                        sake::spawn(task).detach();
                        ctx.text("spawned");
                        co_return;
                    })
                .worker();
        },
        [&](TestServer& server) {
            for (int i = 0; i < 20; ++i) CHECK(server.get("/spawn").body == "spawned");
            CHECK(eventually([&] { return server.app().stats().workers.replaced == 20; }));
        },
        two_workers());
}

TEST_CASE("L3 the documents of jobs count for what all connections may hold") {
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            app.post("/heavy",
                     [&](sake::Context& ctx) {
                         gate.wait();
                         ctx.text(std::to_string(ctx.body().size()));
                     })
                .worker();
        },
        [&](TestServer& server) {
            RawClient first = server.connect();
            first.send(post_request("/heavy", std::string(100'000, 'x')));
            REQUIRE(eventually([&] { return server.app().stats().workers.running == 1; }));
            RawClient second = server.connect();
            const Response refused =
                second.send(post_request("/heavy", std::string(100'000, 'x'))).read_response();
            CHECK(refused.status == 503);
            gate.open();
            CHECK(first.read_response().body == "100000");
            CHECK(server.ping());
        },
        two_workers().with_max_buffered(250'000));
}

TEST_CASE("C2 pipelined requests to plain, coroutine and worker routes are answered in order") {
    with_server(
        [](sake::Engine& app) {
            app.get("/plain/:n", [](sake::Context&, int n) { return std::to_string(n); });
            app.get("/later/:n", [](sake::Context&, int n) -> sake::Task<std::string> {
                co_await sake::sleep(std::chrono::milliseconds(n % 3));
                co_return std::to_string(n);
            });
            app.get("/worker/:n",
                    [](sake::Context&, int n) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(n % 4));
                        return std::to_string(n);
                    })
                .worker();
        },
        [](TestServer& server) {
            const std::vector<std::string> kinds = {"/plain/", "/worker/", "/later/", "/worker/", "/worker/"};
            RawClient client = server.connect();
            std::string batch;
            for (int i = 0; i < 64; ++i) {
                batch +=
                    get_request(kinds[static_cast<std::size_t>(i * 7) % kinds.size()] + std::to_string(i));
            }
            client.send(batch);
            for (int i = 0; i < 64; ++i) CHECK(client.read_response().body == std::to_string(i));
        },
        two_workers());
}

TEST_CASE("C6 a handler that holds the reactor is logged once, with its pattern, its line and the way out") {
    std::mutex mutex;
    std::vector<std::string> log;
    const auto block = [] {
        const auto until = std::chrono::steady_clock::now() + 150ms;
        while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
    };
    with_server(
        [&](sake::Engine& app) {
            app.get("/slow/:n", [&](sake::Context&, int) { block(); });
            app.get("/slow-later", [&](sake::Context&) -> sake::Task<> {
                co_await sake::sleep(1ms);
                block();
            });
            app.get("/worker", [&](sake::Context&) { block(); }).worker();
        },
        [&](TestServer& server) {
            for (int i = 0; i < 2; ++i) {
                CHECK(server.get("/slow/1").status == 200);
                CHECK(server.get("/slow-later").status == 200);
                CHECK(server.get("/worker").status == 200);
            }
            CHECK(server.app().stats().stalls == 4);
            const std::lock_guard lock(mutex);
            REQUIRE(log.size() == 2);
            CHECK(log[0].starts_with("GET /slow/:n ("));
            CHECK(log[0].find("test_workers.cpp:") != std::string::npos);
            CHECK(log[0].find("mark the route .worker()") != std::string::npos);
            CHECK(log[1].starts_with("GET /slow-later ("));
        },
        sake::Config().with_stall_warning(99ms).with_log([&](sake::LogLevel, std::string_view line) {
            const allocations::Exempt not_the_servers;
            const std::lock_guard lock(mutex);
            log.emplace_back(line);
        }));
}

TEST_CASE("C6 of a worker route that holds the reactor the log says how that may be") {
    for (const bool has_pool : {false, true}) {
        CAPTURE(has_pool);
        std::mutex mutex;
        std::string log;
        const auto block = [](sake::Context&) {
            const auto until = std::chrono::steady_clock::now() + 150ms;
            while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
        };
        with_server(
            [&](sake::Engine& app) {
                if (has_pool) app.use(block);
                app.get("/worker", block).worker();
            },
            [&](TestServer& server) {
                CHECK(server.get("/worker").status == 200);
                CHECK(server.ping());  // the turn of that answer has ended
                const std::lock_guard lock(mutex);
                CHECK(log.starts_with("GET /worker ("));
                CHECK(log.ends_with(has_pool ? "which becomes JSON on the loop"
                                             : "its worker pool is off, by Config::enable_worker_pool"));
            },
            sake::Config().with_worker_pool(has_pool).with_stall_warning(99ms).with_log(
                [&](sake::LogLevel, std::string_view line) {
                    const allocations::Exempt not_the_servers;
                    const std::lock_guard lock(mutex);
                    if (line.starts_with("GET /worker")) log = line;
                }));
    }
}

TEST_CASE("C6 the handler that held the reactor is named, not one that was accepted after it") {
    std::mutex mutex;
    std::vector<std::string> log;
    with_server(
        [&](sake::Engine& app) {
            app.get("/slow", [&](sake::Context&) {
                const auto until = std::chrono::steady_clock::now() + 150ms;
                while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
            });
            app.get("/quick", [](sake::Context&) {});
        },
        [&](TestServer& server) {
            RawClient slow = server.connect();
            slow.send(get_request("/slow"));
            RawClient quick = server.connect();
            quick.send(get_request("/quick"));
            CHECK(slow.read_response().status == 200);
            CHECK(quick.read_response().status == 200);
            const std::lock_guard lock(mutex);
            REQUIRE(log.size() == 1);
            CHECK(log[0].starts_with("GET /slow ("));
        },
        sake::Config().with_stall_warning(99ms).with_log([&](sake::LogLevel, std::string_view line) {
            const allocations::Exempt not_the_servers;
            const std::lock_guard lock(mutex);
            log.emplace_back(line);
        }));
}

TEST_CASE("an engine can run again with its worker routes") {
    for (int round = 0; round < 3; ++round) {
        with_server(
            [](sake::Engine& app) { app.get("/heavy", [](sake::Context&) { return "done"; }).worker(); },
            [](TestServer& server) { CHECK(server.get("/heavy").body == "done"); }, two_workers());
    }
}

namespace {

/// In a process of its own: serves these routes and sends a GET of the path.
void serve_in_this_process(const TestServer::Setup& setup) {
    ::signal(SIGABRT, SIG_DFL);  // that of doctest writes a report, which ThreadSanitizer does not allow
    sake::Engine app(two_workers());
    setup(app);
    app.listen("127.0.0.1:0");
    std::thread client([port = app.port()] {
        RawClient raw(port);
        raw.send(get_request(harness::task_of_process()));
        static_cast<void>(::poll(nullptr, 0, 30'000));
    });
    app.run();
    ::_exit(99);
}
bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

}  // namespace

TEST_CASE("exit() ends the process, wherever a handler calls it") {
    const auto plain = [](sake::Context&) { std::exit(7); };
    const auto coroutine = [](sake::Context&) -> sake::Task<> {
        co_await sake::sleep(1ms);
        std::exit(7);
    };
    const auto spawned = [](sake::Context&) -> sake::Task<> {
        const auto exits = []() -> sake::Task<> {
            co_await sake::sleep(1ms);
            std::exit(7);
        };
        sake::spawn(exits).detach();
        co_await sake::sleep(1h);
    };
    const auto quick = [](sake::Context&) -> sake::Task<> {
        co_await sake::sleep(1ms);
        std::quick_exit(7);
    };
    const auto in_background = [](sake::Context&) -> sake::Task<> {
        co_await sake::background([] { std::exit(7); });
    };
    const auto beside_background = [](sake::Context&) -> sake::Task<> {
        const auto works = []() -> sake::Task<> {
            co_await sake::background([] { static_cast<void>(::poll(nullptr, 0, 30'000)); });
        };
        sake::spawn(works).detach();
        co_await sake::sleep(50ms);
        std::exit(7);
    };
    const TestServer::Setup setup = [&](sake::Engine& app) {
        app.get("/loop/plain", plain);
        app.get("/loop/coroutine", coroutine);
        app.get("/loop/spawned", spawned);
        app.get("/loop/quick", quick);
        app.get("/loop/background", in_background);
        app.get("/loop/beside", beside_background);
        app.get("/worker/plain", plain).worker();
        app.get("/worker/coroutine", coroutine).worker();
        app.get("/worker/spawned", spawned).worker();
        app.get("/worker/quick", quick).worker();
        app.get("/worker/background", in_background).worker();
        app.get("/worker/beside", beside_background).worker();
    };
    if (harness::task_of_process() != nullptr) serve_in_this_process(setup);
    for (const std::string place : {"/loop/", "/worker/"}) {
        for (const char* const how : {"plain", "coroutine", "spawned", "quick", "background", "beside"}) {
            const std::string path = place + how;
            CAPTURE(path);
            CHECK(exited_with(harness::run_anew("exit() ends the process*", path), 7));
        }
    }
}

TEST_CASE("pthread_exit in a handler on the server's own thread aborts the process, and does not hang") {
    const TestServer::Setup setup = [&](sake::Engine& app) {
        app.get("/plain", [](sake::Context&) { ::pthread_exit(nullptr); });
        app.get("/coroutine", [](sake::Context&) -> sake::Task<> {
            co_await sake::sleep(1ms);
            ::pthread_exit(nullptr);
        });
        app.get("/at-once", [](sake::Context&) -> sake::Task<> {
            ::pthread_exit(nullptr);
            co_return;
        });
    };
    if (harness::task_of_process() != nullptr) serve_in_this_process(setup);
    for (const char* const path : {"/plain", "/coroutine", "/at-once"}) {
        CAPTURE(path);
        const int status = harness::run_anew("pthread_exit in a handler on the server's*", path);
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGABRT);
    }
}

TEST_CASE("programs that are started by a handler, a worker, or beside the requests are ended by signals") {
    if (is_thread_sanitized) return;  // a fork of a process of several threads is not for it
    std::atomic<int> beside{-1};
    with_server(
        [&](sake::Engine& app) {
            const auto handler = [](sake::Context& ctx) {
                ctx.text(programs_end_by_signals() ? "ended" : "deaf");
            };
            app.get("/reactor", handler);
            app.get("/worker", handler).worker();
            app.get("/coroutine",
                    [](sake::Context& ctx) -> sake::Task<> {
                        const bool is_ended =
                            co_await sake::background([] { return programs_end_by_signals(); });
                        ctx.text(is_ended ? "ended" : "deaf");
                    })
                .worker();
            app.background([&](std::stop_token) { beside = programs_end_by_signals() ? 1 : 0; });
        },
        [&](TestServer& server) {
            CHECK(eventually([&] { return beside != -1; }));
            CHECK(beside == 1);
            for (const char* path : {"/reactor", "/worker", "/coroutine"}) {
                CAPTURE(path);
                CHECK(server.get(path).body == "ended");
            }
        },
        two_workers());
}

}  // namespace test_workers
