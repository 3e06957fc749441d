// basic_auth: which credentials are right, and what the others are answered.
#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_basic_auth {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::middleware::basic_auth;

namespace {

bool is_alice(std::string_view user, std::string_view password) {
    return user == "alice" && sake::equal_in_constant_time(password, "open:sesame");
}

void add_who(sake::Engine& app) {
    app.get("/", [](Context& ctx) { ctx.text(ctx.state<sake::User>().name); });
}

std::string basic(std::string_view both) { return "Basic " + sake::base64_encode(both); }

/// What a GET with this field is answered, if every user passes.
TestResponse answer_to(std::string_view authorization) {
    sake::Engine app;
    app.use(basic_auth("staff", [](std::string_view, std::string_view) { return true; }));
    add_who(app);
    return TestClient(app).get("/", fields_of({{"Authorization", authorization}}));
}

constexpr std::string_view challenge = "Basic realm=\"staff\", charset=\"UTF-8\"";

}  // namespace

TEST_CASE("a password that nobody has set lets nobody in") {
    const std::string unset;
    sake::Engine app;
    app.use(basic_auth("staff", [&](std::string_view user, std::string_view password) {
        return user == "admin" && sake::equal_in_constant_time(password, unset);
    }));
    add_who(app);
    TestClient client(app);
    for (const std::string_view both : {"admin:", "admin:x", ":"}) {
        CHECK(client.get("/", fields_of({{"Authorization", basic(both)}})).status == 401);
    }
}

TEST_CASE("basic_auth lets the right user pass, and leaves the name") {
    sake::Engine app;
    app.use(basic_auth("staff", is_alice));
    add_who(app);
    TestClient client(app);
    const auto answer = [&](const std::string& field) {
        return client.get("/", fields_of({{"Authorization", field}}));
    };
    CHECK(answer(basic("alice:open:sesame")).body == "alice");
    for (const std::string_view both : {"alice:open", "alice:", "alice:open:sesame ", "Alice:open:sesame",
                                        ":open:sesame", "bob:open:sesame", ":"}) {
        CAPTURE(both);
        const TestResponse refused = answer(basic(both));
        CHECK(refused.status == 401);
        CHECK(refused.header("WWW-Authenticate") == challenge);
        CHECK(refused.header("Content-Type") == "application/problem+json");
        CHECK(refused.json()["detail"] == "the user or the password is wrong");
    }
    const TestResponse none = client.get("/");
    CHECK(none.status == 401);
    CHECK(none.header("WWW-Authenticate") == challenge);
    CHECK(none.json()["detail"] == "this resource needs a user and a password");
}

TEST_CASE("a check of basic_auth may name the user itself") {
    sake::Engine app;
    app.use(basic_auth(
        "staff", [calls = 0](std::string_view user, std::string_view) mutable -> std::optional<std::string> {
            ++calls;
            if (user == "nobody") return std::nullopt;
            return "user " + std::string(user) + ", call " + std::to_string(calls);
        }));
    add_who(app);
    TestClient client(app);
    CHECK(client.get("/", fields_of({{"Authorization", basic("ann:x")}})).body == "user ann, call 1");
    CHECK(client.get("/", fields_of({{"Authorization", basic("nobody:x")}})).status == 401);
    CHECK(client.get("/", fields_of({{"Authorization", basic("bea:x")}})).body == "user bea, call 3");
}

TEST_CASE("basic_auth reads its field strictly") {
    for (const std::string_view field :
         {"Basic YTpi", "basic YTpi", "BASIC YTpi", "bAsIc  YTpi", "Basic    YTpi"}) {
        CAPTURE(field);
        CHECK(answer_to(field).body == "a");
    }
    CHECK(answer_to(basic("a:")).body == "a");
    CHECK(answer_to(basic(":b")).status == 200);
    CHECK(answer_to(basic("käthe:ü")).body == "käthe");
    const std::string hostile[] = {
        "",
        "Basic",
        "Basic ",
        "BasicYTpi",
        "Basic\tYTpi",
        "Basic YTpi x",
        "Basic YTpi,Basic YTpi",
        "Basic =",
        "Basic ====",
        "Basic YTp",       // cut
        "Basic YTpiYw",    // without its padding
        "Basic YTpiYw=",   // with half of it
        "Basic YTpiYx==",  // stray bits behind the end
        "Basic YTpi====",
        "Basic YT pi",
        "Basic YTpi\tYTpi",
        "Basic YT-_",  // the alphabet of URLs
        "Basic \"YTpi\"",
        "Bearer YTpi",
        "Digest YTpi",
        "Basicx YTpi",
        "x Basic YTpi",
        basic("no colon"),
        basic(""),
        basic("a:b\n"),
        basic("a\x01:b"),
        basic("a:\x7f"),
        basic(std::string_view("a\0:b", 4)),
        basic("a:\xff"),
        basic("\xc0\x80:b"),  // an overlong 0
    };
    for (const std::string& field : hostile) {
        CAPTURE(field);
        const TestResponse answer = answer_to(field);
        CHECK(answer.status == 401);
        CHECK(answer.header("WWW-Authenticate") == challenge);
    }
}

