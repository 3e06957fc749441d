// Engine::metrics: what is counted, and how the page says it.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/allocations.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/raw_client.hpp"

namespace test_metrics {

using namespace harness;
using namespace std::chrono_literals;
using sake::detail::DurationCounts;

namespace {

constexpr std::string_view open_metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view text_type = "text/plain; version=0.0.4; charset=utf-8";

std::string page(sake::TestClient& client) { return client.get("/metrics").body; }

/// The value of a sample, which is named with its labels; "" if it is not there.
std::string value_of(const std::string& text, const std::string& sample) {
    const std::size_t at = ("\n" + text).find("\n" + sample + " ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + sample.size() + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

/// How many series of requests there are.
std::size_t series_in(std::string_view text) {
    return count_of(text, "\nhttp_server_request_duration_seconds_count{");
}

std::string answers(std::string_view method, std::string_view route, std::string_view status) {
    return "http_server_request_duration_seconds_count{http_request_method=\"" + std::string(method) +
           "\",http_route=\"" + std::string(route) + "\",http_response_status_code=\"" + std::string(status) +
           "\"}";
}

/// A logger that has lost three lines.
struct Logger {
    using ObservesAnswers = void;
    void operator()(const sake::Answered&) const {}
    [[nodiscard]] std::uint64_t dropped() const { return 3; }
};

}  // namespace

// --- Durations ---

TEST_CASE("durations fall into the bucket whose end they do not exceed") {
    for (std::size_t i = 0; i < DurationCounts::ends.size(); ++i) {
        DurationCounts counts;
        const std::chrono::nanoseconds end(DurationCounts::ends[i]);
        counts.add(end - 1ns);
        counts.add(end);
        counts.add(end + 1ns);
        CHECK(counts.counts()[i] == 2);
        CHECK(counts.counts()[i + 1] == 1);
        CHECK(counts.total() == 3);
    }
    DurationCounts extremes;
    extremes.add(0ns);
    extremes.add(1ns);
    extremes.add(std::chrono::hours(24 * 365));
    CHECK(extremes.counts().front() == 2);
    CHECK(extremes.counts().back() == 1);
}

TEST_CASE("percentiles lie within the bucket that has them") {
    DurationCounts counts;
    CHECK(counts.quantile(0.5) == 0);
    for (int i = 0; i < 98; ++i) counts.add(30us);
    counts.add(4ms);
    counts.add(4ms);
    CHECK(counts.quantile(0.5) > 20e-6);
    CHECK(counts.quantile(0.5) <= 35e-6);
    CHECK(counts.quantile(0.99) > 3.5e-3);
    CHECK(counts.quantile(0.99) <= 5e-3);
    counts.add(1h);
    CHECK(counts.quantile(1) == 10);

    const DurationCounts before = counts;
    counts.add(60us);
    CHECK(counts.since(before).total() == 1);
    CHECK(counts.since(before).quantile(0.5) > 50e-6);
    CHECK(counts.since(before).nanoseconds() == 60'000);
}

// --- The page ---

TEST_CASE("a page says what was counted, in the text of Prometheus") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.post("/notes/:id", [](sake::Context& ctx) { ctx.text("four"); });
            app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
                co_await sake::sleep(2s);
                ctx.text(503, "");
            });
        },
        [](sake::TestClient& client) {
            client.post("/notes/1", "abc");
            client.post("/notes/2", "");
            client.get("/slow");
            const std::string text = page(client);
            const std::string begin =
                R"(# HELP http_server_request_duration_seconds Duration of requests, from the first byte to the answer.
# TYPE http_server_request_duration_seconds histogram
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.005"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.01"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.025"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.05"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.075"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.1"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.25"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.5"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="0.75"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="1"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="2.5"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="5"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="7.5"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="10"} 2
http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx",le="+Inf"} 2
http_server_request_duration_seconds_sum{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx"} 0
http_server_request_duration_seconds_count{http_request_method="POST",http_route="/notes/:id",http_response_status_code="2xx"} 2
http_server_request_duration_seconds_bucket{http_request_method="GET",http_route="/slow",http_response_status_code="5xx",le="0.005"} 0
)";
            CHECK(text.substr(0, begin.size()) == begin);
            const std::string slow =
                R"({http_request_method="GET",http_route="/slow",http_response_status_code="5xx",le=)";
            CHECK(value_of(text, "http_server_request_duration_seconds_bucket" + slow + "\"1\"}") == "0");
            CHECK(value_of(text, "http_server_request_duration_seconds_bucket" + slow + "\"2.5\"}") == "1");
            const std::string rest = R"(# HELP sake_answers_total Answers by cause.
# TYPE sake_answers_total counter
sake_answers_total{cause="handler"} 3
sake_answers_total{cause="error"} 0
sake_answers_total{cause="no_route"} 0
sake_answers_total{cause="refused"} 0
sake_answers_total{cause="timeout"} 0
sake_answers_total{cause="overload"} 0
sake_answers_total{cause="stop"} 0
sake_answers_total{cause="cut"} 0
sake_answers_total{cause="client_closed"} 0
# HELP sake_request_body_bytes_total Bytes of request bodies that handlers received.
# TYPE sake_request_body_bytes_total counter
sake_request_body_bytes_total 3
# HELP sake_response_body_bytes_total Bytes of response bodies.
# TYPE sake_response_body_bytes_total counter
sake_response_body_bytes_total 8
# HELP sake_connections Open connections by state.
# TYPE sake_connections gauge
sake_connections{state="idle"} 0
sake_connections{state="reading"} 0
sake_connections{state="handling"} 1
sake_connections{state="writing"} 0
sake_connections{state="streaming"} 0
sake_connections{state="websocket"} 0
sake_connections{state="closing"} 0
)";
            CHECK(text.find(rest) != std::string::npos);
            CHECK(text.ends_with("sake_build_info{version=\"" SAKE_VERSION "\",poller=\"simulated\"} 1\n"));
        });
}

