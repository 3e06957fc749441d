// request_id: what an id is, whose it is, and that every answer has it.
#include <doctest/doctest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_request_id {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::http::Headers;
namespace middleware = sake::middleware;

namespace {

bool is_new_id(std::string_view id) {
    return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string id_for(const Headers& headers, middleware::RequestIdOptions options = {}) {
    sake::Engine app;
    app.use(middleware::request_id(options));
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    return client.get("/", headers).header(options.field);
}

}  // namespace

TEST_CASE("request_id: the handler, the answer and on_answered see the same new id") {
    sake::Engine app;
    app.use(middleware::request_id());
    app.get("/", [](Context& ctx) { return std::string(ctx.state<sake::RequestId>().text()); });
    std::string observed;
    app.on_answered(
        [&](const sake::Answered& answered) { observed = answered.ctx.state<sake::RequestId>().text(); });
    TestClient client(app);
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto response = client.get("/");
        CHECK(is_new_id(response.body));
        CHECK(response.header("X-Request-Id") == response.body);
        CHECK(observed == response.body);
        seen.insert(response.body);
    }
    CHECK(seen.size() == 1000);
}

TEST_CASE("request_id: every answer has an id, also those that no handler made") {
    for_each_refusal(
        [](sake::Engine& app) { app.use(middleware::request_id()); },
        [](const sake::TestResponse& response) { CHECK(is_new_id(response.header("X-Request-Id"))); });
}

TEST_CASE("request_id: an answer in pieces has an id") {
    sake::Engine app;
    app.use(middleware::request_id());
    app.get("/", [](Context& ctx) -> sake::Task<> {
        auto out = ctx.stream("text/plain");
        co_await out.write("piece");
    });
    TestClient client(app);
    const auto response = client.get("/");
    CHECK(response.body == "piece");
    CHECK(is_new_id(response.header("X-Request-Id")));
}

TEST_CASE("request_id: a client's id is kept only if that is asked for and it is one") {
    CHECK(is_new_id(id_for({{"X-Request-Id", "mine"}})));
    const middleware::RequestIdOptions keep{.keep_received = true};
    for (const std::string& kept :
         {std::string("mine"), std::string("A-Z._~+/=:09"), std::string(1, 'a'), std::string(127, 'a'),
          std::string(128, 'a'), std::string("123e4567-e89b-12d3-a456-426614174000")}) {
        CAPTURE(kept);
        CHECK(id_for({{"x-request-id", kept}}, keep) == kept);
    }
    for (const std::string& refused :
         {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a\tb"), std::string("a,b"),
          std::string("\"a\""), std::string("a;b"), std::string("a%0ab"), std::string("<script>"),
          std::string("\xc3\xa9"), std::string("$(id)"), std::string("a\\b"), std::string("{}")}) {
        CAPTURE(refused);
        CHECK(is_new_id(id_for({{"X-Request-Id", refused}}, keep)));
    }
    Headers twice{{"X-Request-Id", "one"}};
    twice.add("X-Request-Id", "two");
    CHECK(is_new_id(id_for(twice, keep)));
}

TEST_CASE("request_id: no handler and no worker replaces the id of the answer") {
    Log log;
    sake::Engine app(log.config());
    app.use(middleware::request_id());
    const auto forge = [](Context& ctx) {
        ctx.set_header("X-Request-Id", "forged").text(std::string(ctx.state<sake::RequestId>().text()));
    };
    app.get("/", forge);
    app.get("/worker", forge).worker();
    TestClient client(app);
    for (const char* target : {"/", "/worker"}) {
        CAPTURE(target);
        const auto response = client.get(target);
        CHECK(is_new_id(response.body));
        CHECK(response.header("X-Request-Id") == response.body);
    }
}

TEST_CASE("request_id: the field may have another name, if an answer may have that") {
    CHECK(is_new_id(id_for({}, {.field = "X-Correlation-Id"})));
    CHECK(id_for({{"Trace", "t1"}}, {.field = "trace", .keep_received = true}) == "t1");
    for (const char* name : {"", "a b", "a:b", "a\n", "Content-Length", "connection"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(static_cast<void>(middleware::request_id({.field = name})), std::invalid_argument);
    }
    CHECK_THROWS_WITH_AS(static_cast<void>(middleware::request_id({.field = "a b"})),
                         "request_id: field: header name: byte 1 is a space (0x20)", std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(middleware::request_id({.field = "connection"})),
                         "request_id: field: the field connection is set by the server itself",
                         std::invalid_argument);
}

TEST_CASE("request_id: without it, the state is empty") {
    sake::Engine app;
    app.get("/", [](Context& ctx) { return std::string(ctx.state<sake::RequestId>().text()); });
    TestClient client(app);
    CHECK(client.get("/").body.empty());
}

}  // namespace test_middleware_request_id
