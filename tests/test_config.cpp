#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "sake.hpp"

namespace test_config {

using namespace std::chrono_literals;
using sake::Config;

namespace {

/// What an engine with this configuration throws.
std::string refusal(const Config& config) {
    try {
        const sake::Engine app(config);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "(taken)";
}

/// A size that was negative before it became unsigned, and the largest.
constexpr auto negative = static_cast<std::size_t>(-2);
constexpr auto largest = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("the defaults are those that are promised") {
    const Config config;
    CHECK(config.worker_pool_size == 0);
    CHECK(config.enable_worker_pool);
    CHECK(config.worker_queue_limit == 256);
    CHECK(config.worker_queue_timeout == 5s);
    CHECK(config.max_connections == 0);
    CHECK(config.listen_backlog == 4096);
    CHECK(config.unix_socket_mode == 0666);
    CHECK(config.keep_alive_timeout == 75s);
    CHECK(config.header_timeout == 10s);
    CHECK(config.request_timeout == 30s);
    CHECK(config.write_timeout == 30s);
    CHECK(config.rate_grace == 5s);
    CHECK(config.minimum_rate == 240);
    CHECK(config.event_keep_alive == 15s);
    CHECK(config.shutdown_grace == 30s);
    CHECK(config.end_streams_at_stop);
    CHECK(config.max_request_line == 8 * 1024);
    CHECK(config.max_header_block == 16 * 1024);
    CHECK(config.max_header_count == 100);
    CHECK(config.max_body == 1024 * 1024);
    CHECK(config.max_chunk_extensions == 16 * 1024);
    CHECK(config.max_trailers == 4 * 1024);
    CHECK(config.max_json_depth == 64);
    CHECK(config.max_json_values == 250'000);
    CHECK(config.max_form_parts == 1000);
    CHECK(config.max_form_files == 100);
    CHECK(config.max_form_field == 64 * 1024);
    CHECK(config.max_form_pairs == 10'000);
    CHECK(config.form_memory == 256 * 1024);
    CHECK(config.temporary_directory.empty());
    CHECK(config.output_soft_limit == 64 * 1024);
    CHECK(config.poller == sake::PollerKind::automatic);
    CHECK(config.raise_file_limit);
    CHECK(config.handle_signals);
    CHECK(config.announce);
    CHECK(refusal(config) == "(taken)");
    CHECK(refusal(Config::with_defaults()) == "(taken)");
}

TEST_CASE("a configuration is an aggregate, so designated initialisers work") {
    const Config config{.enable_worker_pool = false, .max_connections = 12, .request_timeout = 2s};
    CHECK_FALSE(config.enable_worker_pool);
    CHECK(config.max_connections == 12);
    CHECK(config.request_timeout == 2s);
    CHECK(config.worker_queue_limit == 256);
    const sake::Engine app({.max_body = 77});
    CHECK(app.config().max_body == 77);
}

TEST_CASE("every setter sets its field and chains") {
    int lines = 0;
    Config config = Config::with_defaults()
                        .with_worker_pool(false)
                        .with_worker_pool_size(1)
                        .with_worker_queue_limit(2)
                        .with_worker_queue_timeout(3ms)
                        .with_max_connections(4)
                        .with_listen_backlog(5)
                        .with_unix_socket_mode(0640)
                        .with_keep_alive_timeout(6ms)
                        .with_header_timeout(7ms)
                        .with_request_timeout(8ms)
                        .with_read_timeout(22ms)
                        .with_write_timeout(9ms)
                        .with_rate_grace(10ms)
                        .with_minimum_rate(11)
                        .with_half_close_window(12ms)
                        .with_event_keep_alive(24ms)
                        .with_shutdown_grace(13ms)
                        .with_end_streams_at_stop(false)
                        .with_max_request_line(14)
                        .with_max_header_block(15)
                        .with_max_header_count(16)
                        .with_max_body(17)
                        .with_max_chunk_extensions(18)
                        .with_max_trailers(19)
                        .with_max_json_depth(20)
                        .with_max_json_values(23)
                        .with_max_form_parts(24)
                        .with_max_form_files(25)
                        .with_max_form_field(26)
                        .with_max_form_pairs(27)
                        .with_form_memory(28)
                        .with_temporary_directory("/29")
                        .with_output_soft_limit(21)
                        .with_poller(sake::PollerKind::poll)
                        .with_raise_file_limit(false)
                        .with_signals(false)
                        .with_announce(false)
                        .with_log([&](sake::LogLevel, std::string_view) { ++lines; });
    CHECK_FALSE(config.enable_worker_pool);
    CHECK(config.worker_pool_size == 1);
    CHECK(config.worker_queue_limit == 2);
    CHECK(config.worker_queue_timeout == 3ms);
    CHECK(config.max_connections == 4);
    CHECK(config.listen_backlog == 5);
    CHECK(config.unix_socket_mode == 0640);
    CHECK(config.keep_alive_timeout == 6ms);
    CHECK(config.header_timeout == 7ms);
    CHECK(config.request_timeout == 8ms);
    CHECK(config.read_timeout == 22ms);
    CHECK(config.write_timeout == 9ms);
    CHECK(config.rate_grace == 10ms);
    CHECK(config.minimum_rate == 11);
    CHECK(config.half_close_window == 12ms);
    CHECK(config.event_keep_alive == 24ms);
    CHECK(config.shutdown_grace == 13ms);
    CHECK_FALSE(config.end_streams_at_stop);
    CHECK(config.max_request_line == 14);
    CHECK(config.max_header_block == 15);
    CHECK(config.max_header_count == 16);
    CHECK(config.max_body == 17);
    CHECK(config.max_chunk_extensions == 18);
    CHECK(config.max_trailers == 19);
    CHECK(config.max_json_depth == 20);
    CHECK(config.max_json_values == 23);
    CHECK(config.max_form_parts == 24);
    CHECK(config.max_form_files == 25);
    CHECK(config.max_form_field == 26);
    CHECK(config.max_form_pairs == 27);
    CHECK(config.form_memory == 28);
    CHECK(config.temporary_directory == "/29");
    CHECK(config.output_soft_limit == 21);
    CHECK(config.poller == sake::PollerKind::poll);
    CHECK_FALSE(config.raise_file_limit);
    CHECK_FALSE(config.handle_signals);
    CHECK_FALSE(config.announce);
    config.log(sake::LogLevel::info, "a line");
    CHECK(lines == 1);
}

TEST_CASE("a value that makes no sense throws and names its field") {
    struct Row {
        const char* field;
        Config config;
    };
    const std::vector<Row> rows = {
        {"worker_pool_size", {.worker_pool_size = -1}},
        {"worker_queue_limit", {.worker_queue_limit = -1}},
        {"worker_queue_timeout", {.worker_queue_timeout = 0ms}},
        {"stall_warning", {.stall_warning = 0ms}},
        {"max_connections", {.max_connections = -1}},
        {"listen_backlog", {.listen_backlog = 0}},
        {"keep_alive_timeout", {.keep_alive_timeout = 0ms}},
        {"header_timeout", {.header_timeout = -1ms}},
        {"request_timeout", {.request_timeout = 0ms}},
        {"read_timeout", {.read_timeout = 0ms}},
        {"write_timeout", {.write_timeout = 0ms}},
        {"rate_grace", {.rate_grace = 0ms}},
        {"minimum_rate", {.minimum_rate = 0}},
        {"half_close_window", {.half_close_window = -1ms}},
        {"event_keep_alive", {.event_keep_alive = 0ms}},
        {"shutdown_grace", {.shutdown_grace = -1ms}},
        {"max_request_line", {.max_request_line = 15}},
        {"max_request_line", {.max_request_line = negative}},
        {"max_header_block", {.max_header_block = 1}},
        {"max_header_block", {.max_header_block = negative}},
        {"max_header_count", {.max_header_count = -1}},
        {"max_body", {.max_body = negative}},
        {"max_chunk_extensions", {.max_chunk_extensions = negative}},
        {"max_trailers", {.max_trailers = negative}},
        {"max_json_depth", {.max_json_depth = 0}},
        {"max_json_values", {.max_json_values = 0}},
        {"max_form_parts", {.max_form_parts = negative}},
        {"max_form_files", {.max_form_files = negative}},
        {"max_form_field", {.max_form_field = negative}},
        {"max_form_pairs", {.max_form_pairs = negative}},
        {"form_memory", {.form_memory = negative}},
        {"output_soft_limit", {.output_soft_limit = 0}},
        {"output_soft_limit", {.output_soft_limit = negative}},
        {"max_buffered", {.max_buffered = 0}},
        {"max_buffered", {.max_buffered = negative}},
    };
    for (const Row& row : rows) {
        const std::string text = refusal(row.config);
        INFO(text);
        CHECK(text.starts_with(std::string("Config::") + row.field + " must be at least "));
    }
    CHECK(refusal({.worker_pool_size = -3}) == "Config::worker_pool_size must be at least 0, not -3");
    CHECK(refusal({.max_body = negative}) == "Config::max_body must be at least 0, not -2");
    // 660 is what a forgotten zero makes of 0660.
    for (const int mode :
         {-1, 01000, 660, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
        CHECK(refusal({.unix_socket_mode = mode}) ==
              "Config::unix_socket_mode must be 0 to 0777, an octal number such as 0660");
    }
    for (const int mode : {0, 0600, 0777}) CHECK(refusal({.unix_socket_mode = mode}) == "(taken)");
    CHECK(refusal({.temporary_directory = std::string("/tmp\0/x", 7)}) ==
          "Config::temporary_directory must not have a NUL byte in it");
    CHECK(refusal({.log = nullptr}) == "Config::log must be callable");
}

TEST_CASE(
    "a time that would overflow the clock throws and names its field, and ten years and no limit are taken") {
    constexpr std::chrono::milliseconds longest = 24h * 3650;
    struct Row {
        const char* field;
        std::chrono::milliseconds Config::* member;
    };
    for (const Row& row : {
             Row{"worker_queue_timeout", &Config::worker_queue_timeout},
             Row{"stall_warning", &Config::stall_warning},
             Row{"keep_alive_timeout", &Config::keep_alive_timeout},
             Row{"header_timeout", &Config::header_timeout},
             Row{"request_timeout", &Config::request_timeout},
             Row{"read_timeout", &Config::read_timeout},
             Row{"write_timeout", &Config::write_timeout},
             Row{"rate_grace", &Config::rate_grace},
             Row{"half_close_window", &Config::half_close_window},
             Row{"event_keep_alive", &Config::event_keep_alive},
             Row{"shutdown_grace", &Config::shutdown_grace},
         }) {
        const std::string expected = std::string("Config::") + row.field + " must be at most 10 years";
        Config config;
        config.*row.member = longest;
        CHECK(refusal(config) == "(taken)");
        config.*row.member = longest + 1ms;
        CHECK(refusal(config) == expected);
        config.*row.member = std::chrono::milliseconds::max();
        CHECK(refusal(config) == "(taken)");
    }
}

TEST_CASE("a route's limit that was negative before it became unsigned throws and names the route") {
    sake::Engine app;
    sake::Route& route = app.post("/upload", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    CHECK_NOTHROW(route.max_body(0));
    CHECK_NOTHROW(route.max_body(negative / 2));
    std::string text;
    try {
        route.max_body(negative);
    } catch (const std::invalid_argument& error) {
        text = error.what();
    }
    CHECK(text.starts_with("POST /upload ("));
    CHECK(text.ends_with("): max_body must be at least 0, not -2"));
    CHECK_THROWS_AS(route.max_body(-1), std::invalid_argument);
    CHECK_NOTHROW(route.max_body(largest));
}

TEST_CASE("the largest value of a limit means none, and a negative one is refused, by a field or a setter") {
    for (std::size_t Config::* member :
         {&Config::max_request_line, &Config::max_header_block, &Config::max_body,
          &Config::max_chunk_extensions, &Config::max_trailers, &Config::max_json_values,
          &Config::max_form_parts, &Config::max_form_files, &Config::max_form_field, &Config::max_form_pairs,
          &Config::form_memory, &Config::output_soft_limit, &Config::max_buffered}) {
        for (const std::size_t size : {largest, largest / 2}) {
            Config config;
            config.*member = size;
            CHECK(refusal(config) == "(taken)");
        }
        for (const std::size_t size : {largest - 1, largest / 2 + 1}) {
            Config config;
            config.*member = size;
            CHECK(refusal(config).find("must be at least") != std::string::npos);
        }
    }
    CHECK(refusal(Config().with_max_body(-1)) == "Config::max_body must be at least 0, not -1");
    CHECK(refusal(Config().with_max_body(-1LL)) == "Config::max_body must be at least 0, not -1");
    CHECK(refusal(Config().with_max_body(-2)) == "Config::max_body must be at least 0, not -2");
    CHECK(refusal(Config().with_max_json_values(-1)) == "Config::max_json_values must be at least 1, not -1");
    CHECK(refusal(Config().with_max_trailers(-1)) == "Config::max_trailers must be at least 0, not -1");
    CHECK(refusal(Config().with_max_json_depth(-1)) == "Config::max_json_depth must be at least 1, not -1");
    CHECK(refusal(Config().with_max_buffered(-5)) == "Config::max_buffered must be at least 1, not -5");
    CHECK(refusal(Config().with_worker_queue_limit(-1L)) ==
          "Config::worker_queue_limit must be at least 0, not -1");
    CHECK(refusal(Config().with_max_connections(std::numeric_limits<std::int64_t>::min()))
              .starts_with("Config::max_connections must be at least 0"));
    CHECK(Config().with_max_body(largest).max_body == largest);
    CHECK(Config().with_max_body(std::numeric_limits<std::int64_t>::max()).max_body == largest);
    constexpr int most = std::numeric_limits<int>::max();
    CHECK(Config().with_worker_queue_limit(largest).worker_queue_limit == most);
    CHECK(Config().with_max_connections(largest).max_connections == most);
    CHECK(Config().with_listen_backlog(largest).listen_backlog == most);
    CHECK(Config().with_max_header_count(largest).max_header_count == most);
    CHECK(Config().with_max_json_depth(largest).max_json_depth == most);
    CHECK(Config().with_max_json_depth(5'000'000'000).max_json_depth == most);
}

TEST_CASE("a server serves with every limit at its largest") {
    constexpr int most = std::numeric_limits<int>::max();
    constexpr auto never = std::chrono::milliseconds::max();
    sake::Engine app({.worker_pool_size = 1,
                      .worker_queue_limit = most,
                      .worker_queue_timeout = never,
                      .stall_warning = never,
                      .max_connections = most,
                      .listen_backlog = most,
                      .keep_alive_timeout = never,
                      .header_timeout = never,
                      .request_timeout = never,
                      .read_timeout = never,
                      .write_timeout = never,
                      .rate_grace = never,
                      .minimum_rate = 1,
                      .half_close_window = never,
                      .shutdown_grace = never,
                      .max_request_line = largest,
                      .max_header_block = largest,
                      .max_header_count = most,
                      .max_body = largest,
                      .max_chunk_extensions = largest,
                      .max_trailers = largest,
                      .max_json_depth = most,
                      .max_json_values = largest,
                      .max_form_parts = largest,
                      .max_form_files = largest,
                      .max_form_field = largest,
                      .max_form_pairs = largest,
                      .form_memory = largest,
                      .output_soft_limit = largest,
                      .max_buffered = largest,
                      .announce = false,
                      .log = [](sake::LogLevel, std::string_view) {}});
    const auto echo = [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.json(ctx.bind());
    };
    app.post("/here", echo);
    app.post("/worker", echo).worker();
    app.post("/form", [](sake::Context& ctx) { ctx.text(ctx.form().file("f")->bytes()); });
    sake::TestClient client(app);
    sake::Form form;
    form.add("a", "1").add_file("f", "f", "bytes");
    CHECK(client.post("/form", form).body == "bytes");
    for (const char* path : {"/here", "/worker"}) {
        const auto answer = client.post(path, sake::Json{{"a", {1, 2}}});
        CHECK(answer.status == 200);
        CHECK(answer.body == R"({"a":[1,2]})");
    }
    sake::TestConnection slow = client.connect();
    slow.send("POST /here HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n");
    client.advance(24h * 365);
    slow.send("1\r\n]\r\n0\r\n\r\n");
    CHECK(slow.response().status == 200);
    CHECK(client.stop() == 0);
}

TEST_CASE("the smallest values that make sense are taken") {
    CHECK(refusal({.worker_queue_limit = 0}) == "(taken)");
    CHECK(refusal({.listen_backlog = 1}) == "(taken)");
    CHECK(refusal({.request_timeout = 1ms}) == "(taken)");
    CHECK(refusal({.minimum_rate = 1}) == "(taken)");
    CHECK(refusal({.half_close_window = 0ms}) == "(taken)");
    CHECK(refusal({.shutdown_grace = 0ms}) == "(taken)");
    CHECK(refusal({.max_request_line = 16}) == "(taken)");
    CHECK(refusal({.max_body = 0}) == "(taken)");
    CHECK(refusal({.max_json_depth = 1}) == "(taken)");
    CHECK(refusal({.output_soft_limit = 1}) == "(taken)");
}

}  // namespace test_config