TEST_CASE("the value of a label is escaped") {
    std::string out;
    sake::detail::MetricsText text(out, sake::detail::MetricsFormat::prometheus);
    text.begin_gauge("g", "", "Help.");
    text.value(-1, {"label", "a\\b\"c\nd<script>\xc3\xa9"});
    CHECK(out == "# HELP g Help.\n# TYPE g gauge\ng{label=\"a\\\\b\\\"c\\nd<script>\xc3\xa9\"} -1\n");
}

TEST_CASE("seconds have as many digits as they need") {
    const auto written = [](std::int64_t nanoseconds, sake::detail::MetricsFormat format) {
        std::string out;
        sake::detail::MetricsText text(out, format);
        text.begin_gauge("g", "", "");
        text.seconds(nanoseconds);
        return out.substr(out.rfind("g ") + 2);
    };
    using Format = sake::detail::MetricsFormat;
    CHECK(written(0, Format::prometheus) == "0\n");
    CHECK(written(0, Format::open_metrics) == "0.0\n");
    CHECK(written(1, Format::prometheus) == "0.000000001\n");
    CHECK(written(1'500'000'000, Format::prometheus) == "1.5\n");
    CHECK(written(12'000'000'000, Format::prometheus) == "12\n");
    CHECK(written(12'000'000'000, Format::open_metrics) == "12.0\n");
}

TEST_CASE("in OpenMetrics, counters are named without _total, units are named, and the end is marked") {
    with_client(
        [](sake::Engine& app) { app.metrics("/metrics"); },
        [](sake::TestClient& client) {
            client.get("/nothing");
            const sake::TestResponse answer =
                client.request("GET", "/metrics", {{"Accept", "application/openmetrics-text"}}, "");
            CHECK(answer.headers.get("Content-Type") == open_metrics_type);
            CHECK(answer.headers.get("Vary") == "Accept");
            CHECK(answer.headers.get("Cache-Control") == "no-store");
            const std::string& text = answer.body;
            CHECK(text.ends_with("\n# EOF\n"));
            CHECK(text.find("# TYPE http_server_request_duration_seconds histogram\n"
                            "# UNIT http_server_request_duration_seconds seconds\n") != std::string::npos);
            CHECK(text.find("# TYPE sake_answers counter\nsake_answers_total{") != std::string::npos);
            CHECK(text.find("# TYPE sake_build info\nsake_build_info{") != std::string::npos);
            CHECK(text.find(R"(5xx",le="1.0"})") == std::string::npos);
            CHECK(text.find(R"(4xx",le="1.0"} 1)") != std::string::npos);
            CHECK(text.find(R"(4xx"} 0.0)") != std::string::npos);  // the sum
            CHECK(text.find("_total counter\n") == std::string::npos);
        });
}

TEST_CASE("the Accept field decides on the format") {
    struct Case {
        std::string accept;
        bool is_open;
    };
    const std::vector<Case> cases = {
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"text/html, */*;q=0.8", false},
        {"application/openmetrics-text", true},
        {"APPLICATION/OpenMetrics-Text", true},
        {"application/openmetrics-text;version=1.0.0", true},
        {"application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", true},
        {"application/openmetrics-text;version=0.0.1", false},
        {"application/openmetrics-text;version=2.0.0", false},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=x", false},
        {"application/*", false},
        {"application/openmetrics-text, text/plain", true},
        {"application/openmetrics-text;q=0.5, text/plain", false},
        {"application/openmetrics-text;q=0.5, text/plain;q=0.5", true},
        {"application/openmetrics-text;q=0.5, text/plain;version=1.0.0, */*;q=0.1", true},
        {"application/openmetrics-text;q=0.5, text/*;q=0.6", false},
        {"application/openmetrics-text;q=0.5, */*;q=0.6", false},
        {"application/openmetrics-text;q=0.001, text/plain;q=0", true},
        {"text/plain;q=0", false},
        // As Prometheus sends it, 2.42 and 3.
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
         "plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/"
         "openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/"
         "plain;version=0.0.4;q=0.2,*/*;q=0.1",
         true},
    };
    with_client(
        [](sake::Engine& app) { app.metrics("/metrics"); },
        [&](sake::TestClient& client) {
            for (const Case& each : cases) {
                CAPTURE(each.accept);
                sake::http::Headers headers;
                if (!each.accept.empty()) headers.set("Accept", each.accept);
                const sake::TestResponse answer = client.request("GET", "/metrics", headers, "");
                CHECK(answer.status == 200);
                CHECK(answer.headers.get("Content-Type") == (each.is_open ? open_metrics_type : text_type));
                CHECK(answer.body.ends_with("# EOF\n") == each.is_open);
            }
        });
}

TEST_CASE("a page is made once for all who wait for it, and says what was counted before each of them came") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            for (int i = 0; i < 100; ++i) {
                app.get(sake::runtime("/routes/" + std::to_string(i)),
                        [](sake::Context& ctx) { ctx.text("one"); });
            }
        },
        [](sake::TestClient& client) {
            for (int i = 0; i < 100; ++i) client.get("/routes/" + std::to_string(i));
            const std::string request = "GET /metrics HTTP/1.1\r\nHost: test\r\n";
            const std::string open_request = request + "Accept: application/openmetrics-text\r\n";
            std::vector<sake::TestConnection> connections;
            for (int i = 0; i < 40; ++i) connections.push_back(client.connect());
            for (int i = 0; i < 40; ++i) {
                connections[static_cast<std::size_t>(i)].send((i < 30 ? request : open_request) + "\r\n");
            }
            connections.front().reset();
            std::set<std::string> pages;
            for (std::size_t i = 1; i < 40; ++i) {
                const sake::TestResponse answer = connections[i].response();
                CHECK(answer.status == 200);
                CHECK(answer.body.size() > 100'000);
                CHECK(answer.headers.get("Content-Type") == (i < 30 ? text_type : open_metrics_type));
                CHECK(answer.body.ends_with("# EOF\n") == (i >= 30));
                CHECK(value_of(answer.body, answers("GET", "/routes/99", "2xx")) == "1");
                pages.insert(answer.body);
            }
            CHECK(pages.size() <= 4);  // each is another, by the CPU time in it
            // Nobody is given an old one.
            client.get("/routes/99");
            CHECK(value_of(page(client), answers("GET", "/routes/99", "2xx")) == "2");
        });
}

TEST_CASE("what clients invent adds no series") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.get("/users/:id", [](sake::Context& ctx) { ctx.text("a user"); });
            app.any("/any", [](sake::Context& ctx) { ctx.text("any"); });
        },
        [](sake::TestClient& client) {
            const int paths = rounds(100'000);
            const int verbs = rounds(1'000);
            sake::TestConnection connection = client.connect();
            const auto asked = [&](const std::string& line) {
                connection.send(line + " HTTP/1.1\r\nHost: test\r\n\r\n");
                return connection.response().status;
            };
            for (int i = 0; i < paths; ++i) {
                const std::string number = std::to_string(i);
                if (asked("GET /wp-admin/" + number + ".php?x=" + number) != 404) FAIL("not a 404");
                if (i % 10 == 0 && asked("GET /users/" + number) != 200) FAIL("not a 200");
            }
            for (int i = 0; i < verbs; ++i) {
                const std::string verb = "VERB" + std::to_string(i);
                if (asked(verb + " /users/1") != 501) FAIL("not a 501");
                if (asked(verb + " /any") != 200) FAIL("not a 200");
            }
            const std::string text = page(client);
            CHECK(series_in(text) == 4);
            CHECK(value_of(text, answers("GET", "unmatched", "4xx")) == std::to_string(paths));
            CHECK(value_of(text, answers("_OTHER", "unmatched", "5xx")) == std::to_string(verbs));
            CHECK(value_of(text, answers("_OTHER", "/any", "2xx")) == std::to_string(verbs));
            CHECK(value_of(text, answers("GET", "/users/:id", "2xx")) == std::to_string((paths + 9) / 10));
        });
}

TEST_CASE("refusals are counted, by their cause, also of requests without a method") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.post("/small", [](sake::Context& ctx) { ctx.text(ctx.body()); }).max_body(3);
            app.get("/throws", [](sake::Context&) { throw sake::HttpError(409, "no"); });
        },
        [](sake::TestClient& client) {
            sake::TestConnection bad = client.connect();
            bad.send("\x01\r\n\r\n");
            CHECK(bad.response().status == 400);
            CHECK(client.post("/small", "four").status == 413);
            CHECK(client.get("/throws").status == 409);
            CHECK(client.get("/nothing").status == 404);
            sake::TestConnection slow = client.connect();
            slow.send("GET / HT");
            client.advance(10s);
            CHECK(slow.response().status == 408);
            const std::string text = page(client);
            CHECK(value_of(text, "sake_answers_total{cause=\"refused\"}") == "2");
            CHECK(value_of(text, "sake_answers_total{cause=\"error\"}") == "1");
            CHECK(value_of(text, "sake_answers_total{cause=\"no_route\"}") == "1");
            CHECK(value_of(text, "sake_answers_total{cause=\"timeout\"}") == "1");
            CHECK(value_of(text, answers("POST", "/small", "4xx")) == "1");
            CHECK(value_of(text, answers("GET", "/throws", "4xx")) == "1");
        });
}

