// allowed_hosts: which hosts a server answers for.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/common.hpp"
#include "support/refusals.hpp"

namespace test_middleware_allowed_hosts {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::middleware::allowed_hosts;

namespace {

const std::vector<std::string> names = {"example.org", "*.Apps.example", "127.0.0.1", "[2001:db8::1]",
                                        "localhost"};

int status_of(const std::vector<std::string>& hosts, std::string_view host) {
    sake::Engine app;
    app.use(allowed_hosts(hosts));
    app.get("/", [] {});
    return TestClient(app).get("/", fields_of({{"Host", host}})).status;
}

}  // namespace

TEST_CASE("allowed_hosts compares names as they are, without case and port") {
    for (const std::string_view host :
         {"example.org", "EXAMPLE.org", "example.org:80", "example.org:65535", "a.apps.example",
          "a.b.apps.example:8080", "127.0.0.1", "127.0.0.1:8080", "[2001:db8::1]", "[2001:DB8:0::1]:443",
          "[2001:db8:0:0:0:0:0:1]", "localhost"}) {
        CAPTURE(host);
        CHECK(status_of(names, host) == 200);
    }
    for (const std::string_view host :
         {"", "evil.test", "example.org.evil.test", "evilexample.org", "www.example.org", "example.org.",
          "apps.example", ".apps.example", "evilapps.example", "a.apps.example.evil.test", "127.0.0.2",
          "127.0.0.11", "127.1", "2130706433", "[2001:db8::2]", "[::1]", "[::ffff:127.0.0.1]",
          "localhost."}) {
        CAPTURE(host);
        CHECK(status_of(names, host) == 421);
    }
    for (const std::string_view host :
         {"example.org/", "example.org@evil.test", "user@example.org", "example.org:80:80",
          "example.org#.evil.test", "exa mple.org", "example.org,evil.test", "*.apps.example", "[2001:db8::1",
          "example.org:99999"}) {
        CAPTURE(host);
        CHECK(status_of(names, host) == 400);  // no host at all
    }
}

TEST_CASE("a target that names its host counts, and not the field beside it") {
    sake::Engine app;
    app.use(allowed_hosts({"example.org"}));
    app.get("/", [] {});
    TestClient client(app);
    const auto status = [&](std::string_view target, std::string_view host) {
        return client.get(target, fields_of({{"Host", host}})).status;
    };
    CHECK(status("http://example.org/", "evil.test") == 200);
    CHECK(status("http://example.org:8080/", "evil.test") == 200);
    CHECK(status("http://evil.test/", "example.org") == 421);
    sake::TestConnection old = client.connect();
    old.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(old.response().status == 421);  // it says no host
    sake::TestConnection twice = client.connect();
    twice.send("GET / HTTP/1.1\r\nHost: example.org\r\nHost: evil.test\r\n\r\n");
    CHECK(twice.response().status == 400);
}

TEST_CASE("another host is answered before any handler, on every path, with the cause and the cure") {
    sake::Engine app;
    int handled = 0;
    app.use(allowed_hosts({"example.org"}));
    app.get("/", [&] { ++handled; });
    TestClient client(app);
    const auto evil = fields_of({{"Host", "evil.test"}});
    for (const auto method : {"GET", "POST", "OPTIONS"}) {
        for (const auto path : {"/", "/nowhere"}) {
            const TestResponse answer = client.request(method, path, evil);
            CHECK(answer.status == 421);
            CHECK(answer.header("Content-Type") == "application/problem+json");
            CHECK(answer.json()["detail"] ==
                  "this server does not answer for the host 'evil.test': middleware::allowed_hosts does not "
                  "list it");
        }
    }
    CHECK(handled == 0);
    const auto named = [&](const std::string& host) {
        const TestResponse answer = client.get("/", fields_of({{"Host", host}}));
        return std::pair(answer.status, answer.json()["detail"].get<std::string>());
    };
    const auto detail = [](const std::string& host) {
        return std::pair(421, "this server does not answer for the host '" + host +
                                  "': middleware::allowed_hosts does not list it");
    };
    CHECK(named("Evil.test:8080") == detail("Evil.test"));
    CHECK(named("[::1]:80") == detail("[::1]"));
    CHECK(named("") == detail(""));
    for (const std::size_t size : {254U, 255U}) {
        CHECK(named(std::string(size, 'h')) == detail(std::string(size, 'h')));
    }
    CHECK(named(std::string(256, 'h')) == detail(std::string(255, 'h')));
    expect_no_change(allowed_hosts({"test"}), fields_of({{"Host", "test"}}));
}

TEST_CASE("allowed_hosts refuses what is not a host, in words") {
    CHECK_THROWS_WITH_AS(static_cast<void>(allowed_hosts({})),
                         "allowed_hosts: no hosts: list the names of this server", std::invalid_argument);
    for (const std::string host : {"",
                                   "*",
                                   "*.",
                                   "*.*.example.org",
                                   "a.*.example.org",
                                   "example.*",
                                   "*example.org",
                                   ".example.org",
                                   "*..example.org",
                                   "example.org:80",
                                   "http://example.org",
                                   "example.org/",
                                   "::1",
                                   "[::1",
                                   "[::1]:80",
                                   "*.[::1]",
                                   "[127.0.0.1]",
                                   "exa mple.org",
                                   "example.org\r\n",
                                   "^example\\.org$"}) {
        CAPTURE(host);
        std::string complaint;
        try {
            static_cast<void>(allowed_hosts({"fine.example", host}));
        } catch (const std::invalid_argument& error) {
            complaint = error.what();
        }
        CHECK(complaint.starts_with("allowed_hosts: '" + host + "' is not a host: write "));
    }
}

}  // namespace test_middleware_allowed_hosts
