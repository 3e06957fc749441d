// bearer_auth: which tokens are right, and what the others are answered.
#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/common.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_bearer_auth {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::middleware::bearer_auth;

namespace {

bool is_sesame(std::string_view token) { return sake::equal_in_constant_time(token, "sesame"); }

/// What a GET with this field is answered, if every token passes.
TestResponse answer_to(std::string_view authorization) {
    sake::Engine app;
    app.use(bearer_auth([](std::string_view token) -> std::optional<std::string> {
        return "user of " + std::string(token);
    }));
    app.get("/", [](Context& ctx) { ctx.text(ctx.state<sake::User>().name); });
    return TestClient(app).get("/", fields_of({{"Authorization", authorization}}));
}

}  // namespace

TEST_CASE("bearer_auth lets the right token pass, and says what is wrong with others") {
    sake::Engine app;
    app.use(bearer_auth(is_sesame));
    app.get("/", [](Context& ctx) { ctx.text("[" + ctx.state<sake::User>().name + "]"); });
    TestClient client(app);
    const auto answer = [&](std::string_view field) {
        return client.get("/", fields_of({{"Authorization", field}}));
    };
    CHECK(answer("Bearer sesame").body == "[]");
    const TestResponse wrong = answer("Bearer sesam");
    CHECK(wrong.status == 401);
    CHECK(wrong.header("WWW-Authenticate") == "Bearer error=\"invalid_token\"");
    CHECK(wrong.json()["detail"] == "the token is not valid");
    const TestResponse none = client.get("/");
    CHECK(none.status == 401);
    CHECK(none.header("WWW-Authenticate") == "Bearer");
    CHECK(none.json()["detail"] == "this resource needs a bearer token");
    const TestResponse malformed = answer("Bearer ses me");
    CHECK(malformed.status == 400);
    CHECK(malformed.header("WWW-Authenticate") == "Bearer error=\"invalid_request\"");
    CHECK(malformed.header("Content-Type") == "application/problem+json");
}

TEST_CASE("a realm of bearer_auth is in each of its challenges") {
    sake::Engine app;
    app.use(bearer_auth(is_sesame, "the \"api\""));
    TestClient client(app);
    const auto answer = [&](std::string_view field) {
        return client.get("/", fields_of({{"Authorization", field}})).header("WWW-Authenticate");
    };
    CHECK(answer("Basic YTpi") == R"(Bearer realm="the \"api\"")");
    CHECK(answer("Bearer other") == R"(Bearer realm="the \"api\"", error="invalid_token")");
    CHECK(answer("Bearer ") == R"(Bearer realm="the \"api\"", error="invalid_request")");
    CHECK_THROWS_AS(static_cast<void>(bearer_auth(is_sesame, "a\nb")), std::invalid_argument);
}

TEST_CASE("bearer_auth reads its field strictly, and takes no other scheme for its own") {
    for (const std::string_view field :
         {"Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g=="}) {
        CAPTURE(field);
        CHECK(answer_to(field).body == "user of a.b-c_d~e+f/g==");
    }
    for (const std::string_view field :
         {"Bearer", "Bearer ", "Bearer =", "Bearer ==", "Bearer a=b", "Bearer a b", "Bearer a,b",
          "Bearer \"a\"", "Bearer a\tb", "Bearer a;b", "Bearer \xc3\xa4", "bearer token=a"}) {
        CAPTURE(field);
        CHECK(answer_to(field).status == 400);
    }
    for (const std::string_view field :
         {"", "a", "Bearera", "Bearer\ta", "Basic a", "Token a", "Bear a", "xBearer a", "DPoP a"}) {
        CAPTURE(field);
        CHECK(answer_to(field).status == 401);
    }
}

TEST_CASE("bearer_auth takes one field, and no token from anywhere else") {
    sake::Engine app;
    app.use(bearer_auth(is_sesame));
    app.any("/", [] {});
    TestClient client(app);
    CHECK(client.get("/?access_token=sesame").status == 401);
    CHECK(client
              .request("POST", "/", fields_of({{"Content-Type", "application/x-www-form-urlencoded"}}),
                       "access_token=sesame")
              .status == 401);
    CHECK(client.get("/", fields_of({{"Cookie", "access_token=sesame"}})).status == 401);
    CHECK(client.get("/", fields_of({{"Proxy-Authorization", "Bearer sesame"}})).status == 401);
    CHECK(client.get("/", fields_of({{"Authorization", "Bearer sesame"}, {"Authorization", "Bearer sesame"}}))
              .status == 400);
}

TEST_CASE("bearer_auth reads no token out of a head that is refused in the middle") {
    std::string checked;
    std::string user = "nobody asked";
    Log log;
    sake::Engine app(log.config());
    app.use(bearer_auth([&](std::string_view token) -> std::optional<std::string> {
        checked = token;
        return "ann";
    }));
    app.on_answered([&](const sake::Answered& answered) { user = answered.ctx.state<sake::User>().name; });
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer sesame\r\nBad Name: x\r\n\r\n");
    CHECK(connection.receive_all().starts_with("HTTP/1.1 400"));
    CHECK(checked == "");
    CHECK(user == "");
}

TEST_CASE("tokens of bearer_auth have 8 KiB at most") {
    const auto status = [](std::size_t size) { return answer_to("Bearer " + std::string(size, 't')).status; };
    CHECK(status(1) == 200);
    CHECK(status(8191) == 200);
    CHECK(status(8192) == 200);
    CHECK(status(8193) == 400);
}

TEST_CASE("bearer_auth answers before the handler, and leaves refusals as they are") {
    sake::Engine app;
    int handled = 0;
    auto group = app.group("/api");
    group.use(bearer_auth(is_sesame));
    group.post("/", [&] { ++handled; });
    app.get("/open", [] {});
    TestClient client(app);
    CHECK(client.request("POST", "/api/", {}, "body").status == 401);
    CHECK(client.get("/open").status == 200);
    CHECK(handled == 0);
    expect_no_change(bearer_auth(is_sesame), fields_of({{"Authorization", "Bearer sesame"}}));
}

}  // namespace test_middleware_bearer_auth