TEST_CASE("a stream is counted at its end, with what was sent and received") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.get("/events", [](sake::Context& ctx) -> sake::Task<> {
                sake::EventStream events = ctx.events();
                co_await events.send("one");
                co_await sake::sleep(1h);
            });
            app.post("/upload",
                     [](sake::Context& ctx) -> sake::Task<> {
                         for (;;) {
                             const auto piece = co_await ctx.read();
                             if (!piece) break;
                         }
                         ctx.no_content();
                     })
                .stream_body();
        },
        [](sake::TestClient& client) {
            sake::TestConnection events = client.connect();
            events.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n");
            client.advance(1s);
            std::string text = page(client);
            CHECK(value_of(text, "sake_connections{state=\"streaming\"}") == "1");
            CHECK(series_in(text) == 0);
            events.close();
            client.advance(1s);
            client.post("/upload", std::string(100'000, 'x'));
            text = page(client);
            CHECK(value_of(text, "sake_connections{state=\"streaming\"}") == "0");
            CHECK(value_of(text, answers("GET", "/events", "2xx")) == "1");
            CHECK(value_of(text, "sake_answers_total{cause=\"client_closed\"}") == "1");
            CHECK(value_of(text, "sake_request_body_bytes_total") == "100000");
        });
}

TEST_CASE("connections are counted by what they do") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.get("/", [](sake::Context& ctx) { ctx.text("hi"); });
            app.get("/large", [](sake::Context& ctx) { ctx.text(std::string(1'000'000, 'x')); });
            app.get("/waits", [](sake::Context& ctx) -> sake::Task<> {
                co_await sake::sleep(1h);
                ctx.text("late");
            });
        },
        [](sake::TestClient& client) {
            constexpr const char* rest = " HTTP/1.1\r\nHost: test\r\n\r\n";
            sake::TestConnection idle = client.connect();
            idle.send(std::string("GET /") + rest);
            CHECK(idle.response().status == 200);
            sake::TestConnection reading = client.connect();
            reading.send("GET / HT");
            sake::TestConnection writing = client.connect(1000);
            writing.send(std::string("GET /large") + rest);
            sake::TestConnection handling = client.connect();
            handling.send(std::string("GET /waits") + rest);
            client.advance(0s);
            const std::string text = page(client);
            CHECK(value_of(text, "sake_connections{state=\"idle\"}") == "1");
            CHECK(value_of(text, "sake_connections{state=\"reading\"}") == "1");
            CHECK(value_of(text, "sake_connections{state=\"writing\"}") == "1");
            CHECK(value_of(text, "sake_connections{state=\"handling\"}") == "2");
            CHECK(value_of(text, "sake_buffered_bytes") != "0");
        });
}

