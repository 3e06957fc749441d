// trace_context: the strict reading of traceparent and tracestate, and what is sent on.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_trace_context {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::TestClient;
using sake::TraceContext;
using sake::http::Headers;
namespace middleware = sake::middleware;

namespace {

const std::string trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string parent_id = "00f067aa0ba902b7";
const std::string good = "00-" + trace_id + "-" + parent_id + "-01";

/// What a handler sees, as copies.
struct Seen {
    std::string trace_id;
    std::string span_id;
    std::string parent_id;
    std::string tracestate;
    std::string traceparent;
    bool is_sampled = false;
};

Seen seen_for(const Headers& headers, middleware::TraceContextOptions options = {}) {
    sake::Engine app;
    app.use(middleware::trace_context(options));
    Seen seen;
    app.get("/", [&](Context& ctx) {
        const TraceContext& trace = ctx.state<TraceContext>();
        seen = {std::string(trace.trace_id()),   std::string(trace.span_id()), std::string(trace.parent_id()),
                std::string(trace.tracestate()), trace.traceparent(),          trace.is_sampled()};
    });
    TestClient client(app);
    CHECK(client.get("/", headers).status == 200);
    return seen;
}

bool is_hex(std::string_view text, std::size_t size) {
    return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

TEST_CASE("trace_context: the trace of a client goes on, with a span of our own") {
    const Seen seen = seen_for({{"traceparent", good}, {"tracestate", "congo=t61rcWkgMzE"}});
    CHECK(seen.trace_id == trace_id);
    CHECK(seen.parent_id == parent_id);
    CHECK(is_hex(seen.span_id, 16));
    CHECK(seen.span_id != parent_id);
    CHECK(seen.is_sampled);
    CHECK(seen.tracestate == "congo=t61rcWkgMzE");
    CHECK(seen.traceparent == "00-" + trace_id + "-" + seen.span_id + "-01");
}

TEST_CASE("trace_context: a request without a trace begins one") {
    const Seen seen = seen_for({});
    CHECK(is_hex(seen.trace_id, 32));
    CHECK(is_hex(seen.span_id, 16));
    CHECK(seen.parent_id.empty());
    CHECK_FALSE(seen.is_sampled);
    CHECK(seen.traceparent == "00-" + seen.trace_id + "-" + seen.span_id + "-00");
    CHECK(seen_for({}).trace_id != seen.trace_id);
    CHECK(seen_for({}, {.sample_new = true}).is_sampled);
}

TEST_CASE("trace_context: which texts are a traceparent") {
    const std::string tail = trace_id + "-" + parent_id;
    for (const std::string& valid :
         {good, "00-" + tail + "-00", "00-" + tail + "-ff", "01-" + tail + "-01", "fe-" + tail + "-01",
          "cc-" + tail + "-01-what-comes-later", "01-" + tail + "-01-"}) {
        CAPTURE(valid);
        CHECK(seen_for({{"traceparent", valid}}).trace_id == trace_id);
    }
    for (const std::string& invalid : {std::string(),
                                       std::string("00"),
                                       "ff-" + tail + "-01",
                                       "0-" + tail + "-01",
                                       "000-" + tail + "-01",
                                       "0G-" + tail + "-01",
                                       "00-" + tail,
                                       "00-" + tail + "-",
                                       "00-" + tail + "-1",
                                       "00-" + tail + "-0x",
                                       "00-" + tail + "-011",
                                       "00-" + tail + "-01-",
                                       "00-" + tail + "-01-more",
                                       "01-" + tail + "-01x",
                                       "01-" + tail + "-01.more",
                                       "00_" + tail + "-01",
                                       "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + parent_id + "-01",
                                       "0A-" + tail + "-01",
                                       "00-" + tail + "-0A",
                                       "00-00000000000000000000000000000000-" + parent_id + "-01",
                                       "00-" + trace_id + "-0000000000000000-01",
                                       "00-" + trace_id + "0-" + parent_id + "-01",
                                       "00-" + trace_id.substr(1) + "-" + parent_id + "-01",
                                       "00-" + trace_id + "-" + parent_id + "0-01",
                                       "00-" + trace_id + parent_id + "-01",
                                       good + "," + good,
                                       "00-" + tail + "-\xc3\xa9"}) {
        CAPTURE(invalid);
        const Seen seen = seen_for({{"traceparent", invalid}, {"tracestate", "a=1"}});
        CHECK(seen.trace_id != trace_id);
        CHECK(is_hex(seen.trace_id, 32));
        CHECK(seen.parent_id.empty());
        CHECK(seen.tracestate.empty());
    }
    Headers twice{{"traceparent", good}};
    twice.add("traceparent", good);
    CHECK(seen_for(twice).trace_id != trace_id);
}

TEST_CASE("trace_context: only the flag of a recorded trace is passed on") {
    const std::string tail = trace_id + "-" + parent_id;
    CHECK(seen_for({{"traceparent", "00-" + tail + "-ff"}}).traceparent.substr(53) == "01");
    CHECK(seen_for({{"traceparent", "00-" + tail + "-fe"}}).traceparent.substr(53) == "00");
}

TEST_CASE("trace_context: which texts are a tracestate") {
    const auto state_for = [](const std::string& text) {
        return seen_for({{"traceparent", good}, {"tracestate", text}}).tracestate;
    };
    std::string members;
    for (int i = 0; i < 32; ++i) members += (i > 0 ? ",k" : "k") + std::to_string(i) + "=v";
    const std::string longest = "k=" + std::string(256, 'v');
    for (const std::string& valid :
         {std::string("a=1"), std::string("a=1,b=2"), std::string("a=1 , b=2"), std::string("a=1,,b=2"),
          std::string("tenant@system=x"), std::string("0tenant@system=x"), std::string("a_-*/0=!~ x"),
          members, longest, std::string(256, 'k') + "=v",
          std::string(241, 't') + "@" + std::string(14, 's') + "=v"}) {
        CAPTURE(valid);
        CHECK(state_for(valid) == valid);
    }
    for (const std::string& invalid :
         {std::string("a"), std::string("=1"), std::string("a="), std::string("A=1"), std::string("0a=1"),
          std::string("a=1=2"), std::string("a=\xc3\xa9"), std::string("a=1,a=2"), std::string("-a=1"),
          std::string("@b=1"), std::string("a@=1"), std::string("a@b@c=1"), std::string("a@0=1"),
          std::string("a b=1"), members + ",k32=v", longest + "v", std::string(257, 'k') + "=v",
          std::string(242, 't') + "@s=v", "t@" + std::string(15, 's') + "=v"}) {
        CAPTURE(invalid);
        const Seen seen = seen_for({{"traceparent", good}, {"tracestate", invalid}});
        CHECK(seen.tracestate.empty());
        CHECK(seen.trace_id == trace_id);
    }
    const auto of_size = [](std::size_t size) {
        return "a=1,b=" + std::string(250, 'v') + ",c=" + std::string(size - 259, 'v');
    };
    CHECK(state_for(of_size(511)) == of_size(511));
    CHECK(state_for(of_size(512)) == of_size(512));
    CHECK(state_for(of_size(513)).empty());
    Headers split{{"traceparent", good}, {"tracestate", "a=1"}};
    split.add("tracestate", "b=2");
    CHECK(seen_for(split).tracestate == "a=1, b=2");
}

TEST_CASE("trace_context: clients that are strangers do not choose the trace") {
    const Seen seen = seen_for({{"traceparent", good}, {"tracestate", "a=1"}}, {.trust_received = false});
    CHECK(seen.trace_id != trace_id);
    CHECK(seen.parent_id.empty());
    CHECK(seen.tracestate.empty());
    CHECK_FALSE(seen.is_sampled);
}

TEST_CASE("trace_context: request_id behind it sends the trace id") {
    sake::Engine app;
    app.use(middleware::trace_context()).use(middleware::request_id());
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    CHECK(client.get("/", {{"traceparent", good}}).header("X-Request-Id") == trace_id);
}

TEST_CASE("trace_context: a field of the answer is on refusals too, if it is asked for") {
    for_each_refusal(
        [](sake::Engine& app) { app.use(middleware::trace_context({.response_field = "traceresponse"})); },
        [](const sake::TestResponse& response) {
            const std::string_view field = response.header("traceresponse");
            CHECK(field.size() == 55);
            CHECK(field.substr(0, 3) == "00-");
        });
    CHECK_THROWS_WITH_AS(static_cast<void>(middleware::trace_context({.response_field = "a b"})),
                         "trace_context: response_field: header name: byte 1 is a space (0x20)",
                         std::invalid_argument);
}

TEST_CASE("trace_context: a request of the client goes on with the trace") {
    sake::Engine app;
    app.use(middleware::trace_context());
    std::string parent;
    std::string state;
    app.get("/", [&](Context& ctx) {
        sake::http::Request request("GET", "http://localhost/");
        ctx.state<TraceContext>().add_to(request);
        parent = request.headers().get("traceparent").value_or("");
        state = request.headers().get("tracestate").value_or("none");
        return std::string(ctx.state<TraceContext>().span_id());
    });
    TestClient client(app);
    const std::string span = client.get("/", {{"traceparent", good}, {"tracestate", "a=1"}}).body;
    CHECK(parent == "00-" + trace_id + "-" + span + "-01");
    CHECK(state == "a=1");
    client.get("/");
    CHECK(state == "none");
}

TEST_CASE("trace_context: a worker has the same trace and the same id") {
    sake::Engine app;
    app.use(middleware::trace_context());
    app.use(middleware::request_id());
    const auto tell = [](Context& ctx) {
        const TraceContext& trace = ctx.state<TraceContext>();
        ctx.set_header("X-Span", trace.span_id());
        return trace.traceparent() + " " + std::string(trace.parent_id()) + " " +
               std::string(trace.tracestate()) + " " + std::string(ctx.state<sake::RequestId>().text());
    };
    app.get("/here", tell);
    app.get("/worker", tell).worker();
    TestClient client(app);
    for (const char* const path : {"/here", "/worker"}) {
        const auto answer = client.get(path, {{"traceparent", good}, {"tracestate", "a=1"}});
        const std::string span(answer.header("X-Span"));
        CHECK(span.size() == 16);
        CHECK(answer.body == "00-" + trace_id + "-" + span + "-01 " + parent_id + " a=1 " + trace_id);
        const auto begun = client.get(path);
        CHECK(begun.body.ends_with("-00   " + std::string(begun.header("X-Request-Id"))));
    }
}

TEST_CASE("trace_context: without it, a worker has neither trace nor id") {
    sake::Engine app;
    app.get("/worker",
            [](Context& ctx) {
                return ctx.state<TraceContext>().traceparent() + "|" +
                       std::string(ctx.state<sake::RequestId>().text());
            })
        .worker();
    CHECK(TestClient(app).get("/worker", {{"traceparent", good}}).body == "|");
}

namespace {

struct SeenSpan {
    std::string name;
    std::string trace_id;
    std::string parent_id;
    std::chrono::nanoseconds duration;
    std::chrono::system_clock::time_point start;
    int status;
    bool is_error;
};

void keep_spans(sake::Engine& app, std::vector<SeenSpan>& spans) {
    app.use(middleware::trace_context());
    app.on_span([&spans](const sake::Span& span) {
        spans.push_back({span.name, std::string(span.trace.trace_id()), std::string(span.trace.parent_id()),
                         span.duration, span.start, span.answered.status, span.is_error});
    });
}

}  // namespace

TEST_CASE("on_span: the answers of traces that are recorded, with times, names and errors") {
    Log log;
    sake::Engine app(log.config());
    std::vector<SeenSpan> spans;
    keep_spans(app, spans);
    std::chrono::system_clock::time_point begun;
    app.get("/users/:id", [&](Context&, int) -> sake::Task<std::string> {
        begun = sake::wall_now();
        co_await sake::sleep(250ms);
        co_return "ann";
    });
    app.get("/fails", []() -> std::string { throw std::runtime_error("no"); });
    TestClient client(app);
    const Headers recorded{{"traceparent", good}};
    client.get("/users/7", recorded);
    const auto of_the_first = begun;
    client.get("/users/7", {{"traceparent", "00-" + trace_id + "-" + parent_id + "-00"}});
    client.get("/users/7");
    client.get("/fails", recorded);
    client.get("/no/such", recorded);
    client.request("BREW", "/users/7", recorded);
    REQUIRE(spans.size() == 4);
    CHECK(spans[0].name == "GET /users/:id");
    CHECK(spans[0].trace_id == trace_id);
    CHECK(spans[0].parent_id == parent_id);
    CHECK(spans[0].duration == 250ms);
    CHECK(spans[0].start == of_the_first);
    CHECK_FALSE(spans[0].is_error);
    CHECK(spans[1].name == "GET /fails");
    CHECK(spans[1].status == 500);
    CHECK(spans[1].is_error);
    CHECK(spans[2].name == "GET");
    CHECK(spans[2].status == 404);
    CHECK_FALSE(spans[2].is_error);
    CHECK(spans[3].name == "HTTP");
}

TEST_CASE("on_span: a stream counts until its end, and one without an end is an error") {
    Log log;
    sake::Engine app(log.config());
    std::vector<SeenSpan> spans;
    keep_spans(app, spans);
    app.get("/stream/:fails", [](Context& ctx, bool fails) -> sake::Task<> {
        sake::BodyWriter out = ctx.stream("text/plain");
        co_await out.write("a");
        co_await sake::sleep(2s);
        if (fails) throw std::runtime_error("no");
    });
    TestClient client(app);
    client.get("/stream/false", {{"traceparent", good}});
    CHECK_THROWS(client.get("/stream/true", {{"traceparent", good}}));
    REQUIRE(spans.size() == 2);
    CHECK(spans[0].duration == 2s);
    CHECK_FALSE(spans[0].is_error);
    CHECK(spans[1].duration == 2s);
    CHECK(spans[1].is_error);
}

TEST_CASE("hash_of: the values of the reference implementation") {
    using sake::detail::hash_of;
    const sake::detail::HashKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    const std::string_view bytes("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15);
    CHECK(hash_of(key, "") == sake::detail::Hash128{0xe6a825ba047f81a3U, 0x930255c71472f66dU});
    CHECK(hash_of(key, bytes.substr(0, 1)) ==
          sake::detail::Hash128{0x44af996bd8c187daU, 0x45fc229b11597634U});
    CHECK(hash_of(key, bytes) == sake::detail::Hash128{0x11a8b03399e99354U, 0xd9c3cf970fec087eU});
}

}  // namespace test_middleware_trace_context
