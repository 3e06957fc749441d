// security_headers: which fields, on which answers.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_security_headers {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestResponse;
using sake::middleware::security_headers;
using sake::middleware::SecurityHeadersOptions;

TEST_CASE("security_headers sets its fields on every answer, also on those that no handler made") {
    on_every_answer(security_headers(), {}, [](const TestResponse& answer) {
        CHECK(answer.header("Content-Security-Policy").starts_with("default-src 'self'; "));
        CHECK(answer.header("Referrer-Policy") == "strict-origin-when-cross-origin");
        CHECK(answer.header("Permissions-Policy") == "camera=(), geolocation=(), microphone=()");
        CHECK(answer.header("Cross-Origin-Opener-Policy") == "same-origin");
        CHECK(answer.header("Cross-Origin-Resource-Policy") == "same-origin");
        CHECK(answer.header("X-Content-Type-Options") == "nosniff");
        CHECK(answer.header("X-Frame-Options") == "DENY");
        CHECK_FALSE(answer.headers.contains("Strict-Transport-Security"));  // not over plain http
    });
}

TEST_CASE("what a handler sets itself wins over security_headers") {
    sake::Engine app;
    app.use(security_headers());
    app.get("/", [](Context& ctx) {
        ctx.set_header("x-frame-options", "SAMEORIGIN")
            .set_header("Content-Security-Policy", "default-src *");
    });
    const TestResponse answer = TestClient(app).get("/");
    CHECK(answer.header("X-Frame-Options") == "SAMEORIGIN");
    CHECK(answer.header("Content-Security-Policy") == "default-src *");
    CHECK(answer.header("X-Content-Type-Options") == "nosniff");
}

TEST_CASE("an option of security_headers without a text sends no field") {
    sake::Engine app;
    app.use(security_headers({.content_security_policy = "", .permissions_policy = ""}));
    app.get("/", [] {});
    const TestResponse answer = TestClient(app).get("/");
    CHECK_FALSE(answer.headers.contains("Content-Security-Policy"));
    CHECK_FALSE(answer.headers.contains("Permissions-Policy"));
    CHECK(answer.headers.contains("Referrer-Policy"));
}

TEST_CASE("Strict-Transport-Security is sent over https, with the time of the options, and none for 0") {
    const std::pair<SecurityHeadersOptions, std::string_view> cases[] = {
        {{}, "max-age=31536000"},
        {{.strict_transport_security = 1s}, "max-age=1"},
        {{.strict_transport_security = 1h, .include_subdomains = true}, "max-age=3600; includeSubDomains"},
        {{.strict_transport_security = 0s, .include_subdomains = true}, ""},
    };
    for (const auto& [options, expected] : cases) {
        CAPTURE(expected);
        sake::Engine app;
        app.use(sake::middleware::trusted_proxies({"127.0.0.1"}));
        app.use(security_headers(options));
        app.get("/", [] {});
        TestClient client(app);
        CHECK(client.get("/", fields_of({{"X-Forwarded-Proto", "https"}}))
                  .header("Strict-Transport-Security") == expected);
        CHECK(client.get("/").header("Strict-Transport-Security") == "");
    }
}

TEST_CASE("security_headers sets its fields on streams and on what coroutines throw") {
    sake::Engine app;
    app.use(security_headers());
    app.get("/stream", [](Context& ctx) -> Task<> {
        auto out = ctx.stream("text/plain");
        co_await out.write("piece");
    });
    app.get("/error", []() -> Task<> {
        co_await sake::yield();
        throw sake::HttpError(409, "busy");
    });
    TestClient client(app);
    const TestResponse stream = client.get("/stream");
    CHECK(stream.body == "piece");
    CHECK(stream.header("X-Content-Type-Options") == "nosniff");
    const TestResponse error = client.get("/error");
    CHECK(error.status == 409);
    CHECK(error.header("X-Content-Type-Options") == "nosniff");
}

TEST_CASE("security_headers refuses a text that may not stand in a field") {
    for (const std::string& text :
         {std::string("a\r\nSet-Cookie: x=1"), std::string("a\nb"), std::string("a\0b", 3)}) {
        CHECK_THROWS_AS(static_cast<void>(security_headers({.referrer_policy = text})),
                        std::invalid_argument);
    }
}

TEST_CASE("security_headers names the option that it refuses") {
    const std::string cause = "header value: byte 1 is a line feed (0x0a)";
    const auto complaint = [](const sake::middleware::SecurityHeadersOptions& options) -> std::string {
        try {
            static_cast<void>(security_headers(options));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "taken";
    };
    CHECK(complaint({.content_security_policy = "a\nb"}) ==
          "security_headers: content_security_policy: " + cause);
    CHECK(complaint({.referrer_policy = "a\nb"}) == "security_headers: referrer_policy: " + cause);
    CHECK(complaint({.permissions_policy = "a\nb"}) == "security_headers: permissions_policy: " + cause);
    CHECK(complaint({.cross_origin_opener_policy = "a\nb"}) ==
          "security_headers: cross_origin_opener_policy: " + cause);
    CHECK(complaint({.cross_origin_resource_policy = "a\nb"}) ==
          "security_headers: cross_origin_resource_policy: " + cause);
}

TEST_CASE("security_headers refuses a time below 0") {
    CHECK_THROWS_WITH_AS(
        static_cast<void>(security_headers({.strict_transport_security = std::chrono::seconds(-1)})),
        "security_headers: strict_transport_security must be at least 0, which sends no field",
        std::invalid_argument);
    static_cast<void>(security_headers({.strict_transport_security = std::chrono::seconds(0)}));
    static_cast<void>(security_headers({.strict_transport_security = std::chrono::seconds(1)}));
}

TEST_CASE("one step serves several engines and routes") {
    const auto step = security_headers();
    sake::Engine app;
    auto group = app.group("/group");
    group.use(step);
    group.get("/", [] {});
    app.get("/one", [] {}).use(step);
    app.get("/none", [] {});
    TestClient client(app);
    CHECK(client.get("/group/").headers.contains("X-Frame-Options"));
    CHECK(client.get("/one").headers.contains("X-Frame-Options"));
    CHECK_FALSE(client.get("/none").headers.contains("X-Frame-Options"));
}

}  // namespace test_middleware_security_headers