TEST_CASE("HEAD is answered as GET is, a guard of the route holds, and the route is no part of the API") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.metrics("/guarded").use([](sake::Context& ctx) { ctx.abort(401).text("who are you?"); });
            app.health("/health");
            app.openapi("/openapi.json", {.title = "API", .version = "1"});
        },
        [](sake::TestClient& client) {
            const sake::TestResponse head = client.request("HEAD", "/metrics", {}, "");
            CHECK(head.status == 200);
            CHECK(head.body.empty());
            CHECK(head.headers.get("Content-Type") == text_type);
            CHECK(client.get("/guarded").status == 401);
            CHECK(client.get("/openapi.json").body.find("metrics") == std::string::npos);
        });
}

TEST_CASE("lines that loggers have lost are counted") {
    with_client(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.use(Logger{});
            app.use(Logger{});
            app.on_answered([](const sake::Answered&) {});
        },
        [](sake::TestClient& client) {
            CHECK(value_of(page(client), "sake_log_lines_dropped_total") == "6");
        });
}

TEST_CASE("figures begin anew with each run, and are not asked for while one is under way") {
    sake::Engine app(quiet_config());
    app.metrics("/metrics");
    app.get("/", [](sake::Context& ctx) { ctx.text("hi"); });
    {
        sake::TestClient client(app);
        client.get("/");
        CHECK(series_in(page(client)) == 1);
        CHECK_THROWS_AS(app.metrics("/more"), std::logic_error);
    }
    app.any("/", [](sake::Context& ctx) { ctx.text("any"); });
    sake::TestClient client(app);
    CHECK(series_in(page(client)) == 0);
    client.post("/", "");
    CHECK(value_of(page(client), answers("POST", "/", "2xx")) == "1");
}

