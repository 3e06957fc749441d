// logger: what its lines say, that no client can split them, and what becomes of lines that cannot be
// written.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"
#include "support/temporary_directory.hpp"

namespace test_middleware_logger {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Json;
using sake::TestClient;
using sake::http::Headers;
using sake::middleware::LogFormat;
using sake::middleware::Logger;
using sake::middleware::logger;
using sake::middleware::LoggerOptions;
namespace middleware = sake::middleware;

namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

/// What is logged of what `send(client)` asks for.
template <class Send>
std::vector<std::string> logged(LoggerOptions options, Send send) {
    std::string text;
    options.write = [&](std::string_view lines) { text += lines; };
    {
        Log log;
        sake::Engine app(log.config());
        app.use(logger(std::move(options)));
        app.get("/", [] { return "hello"; });
        app.get("/users/:id", [](Context& ctx) -> sake::Task<> {
            co_await sake::sleep(1500ms);
            ctx.text("user");
        });
        TestClient client(app);
        send(client);
    }
    return lines_of(text);
}

std::vector<std::string> logged_get(LogFormat format, std::string_view target, const Headers& headers = {}) {
    return logged({.format = format}, [&](TestClient& client) { client.get(target, headers); });
}

/// Stops the writer of a logger until it is opened.
class Gate {
  public:
    void pass() {
        std::unique_lock lock(mutex_);
        has_come_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
    }
    void wait_for_visitor() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return has_come_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool has_come_ = false;
    bool is_open_ = false;
};

}  // namespace