TEST_CASE("basic_auth refuses two fields, even if both are right") {
    sake::Engine app;
    app.use(basic_auth("staff", is_alice));
    add_who(app);
    TestClient client(app);
    const std::string right = basic("alice:open:sesame");
    CHECK(client.get("/", fields_of({{"Authorization", right}, {"Authorization", right}})).status == 401);
    CHECK(client.get("/", fields_of({{"Authorization", right}, {"Authorization", "Bearer x"}})).status ==
          401);
}

TEST_CASE("credentials of basic_auth have 8 KiB at most") {
    const auto status = [](std::size_t encoded) {
        return answer_to("Basic " + sake::base64_encode("a:" + std::string(encoded / 4 * 3 - 2, 'p'))).status;
    };
    CHECK(status(8188) == 200);
    CHECK(status(8192) == 200);
    CHECK(status(8196) == 401);
}

TEST_CASE("a realm is quoted, and refused if it may not stand in a field") {
    sake::Engine app;
    app.use(basic_auth(R"(the "inner\outer")", is_alice));
    CHECK(TestClient(app).get("/").header("WWW-Authenticate") ==
          R"(Basic realm="the \"inner\\outer\"", charset="UTF-8")");
    for (const std::string realm : {"a\r\nX: y", "a\tb", "a\x7f", "ä"}) {
        CAPTURE(realm);
        CHECK_THROWS_AS(static_cast<void>(basic_auth(realm, is_alice)), std::invalid_argument);
    }
}

TEST_CASE("basic_auth answers before the body and the handler, on 404 and 405 too") {
    sake::Engine app;
    int handled = 0;
    app.use(basic_auth("staff", is_alice));
    app.post("/", [&] { ++handled; });
    TestClient client(app);
    CHECK(client.request("POST", "/", {}, "body").status == 401);
    CHECK(client.get("/").status == 401);
    CHECK(client.get("/nowhere").status == 401);
    CHECK(client.options("/").status == 401);
    sake::TestConnection large = client.connect();
    large.send("POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    CHECK(large.receive_all().starts_with("HTTP/1.1 401 "));
    CHECK(handled == 0);
    expect_no_change(basic_auth("staff", is_alice),
                     fields_of({{"Authorization", basic("alice:open:sesame")}}));
}

TEST_CASE("what a check throws is a 500, and nobody passes") {
    sake::Engine app(sake::Config().with_log([](sake::LogLevel, std::string_view) {}));
    app.use(basic_auth("staff", [](std::string_view, std::string_view) -> bool {
        throw std::runtime_error("no database");
    }));
    add_who(app);
    CHECK(TestClient(app).get("/", fields_of({{"Authorization", basic("a:b")}})).status == 500);
}

TEST_CASE("a user is of one request, and the next on its connection has none") {
    sake::Engine app;
    app.get("/in", [](Context& ctx) { ctx.text(ctx.state<sake::User>().name); })
        .use(basic_auth("staff", is_alice));
    app.get("/out", [](Context& ctx) { ctx.text("[" + ctx.state<sake::User>().name + "]"); });
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    connection.send("GET /in HTTP/1.1\r\nHost: t\r\nAuthorization: " + basic("alice:open:sesame") +
                    "\r\n\r\nGET /out HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(connection.response().body == "alice");
    CHECK(connection.response().body == "[]");
}

TEST_CASE("a worker route sees the user, as every other route does") {
    sake::Engine app;
    const auto tell = [](Context& ctx) { ctx.text("[" + ctx.state<sake::User>().name + "]"); };
    const auto by_name = basic_auth("staff", [](std::string_view, std::string_view) { return true; });
    app.get("/here", tell).use(by_name);
    app.get("/worker", tell).worker().use(by_name);
    app.get("/out", tell).worker();
    TestClient client(app);
    for (const std::string path : {"/here", "/worker"}) {
        for (const std::string name : {"ann", "\xC3\xA4\"\\"}) {
            CAPTURE(path + " " + name);
            CHECK(client.get(path, fields_of({{"Authorization", basic(name + ":sesame")}})).body ==
                  "[" + name + "]");
        }
    }
    CHECK(client.get("/out").body == "[]");
}

}  // namespace test_middleware_basic_auth