TEST_CASE("the page says what the process takes") {
    with_client([](sake::Engine& app) { app.metrics("/metrics"); },
                [](sake::TestClient& client) {
                    const std::string text = page(client);
                    CHECK(value_of(text, "process_cpu_seconds_total") != "");
                    CHECK(value_of(text, "process_max_fds") != "");
#if defined(__linux__)
                    CHECK(value_of(text, "process_resident_memory_bytes").size() >= 7);
                    CHECK(value_of(text, "process_start_time_seconds").size() >= 10);
                    CHECK(value_of(text, "process_open_fds") != "");
                    CHECK(value_of(text, "process_start_time_seconds") ==
                          value_of(page(client), "process_start_time_seconds"));
#endif
                });
}

TEST_CASE("warm, counting allocates nothing") {
    with_server(
        [](sake::Engine& app) {
            app.metrics("/metrics");
            app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
        },
        [](TestServer& server) {
            RawClient client = server.connect();
            const auto ask = [&](int count) {
                for (int i = 0; i < count; ++i) {
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n");
                    if (client.read_response().status != 200) FAIL("not a 200");
                    if (client.read_response().status != 404) FAIL("not a 404");
                }
            };
            const auto allocations_of = [&](int count) {
                const auto before = allocations::by_server_threads();
                ask(count);
                return allocations::by_server_threads() - before;
            };
            ask(10);
            const auto of_ten = allocations_of(10);  // a 404 makes its text
            CHECK(allocations_of(10) == of_ten);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.read_response();
            const auto before = allocations::by_server_threads();
            for (int i = 0; i < 100; ++i) {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                client.read_response();
            }
            CHECK(allocations::by_server_threads() == before);
        });
}

