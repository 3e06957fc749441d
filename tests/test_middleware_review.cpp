// Faults that a review of middleware has found; each case fails until its fault is mended.
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/server_fixture.hpp"

namespace test_middleware_review {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::middleware::LogFormat;
namespace middleware = sake::middleware;

namespace {

/// Adds the middleware by `add`, and says whether a server with it starts.
template <class Add>
bool starts(Add add) {
    sake::Engine app;
    add(app);
    app.get("/", [] { return "hello"; });
    try {
        TestClient client(app);
    } catch (const std::invalid_argument&) {
        return false;
    }
    return true;
}

std::string log_line(middleware::LoggerOptions options, const sake::http::Headers& headers) {
    std::string text;
    options.write = [&](std::string_view lines) { text += lines; };
    {
        sake::Engine app;
        app.use(middleware::logger(std::move(options)));
        app.get("/", [] { return "hello"; });
        TestClient client(app);
        client.get("/", headers);
    }
    return text;
}

}  // namespace

TEST_CASE("a head that is refused in the middle names no client") {
    Log log;
    std::string seen;
    sake::Engine app(log.config());
    app.use(middleware::trusted_proxies({"127.0.0.1"}));
    app.use(middleware::rate_limit({.per_minute = 1}));
    app.on_answered([&](const sake::Answered& answered) { seen = answered.ctx.client_ip(); });
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    std::string many = "GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 203.0.113.66\r\n";
    for (int i = 0; i < 110; ++i) many += "A" + std::to_string(i) + ": x\r\n";
    for (const std::string& head :
         {many,
          std::string("GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 203.0.113.66\r\nBad Name: x\r\n")}) {
        sake::TestConnection connection = client.connect();
        connection.send(head + "X-Forwarded-For: 198.51.100.1\r\n\r\n");  // what the proxy has added
        CHECK(connection.receive_all().starts_with("HTTP/1.1 4"));
        CHECK(seen == "127.0.0.1");
    }
    CHECK(client.get("/", {{"X-Forwarded-For", "203.0.113.66"}}).status == 200);  // who has sent nothing yet
}

TEST_CASE("what checks the host does not stand in front of what sets it") {
    const middleware::TrustedProxiesOptions with_host{.use_host = true};
    CHECK_FALSE(starts([&](sake::Engine& app) {
        app.use(middleware::allowed_hosts({"app.example"}));
        app.use(middleware::trusted_proxies({"127.0.0.1"}, with_host));
    }));
    CHECK_FALSE(starts([&](sake::Engine& app) {
        app.use(middleware::csrf());
        app.use(middleware::trusted_proxies({"127.0.0.1"}, with_host));
    }));
}

TEST_CASE("two schemes of credentials let nobody pass, and are refused at start-up") {
    CHECK_FALSE(starts([](sake::Engine& app) {
        app.use(middleware::basic_auth("all", [](std::string_view, std::string_view) { return true; }));
        app.use(middleware::bearer_auth([](std::string_view) { return true; }));
    }));
}

TEST_CASE("cors on a route sees no preflights, and is refused at start-up") {
    sake::Engine app;
    app.put("/", [] { return "hello"; }).use(middleware::cors({.origins = {"https://a.example"}}));
    CHECK_THROWS_AS(TestClient{app}, std::invalid_argument);
}

TEST_CASE("cors: null with credentials is every page, and refused") {
    CHECK_THROWS_AS(static_cast<void>(middleware::cors({.origins = {"null"}, .credentials = true})),
                    std::invalid_argument);
}

TEST_CASE("logger: without queries, a referrer has none either") {
    const auto line =
        log_line({.with_query = false}, {{"Referer", "https://app.example/reset?token=secret"}});
    CHECK(line.find("secret") == std::string::npos);
}

TEST_CASE("logger: no control character of a client reaches a terminal") {
    const auto line = log_line({.format = LogFormat::json}, {{"User-Agent",
                                                              "a\xc2\x9b"
                                                              "31m\xc2\x85"
                                                              "b\xe2\x80\xa8"
                                                              "c"}});
    for (const char* control : {"\xc2\x9b", "\xc2\x85", "\xe2\x80\xa8"}) {
        CHECK(line.find(control) == std::string::npos);
    }
}

TEST_CASE("equal_in_constant_time: an empty secret is one that nobody has set, and nothing equals it") {
    CHECK_FALSE(sake::equal_in_constant_time("", ""));
}

TEST_CASE("a worker document has each member once") {
    sake::WorkerContext document;
    document.client_ip = "203.0.113.1";
    std::string text = sake::to_text(document);
    text.insert(text.size() - 1, R"(,"client_ip":"203.0.113.2")");
    CHECK_THROWS_AS(static_cast<void>(sake::from_text<sake::WorkerContext>(text)), sake::JsonError);
}

}  // namespace test_middleware_review