TEST_CASE("logger: the line of each format") {
    const Headers headers{{"User-Agent", "test/1"}, {"Referer", "http://a.example/"}};
    CHECK(
        logged_get(LogFormat::common, "/?a=b", headers) ==
        std::vector<std::string>{R"(127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /?a=b HTTP/1.1" 200 5)"});
    CHECK(logged_get(LogFormat::combined, "/", headers) ==
          std::vector<std::string>{R"(127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 )"
                                   R"("http://a.example/" "test/1")"});
    CHECK(logged_get(LogFormat::combined, "/") ==
          std::vector<std::string>{
              R"(127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-")"});
    CHECK(
        logged_get(LogFormat::json, "/users/7?x=1", headers) ==
        std::vector<std::string>{
            R"({"time":"2026-01-01T00:00:01.500Z","remote":"127.0.0.1","user":"","method":"GET",)"
            R"("target":"/users/7?x=1","route":"/users/:id","status":200,"bytes":4,"duration":1.500000,)"
            R"("cause":"handler","request_id":"","trace_id":"","user_agent":"test/1","referrer":"http://a.example/"})"});
}

TEST_CASE("logger: a target without its query, if that is asked for") {
    for (const LogFormat format : {LogFormat::common, LogFormat::json}) {
        const auto lines = logged({.format = format, .with_query = false},
                                  [](TestClient& client) { client.get("/?token=secret"); });
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find("secret") == std::string::npos);
        CHECK(lines[0].find('?') == std::string::npos);
    }
}

TEST_CASE("logger: a referrer without its query, if that is asked for") {
    for (const LogFormat format : {LogFormat::combined, LogFormat::json}) {
        for (const std::string rest : {"?token=secret", "#secret", "?a#secret", "#a?secret"}) {
            CAPTURE(rest);
            const Headers headers{{"Referer", "https://app.example/reset" + rest}};
            const auto send = [&](TestClient& client) { client.get("/", headers); };
            const auto without = logged({.format = format, .with_query = false}, send);
            REQUIRE(without.size() == 1);
            CHECK(without[0].find("\"https://app.example/reset\"") != std::string::npos);
            const auto with = logged({.format = format}, send);
            REQUIRE(with.size() == 1);
            CHECK(with[0].find("/reset" + rest + "\"") != std::string::npos);
        }
    }
}

TEST_CASE("logger: no control character of a client reaches a terminal") {
    const std::pair<std::string, std::string> cases[] = {
        {"a\xc2\x9b"
         "31m",
         "a\\u009b31m"},
        {"\xc2\x80\xc2\x85\xc2\x9f", "\\u0080\\u0085\\u009f"},
        {"\xe2\x80\xa8"
         "b\xe2\x80\xa9",
         "\\u2028b\\u2029"},
        {"\xc2\xa0\xc2\xbf\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8",
         "\xc2\xa0\xc2\xbf\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8"},
        {"\xc2\xe2\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xc2\x9b\\", "\\\"\\u009b\\\\"},
    };
    for (const auto& [sent, expected] : cases) {
        CAPTURE(expected);
        const auto lines = logged_get(LogFormat::json, "/", {{"User-Agent", sent}});
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find("\"user_agent\":\"" + expected + "\"") != std::string::npos);
        CHECK(Json::accept(lines[0]));
    }
}

TEST_CASE("logger: the id of the request is in the line, wherever the logger stands") {
    std::string text;
    std::string id;
    {
        sake::Engine app;
        app.use(logger({.format = LogFormat::json, .write = [&](std::string_view lines) { text += lines; }}));
        app.use(middleware::request_id());
        TestClient client(app);
        id = client.get("/").header("X-Request-Id");
    }
    CHECK(Json::parse(text)["request_id"] == id);
}

TEST_CASE("logger: the client that a proxy speaks for, and the user, are in the line") {
    for (const LogFormat format : {LogFormat::common, LogFormat::json}) {
        std::string text;
        {
            sake::Engine app;
            app.use(logger({.format = format, .write = [&](std::string_view lines) { text += lines; }}));
            app.use(middleware::trusted_proxies({"127.0.0.1"}));
            app.use(middleware::basic_auth("all", [](std::string_view, std::string_view) { return true; }));
            TestClient client(app);
            client.get("/", {{"X-Forwarded-For", "203.0.113.7"},
                             {"Authorization", "Basic " + sake::base64_encode("a \"n:password")}});
        }
        if (format == LogFormat::json) {
            CHECK(Json::parse(text)["remote"] == "203.0.113.7");
            CHECK(Json::parse(text)["user"] == "a \"n");
        } else {
            CHECK(text.starts_with("203.0.113.7 - a\\x20\\\"n [01/Jan"));
        }
        CHECK(text.find("password") == std::string::npos);
    }
}

TEST_CASE("logger: refusals have a line each") {
    std::string text;
    for_each_refusal(
        [&](sake::Engine& app) {
            app.use(
                logger({.format = LogFormat::json, .write = [&](std::string_view lines) { text += lines; }}));
        },
        [](const sake::TestResponse&) {});
    std::vector<int> statuses;
    for (const std::string& line : lines_of(text)) statuses.push_back(Json::parse(line)["status"]);
    CHECK(statuses == std::vector<int>{404, 405, 413, 503, 504, 400, 408, 431});
    CHECK(Json::parse(lines_of(text)[0])["route"] == "unmatched");
    CHECK(Json::parse(lines_of(text)[4])["cause"] == "timeout");
}

TEST_CASE("logger: hostile text neither ends a line nor a quoted text") {
    const std::string hostile = "a\"b\\c\td\xc3\xa9\xff\x80 - - \"GET / HTTP/1.1\" 200";
    const auto combined = logged_get(LogFormat::combined, "/", {{"User-Agent", hostile}});
    REQUIRE(combined.size() == 1);
    CHECK(combined[0].substr(combined[0].find("\"-\" ") + 4) ==
          "\"a\\\"b\\\\c\\x09d\\xc3\\xa9\\xff\\x80 - - \\\"GET / HTTP/1.1\\\" 200\"");
    const auto json = logged_get(LogFormat::json, "/", {{"User-Agent", hostile}, {"Referer", "\xff"}});
    REQUIRE(json.size() == 1);
    CHECK(Json::parse(json[0])["user_agent"] ==
          "a\"b\\c\td\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd - - \"GET / HTTP/1.1\" 200");
    CHECK(Json::parse(json[0])["referrer"] == "\xef\xbf\xbd");
    const auto raw = logged({.format = LogFormat::json}, [](TestClient& client) {
        sake::TestConnection connection = client.connect();
        connection.send("GE\"T /a%0ab\"{} HTTP/1.1\r\nHost: t\r\nUser-Agent: a\nb\r\n\r\n");
        static_cast<void>(connection.receive_all());
    });
    for (const std::string& line : raw) CHECK(Json::parse(line)["status"] == 400);
}

TEST_CASE("logger: long texts are cut") {
    for (const std::size_t size : {2047U, 2048U, 2049U, 6000U}) {
        const auto lines = logged_get(LogFormat::json, "/?" + std::string(size - 2, 'q'),
                                      {{"User-Agent", std::string(size, 'u')}});
        REQUIRE(lines.size() == 1);
        const std::size_t logged_size = std::min<std::size_t>(size, 2048);
        CHECK(Json::parse(lines[0])["user_agent"].get<std::string>().size() == logged_size);
        CHECK(Json::parse(lines[0])["target"].get<std::string>().size() == logged_size);
    }
}

TEST_CASE("logger: a writer that stands still costs lines, and nothing else") {
    Gate gate;
    std::string text;
    std::size_t fitting = 0;
    std::optional<Logger> log(logger({.format = LogFormat::common,
                                      .write =
                                          [&](std::string_view lines) {
                                              gate.pass();
                                              text += lines;
                                          },
                                      .max_queued = 65536}));
    {
        sake::Engine app;
        app.use(*log);
        app.get("/", [] { return "hello"; });
        TestClient client(app);
        client.get("/");
        gate.wait_for_visitor();
        const std::size_t line =
            std::string_view(R"(127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5)").size() +
            1;
        fitting = 65536 / line;
        for (std::size_t i = 0; i < fitting; ++i) CHECK(client.get("/").status == 200);
        CHECK(log->dropped() == 0);
        for (int i = 0; i < 3; ++i) CHECK(client.get("/").status == 200);
        CHECK(log->dropped() == 3);
        gate.open();
        log.reset();
    }
    const auto lines = lines_of(text);
    CHECK(lines.size() == fitting + 1);
    for (const std::string& line : lines) CHECK(line.ends_with("200 5"));
}

TEST_CASE("logger: a function that throws loses lines, and they are counted") {
    const Logger log = logger({.write = [](std::string_view) { throw std::runtime_error("no"); }});
    sake::Engine app;
    app.use(log);
    TestClient client(app);
    client.get("/");
    client.get("/");
    while (log.dropped() < 2) std::this_thread::yield();
    CHECK(log.dropped() == 2);
}

TEST_CASE("logger: lines are appended to a file, and a new one is made when it is renamed") {
    const TemporaryDirectory directory;
    directory.write("access.log", "before\n");
    const std::string path = directory.path("access.log");
    {
        sake::Engine app;
        app.use(logger({.path = path}));
        TestClient client(app);
        client.get("/one");
        while (std::filesystem::file_size(path) == 7) std::this_thread::yield();
        std::filesystem::rename(path, directory.path("access.log.1"));
        client.get("/two");
    }
    const auto read = [&](const char* name) {
        std::ifstream file(directory.path(name));
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const auto old = lines_of(read("access.log.1"));
    REQUIRE(old.size() == 2);
    CHECK(old[0] == "before");
    CHECK(old[1].find("/one") != std::string::npos);
    const auto now = lines_of(read("access.log"));
    REQUIRE(now.size() == 1);
    CHECK(now[0].find("/two") != std::string::npos);
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07) == 0);  // addresses are nobody else's business
}

TEST_CASE("logger: a file that cannot be opened is named") {
    CHECK_THROWS_AS(static_cast<void>(logger({.path = "/nowhere/access.log"})), std::system_error);
    const std::string words = thrown_by([] { static_cast<void>(logger({.path = "/nowhere/access.log"})); });
    CHECK(words.find("/nowhere/access.log") != std::string::npos);
}

#if defined(__linux__)
TEST_CASE("logger: a full disk costs lines, and the server goes on") {
    const Logger log = logger({.path = "/dev/full"});
    sake::Engine app;
    app.use(log);
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    for (int i = 0; i < 10; ++i) CHECK(client.get("/").status == 200);
    while (log.dropped() < 10) std::this_thread::yield();
    CHECK(log.dropped() == 10);
}
#endif

TEST_CASE("logger: a reader of a pipe that leaves costs lines, and no signal ends the program") {
    const TemporaryDirectory directory;
    const std::string path = directory.path("pipe");
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK_THROWS_AS(static_cast<void>(logger({.path = path})), std::system_error);  // nobody reads
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    const Logger log = logger({.path = path});
    ::close(reader);
    sake::Engine app;
    app.use(log);
    TestClient client(app);
    client.get("/");
    while (log.dropped() < 1) std::this_thread::yield();
    CHECK(log.dropped() == 1);
}

TEST_CASE("logger: options that make no sense are refused") {
    const auto refuses = [](const LoggerOptions& options) {
        CHECK_THROWS_AS(static_cast<void>(logger(options)), std::invalid_argument);
    };
    refuses({.max_queued = 65535});
    refuses({.max_queued = 0});
    refuses({.path = "/dev/null", .write = [](std::string_view) {}});
    static_cast<void>(logger({.max_queued = 65536}));
    static_cast<void>(logger({.max_queued = 65537}));
}

}  // namespace test_middleware_logger
