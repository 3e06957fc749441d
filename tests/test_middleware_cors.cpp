// cors: whose pages may read answers, what preflights are told, and what may not be configured.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_cors {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::cors;
using sake::middleware::CorsOptions;

namespace {

const std::string app_origin = "https://app.example";

/// What an engine with these options answers to a GET of a page of this origin.
TestResponse answer_to(const CorsOptions& options, std::string_view origin) {
    sake::Engine app;
    app.use(cors(options));
    app.get("/", [] { return "hello"; });
    return TestClient(app).get("/", fields_of({{"Origin", origin}}));
}

Headers preflight(std::string_view origin, std::string_view method = "PUT") {
    return fields_of({{"Origin", origin},
                      {"Access-Control-Request-Method", method},
                      {"Access-Control-Request-Headers", "x-anything"}});
}

/// Whether an answer has no field of CORS; Vary is not one.
bool says_nothing(const TestResponse& answer) {
    for (const auto& [name, value] : answer.headers) {
        if (name.starts_with("Access-Control-")) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("cors reflects a listed origin, and says nothing to any other") {
    const CorsOptions options{.origins = {app_origin, "http://localhost:5173", "http://[::1]:80443"}};
    CHECK_THROWS_AS(static_cast<void>(cors(options)), std::invalid_argument);  // no such port
    const CorsOptions good{.origins = {app_origin, "http://localhost:5173", "http://[::1]:8044"}};
    for (const std::string& origin : good.origins) {
        CAPTURE(origin);
        const TestResponse answer = answer_to(good, origin);
        CHECK(answer.body == "hello");
        CHECK(answer.header("Access-Control-Allow-Origin") == origin);
        CHECK_FALSE(answer.headers.contains("Access-Control-Allow-Credentials"));
        CHECK_FALSE(answer.headers.contains("Access-Control-Allow-Methods"));  // of preflights alone
        CHECK(answer.header("Vary") == "Origin");
    }
    const std::string_view others[] = {"https://app.example.evil.test",
                                       "https://evilapp.example",
                                       "https://x.app.example",
                                       "http://app.example",
                                       "https://app.example:8443",
                                       "https://app.example:443",
                                       "https://APP.example",
                                       "https://app.example/",
                                       "https://app.example, null",
                                       "null",
                                       "*",
                                       "",
                                       "app.example",
                                       "https://"};
    for (const std::string_view origin : others) {
        CAPTURE(origin);
        const TestResponse answer = answer_to(good, origin);
        CHECK(answer.body == "hello");
        CHECK(says_nothing(answer));
        CHECK(answer.header("Vary") == "Origin");
    }
}

TEST_CASE("cors says nothing where Origin is absent or there twice, and Vary all the same") {
    sake::Engine app;
    app.use(cors({.origins = {app_origin}}));
    app.get("/", [] {});
    TestClient client(app);
    const TestResponse absent = client.get("/");
    CHECK(says_nothing(absent));
    CHECK(absent.header("Vary") == "Origin");
    CHECK(
        says_nothing(client.get("/", fields_of({{"Origin", app_origin}, {"Origin", "https://evil.test"}}))));
    CHECK(
        says_nothing(client.get("/", fields_of({{"Origin", "https://evil.test"}, {"Origin", app_origin}}))));
    CHECK(says_nothing(client.get("/", fields_of({{"Origin", app_origin}, {"Origin", app_origin}}))));
}

TEST_CASE("the origin null is allowed only where it is listed") {
    CHECK(says_nothing(answer_to({.origins = {app_origin}}, "null")));
    CHECK(answer_to({.origins = {"null"}}, "null").header("Access-Control-Allow-Origin") == "null");
    CHECK(says_nothing(answer_to({.origins = {"null"}}, app_origin)));
}

TEST_CASE("cors for every origin sends the star, with and without an origin") {
    for (const std::string_view origin : {"https://a.example", "null", "rubbish"}) {
        const TestResponse answer = answer_to({.origins = {"*"}}, origin);
        CHECK(answer.header("Access-Control-Allow-Origin") == "*");
        CHECK_FALSE(answer.headers.contains("Access-Control-Allow-Credentials"));
        CHECK(answer.header("Vary") == "Origin");
    }
}

TEST_CASE("cors sends credentials and exposed fields to listed origins only") {
    const CorsOptions options{
        .origins = {app_origin}, .credentials = true, .exposed_headers = {"X-Total", "ETag"}};
    const TestResponse answer = answer_to(options, app_origin);
    CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
    CHECK(answer.header("Access-Control-Expose-Headers") == "X-Total, ETag");
    CHECK(says_nothing(answer_to(options, "https://evil.test")));
}

TEST_CASE("a preflight is answered with 204 and no handler, on any path") {
    sake::Engine app;
    int handled = 0;
    app.use(cors({.origins = {app_origin},
                  .credentials = true,
                  .methods = {"GET", "PUT"},
                  .headers = {"X-One", "X-Two"},
                  .exposed_headers = {"ETag"},
                  .max_age = 90s}));
    app.use([&](Context&) { ++handled; });
    app.put("/", [&] { ++handled; });
    app.options("/own", [&] { ++handled; });
    TestClient client(app);
    for (const auto path : {"/", "/own", "/nowhere", "*"}) {
        CAPTURE(path);
        const TestResponse answer = client.options(path, preflight(app_origin));
        CHECK(answer.status == 204);
        CHECK(answer.body.empty());
        CHECK(answer.header("Access-Control-Allow-Origin") == app_origin);
        CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
        CHECK(answer.header("Access-Control-Allow-Methods") == "GET, PUT");
        CHECK(answer.header("Access-Control-Allow-Headers") == "X-One, X-Two");
        CHECK(answer.header("Access-Control-Max-Age") == "90");
        CHECK_FALSE(answer.headers.contains("Access-Control-Expose-Headers"));
        CHECK(answer.header("Vary") == "Origin");
    }
    const TestResponse other = client.options("/", preflight("https://evil.test"));
    CHECK(other.status == 204);
    CHECK(says_nothing(other));
    CHECK(other.header("Vary") == "Origin");
    CHECK(handled == 0);
}

TEST_CASE("an OPTIONS that is not a preflight goes on to its handler") {
    sake::Engine app;
    app.use(cors({.origins = {app_origin}}));
    app.options("/own", [](Context& ctx) { ctx.text("own"); });
    TestClient client(app);
    CHECK(client.options("/own").body == "own");
    CHECK(client.options("/own", fields_of({{"Origin", app_origin}})).body == "own");
    CHECK(client.options("/own", fields_of({{"Access-Control-Request-Method", "PUT"}})).body == "own");
    CHECK(client.options("/own", preflight(app_origin)).body.empty());
}

TEST_CASE("cors does not let pages into private networks") {
    sake::Engine app;
    app.use(cors({.origins = {app_origin}}));
    Headers fields = preflight(app_origin);
    fields.add("Access-Control-Request-Private-Network", "true");
    const TestResponse answer = TestClient(app).options("/", fields);
    CHECK(answer.status == 204);
    CHECK_FALSE(answer.headers.contains("Access-Control-Allow-Private-Network"));
}

TEST_CASE("the lists and the time of a preflight are those of the options, and none if they are empty") {
    const auto answer_of = [](const CorsOptions& options) {
        sake::Engine app;
        app.use(cors(options));
        return TestClient(app).options("/", preflight(app_origin));
    };
    const TestResponse usual = answer_of({.origins = {app_origin}});
    CHECK(usual.header("Access-Control-Allow-Methods") == "GET, HEAD, POST, PUT, PATCH, DELETE");
    CHECK(usual.header("Access-Control-Allow-Headers") == "Authorization, Content-Type");
    CHECK(usual.header("Access-Control-Max-Age") == "600");
    const TestResponse bare =
        answer_of({.origins = {app_origin}, .methods = {}, .headers = {}, .max_age = 0s});
    CHECK_FALSE(bare.headers.contains("Access-Control-Allow-Methods"));
    CHECK_FALSE(bare.headers.contains("Access-Control-Allow-Headers"));
    CHECK(bare.header("Access-Control-Max-Age") == "0");
}

TEST_CASE("cors is on every answer, also on those that no handler made") {
    on_every_answer(cors({.origins = {app_origin}, .credentials = true}), fields_of({{"Origin", app_origin}}),
                    [](const TestResponse& answer) {
                        CHECK(answer.header("Access-Control-Allow-Origin") == app_origin);
                        CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
                        CHECK(answer.header("Vary") == "Origin");
                    });
}

TEST_CASE("cors keeps what a handler says in Vary, and what it sets itself does not win") {
    sake::Engine app;
    app.use(cors({.origins = {app_origin}}));
    app.get("/vary/:n", [](Context& ctx, int n) {
        const char* const values[] = {"Accept-Encoding", "accept-encoding, ORIGIN", "*", "X-Origin"};
        ctx.set_header("Vary", values[n]).set_header("Access-Control-Allow-Origin", "https://evil.test");
    });
    TestClient client(app);
    const auto vary = [&](const std::string& path) {
        std::string all;
        const TestResponse answer = client.get(path, fields_of({{"Origin", app_origin}}));
        CHECK(answer.header("Access-Control-Allow-Origin") == app_origin);
        for (const auto& [name, value] : answer.headers) {
            if (name == "Vary") all.append(all.empty() ? "" : " + ").append(value);
        }
        return all;
    };
    CHECK(vary("/vary/0") == "Accept-Encoding + Origin");
    CHECK(vary("/vary/1") == "accept-encoding, ORIGIN");
    CHECK(vary("/vary/2") == "*");
    CHECK(vary("/vary/3") == "X-Origin + Origin");
}

TEST_CASE("cors refuses options that cannot work, in words") {
    const auto complaint = [](const CorsOptions& options) -> std::string {
        try {
            static_cast<void>(cors(options));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "taken";
    };
    CHECK(complaint({}).starts_with("cors: no origins"));
    CHECK(complaint({.origins = {"*"}, .credentials = true}).starts_with("cors: '*' with credentials"));
    CHECK(complaint({.origins = {"null"}, .credentials = true}).starts_with("cors: 'null' with credentials"));
    CHECK(complaint({.origins = {app_origin, "null"}, .credentials = true})
              .starts_with("cors: 'null' with credentials"));
    CHECK(complaint({.origins = {"null"}}) == "taken");
    CHECK(complaint({.origins = {"*", app_origin}}) == "cors: '*' is every origin: list nothing beside it");
    for (const std::string origin :
         {"", "app.example", "https://", "https://app.example/", "https://app.example/path",
          "HTTPS://app.example", "https://App.example", "https://app.example:443", "http://app.example:80",
          "https://app.example:", "https://*.app.example", "https://user@app.example",
          "https://a.example https://b.example", "https://app.example\r\nX: y", "//app.example",
          "https:app.example", "https://app.example:99999"}) {
        CAPTURE(origin);
        CHECK(complaint({.origins = {origin}}).find("is not an origin as browsers send it") !=
              std::string::npos);
    }
    for (const std::string origin :
         {"http://app.example:443", "https://app.example:80", "capacitor://localhost",
          "https://10.0.0.1:8443", "https://xn--bcher-kva.example"}) {
        CAPTURE(origin);
        CHECK(complaint({.origins = {origin}}) == "taken");
    }
    CHECK(complaint({.origins = {"*"}, .methods = {"*"}}) ==
          "cors: '*' is not the name of a method: list each by its name");
    CHECK(complaint({.origins = {"*"}, .methods = {"GET, PUT"}}).starts_with("cors: 'GET, PUT' is not"));
    CHECK(
        complaint({.origins = {"*"}, .headers = {"*"}}).starts_with("cors: '*' is not the name of a field"));
    CHECK(complaint({.origins = {"*"}, .headers = {""}}).starts_with("cors: '' is not the name of a field"));
    CHECK(complaint({.origins = {"*"}, .exposed_headers = {"*"}}).starts_with("cors: '*' is not"));
    CHECK(complaint({.origins = {"*"}, .max_age = -1s}) == "cors: max_age must be at least 0");
    CHECK(complaint({.origins = {"*"}, .max_age = 0s}) == "taken");
}

}  // namespace test_middleware_cors
