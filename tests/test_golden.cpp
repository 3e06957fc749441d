// The server on the wire, frozen: every exchange of tests/golden is replayed against a server of its own, and
// every byte of the answers is compared with the recorded one. What the files look like, and how they are
// recorded anew, is in tests/golden/README.md.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sake.hpp"
#include "support/golden.hpp"
#include "support/raw_client.hpp"
#include "support/reliability.hpp"
#include "support/server_fixture.hpp"

namespace test_golden {

using namespace harness;

namespace {

// ---- the applications

/// Holds the handlers of /gate and /hold until the exchange is over.
struct Gate {
    std::atomic<int> started{0};
    std::atomic<bool> is_open{false};

    void open() {
        is_open = true;
        is_open.notify_all();
    }
};

void add_bodies(sake::Engine& app) {
    app.get("/", [](sake::Context& ctx) { ctx.text("hello"); });
    app.get("/nothing", [](sake::Context&) {});
    app.get("/html", [](sake::Context& ctx) { ctx.html("<p>hello</p>"); });
    app.get("/bytes",
            [](sake::Context& ctx) { ctx.send(std::string_view("\x89PNG\r\n\0\xFF", 8), "image/png"); });
    app.get("/json", [](sake::Context& ctx) {
        ctx.json({{"text", "a \"quoted\" line\n"}, {"number", 1.5}, {"list", {1, 2, 3}}, {"none", nullptr}});
    });
    app.post("/json", [](sake::Context& ctx) {
        const sake::Json body = ctx.bind();
        ctx.json(201, {{"got", body}});
    });
    app.get("/latin", [](sake::Context& ctx) { ctx.json({{"text", "caf\xE9"}}); });
    app.get("/string", [](sake::Context&) { return std::string("a string"); });
    app.get("/literal", [](sake::Context&) { return "a literal"; });
    app.get("/value", [](sake::Context&) { return sake::Json{{"a", 1}, {"b", {true, false}}}; });
    app.get("/later/string", [](sake::Context&) -> sake::Task<std::string> {
        co_await sake::yield();
        co_return "a string, later";
    });
    app.get("/later/value", [](sake::Context&) -> sake::Task<sake::Json> {
        co_await sake::yield();
        sake::Json value = {{"later", true}};
        co_return value;
    });
    app.post("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.put("/echo", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.del("/echo", [](sake::Context& ctx) { ctx.no_content(); });
    app.post("/later/echo", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text(ctx.body());
    });
    app.post("/small", [](sake::Context& ctx) { ctx.text(ctx.body()); }).max_body(8);
    app.get("/large/:size", [](sake::Context& ctx, std::size_t size) {
        const std::size_t third = size / 3;
        ctx.text(std::string(third, 'a') + std::string(third, 'b') + std::string(size - 2 * third, 'c'));
    });
}

void add_statuses(sake::Engine& app) {
    app.get("/status/:code", [](sake::Context& ctx, int code) { ctx.status(code).text("a body"); });
    app.get("/no-content", [](sake::Context& ctx) { ctx.text("dropped").no_content(); });
    app.get("/old", [](sake::Context& ctx) { ctx.redirect("/"); });
    app.get("/moved", [](sake::Context& ctx) { ctx.redirect("/a place?q=\xC3\xBC&r=%20", 308); });
    app.get("/not-a-redirect", [](sake::Context& ctx) { ctx.redirect("/", 304); });
    app.get("/fields", [](sake::Context& ctx) {
        ctx.set_header("X-One", "1")
            .set_header("x-one", "2")
            .add_header("X-Two", "a")
            .add_header("X-Two", "b");
        ctx.set_header("Cache-Control", "no-store").text("fields");
    });
    app.get("/typed", [](sake::Context& ctx) { ctx.text("a,b\r\n").set_header("Content-Type", "text/csv"); });
    app.get("/bad-field", [](sake::Context& ctx) { ctx.set_header("X-Bad", "a\r\nX-Injected: b"); });
    app.get("/framing-field", [](sake::Context& ctx) { ctx.set_header("Content-Length", "7"); });
    app.get("/close", [](sake::Context& ctx) { ctx.set_header("Connection", "close").text("the last"); });
}

void add_requests(sake::Engine& app) {
    app.any("/about/*rest", [](sake::Context& ctx) {
        std::string text;
        text.append(ctx.method()).append(" ").append(ctx.target());
        text.append("\nhost: ").append(ctx.host()).append("\npath: ").append(ctx.path());
        text.append("\nrest: ").append(ctx.param("rest")).append("\nquery: ").append(ctx.query_string());
        text.append("\nfrom: ").append(ctx.remote_address()).append("\n");
        for (const auto& [name, value] : ctx.headers()) {
            text.append(name).append("=").append(value).append("\n");
        }
        ctx.text(text);
    });
    app.get("/search", [](sake::Context& ctx) {
        std::string text(ctx.query("q", "(nothing)"));
        text.append(" ").append(std::to_string(ctx.query<int>("count", 7)));
        text.append(ctx.query<bool>("all", false) ? " all" : " some");
        ctx.text(text);
    });
    app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.text("user " + std::to_string(id)); });
    app.get("/users/me", [](sake::Context& ctx) { ctx.text("me"); });
    app.get("/users/:id/notes/:note", [](sake::Context& ctx, unsigned id, std::string note) {
        ctx.json({{"id", id}, {"note", note}});
    });
    app.get("/price/:amount/:paid", [](sake::Context& ctx, double amount, bool paid) {
        ctx.json({{"amount", amount}, {"paid", paid}});
    });
    app.get("/hello/:name", [](sake::Context& ctx) { ctx.text(ctx.param("name")); });
    app.get("/cookies", [](sake::Context& ctx) {
        std::string text("a=");
        text.append(ctx.cookie("a")).append(" b=").append(ctx.cookie("b"));
        ctx.text(text);
    });
    app.post("/login", [](sake::Context& ctx) {
        ctx.set_cookie({.name = "session", .value = "abc", .max_age = std::chrono::seconds(60)});
        ctx.set_cookie({.name = "theme",
                        .value = "dark",
                        .path = "/app",
                        .domain = "example.org",
                        .http_only = false,
                        .secure = true,
                        .same_site = sake::http::SameSite::none});
        ctx.text("welcome");
    });
    app.any("/any", [](sake::Context& ctx) { ctx.text(ctx.method()); });
    app.get("/any", [](sake::Context& ctx) { ctx.text("its own GET"); });
    app.route("PROPFIND", "/dav", [](sake::Context& ctx) { ctx.status(207).text("properties"); });
    app.patch("/dav", [](sake::Context& ctx) { ctx.text("patched"); });
    app.options("/asked", [](sake::Context& ctx) { ctx.text("its own OPTIONS"); });
    app.get("/headed", [](sake::Context& ctx) { ctx.text("GET"); });
    app.head("/headed", [](sake::Context& ctx) { ctx.set_header("X-Own", "HEAD").text("longer than GET"); });
}

