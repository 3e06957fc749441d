// csrf: which requests are of this site's pages.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_csrf {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::csrf;
using sake::middleware::CsrfOptions;

namespace {

int status_of(const CsrfOptions& options, std::string_view method, const Headers& fields) {
    sake::Engine app;
    app.use(csrf(options));
    app.any("/", [] {});
    return TestClient(app).request(method, "/", fields).status;
}

constexpr std::string_view absent = "(absent)";

struct Case {
    std::string_view site;
    std::string_view origin;
    std::string_view host;
    int status;
};

Headers fields_of_case(const Case& one) {
    Headers fields = fields_of({{"Host", one.host}});
    if (one.site != absent) fields.add("Sec-Fetch-Site", one.site);
    if (one.origin != absent) fields.add("Origin", one.origin);
    return fields;
}

}  // namespace

TEST_CASE("csrf lets this site's own requests pass, and answers 403 to those of other sites") {
    const Case cases[] = {
        // What browsers send today.
        {"same-origin", "https://app.example", "app.example", 200},
        {"same-origin", absent, "app.example", 200},
        {"none", absent, "app.example", 200},
        {"cross-site", "https://evil.test", "app.example", 403},
        {"same-site", "https://evil.app.example", "app.example", 403},
        {"cross-site", absent, "app.example", 403},
        {"cross-site", "null", "app.example", 403},
        // Sec-Fetch-Site decides, whatever Origin says: the scheme counts there.
        {"cross-site", "http://app.example", "app.example", 403},
        {"same-origin", "https://proxied.example", "inner", 200},
        // A value that no browser sends.
        {"", "https://app.example", "app.example", 403},
        {"SAME-ORIGIN", "https://app.example", "app.example", 403},
        {"same-origin, cross-site", "https://app.example", "app.example", 403},
        // Browsers without it, and pages over http.
        {absent, absent, "app.example", 200},
        {absent, "https://app.example", "app.example", 200},
        {absent, "http://app.example", "app.example", 200},
        {absent, "http://app.example", "APP.example", 200},
        {absent, "https://app.example", "app.example:443", 200},
        {absent, "http://app.example", "app.example:80", 200},
        {absent, "http://app.example", "app.example:443", 403},
        {absent, "http://localhost:8080", "localhost:8080", 200},
        {absent, "http://localhost:8081", "localhost:8080", 403},
        {absent, "http://[::1]:8080", "[::1]:8080", 200},
        {absent, "https://evil.test", "app.example", 403},
        {absent, "https://app.example.evil.test", "app.example", 403},
        {absent, "https://x.app.example", "app.example", 403},
        {absent, "null", "app.example", 403},
        {absent, "null", "null", 403},
        {absent, "", "app.example", 403},
        {absent, "", "", 403},
        {absent, "https://", "", 403},
        {absent, "app.example", "app.example", 403},
        {absent, "ftp://app.example", "app.example", 403},
        {absent, "https://app.example/", "app.example", 403},
    };
    for (const Case& one : cases) {
        CAPTURE(one.site);
        CAPTURE(one.origin);
        CAPTURE(one.host);
        for (const std::string_view method : {"POST", "PUT", "PATCH", "DELETE", "BREW"}) {
            CHECK(status_of({}, method, fields_of_case(one)) == one.status);
        }
    }
}

TEST_CASE("safe methods pass csrf from anywhere") {
    const Headers hostile = fields_of({{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}});
    for (const std::string_view method : {"GET", "HEAD", "OPTIONS", "QUERY", "TRACE"}) {
        CAPTURE(method);
        CHECK(status_of({}, method, hostile) != 403);
    }
    CHECK(status_of({}, "get", hostile) == 403);  // another method, by its case
}

TEST_CASE("csrf refuses a field that is there twice") {
    const auto status = [](const Headers& fields) { return status_of({}, "POST", fields); };
    CHECK(status(fields_of({{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site"}})) == 403);
    CHECK(status(fields_of({{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "same-origin"}})) == 403);
    CHECK(status(fields_of({{"Origin", "http://test"}, {"Origin", "https://evil.test"}})) == 403);
    CHECK(status(fields_of({{"Origin", "http://test"}})) == 200);  // the host that a TestClient names
}

TEST_CASE("csrf lets pages of listed origins pass, compared as a whole") {
    const CsrfOptions options{.origins = {"https://partner.example"}};
    const auto status = [&](std::string_view origin) {
        return status_of(options, "POST", fields_of({{"Sec-Fetch-Site", "cross-site"}, {"Origin", origin}}));
    };
    CHECK(status("https://partner.example") == 200);
    CHECK(status_of(options, "POST", fields_of({{"Origin", "https://partner.example"}})) == 200);
    for (const std::string_view origin :
         {"http://partner.example", "https://partner.example:8443", "https://partner.example.evil.test",
          "https://PARTNER.example", "https://x.partner.example", "null", ""}) {
        CAPTURE(origin);
        CHECK(status(origin) == 403);
    }
    for (const std::string origin : {"*", "null", "partner.example", "https://partner.example/"}) {
        CAPTURE(origin);
        CHECK_THROWS_AS(static_cast<void>(csrf({.origins = {origin}})), std::invalid_argument);
    }
}

TEST_CASE("csrf answers before the body is read, with a problem document, and no handler runs") {
    sake::Engine app;
    int handled = 0;
    app.use(csrf());
    app.post("/", [&] { ++handled; });
    TestClient client(app);
    const TestResponse answer =
        client.request("POST", "/", fields_of({{"Sec-Fetch-Site", "cross-site"}}), "body");
    CHECK(answer.status == 403);
    CHECK(answer.header("Content-Type") == "application/problem+json");
    CHECK(answer.json()["detail"] == "a page of another site may not send this request");
    sake::TestConnection large = client.connect();
    large.send(
        "POST / HTTP/1.1\r\nHost: t\r\nSec-Fetch-Site: cross-site\r\nExpect: 100-continue\r\n"
        "Content-Length: 5\r\n\r\n");
    CHECK(large.receive_all().starts_with("HTTP/1.1 403 "));
    CHECK(handled == 0);
    CHECK(client.request("POST", "/nowhere", fields_of({{"Sec-Fetch-Site", "cross-site"}})).status == 403);
    CHECK(client.request("PUT", "/", fields_of({{"Sec-Fetch-Site", "cross-site"}})).status == 403);
}

TEST_CASE("csrf leaves refusals as they are") {
    expect_no_change(csrf(), fields_of({{"Sec-Fetch-Site", "same-origin"}}));
    sake::Engine app(sake::Config().with_max_body(1).with_log([](sake::LogLevel, std::string_view) {}));
    app.use(csrf());
    app.post("/", [] {});
    TestClient client(app);
    CHECK(client.request("POST", "/", fields_of({{"Sec-Fetch-Site", "cross-site"}}), "xx").status == 413);
}

}  // namespace test_middleware_csrf
