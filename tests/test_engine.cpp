#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_engine {

using namespace harness;
using sake::Context;

namespace {

sake::Config quiet() {
    return {.handle_signals = false, .announce = false, .log = [](sake::LogLevel, std::string_view) {}};
}

void say(sake::Engine& app, const char* name) {
    app.get("/name", [name](Context& ctx) { ctx.text(name); });
}

/// Runs an engine on a thread until the destructor, or earlier with join().
class Run {
  public:
    explicit Run(sake::Engine& app) : app_(app), thread_([this] { code_ = app_.run(); }) {}
    ~Run() {
        if (thread_.joinable()) static_cast<void>(stop());
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    int stop() {
        app_.stop();
        return join();
    }
    int join() {
        if (thread_.joinable()) thread_.join();
        return code_;
    }

  private:
    sake::Engine& app_;
    int code_ = -1;
    std::thread thread_;
};

/// What the callable throws: "code: text" of a std::system_error.
template <class F>
std::string system_error_of(F&& f) {
    try {
        f();
    } catch (const std::system_error& error) {
        return std::to_string(error.code().value()) + ": " + error.what();
    }
    return "(nothing thrown)";
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool exists(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

/// A new directory that is removed at the end, with what is named "socket" in it.
struct Directory {
    Directory() {
        char name[] = "/tmp/sake-engine-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
        socket = path + "/socket";
        address = "unix:" + socket;
    }
    ~Directory() {
        ::unlink(socket.c_str());
        ::rmdir(path.c_str());
    }
    std::string path;
    std::string socket;
    std::string address;
};

/// A socket file that nobody listens on any more.
void leave_stale_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd, 1) == 0);
    ::close(fd);
}

std::string get_name(RawClient client) {
    client.send("GET /name HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    return client.read_response().body;
}

bool has_ipv6() {
    try {
        sake::Engine().listen("[::1]:0");
        return true;
    } catch (const std::system_error&) {
        MESSAGE("skipped: no IPv6 on this machine");
        return false;
    }
}

/// A log that gives the address of the "listening on" line to whoever waits for it.
struct Announcement {
    std::promise<std::string> line;
    [[nodiscard]] sake::LogSink sink() {
        return [this](sake::LogLevel, std::string_view text) { line.set_value(std::string(text)); };
    }
};

int port_in(const std::string& line) {
    const std::size_t colon = line.rfind(':');
    return std::atoi(line.c_str() + colon + 1);
}

}  // namespace

TEST_CASE("listen binds now, and port is that of the first listener") {
    sake::Engine app(quiet());
    CHECK(app.port() == 0);
    app.listen("127.0.0.1:0");
    const int port = app.port();
    CHECK(port > 0);
    CHECK_NOTHROW(RawClient{port});
    app.listen("127.0.0.1:0");
    CHECK(app.port() == port);
}

TEST_CASE("an engine that never ran leaves nothing behind") {
    detail::warm_up();
    const Directory directory;
    Oracle oracle;
    {
        sake::Engine app(quiet());
        app.get("/x", [](Context&) {});
        app.listen("127.0.0.1:0");
        app.listen(directory.address);
        static_cast<void>(app.group("/g"));
    }
    CHECK(oracle.check_returned_to_baseline());
    CHECK_FALSE(exists(directory.socket));
}

TEST_CASE("every kind of address serves, all at once") {
    const Directory directory;
    const bool ipv6 = has_ipv6();
    std::array<int, 3> ports{};
    with_server(
        [&](sake::Engine& app) {
            say(app, "served");
            const auto port_of = [](const char* address) {
                sake::Engine probe;
                probe.listen(address);
                return probe.port();
            };
            app.listen("127.0.0.1:0").listen(directory.address);
            ports[0] = port_of("localhost:0");
            app.listen("localhost:" + std::to_string(ports[0]));
            ports[1] = port_of(":0");
            app.listen(":" + std::to_string(ports[1]));
            if (ipv6) ports[2] = port_of("[::1]:0");
            if (ipv6) app.listen("[::1]:" + std::to_string(ports[2]));
        },
        [&](TestServer& server) {
            CHECK(get_name(server.connect()) == "served");
            CHECK(get_name(RawClient::to_unix(directory.socket)) == "served");
            CHECK(get_name(RawClient(ports[1])) == "served");
            if (!ipv6) return;
            CHECK(get_name(RawClient::to_ipv6(ports[1])) == "served");
            CHECK(get_name(RawClient::to_ipv6(ports[2])) == "served");
            CHECK_THROWS(RawClient{ports[2]});
        });
}

TEST_CASE("a text that is no address throws and is named") {
    sake::Engine app(quiet());
    for (const char* bad :
         {"", "8080", "localhost", "127.0.0.1", ":", "localhost:", ":x", ":80x", ":+80", ":-1", ": 80",
          ":65536", ":99999999999999999999", "::1:80", "::1", "[::1]", "[::1:80", "[]:80", "1.2.3.4:80:90"}) {
        const std::string text = system_error_of([&] { app.listen(bad); });
        INFO(text);
        CHECK(contains(text, std::string("cannot listen on \"") + bad + "\""));
    }
    CHECK(app.port() == 0);
    CHECK_NOTHROW(app.listen("127.0.0.1:0"));
}

TEST_CASE("a port in use throws, names the address, and leaves the engine as it was") {
    sake::Engine first(quiet());
    first.listen("127.0.0.1:0");
    const std::string address = "127.0.0.1:" + std::to_string(first.port());
    sake::Engine second(quiet());
    const std::string text = system_error_of([&] { second.listen(address); });
    INFO(text);
    CHECK(text.starts_with(std::to_string(EADDRINUSE) + ": "));
    CHECK(contains(text, "cannot listen on " + address));
    CHECK(second.port() == 0);
    CHECK_NOTHROW(second.listen("127.0.0.1:0"));
}

TEST_CASE("an address of another machine throws and is named") {
    sake::Engine app(quiet());
    const std::string text = system_error_of([&] { app.listen("203.0.113.7:0"); });
    INFO(text);
    CHECK(contains(text, "cannot listen on 203.0.113.7:0"));
}

TEST_CASE("a Unix socket's file goes with the listener, a stale one is replaced") {
    const Directory directory;
    leave_stale_socket(directory.socket);
    REQUIRE(exists(directory.socket));
    with_server(
        [&](sake::Engine& app) {
            say(app, "unix");
            app.listen("127.0.0.1:0").listen(directory.address);
        },
        [&](TestServer& server) {
            CHECK(get_name(RawClient::to_unix(directory.socket)) == "unix");
            // One that is in use is not taken away from whoever uses it.
            sake::Engine other(quiet());
            const std::string text = system_error_of([&] { other.listen(directory.address); });
            CHECK(text.starts_with(std::to_string(EADDRINUSE) + ": cannot listen on " + directory.address));
            CHECK(get_name(RawClient::to_unix(directory.socket)) == "unix");
            CHECK(server.stop() == 0);
            CHECK_FALSE(exists(directory.socket));
        });
    sake::Engine again(quiet());
    again.listen(directory.address);
    CHECK(again.port() == 0);
    CHECK(exists(directory.socket));
}

TEST_CASE("a file that is no socket is left alone, and a path too long is refused") {
    const Directory directory;
    const int file = ::open(directory.socket.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(::write(file, "kept", 4) == 4);
    ::close(file);
    sake::Engine app(quiet());
    CHECK(contains(system_error_of([&] { app.listen(directory.address); }),
                   "cannot listen on " + directory.address));
    struct stat status{};
    REQUIRE(::stat(directory.socket.c_str(), &status) == 0);
    CHECK(status.st_size == 4);

    const std::string longest = directory.path + "/" + std::string(107 - directory.path.size() - 1, 'x');
    CHECK_NOTHROW(app.listen("unix:" + longest));
    CHECK(contains(system_error_of([&] { app.listen("unix:" + longest + "x"); }), longest + "x"));
    CHECK(contains(system_error_of([&] { app.listen("unix:"); }), "cannot listen on unix:"));
    CHECK(contains(system_error_of([&] { app.listen("unix:/nowhere/at/all"); }), "unix:/nowhere/at/all"));
    ::unlink(longest.c_str());
}

TEST_CASE("run without listen throws, and so does a port that is none") {
    sake::Engine app(quiet());
    CHECK_THROWS_AS(app.run(), std::logic_error);
    CHECK_THROWS_AS(app.run(-1), std::invalid_argument);
    CHECK_THROWS_AS(app.run(65'536), std::invalid_argument);
    CHECK_THROWS_AS(app.run(), std::logic_error);
}

TEST_CASE("run(address) that cannot listen logs why in one line, and returns 1") {
    std::vector<std::string> lines;
    sake::Engine first(quiet());
    first.listen("127.0.0.1:0");
    const std::string taken = "127.0.0.1:" + std::to_string(first.port());
    sake::Engine app({.handle_signals = false, .log = [&](sake::LogLevel level, std::string_view line) {
                          CHECK(level == sake::LogLevel::error);
                          lines.emplace_back(line);
                      }});
    CHECK(app.run(taken) == 1);
    CHECK(app.run(first.port()) == 1);
    CHECK(app.run("nonsense") == 1);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "cannot listen on " + taken + ": Address already in use");
    CHECK(contains(lines[1], "Address already in use"));
    CHECK(contains(lines[2], "cannot listen on \"nonsense\""));
    CHECK(app.port() == 0);
}

TEST_CASE("run(address) and run(port) listen, announce and serve") {
    const auto check = [](auto address, const char* beginning) {
        Announcement said;
        sake::Engine app({.handle_signals = false, .log = said.sink()});
        say(app, "run");
        int code = -1;
        std::thread thread([&] { code = app.run(address); });
        const std::string line = said.line.get_future().get();
        CHECK(line.starts_with(beginning));
        CHECK(port_in(line) == app.port());
        CHECK(get_name(RawClient(port_in(line))) == "run");
        app.stop();
        thread.join();
        CHECK(code == 0);
    };
    check("127.0.0.1:0", "listening on http://127.0.0.1:");
    check(0, "listening on http://localhost:");
}

TEST_CASE("stop in a handler lets it answer, and run returns 0") {
    const int code = with_server(
        [](sake::Engine& app) {
            app.get("/stop", [&app](Context& ctx) {
                app.stop();
                app.stop();
                ctx.text("stopping");
            });
            app.get("/later", [&app](Context& ctx) -> sake::Task<> {
                app.stop();
                co_await sake::yield();
                ctx.text("stopping later");
            });
        },
        [](TestServer& server) {
            const Response response = server.get("/stop");
            CHECK(response.body == "stopping");
            CHECK(server.wait() == 0);
            server.app().stop();
        });
    CHECK(code == 0);
    CHECK(with_server(
              [](sake::Engine& app) {
                  app.get("/later", [&app](Context& ctx) -> sake::Task<> {
                      app.stop();
                      co_await sake::yield();
                      ctx.text("stopping later");
                  });
              },
              [](TestServer& server) {
                  const Response response = server.get("/later");
                  CHECK(response.body == "stopping later");
                  CHECK(response.header("Connection") == "close");
                  CHECK(server.wait() == 0);
              }) == 0);
}

TEST_CASE("stop before run makes run return at once, and only that run") {
    sake::Engine app(quiet());
    say(app, "again");
    app.stop();
    app.listen("127.0.0.1:0");
    app.stop();
    CHECK(app.run() == 0);
    CHECK_THROWS_AS(app.run(), std::logic_error);
    app.listen("127.0.0.1:0");
    Run run(app);
    CHECK(get_name(RawClient(app.port())) == "again");
    CHECK(run.stop() == 0);
    app.stop();
    app.stop();
    CHECK(app.run("127.0.0.1:0") == 0);
}

TEST_CASE("an engine runs again after it stopped, with routes added in between") {
    detail::warm_up();
    Oracle oracle;
    {
        sake::Engine app(quiet());
        const allocations::Exempt test;
        app.get("/once", [n = 0](Context&) mutable { return std::to_string(++n); });
        for (int round = 1; round <= 5; ++round) {
            app.listen("127.0.0.1:0");
            Run run(app);
            CHECK(get(app.port(), "/once").body == std::to_string(round));
            CHECK(get(app.port(), "/round" + std::to_string(round - 1)).status == (round > 1 ? 200 : 404));
            CHECK(run.stop() == 0);
            app.get(sake::runtime("/round" + std::to_string(round)), [](Context& ctx) { ctx.text("added"); });
            app.use([](Context&) {});
        }
    }
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("an address that is listened on while the engine runs is served, and announced") {
    const Directory directory;
    std::mutex mutex;
    std::vector<std::string> lines;
    const auto log = [&](sake::LogLevel, std::string_view line) {
        const allocations::Exempt notes;
        const std::lock_guard lock(mutex);
        lines.emplace_back(line);
    };
    const auto announced = [&](const std::string& beginning) {
        const std::lock_guard lock(mutex);
        return std::count_if(lines.begin(), lines.end(),
                             [&](const std::string& each) { return each.starts_with(beginning); });
    };
    sake::Engine app({.handle_signals = false, .log = log});
    say(app, "added");
    app.get("/listen", [&](Context& ctx) {
        app.listen(directory.address);
        ctx.text("listening");
    });
    app.listen("127.0.0.1:0");
    const int port = app.port();
    Run run(app);
    CHECK(get_name(RawClient(port)) == "added");
    CHECK(announced("listening on http://127.0.0.1:") == 1);

    // By another thread.
    const auto free_port = [] {
        sake::Engine probe(quiet());
        probe.listen("127.0.0.1:0");
        return probe.port();
    };
    std::vector<int> others;
    for (int i = 0; i < 3; ++i) {
        others.push_back(free_port());
        app.listen("127.0.0.1:" + std::to_string(others.back()));
        CHECK(app.port() == port);  // of the first
    }
    for (const int other : others) CHECK(get_name(RawClient(other)) == "added");
    CHECK(announced("listening on http://127.0.0.1:") == 4);
    // By a handler.
    CHECK(get(port, "/listen").body == "listening");
    CHECK(get_name(RawClient::to_unix(directory.socket)) == "added");
    CHECK(announced("listening on unix:") == 1);
    // What cannot be listened on throws, and nothing else happens.
    const std::string taken = "127.0.0.1:" + std::to_string(port);
    CHECK(contains(system_error_of([&] { app.listen(taken); }), "cannot listen on " + taken));
    CHECK_THROWS_AS(app.run("127.0.0.1:0"), std::logic_error);
    CHECK(app.port() == port);
    CHECK(run.stop() == 0);
    CHECK_FALSE(exists(directory.socket));
    for (const int other : others) CHECK_THROWS(RawClient{other});
}

TEST_CASE("an address that is listened on when a stop has begun is for the next run") {
    sake::Engine app(quiet());
    say(app, "next");
    std::atomic<bool> is_open{false};
    std::atomic<int> started{0};
    app.get("/gate", [&](Context& ctx) -> sake::Task<> {
        ++started;
        while (!is_open) co_await sake::sleep(std::chrono::milliseconds(1));
        ctx.text("through");
    });
    app.listen("127.0.0.1:0");
    const int port = app.port();
    int next_port = 0;
    {
        Run run(app);
        RawClient client(port);
        client.send(get_request("/gate"));
        REQUIRE(eventually([&] { return started == 1; }));
        app.stop();
        REQUIRE(eventually([&] {
            try {
                static_cast<void>(RawClient(port));
                return false;
            } catch (const std::runtime_error&) {
                return true;
            }
        }));
        app.listen("127.0.0.1:0");
        CHECK(app.port() == port);
        is_open = true;
        CHECK(client.read_response().body == "through");
        CHECK(run.join() == 0);
    }
    next_port = app.port();
    CHECK(next_port != port);
    Run run(app);
    CHECK(get_name(RawClient(next_port)) == "next");
    CHECK(run.stop() == 0);
}

TEST_CASE("an address that is listened on while a TestClient runs the engine is for the next run") {
    sake::Engine app(quiet());
    say(app, "later");
    {
        sake::TestClient client(app);
        app.listen("127.0.0.1:0");
        CHECK(app.port() != 0);
        client.advance(std::chrono::seconds(1));
        CHECK(client.stop() == 0);
    }
    Run run(app);
    CHECK(get_name(RawClient(app.port())) == "later");
    CHECK(run.stop() == 0);
}

TEST_CASE("the file of a Unix socket has the mode of the configuration") {
    const Directory directory;
    const auto mode_of = [&](const sake::Config& config) {
        sake::Engine app(config);
        app.listen(directory.address);
        struct stat status{};
        REQUIRE(::stat(directory.socket.c_str(), &status) == 0);
        return static_cast<int>(status.st_mode & 0777);
    };
    CHECK(mode_of({}) == 0666);
    CHECK(mode_of({.unix_socket_mode = 0600}) == 0600);
}

TEST_CASE(
    "an address that cannot be served while the engine runs is an error in the log, and for the next run") {
    std::atomic<bool> is_told{false};
    sake::Engine app(
        {.handle_signals = false, .announce = false, .log = [&](sake::LogLevel level, std::string_view line) {
             if (level == sake::LogLevel::error && contains(std::string(line), "is not served"))
                 is_told = true;
         }});
    say(app, "again");
    app.listen("127.0.0.1:0");
    const int port = app.port();
    int code = -1;
    std::thread thread([&] {
        faults::apply_to_this_thread();
        code = app.run();
    });
    RawClient open(port);  // whose end would be a call of epoll_ctl, too
    CHECK(open.send(get_request("/name")).read_response().body == "again");
    {
        const ScopedFaults faults(FaultPlan().fail_nth("epoll_ctl", 1, ENOSPC));
        app.listen("127.0.0.1:0");
        CHECK(eventually([&] { return is_told.load(); }));
    }
    CHECK(get_name(RawClient(port)) == "again");
    app.stop();
    thread.join();
    CHECK(code == 0);
    CHECK(app.port() != port);
    Run run(app);
    CHECK(get_name(RawClient(app.port())) == "again");
    CHECK(run.stop() == 0);
}

TEST_CASE("children that were forked serve the listener of their parent, and leave its socket file to it") {
    const Directory directory;
    sake::Engine app(quiet());
    app.get("/stop", [&](Context& ctx) {
        app.stop();
        ctx.text("stopped");
    });
    app.listen(directory.address);
    for (int round = 0; round < 2; ++round) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::alarm(30);
            ::_exit(app.run());
        }
        RawClient client = RawClient::to_unix(directory.socket);
        CHECK(client.send(get_request("/stop")).read_response().body == "stopped");
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
        CHECK(exists(directory.socket));
    }
    Run run(app);
    CHECK(RawClient::to_unix(directory.socket).send(get_request("/stop")).read_response().body == "stopped");
    CHECK(run.join() == 0);
    CHECK_FALSE(exists(directory.socket));
}

TEST_CASE("an engine that runs is not run twice, nor changed") {
    with_server(
        [](sake::Engine& app) {
            sake::RouterGroup group = app.group("/g");
            app.get("/change", [&app, group](Context& ctx) mutable {
                int refused = 0;
                const auto attempt = [&](auto&& change) {
                    try {
                        change();
                    } catch (const std::logic_error&) {
                        ++refused;
                    }
                };
                attempt([&] { app.get("/new", [](Context&) {}); });
                attempt([&] { app.any("/new", [](Context&) {}); });
                attempt([&] { app.use([](Context&) {}); });
                attempt([&] { static_cast<void>(app.group("/new")); });
                attempt([&] { app.not_found([](Context&) {}); });
                attempt([&] { app.on_error([](Context&) {}); });
                attempt([&] { group.get("/new", [](Context&) {}); });
                attempt([&] { group.use([](Context&) {}); });
                attempt([&] { static_cast<void>(group.group("/new")); });
                attempt([&] { static_cast<void>(app.run()); });
                ctx.text(std::to_string(refused));
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/change").body == "10");
            CHECK_THROWS_AS(server.app().run(), std::logic_error);
            CHECK(server.get("/new").status == 404);
            CHECK(server.stop() == 0);
            CHECK_NOTHROW(server.app().get("/new", [](Context&) {}));
        });
}

TEST_CASE("a route is not changed while the engine serves, before and afterwards it is") {
    sake::Engine app(quiet());
    int used = 0;
    sake::Route& route =
        app.get("/route", [](Context& ctx) { ctx.text(ctx.in_worker_pool() ? "pool" : "loop"); });
    const auto refuses = [&] {
        CHECK_THROWS_AS(route.use([&](Context&) { ++used; }), std::logic_error);
        CHECK_THROWS_AS(route.worker(), std::logic_error);
        CHECK_THROWS_AS(route.worker(false), std::logic_error);
        CHECK_THROWS_AS(route.max_body(3), std::logic_error);
        CHECK(route.pattern() == "/route");
    };
    app.get("/change", [&](Context& ctx) {
        refuses();
        ctx.text("refused");
    });
    {
        sake::TestClient client(app);
        refuses();
        CHECK(client.get("/change").body == "refused");
        CHECK(client.get("/route").body == "loop");
        CHECK(used == 0);
    }
    route.use([&](Context&) { ++used; }).worker().max_body(3);
    sake::TestClient client(app);
    CHECK(client.get("/route").body == "pool");
    CHECK(used == 1);
    CHECK(client.request("GET", "/route", {}, "four").status == 413);
    CHECK(used == 2);  // for the fields of the refusal
}

TEST_CASE("several engines serve at once on one pool of threads, one after another") {
    detail::warm_up();
    Oracle oracle;
    {
        const allocations::Exempt test;
        constexpr int engine_count = 6;
        std::vector<std::unique_ptr<sake::Engine>> engines;
        for (int i = 0; i < engine_count; ++i) {
            engines.push_back(std::make_unique<sake::Engine>(quiet()));
            engines.back()->get("/name", [i](Context&) { return "engine " + std::to_string(i); });
            engines.back()->listen("127.0.0.1:0");
        }
        std::atomic<int> next = 0;
        std::atomic<int> clean = 0;
        std::vector<std::thread> pool;
        for (int i = 0; i < 2; ++i) {
            pool.emplace_back([&] {
                for (int mine = next++; mine < engine_count; mine = next++) {
                    if (engines[static_cast<std::size_t>(mine)]->run() == 0) ++clean;
                }
            });
        }
        // Two run at any time: both answer, by their own names, before either is stopped.
        for (std::size_t i = 0; i < engine_count; i += 2) {
            RawClient first(engines[i]->port());
            RawClient second(engines[i + 1]->port());
            for (int round = 0; round < 3; ++round) {
                for (RawClient* client : {&first, &second}) {
                    client->send("GET /name HTTP/1.1\r\nHost: t\r\n\r\n");
                }
                CHECK(first.read_response().body == "engine " + std::to_string(i));
                CHECK(second.read_response().body == "engine " + std::to_string(i + 1));
            }
            engines[i + 1]->stop();
            engines[i]->stop();
        }
        for (std::thread& thread : pool) thread.join();
        CHECK(clean == engine_count);
    }
    CHECK(oracle.check_returned_to_baseline());
}

TEST_CASE("connections that wait in the backlog before run are served") {
    sake::Engine app(quiet());
    say(app, "waited");
    app.listen("127.0.0.1:0");
    RawClient early(app.port());
    early.send("GET /name HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    Run run(app);
    CHECK(early.read_response().body == "waited");
}

TEST_CASE("an engine lists its routes in the order of their registration, and where that was") {
    sake::Engine app;
    CHECK(app.routes().empty());
    const int first = __LINE__ + 1;
    app.get("/users/:id", [](sake::Context&) {});
    app.any("/any/*rest", [](sake::Context&) {}).worker();
    sake::RouterGroup api = app.group("/api/:version/");
    app.route("PROPFIND", sake::runtime("/at/run/time"), [](sake::Context&) {});
    api.del("/:id", [](sake::Context&, int, int) {}).use([](sake::Context&) {});
    api.post("/", [](sake::Context&) {});
    app.use([](sake::Context&) {});
    app.not_found([](sake::Context&) {});
    CHECK_THROWS_AS(app.get("/users/:other", [](sake::Context&) {}), std::invalid_argument);

    const std::vector<sake::RouteInfo> routes = app.routes();
    struct Row {
        const char* method;
        const char* pattern;
        int line;
    };
    const Row rows[] = {{"GET", "/users/:id", first},
                        {"*", "/any/*rest", first + 1},
                        {"PROPFIND", "/at/run/time", first + 3},
                        {"DELETE", "/api/:version/:id", first + 4},
                        {"POST", "/api/:version", first + 5}};
    REQUIRE(routes.size() == std::size(rows));
    for (std::size_t i = 0; i < routes.size(); ++i) {
        CAPTURE(i);
        CHECK(routes[i].method == rows[i].method);
        CHECK(routes[i].pattern == rows[i].pattern);
        CHECK(routes[i].line == rows[i].line);
        CHECK(routes[i].file == __FILE__);
    }
}

TEST_CASE("what a program runs beside its requests is destroyed after its routes") {
    std::string order;
    struct Owner {
        std::string* order;
        const char* name;
        ~Owner() { *order += name; }
    };
    {
        sake::Engine app;
        app.get("/", [owner = std::make_shared<Owner>(&order, "route ")](sake::Context&) {});
        app.not_found([owner = std::make_shared<Owner>(&order, "fallback ")](sake::Context&) {});
        app.on_start([owner = std::make_shared<Owner>(&order, "hook ")] {});
        app.on_answered([owner = std::make_shared<Owner>(&order, "observer ")](const sake::Answered&) {});
    }
    CHECK(order == "fallback route hook observer ");
}

}  // namespace test_engine