void add_errors(sake::Engine& app) {
    app.get("/missing", [](sake::Context&) { throw sake::HttpError(404, "no such \"thing\""); });
    app.get("/teapot", [](sake::Context&) { throw sake::HttpError(418); });
    app.get("/failure", [](sake::Context& ctx) {
        ctx.set_header("X-Kept", "yes").set_header("ETag", "\"gone\"").text("half an answer");
        throw std::runtime_error("a secret");
    });
    app.get("/number", [](sake::Context&) { throw 7; });
    app.get("/no-memory", [](sake::Context&) { throw std::bad_alloc(); });
    app.get("/bad-status", [](sake::Context& ctx) { ctx.status(99); });
    app.get("/no-such-param", [](sake::Context& ctx) { ctx.text(ctx.param("x")); });
    app.get("/later/failure", [](sake::Context&) -> sake::Task<> {
        co_await sake::yield();
        throw std::runtime_error("a secret");
    });
    app.get("/later/missing", [](sake::Context&) -> sake::Task<> {
        co_await sake::yield();
        throw sake::HttpError(410, "it was here");
    });
}

void add_groups(sake::Engine& app) {
    auto api = app.group("/api");
    api.use([](sake::Context& ctx) { ctx.set_header("X-Api", "plain").set("user", ctx.header("X-User")); });
    api.use([](sake::Context& ctx) -> sake::Task<> {
        ctx.add_header("X-Onion", "before");
        co_await ctx.next();
        ctx.add_header("X-Onion", ctx.error() ? "after an error" : "after");
    });
    api.get("/", [](sake::Context& ctx) { ctx.text("the api itself"); });
    api.get("/who", [](sake::Context& ctx) { ctx.json({{"user", ctx.get("user")}}); });
    api.get("/failure", [](sake::Context&) { throw std::runtime_error("a secret"); });
    api.get("/worker",
            [](sake::Context& ctx) {
                ctx.add_header("X-Worker", ctx.in_worker_pool() ? "yes" : "no");
                ctx.json({{"user", ctx.get("user")}});
            })
        .worker();

    auto admin = api.group("/admin");
    admin.use([](sake::Context& ctx) {
        if (ctx.header("Authorization") == "Bearer secret") return;
        ctx.json(401, {{"error", "who are you?"}});
        ctx.set_header("WWW-Authenticate", "Bearer");
        ctx.abort();
    });
    admin.get("/", [](sake::Context& ctx) { ctx.text("the admin's"); });

    auto plain = app.group("/plain");
    plain.use([](sake::Context& ctx) { ctx.add_header("X-Order", "1"); });
    plain.use([](sake::Context& ctx) {
        ctx.add_header("X-Order", "2");
        if (ctx.header("X-Stop") == "yes") ctx.status(403).text("stopped").abort();
        if (ctx.header("X-Throw") == "yes") throw sake::HttpError(429, "slow down");
    });
    plain.get("/:name", [](sake::Context& ctx) { ctx.add_header("X-Order", "3").text(ctx.param("name")); });
}

