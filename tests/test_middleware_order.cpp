// Middleware in an order that cannot work is refused before the first request.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"

using namespace sake;

namespace {

bool nobody(std::string_view, std::string_view) { return false; }
bool no_token(std::string_view) { return false; }

/// Middleware by its name.
void add(Engine& app, std::string_view name) {
    if (name == "trusted_proxies") app.use(middleware::trusted_proxies({"10.0.0.0/8"}));
    if (name == "rate_limit") app.use(middleware::rate_limit({.per_minute = 60}));
    if (name == "cors") app.use(middleware::cors({.origins = {"https://a.example"}}));
    if (name == "basic_auth") app.use(middleware::basic_auth("realm", nobody));
    if (name == "bearer_auth") app.use(middleware::bearer_auth(no_token));
    if (name == "etag") app.use(middleware::etag());
    if (name == "request_id") app.use(middleware::request_id());
    if (name == "trace_context") app.use(middleware::trace_context());
    if (name == "security_headers") app.use(middleware::security_headers());
    if (name == "body_limit") app.use(middleware::body_limit(100));
    if (name == "csrf") app.use(middleware::csrf());
    if (name == "allowed_hosts") app.use(middleware::allowed_hosts({"localhost"}));
    if (name == "compress") app.use(middleware::compress());
    if (name == "sessions") app.use(middleware::sessions());
    if (name == "cache") app.use(middleware::cache({.ttl = std::chrono::seconds(1)}));
    if (name == "plain") app.use([](Context&) {});
}

/// What a server says that has this middleware, the first the outermost; "" if it starts.
std::string complaint(const std::vector<std::string_view>& names) {
    Engine app;
    for (const std::string_view name : names) add(app, name);
    app.get("/", [] { return "hello"; });
    try {
        TestClient client(app);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("what works starts") {
    CHECK(complaint({}) == "");
    CHECK(complaint({"trusted_proxies", "allowed_hosts", "request_id", "trace_context", "security_headers",
                     "cors", "rate_limit", "csrf", "compress", "etag", "basic_auth", "sessions", "body_limit",
                     "cache"}) == "");
    CHECK(complaint({"rate_limit", "rate_limit"}) == "");
    CHECK(complaint({"compress", "compress"}) == "");
    CHECK(complaint({"cache", "cache"}) == "");
    CHECK(complaint({"body_limit", "plain", "body_limit"}) == "");
}

TEST_CASE("an order that cannot work is refused, with the reason and the cure") {
    struct Case {
        std::vector<std::string_view> names;
        std::string_view has;
        std::string_view cure;
    };
    const Case cases[] = {
        {{"rate_limit", "trusted_proxies"},
         "trusted_proxies behind rate_limit: the clients behind a proxy would share one allowance",
         "add trusted_proxies before rate_limit"},
        {{"basic_auth", "plain", "cors"},
         "cors behind basic_auth: preflights have no password",
         "add cors before basic_auth"},
        {{"bearer_auth", "cors"},
         "cors behind bearer_auth: preflights have no token",
         "add cors before bearer_auth"},
        {{"allowed_hosts", "trusted_proxies"},
         "trusted_proxies behind allowed_hosts: it would check another host than handlers see",
         "add trusted_proxies before allowed_hosts"},
        {{"csrf", "plain", "trusted_proxies"},
         "trusted_proxies behind csrf: it would compare origins with another host than handlers see",
         "add trusted_proxies before csrf"},
        {{"basic_auth", "trusted_proxies"}, "trusted_proxies behind basic_auth: ", "before basic_auth"},
        {{"bearer_auth", "trusted_proxies"}, "trusted_proxies behind bearer_auth: ", "before bearer_auth"},
        {{"rate_limit", "cors"},
         "cors behind rate_limit: pages could not read its 429",
         "add cors before rate_limit"},
        {{"basic_auth", "bearer_auth"},
         "basic_auth and bearer_auth: a request has the credentials of one of them",
         "leave one out"},
        {{"bearer_auth", "plain", "basic_auth"},
         "bearer_auth and basic_auth: a request has the credentials of one of them",
         "leave one out"},
        {{"trusted_proxies", "trusted_proxies"}, "trusted_proxies twice: ", "leave one out"},
        {{"cors", "cors"}, "cors twice: ", "leave one out"},
        {{"etag", "etag"}, "etag twice: ", "leave one out"},
        {{"request_id", "request_id"}, "request_id twice: ", "leave one out"},
        {{"trace_context", "plain", "trace_context"}, "trace_context twice: ", "leave one out"},
        {{"etag", "compress"}, "compress behind etag: tags would be", "add compress before etag"},
        {{"cache", "sessions"}, "sessions behind cache: ", "add sessions before cache"},
        {{"cache", "etag"}, "etag behind cache: ", "add etag before cache"},
        {{"cache", "basic_auth"}, "basic_auth behind cache: ", "add basic_auth before cache"},
        {{"cache", "bearer_auth"}, "bearer_auth behind cache: ", "add bearer_auth before cache"},
        {{"cache", "allowed_hosts"}, "allowed_hosts behind cache: ", "add allowed_hosts before cache"},
        {{"cache", "request_id"}, "request_id behind cache: ", "add request_id before cache"},
        {{"sessions", "sessions"}, "sessions twice: ", "leave one out"},
    };
    for (const Case& each : cases) {
        const std::string said = complaint(each.names);
        CAPTURE(said);
        CHECK(said.starts_with("middleware: GET / ("));
        CHECK(said.find("tests/test_middleware_order.cpp:") != std::string::npos);
        CHECK(said.find(each.has) != std::string::npos);
        CHECK(said.ends_with(each.cure));
    }
}

TEST_CASE("cors on a group or route would see no preflights, and is refused") {
    const auto options = middleware::CorsOptions{.origins = {"https://a.example"}};
    const auto complaint_of = [](Engine& app) -> std::string {
        try {
            TestClient client(app);
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "";
    };
    Engine on_route;
    on_route.put("/", [] { return "hello"; }).use(middleware::cors(options));
    const std::string of_route = complaint_of(on_route);
    CHECK(of_route.starts_with("middleware: PUT / ("));
    CHECK(of_route.ends_with(
        "has cors on a group or route: it would see no preflights there; add cors to the engine"));
    Engine on_group;
    on_group.use([](Context&) {});
    auto group = on_group.group("/api").group("/v1");
    group.use(middleware::cors(options));
    group.get("/", [] { return "hello"; });
    CHECK(complaint_of(on_group).find("has cors on a group or route: ") != std::string::npos);
    Engine on_engine;
    on_engine.group("/api").get("/", [] { return "hello"; });
    on_engine.use([](Context&) {}).use(middleware::cors(options));
    CHECK(complaint_of(on_engine) == "");
}

TEST_CASE(
    "the credentials of one scheme on the engine and of another on a route are refused, others are not") {
    Engine app;
    app.group("/staff").use(middleware::basic_auth("realm", nobody)).get("/", [] { return "staff"; });
    app.group("/api").use(middleware::bearer_auth(no_token)).get("/", [] { return "api"; });
    CHECK(TestClient(app).get("/api/").status == 401);
    app.use(middleware::basic_auth("realm", nobody));
    CHECK_THROWS_WITH_AS(TestClient{app}, doctest::Contains("GET /api"), std::invalid_argument);
}

TEST_CASE("the order counts across the engine, groups and routes, however they were registered") {
    Engine app;
    auto group = app.group("/api");
    group.get("/users", [] { return "all"; }).use(middleware::trusted_proxies({"10.0.0.0/8"}));
    TestClient(app).get("/api/users");
    group.use(middleware::rate_limit({.per_minute = 60}));
    CHECK_THROWS_WITH_AS(TestClient{app}, doctest::Contains("GET /api/users"), std::invalid_argument);
    Engine other;
    auto limited = other.group("/limited");
    limited.use(middleware::rate_limit({.per_minute = 60}));
    limited.get("/", [] { return "slow"; });
    other.get("/proxied", [] { return "far"; }).use(middleware::trusted_proxies({"10.0.0.0/8"}));
    CHECK(TestClient(other).get("/proxied").body == "far");
}

TEST_CASE("run says it as it says other mistakes of the program") {
    Engine app;
    app.use(middleware::rate_limit({.per_minute = 60}));
    app.use(middleware::trusted_proxies({"10.0.0.0/8"}));
    app.listen("127.0.0.1:0");
    CHECK_THROWS_WITH_AS(app.run(), doctest::Contains("trusted_proxies behind rate_limit"),
                         std::invalid_argument);
}