// --- The snapshot ---

TEST_CASE("a snapshot has every route with its answers, and what the loop and its connections do") {
    sake::Engine app(quiet_config());
    auto& figures = sake::detail::EngineInside::observatory(app);
    sake::detail::Snapshot taken;
    app.get("/a", [](sake::Context& ctx) { ctx.text("a"); });
    app.get("/bad", [](sake::Context& ctx) { ctx.text(500, "bad"); });
    app.get("/take", [&](sake::Context& ctx) -> sake::Task<> {
        taken = co_await sake::detail::take_snapshot<>(app, figures);
        ctx.text("taken");
    });
    app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(2s);
        ctx.text("slow");
    });
    sake::TestClient client(app);
    sake::TestConnection idle = client.connect();
    idle.send("GET /a HTTP/1.1\r\nHost: test\r\n\r\n");
    CHECK(idle.response().status == 200);
    client.get("/a");
    client.get("/bad");
    client.get("/slow?secret=1");
    client.get("/nothing");
    client.get("/take");
    REQUIRE(taken.routes.size() == 5);
    CHECK(taken.routes[0].pattern == "unmatched");
    CHECK(taken.routes[0].count == 1);
    CHECK(taken.routes[1].pattern == "/a");
    CHECK(taken.routes[1].method == "GET");
    CHECK(taken.routes[1].count == 2);
    CHECK(taken.routes[2].errors == 1);
    CHECK(taken.routes[3].count == 0);
    CHECK(taken.routes[4].durations.quantile(0.5) > 1);
    CHECK(taken.connections.idle == 1);
    CHECK(taken.connections.handling == 1);
    CHECK(taken.connections.open() == 2);
    REQUIRE(taken.slow.size() == 1);
    CHECK(taken.slow[0].route->pattern() == "/slow");
    CHECK(taken.slow[0].status == 200);
    CHECK(taken.slow[0].duration == 2s);
    CHECK(taken.loop.turns.total() > 0);
    CHECK(taken.memory.limit == app.config().max_buffered);
    CHECK(taken.workers.threads == 0);
}