void add_waiting(sake::Engine& app, Gate& gate) {
    app.get("/later", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text("later");
    });
    app.get("/never", [&gate](sake::Context&) -> sake::Task<> {
        ++gate.started;
        co_await sake::sleep(std::chrono::hours(1));
    });
    app.any("/gate", [&gate](sake::Context& ctx) -> sake::Task<> {
        ++gate.started;
        while (!gate.is_open) co_await sake::sleep(1ms);
        ctx.text("through");
    });
    app.get("/hold",
            [&gate](sake::Context& ctx) {
                ++gate.started;
                gate.is_open.wait(false);
                ctx.text("released");
            })
        .worker();
}

void add_workers(sake::Engine& app) {
    app.get("/worker", [](sake::Context& ctx) { ctx.text(ctx.in_worker_pool() ? "in the pool" : "here"); })
        .worker();
    app.get("/worker/later",
            [](sake::Context&) -> sake::Task<sake::Json> {
                co_await sake::yield();
                sake::Json value = {{"from", "a coroutine in a worker"}};
                co_return value;
            })
        .worker();
    app.post("/worker", [](sake::Context& ctx) { ctx.send(ctx.body(), "application/octet-stream"); })
        .worker();
    app.get("/worker/users/:id",
            [](sake::Context& ctx, int id) {
                std::string text("user ");
                text.append(std::to_string(id)).append(" ").append(ctx.query("q", "(nothing)"));
                ctx.set_cookie({.name = "seen", .value = "1"}).text(text);
            })
        .worker();
    app.get("/worker/failure", [](sake::Context&) { throw std::runtime_error("a secret"); }).worker();
    app.get("/worker/missing", [](sake::Context&) { throw sake::HttpError(404, "not in the pool"); })
        .worker();
    app.get("/worker/nothing", [](sake::Context& ctx) { ctx.no_content(); }).worker();
    app.get("/worker/moved", [](sake::Context& ctx) { ctx.redirect("/", 303); }).worker();
    app.get("/worker/close",
            [](sake::Context& ctx) { ctx.set_header("Connection", "close").text("the last"); })
        .worker();
    app.get("/worker/large", [](sake::Context& ctx) { ctx.text(std::string(30'000, 'w')); }).worker();
}

void add_routes(sake::Engine& app, Gate& gate) {
    add_bodies(app);
    add_statuses(app);
    add_requests(app);
    add_errors(app);
    add_groups(app);
    add_waiting(app, gate);
    add_workers(app);
}

/// Middleware on the engine, and error answers of its own.
void customize(sake::Engine& app) {
    app.use([](sake::Context& ctx) { ctx.set_header("X-Engine", "yes"); });
    app.not_found([](sake::Context& ctx) { ctx.text("nothing at " + std::string(ctx.path())); });
    app.on_error([](sake::Context& ctx, const std::exception& error) {
        ctx.set_header("X-Failed", "yes");
        if (std::string_view(error.what()) == "a secret") ctx.html("<h1>It is us</h1>");
        if (ctx.path() == "/teapot") ctx.status(200).text("tea");
    });
}

/// The same with coroutines.
void customize_with_coroutines(sake::Engine& app) {
    app.use([](sake::Context& ctx) -> sake::Task<> {
        co_await ctx.next();
        ctx.set_header("X-Engine", "after");
    });
    app.not_found([](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.status(410).text("nothing there any more");
    });
}

// ---- replaying

bool is_recording() {
    const char* const mode = std::getenv("SAKE_GOLDEN");
    return mode != nullptr && std::string_view(mode) == "record";
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw std::runtime_error("config: '" + std::string(text) + "' is not a number");
    }
    return value;
}

void set(sake::Config& config, std::string_view name, std::string_view value) {
    const auto time = [&] { return std::chrono::milliseconds(number<int>(value)); };
    const auto size = [&] { return number<std::size_t>(value); };
    if (name == "header_timeout") return void(config.header_timeout = time());
    if (name == "read_timeout") return void(config.read_timeout = time());
    if (name == "request_timeout") return void(config.request_timeout = time());
    if (name == "keep_alive_timeout") return void(config.keep_alive_timeout = time());
    if (name == "shutdown_grace") return void(config.shutdown_grace = time());
    if (name == "half_close_window") return void(config.half_close_window = time());
    if (name == "max_request_line") return void(config.max_request_line = size());
    if (name == "max_header_block") return void(config.max_header_block = size());
    if (name == "max_header_count") return void(config.max_header_count = number<int>(value));
    if (name == "max_body") return void(config.max_body = size());
    if (name == "max_chunk_extensions") return void(config.max_chunk_extensions = size());
    if (name == "max_trailers") return void(config.max_trailers = size());
    if (name == "max_json_depth") return void(config.max_json_depth = number<int>(value));
    if (name == "max_buffered") return void(config.max_buffered = size());
    if (name == "worker_queue_limit") return void(config.worker_queue_limit = number<int>(value));
    if (name == "enable_worker_pool") return void(config.enable_worker_pool = value == "true");
    throw std::runtime_error("config: there is no setting '" + std::string(name) + "' here");
}

sake::Config config_of(const golden::Exchange& exchange) {
    sake::Config config = quiet_config().with_worker_pool_size(1);
    for (const auto& [name, value] : exchange.settings) set(config, name, value);
    return config;
}

/// The client of one exchange.
class Player {
  public:
    Player(const golden::Exchange& exchange, TestServer& server, Gate& gate)
        : exchange_(exchange), server_(server), gate_(gate), client_(server.connect()) {}

    /// Goes through the exchange, up to the first answer that differs unless it records. Throws
    /// std::runtime_error where the script itself fails.
    void play() {
        for (const golden::Step& step : exchange_.steps) {
            switch (step.kind) {
                case golden::Step::Kind::send:
                    client_.send(step.bytes);
                    std::this_thread::yield();  // gives the server the chance to see this piece alone
                    break;
                case golden::Step::Kind::half_close:
                    client_.shutdown_write();
                    break;
                case golden::Step::Kind::act:
                    act(step.bytes);
                    break;
                case golden::Step::Kind::receive:
                    answers_.push_back(is_recording() ? receive_until_silence() : receive(step.bytes));
                    if (!is_recording() && answers_.back() != step.bytes) {
                        difference_ = golden::difference(step.bytes, answers_.back());
                        return;
                    }
            }
        }
        end_ = find_end();
        if (!is_recording() && end_ != exchange_.end) {
            difference_ = "  the connection is " + end_ + ", recorded as " + exchange_.end + "\n";
        }
    }

    [[nodiscard]] const std::vector<std::string>& answers() const { return answers_; }
    [[nodiscard]] const std::string& end() const { return end_; }
    /// Empty if the exchange went as recorded.
    [[nodiscard]] const std::string& difference() const { return difference_; }

  private:
    void act(std::string_view name) {
        if (name == "fill") {
            occupy(get_request("/hold"));
        } else if (name == "load") {
            occupy(post_request("/gate", std::string(60'000, 'x')));
        } else if (name == "stop") {
            RawClient idle = server_.connect();
            idle.send(get_request("/_ping")).read_response();
            wait_for_handler();
            server_.app().stop();
            if (!idle.expect_closed()) throw std::runtime_error("the stop did not begin");
            gate_.open();
        } else {
            throw std::runtime_error("do: '" + std::string(name) + "' is unknown");
        }
    }
    /// Another client sends this, and its handler is at work until the exchange is over.
    void occupy(const std::string& request) {
        others_.push_back(server_.connect());
        others_.back().send(request);
        wait_for_handler();
    }
    void wait_for_handler() {
        if (!eventually([&] { return gate_.started > 0; })) throw std::runtime_error("no handler began");
    }

    /// As many bytes as are expected; fewer if the connection ends. More than that, for the report, if they
    /// are not the expected ones.
    std::string receive(std::string_view expected) {
        std::string got;
        while (got.size() < expected.size()) {
            try {
                const std::string piece = client_.read_some(expected.size() - got.size());
                if (piece.empty()) break;
                got += piece;
            } catch (const std::runtime_error&) {  // the deadline, or a reset
                break;
            }
        }
        golden::fix_dates(got);
        if (got != expected) got += receive_until_silence();
        return got;
    }

    // For records and reports; a comparison that succeeds never waits for silence.
    std::string receive_until_silence() {
        std::string got;
        client_.set_deadline(300ms);
        try {
            for (std::string piece = client_.read_some(65'536); !piece.empty();
                 piece = client_.read_some(65'536)) {
                got += piece;
            }
        } catch (const std::runtime_error&) {
        }
        client_.set_deadline(5s);
        golden::fix_dates(got);
        return got;
    }

    /// "open" if the connection answers one more request and sends nothing else.
    std::string find_end() {
        if (is_recording() && client_.expect_silence(300ms)) return ping();
        if (!is_recording() && exchange_.end == "open") return ping();
        if (client_.expect_closed()) return client_.was_reset() ? "reset" : "closed";
        std::string found = "not closed";
        for (const std::string& line : golden::escape(receive_until_silence())) found += "\n  + " + line;
        return found;
    }

    std::string ping() {
        try {
            const Response answer = client_.send(get_request("/_ping")).read_response();
            const bool is_pong = answer.status == 200 && answer.body == "pong";
            return is_pong ? "open" : "open, and there is more: " + answer.body;
        } catch (const std::runtime_error& error) {
            return std::string("not open: ") + error.what();
        }
    }

    const golden::Exchange& exchange_;
    TestServer& server_;
    Gate& gate_;
    RawClient client_;
    std::vector<RawClient> others_;
    std::vector<std::string> answers_;
    std::string end_;
    std::string difference_;
};

/// Plays one exchange against a server of its own, and compares or records.
void replay(golden::File& file, std::size_t index) {
    const golden::Exchange& exchange = file.exchanges()[index];
    const std::string title = file.place(exchange) + " \"" + exchange.name + "\"";
    INFO(title);
    Gate gate;
    with_server(
        [&](sake::Engine& app) {
            if (exchange.app == "custom") customize(app);
            if (exchange.app == "coroutine") customize_with_coroutines(app);
            add_routes(app, gate);
        },
        [&](TestServer& server) {
            try {
                Player player(exchange, server, gate);
                player.play();
                if (is_recording()) {
                    const bool is_known = player.end() == "open" || player.end() == "closed";
                    REQUIRE_MESSAGE(is_known, title, ": the connection is ", player.end());
                    file.record(index, player.answers(), player.end());
                }
                CHECK_MESSAGE(player.difference().empty(), title, " differs:\n", player.difference());
            } catch (const std::runtime_error& error) {
                FAIL_CHECK(title, ": ", error.what());
            }
            const bool stopped =
                std::any_of(exchange.steps.begin(), exchange.steps.end(), [](const auto& each) {
                    return each.kind == golden::Step::Kind::act && each.bytes == "stop";
                });
            gate.open();
            if (stopped) server.wait();
        },
        config_of(exchange));
}

}  // namespace

TEST_CASE("every exchange that was recorded goes as it went, byte by byte") {
    const std::filesystem::path folder = std::filesystem::path(__FILE__).parent_path() / "golden";
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".txt") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::size_t count = 0;
    for (const std::filesystem::path& path : paths) {
        golden::File file(path);
        for (std::size_t i = 0; i < file.exchanges().size(); ++i) replay(file, i);
        count += file.exchanges().size();
        if (is_recording()) file.save();
    }
    MESSAGE(count << " exchanges");
    CHECK(count >= 60);
}

TEST_CASE("bytes survive the way into a golden file and back") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    for (const std::string& bytes :
         {all, std::string(), std::string(100, 'x'), std::string(100, '}'), std::string(50, '\n'),
          std::string("HTTP/1.1 200 OK\r\nA: b \r\n\r\n "), std::string("\\{3*x}")}) {
        std::string back;
        for (const std::string& line : golden::escape(bytes)) {
            CHECK_FALSE(line.ends_with(' '));
            back += golden::unescape(line);
        }
        CHECK(back == bytes);
    }
    CHECK(golden::unescape("\\{3*a\\x41\\r}") == "aA\raA\raA\r");
    for (const char* bad : {"\\", "\\q", "\\x4", "\\xzz", "\\{3}", "\\{3*x", "\\{x*3}"}) {
        CHECK_THROWS_AS(static_cast<void>(golden::unescape(bad)), std::runtime_error);
    }
}

TEST_CASE("a date is fixed only where it is one, and a difference names the lines") {
    std::string answer = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nDate: today\r\n";
    golden::fix_dates(answer);
    CHECK(answer == "HTTP/1.1 200 OK\r\nDate: Day, 00 Mon 0000 00:00:00 GMT\r\n\r\nDate: today\r\n");
    CHECK(golden::difference("a\nb\nc\n", "a\nb\nc\n").empty());
    CHECK(golden::difference("a\nb\nc\n", "a\nx\ny\nc\n") ==
          "    a\\n\n  - b\\n\n  + x\\n\n  + y\\n\n    c\\n\n");
}

}  // namespace test_golden