TEST_CASE("a snapshot says what runs on the workers, and for how long") {
    sake::Engine app(quiet_config().with_worker_pool_size(1).with_worker_queue_limit(7));
    auto& figures = sake::detail::EngineInside::observatory(app);
    sake::detail::Snapshot taken;
    std::counting_semaphore<2> begun(0);
    std::counting_semaphore<2> may_end(0);
    app.post("/work",
             [&](sake::Context& ctx) {
                 begun.release();
                 may_end.acquire();
                 ctx.text("done");
             })
        .worker();
    app.get("/take", [&](sake::Context& ctx) -> sake::Task<> {
        while (!begun.try_acquire()) co_await sake::yield();
        taken = co_await sake::detail::take_snapshot<>(app, figures);
        may_end.release(2);
        ctx.text("taken");
    });
    app.get("/take/again", [&](sake::Context& ctx) -> sake::Task<> {
        taken = co_await sake::detail::take_snapshot<>(app, figures);
        ctx.text("taken");
    });
    sake::TestClient client(app);
    sake::TestConnection work = client.connect();
    sake::TestConnection waits = client.connect();
    work.send("POST /work HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    waits.send("POST /work HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    client.get("/take");
    CHECK(taken.workers.threads == 1);
    CHECK(taken.workers.busy == 1);
    CHECK(taken.workers.queued == 1);
    CHECK(taken.workers.queue_limit == 7);
    REQUIRE(taken.workers.running.size() == 1);
    CHECK(taken.workers.running[0].route->pattern() == "/work");
    CHECK(taken.workers.running[0].seconds >= 0);
    CHECK(taken.workers.waits.total() == 1);
    CHECK(taken.workers.runs.total() == 0);
    CHECK(work.response().status == 200);
    CHECK(waits.response().status == 200);
    client.get("/take/again");
    CHECK(taken.workers.running.empty());
    CHECK(taken.workers.runs.total() == 2);
    CHECK(taken.workers.done == 2);
}

TEST_CASE("sessions may come and go while they are counted") {
    sake::Engine app(quiet_config());
    app.metrics("/metrics");
    app.get("/walk", [&](sake::Context& ctx) -> sake::Task<> {
        sake::detail::SessionList::Walk walk(sake::detail::EngineInside::run(app).shard().sessions);
        std::string seen;
        const auto see = [&](const sake::detail::Session&) { seen += '.'; };
        while (walk.go_on(1, see)) co_await sake::sleep(1s);
        ctx.text(seen);
    });
    sake::TestClient client(app);
    std::vector<sake::TestConnection> connections = connections_of(client, 5, "");
    sake::TestConnection walks = client.connect();
    walks.send("GET /walk HTTP/1.1\r\nHost: test\r\n\r\n");
    client.advance(1500ms);  // two were seen
    connections[2].close();  // the next
    connections[0].close();  // one that was seen
    sake::TestConnection late = client.connect();
    client.advance(0s);
    CHECK(walks.response().body.size() >= 4);
    CHECK(value_of(page(client), "sake_connections{state=\"idle\"}") == "5");
}

TEST_CASE("thousands of connections are counted, with turns for others between them") {
    with_client([](sake::Engine& app) { app.metrics("/metrics"); },
                [](sake::TestClient& client) {
                    const auto connections = connections_of(client, 2'500, "");
                    client.advance(0s);
                    CHECK(value_of(page(client), "sake_connections{state=\"idle\"}") == "2500");
                });
}

TEST_CASE("the slowest requests of the last minutes are kept, fifty at most") {
    using sake::detail::SlowRequest;
    using sake::detail::SlowRequests;
    SlowRequests slow;
    const sake::detail::TimePoint begin(1h);
    const auto add = [&](int ms, sake::detail::Clock::duration later) {
        SlowRequest request;
        request.duration = std::chrono::milliseconds(ms);
        slow.add(request, begin + later);
    };
    for (int ms = 1; ms <= 49; ++ms) add(ms, 0s);
    CHECK(slow.list(begin).size() == 49);
    add(50, 1s);
    CHECK(slow.list(begin).size() == 50);
    add(51, 1s);
    auto list = slow.list(begin + 1s);
    CHECK(list.size() == 50);
    CHECK(list.front().duration == 51ms);
    CHECK(list.back().duration == 2ms);
    add(2, 1s);  // no slower than the quickest of them
    CHECK(slow.list(begin + 1s).back().duration == 2ms);

    add(7, SlowRequests::period);  // the other half
    list = slow.list(begin + SlowRequests::period);
    CHECK(list.size() == 50);
    CHECK(list.front().duration == 51ms);
    list = slow.list(begin + 2 * SlowRequests::period);
    REQUIRE(list.size() == 1);
    CHECK(list.front().duration == 7ms);
    CHECK(slow.list(begin + 4 * SlowRequests::period).empty());
}

}  // namespace test_metrics
