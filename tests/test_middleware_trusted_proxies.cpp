// trusted_proxies: who the client is, and that no client can say so itself.
#include <doctest/doctest.h>

#include <chrono>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/common.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_trusted_proxies {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::ForwardedFields;
using sake::middleware::trusted_proxies;
using sake::middleware::TrustedProxiesOptions;

namespace {

/// The peer of a TestClient, and a few behind it.
const std::vector<std::string> proxies = {"127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"};
constexpr TrustedProxiesOptions with_host{.use_host = true};
constexpr TrustedProxiesOptions standard{.fields = ForwardedFields::standard};
constexpr TrustedProxiesOptions standard_with_host{.fields = ForwardedFields::standard, .use_host = true};

void add_who(sake::Engine& app) {
    const auto who = [](Context& ctx) {
        ctx.text(std::string(ctx.client_ip()) + " " + std::string(ctx.scheme()) + " " +
                 std::string(ctx.host()) + " " + std::string(ctx.remote_address()));
    };
    app.get("/", who);
    app.get("/worker", who).worker();
}

/// "address scheme host peer", as a handler sees them.
std::string seen(const Headers& fields, TrustedProxiesOptions options = {},
                 const std::vector<std::string>& list = proxies, std::string_view path = "/") {
    sake::Engine app;
    app.use(trusted_proxies(list, options));
    add_who(app);
    return TestClient(app).get(path, fields).body;
}

/// The client's address alone, of lists in one field or several.
std::string client_of(std::string_view field, std::initializer_list<std::string_view> values,
                      TrustedProxiesOptions options = {}) {
    Headers fields;
    for (const std::string_view value : values) fields.add(field, value);
    const std::string all = seen(fields, options);
    return all.substr(0, all.find(' '));
}
std::string x_client(std::initializer_list<std::string_view> values) {
    return client_of("X-Forwarded-For", values);
}
std::string standard_client(std::initializer_list<std::string_view> values) {
    return client_of("Forwarded", values, standard);
}

const Headers everything = fields_of({{"X-Forwarded-For", "192.0.2.9"},
                                      {"X-Forwarded-Proto", "https"},
                                      {"X-Forwarded-Host", "evil.test"},
                                      {"Forwarded", "for=192.0.2.9;proto=https;host=evil.test"},
                                      {"X-Real-IP", "192.0.2.9"},
                                      {"Client-IP", "192.0.2.9"},
                                      {"True-Client-IP", "192.0.2.9"}});

}  // namespace

TEST_CASE("without trusted_proxies, nobody is believed") {
    sake::Engine app;
    add_who(app);
    CHECK(TestClient(app).get("/", everything).body == "127.0.0.1 http test 127.0.0.1");
}

TEST_CASE("a peer that is not listed is not believed") {
    for (const auto& options : {TrustedProxiesOptions(), with_host, standard, standard_with_host}) {
        for (const std::string list :
             {"10.0.0.0/8", "127.0.0.2", "127.0.0.0/32", "::1", "unix", "128.0.0.0/1"}) {
            CAPTURE(list);
            CHECK(seen(everything, options, {list}) == "127.0.0.1 http test 127.0.0.1");
        }
    }
}

TEST_CASE("a listed peer is believed, by its address, its network, or as IPv4 in IPv6") {
    for (const std::string list : {"127.0.0.1", "127.0.0.1/32", "127.0.0.0/31", "127.0.0.0/8", "0.0.0.0/1",
                                   "::ffff:127.0.0.1", "::ffff:127.0.0.0/104", "::ffff:7f00:1"}) {
        CAPTURE(list);
        CHECK(seen(everything, {}, {list}) == "192.0.2.9 https test 127.0.0.1");
        CHECK(seen(everything, {}, {"10.0.0.0/8", list}) == "192.0.2.9 https test 127.0.0.1");
    }
}

TEST_CASE("only the fields of the options are read") {
    CHECK(seen(fields_of({{"Forwarded", "for=192.0.2.9;proto=https;host=evil.test"}}), with_host) ==
          "127.0.0.1 http test 127.0.0.1");
    CHECK(seen(fields_of({{"X-Forwarded-For", "192.0.2.9"}, {"X-Forwarded-Proto", "https"}}),
               standard_with_host) == "127.0.0.1 http test 127.0.0.1");
    CHECK(seen(fields_of({{"X-Real-IP", "192.0.2.9"}})) == "127.0.0.1 http test 127.0.0.1");
}

TEST_CASE("X-Forwarded-For is read from its end, to the first address that is no proxy") {
    CHECK(x_client({"192.0.2.1"}) == "192.0.2.1");
    CHECK(x_client({"192.0.2.1, 192.0.2.2"}) == "192.0.2.2");
    CHECK(x_client({"192.0.2.1, 10.0.0.1"}) == "192.0.2.1");
    CHECK(x_client({"192.0.2.1,10.0.0.1,10.255.255.255"}) == "192.0.2.1");
    CHECK(x_client({"10.0.0.9, 192.0.2.1, 10.0.0.1"}) == "192.0.2.1");
    CHECK(x_client({"192.0.2.1, 2001:db8:1::5, 10.0.0.1"}) == "192.0.2.1");
    CHECK(x_client({"192.0.2.1, ::ffff:10.0.0.1"}) == "192.0.2.1");
    CHECK(x_client({"10.0.0.7, 10.0.0.8"}) == "10.0.0.7");  // all are proxies: the first of them
    CHECK(x_client({"10.0.0.7", "10.0.0.8", "127.0.0.1"}) == "10.0.0.7");
}

TEST_CASE("several fields are one list, in their order") {
    CHECK(x_client({"192.0.2.1", "192.0.2.2"}) == "192.0.2.2");
    CHECK(x_client({"192.0.2.1, 192.0.2.2", "10.0.0.1"}) == "192.0.2.2");
    CHECK(x_client({"192.0.2.1", "10.0.0.1, 10.0.0.2", "10.0.0.3"}) == "192.0.2.1");
    CHECK(standard_client({"for=192.0.2.1", "for=192.0.2.2, for=10.0.0.1", "for=10.0.0.3"}) == "192.0.2.2");
}

TEST_CASE("an address may have a port, and is made canonical") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"192.0.2.1:0", "192.0.2.1"},          {"192.0.2.1:65535", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},      {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},  {"::ffff:192.0.2.1", "192.0.2.1"},
        {"[::ffff:c000:0201]:1", "192.0.2.1"}, {"  192.0.2.1\t", "192.0.2.1"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        CHECK(x_client({text}) == expected);
        if (text.find_first_of(" \t") != std::string_view::npos) continue;
        CHECK(standard_client({"for=\"" + std::string(text) + "\""}) == expected);
    }
}

TEST_CASE("what is not an address ends the list: the client is the proxy that wrote it") {
    for (const std::string_view text : {"",
                                        "unknown",
                                        "unix",
                                        "_hidden",
                                        "localhost",
                                        "192.0.2",
                                        "192.0.2.256",
                                        "192.0.2.01",
                                        "192.0.2.1:",
                                        "192.0.2.1:99999",
                                        "192.0.2.1:080000",
                                        "192.0.2.1:8a",
                                        "192.0.2.1/24",
                                        "[192.0.2.1]",
                                        "[2001:db8::9",
                                        "2001:db8::9]",
                                        "[]",
                                        "[",
                                        "[]:80",
                                        "[2001:db8::9]80",
                                        "[2001:db8::9]:",
                                        "fe80::9%eth0",
                                        "192.0.2.1 192.0.2.2",
                                        "\"192.0.2.1\"",
                                        "192.0.2.1;x",
                                        "0x7f000001",
                                        "'",
                                        "\"",
                                        "for=192.0.2.1",
                                        "%00"}) {
        CAPTURE(text);
        CHECK(x_client({text}) == "127.0.0.1");
        CHECK(x_client({std::string(text) + ", 10.0.0.5"}) == "10.0.0.5");
        CHECK(x_client({"192.0.2.7, " + std::string(text) + ", 10.0.0.5, 10.0.0.6"}) == "10.0.0.5");
        CHECK(x_client({"192.0.2.7", text}) == "127.0.0.1");
        CHECK(x_client({std::string(text) + ", 192.0.2.7"}) == "192.0.2.7");  // what a client sent itself
    }
    CHECK(x_client({",", ",,", ", ,"}) == "127.0.0.1");
    CHECK(x_client({"192.0.2.7,"}) == "127.0.0.1");
    CHECK(x_client({}) == "127.0.0.1");
}

TEST_CASE("a client cannot hide what the proxy adds behind a quote") {
    for (const std::string_view hostile : {"\"", "for=\"", "for=\"x", "for=192.0.2.66;x=\"",
                                           "for=\"192.0.2.66", "\\\"", "for=\"\\\"", "(", "a=b;c=\"d"}) {
        CAPTURE(hostile);
        CHECK(x_client({std::string(hostile) + ", 192.0.2.7"}) == "192.0.2.7");
        CHECK(standard_client({std::string(hostile) + ", for=192.0.2.7"}) == "192.0.2.7");
        CHECK(standard_client({std::string(hostile) + ", for=\"192.0.2.7:80\""}) == "192.0.2.7");
        CHECK(standard_client({hostile, "for=192.0.2.7, for=10.0.0.1"}) == "192.0.2.7");
    }
}

TEST_CASE("Forwarded is read by RFC 7239, strictly") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"for=192.0.2.1", "192.0.2.1 http test 127.0.0.1"},
        {"FOR=192.0.2.1;Proto=HTTPS", "192.0.2.1 https test 127.0.0.1"},
        {"proto=https;by=10.0.0.1;for=192.0.2.1;host=app.example", "192.0.2.1 https app.example 127.0.0.1"},
        {"for=\"[2001:db8::1]:4711\";host=\"app.example:8443\"",
         "2001:db8::1 http app.example:8443 127.0.0.1"},
        {"for=192.0.2.1;", "192.0.2.1 http test 127.0.0.1"},
        {"for=192.0.2.1 ; proto=https", "192.0.2.1 https test 127.0.0.1"},
        {"for=192.0.2.1;ext=\"a,b;c=d\"", "192.0.2.1 http test 127.0.0.1"},
        // The element of the client, and not those of proxies behind it or of clients in front.
        {"for=192.0.2.1;proto=https;host=a.example, for=10.0.0.1;proto=http;host=b.example",
         "192.0.2.1 https a.example 127.0.0.1"},
        {"for=192.0.2.9;proto=https;host=evil.test, for=192.0.2.1", "192.0.2.1 http test 127.0.0.1"},
        // What is not a scheme or host is not taken.
        {"for=192.0.2.1;proto=gopher", "192.0.2.1 http test 127.0.0.1"},
        {"for=192.0.2.1;host=\"evil.test/\"", "192.0.2.1 http test 127.0.0.1"},
        {"for=192.0.2.1;host=\"\"", "192.0.2.1 http test 127.0.0.1"},
        // Malformed: the list ends here.
        {"for=192.0.2.1;for=192.0.2.2", "127.0.0.1 http test 127.0.0.1"},
        {"for=192.0.2.1;proto=https;proto=http", "127.0.0.1 http test 127.0.0.1"},
        {"for=2001:db8::1", "127.0.0.1 http test 127.0.0.1"},  // to be quoted
        {"for=[2001:db8::1]", "127.0.0.1 http test 127.0.0.1"},
        {"for = 192.0.2.1", "127.0.0.1 http test 127.0.0.1"},
        {"for=", "127.0.0.1 http test 127.0.0.1"},
        {"for", "127.0.0.1 http test 127.0.0.1"},
        {"192.0.2.1", "127.0.0.1 http test 127.0.0.1"},
        {"=192.0.2.1", "127.0.0.1 http test 127.0.0.1"},
        {"for=\"192.0.2.1", "127.0.0.1 http test 127.0.0.1"},
        {"for=\"192\\.0.2.1\"", "127.0.0.1 http test 127.0.0.1"},
        {"for=unknown;proto=https", "127.0.0.1 https test 127.0.0.1"},
        {"for=\"_gazonk\"", "127.0.0.1 http test 127.0.0.1"},
        {"proto=https", "127.0.0.1 https test 127.0.0.1"},
        {";;;", "127.0.0.1 http test 127.0.0.1"},
        {"", "127.0.0.1 http test 127.0.0.1"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        CHECK(seen(fields_of({{"Forwarded", text}}), standard_with_host) == expected);
    }
}

TEST_CASE(
    "scheme and host of X-Forwarded are what the nearest proxy says, and the host only if it is asked for") {
    const auto fields = [](std::string_view scheme, std::string_view host) {
        return fields_of({{"X-Forwarded-Proto", scheme}, {"X-Forwarded-Host", host}});
    };
    CHECK(seen(fields("https", "app.example"), with_host) == "127.0.0.1 https app.example 127.0.0.1");
    CHECK(seen(fields("https", "app.example")) == "127.0.0.1 https test 127.0.0.1");
    CHECK(seen(fields("HTTPS", "app.example:8443"), with_host) ==
          "127.0.0.1 https app.example:8443 127.0.0.1");
    CHECK(seen(fields("http, https", "evil.test, app.example"), with_host) ==
          "127.0.0.1 https app.example 127.0.0.1");
    CHECK(seen(fields("https, http", "app.example"), with_host) == "127.0.0.1 http app.example 127.0.0.1");
    for (const std::string_view scheme : {"", "on", "wss", "https://", "https,", "\"https\""}) {
        CAPTURE(scheme);
        CHECK(seen(fields(scheme, "app.example")) == "127.0.0.1 http test 127.0.0.1");
    }
    for (const std::string_view host :
         {"", "app.example/", "user@app.example", "a b", "app.example,", "[::1", ":80"}) {
        CAPTURE(host);
        CHECK(seen(fields("https", host), with_host) == "127.0.0.1 https test 127.0.0.1");
    }
    CHECK(seen(fields_of({{"X-Forwarded-Proto", "http"}, {"X-Forwarded-Proto", "https"}})) ==
          "127.0.0.1 https test 127.0.0.1");
}

TEST_CASE("workers see what the proxies say, too") {
    const Headers fields = fields_of({{"X-Forwarded-For", "2001:db8::9"},
                                      {"X-Forwarded-Proto", "https"},
                                      {"X-Forwarded-Host", "app.example"}});
    CHECK(seen(fields, with_host, proxies, "/worker") == "2001:db8::9 https app.example 127.0.0.1");
    CHECK(seen({}, with_host, proxies, "/worker") == "127.0.0.1 http test 127.0.0.1");
    CHECK(seen(fields, with_host, {"10.0.0.1"}, "/worker") == "127.0.0.1 http test 127.0.0.1");
}

TEST_CASE("each request on a connection has a client of its own") {
    sake::Engine app;
    app.use(trusted_proxies(proxies));
    add_who(app);
    TestClient client(app);
    sake::TestConnection connection = client.connect();
    connection.send(
        "GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: t\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n");
    CHECK(connection.response().body == "192.0.2.1 https t 127.0.0.1");
    CHECK(connection.response().body == "127.0.0.1 http t 127.0.0.1");
    CHECK(connection.response().body == "192.0.2.2 http t 127.0.0.1");
}

TEST_CASE("observers and middleware behind trusted_proxies see the client, on refusals too") {
    std::string clients;
    const Headers fields = fields_of({{"X-Forwarded-For", "192.0.2.1"}});
    sake::Engine app(sake::Config().with_max_body(1).with_log([](sake::LogLevel, std::string_view) {}));
    app.use(trusted_proxies(proxies));
    app.use([](Context& ctx) {
        ctx.after([](Context& answered) { answered.set_header("X-Client", answered.client_ip()); });
    });
    app.on_answered(
        [&](const sake::Answered& answered) { clients.append(answered.ctx.client_ip()).append(" "); });
    app.post("/", [] {});
    TestClient client(app);
    CHECK(client.request("POST", "/", fields).header("X-Client") == "192.0.2.1");
    const TestResponse refused = client.request("POST", "/", fields, "xx");
    CHECK(refused.status == 413);
    CHECK(refused.header("X-Client") == "192.0.2.1");
    CHECK(client.get("/nowhere", fields).header("X-Client") == "192.0.2.1");
    CHECK(clients == "192.0.2.1 192.0.2.1 192.0.2.1 ");
    expect_no_change(trusted_proxies(proxies), fields);
}

TEST_CASE("a head that is refused in the middle names no client") {
    Log log;
    std::string seen_client;
    sake::Engine app(log.config());
    app.use(trusted_proxies({"127.0.0.1"}));
    app.use(sake::middleware::rate_limit({.per_minute = 1}));
    app.on_answered([&](const sake::Answered& answered) { seen_client = answered.ctx.client_ip(); });
    app.get("/", [] { return "hello"; });
    TestClient client(app);
    std::string many = "X-Forwarded-For: 203.0.113.66\r\n";
    for (int i = 0; i < 110; ++i) many += "A" + std::to_string(i) + ": x\r\n";
    struct Case {
        std::string fields;
        std::string_view status;
    };
    for (const Case& each :
         {Case{many, "431"}, Case{"X-Forwarded-For: 203.0.113.66\r\nBad Name: x\r\n", "400"},
          Case{"Forwarded: for=203.0.113.66\r\nBad Name: x\r\n", "400"}}) {
        sake::TestConnection connection = client.connect();
        // The last field is what the proxy has added.
        connection.send("GET / HTTP/1.1\r\nHost: t\r\n" + each.fields +
                        "X-Forwarded-For: 198.51.100.1\r\n\r\n");
        CHECK(connection.receive_all().starts_with("HTTP/1.1 " + std::string(each.status)));
        CHECK(seen_client == "127.0.0.1");
    }
    CHECK(client.get("/", fields_of({{"X-Forwarded-For", "203.0.113.66"}})).status ==
          200);  // its first request
    sake::TestConnection slow = client.connect();
    slow.send("GET / HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 203.0.113.66\r\n");
    client.advance(std::chrono::hours(1));
    CHECK(slow.receive_all().starts_with("HTTP/1.1 408"));
    CHECK(seen_client == "127.0.0.1");
}

TEST_CASE("the host that a proxy says counts for a request without Host, and for one with another target") {
    sake::Engine app;
    app.use(trusted_proxies({"127.0.0.1"}, with_host));
    app.use(sake::middleware::allowed_hosts({"app.example"}));
    add_who(app);
    TestClient client(app);
    for (const std::string_view path : {"/", "/worker"}) {
        CAPTURE(path);
        sake::TestConnection connection = client.connect();
        connection.send("GET " + std::string(path) + " HTTP/1.0\r\nX-Forwarded-Host: app.example\r\n\r\n");
        CHECK(connection.response().body == "127.0.0.1 http app.example 127.0.0.1");
    }
    sake::TestConnection absolute = client.connect();
    absolute.send(
        "GET http://inner.test/ HTTP/1.1\r\nHost: inner.test\r\nX-Forwarded-Host: app.example\r\n\r\n");
    CHECK(absolute.response().body == "127.0.0.1 http app.example 127.0.0.1");
    sake::TestConnection none = client.connect();
    none.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(none.response().status == 421);
}

TEST_CASE("a listed peer that hides its client's address still names scheme and host") {
    for (const std::string_view node : {"_hidden", "unknown"}) {
        CAPTURE(node);
        const std::string element = "for=" + std::string(node) + ";proto=https;host=app.example";
        CHECK(seen(fields_of({{"Forwarded", element}}), standard_with_host) ==
              "127.0.0.1 https app.example 127.0.0.1");
        CHECK(seen(fields_of({{"Forwarded", element + ", for=10.0.0.2;proto=http"}}), standard_with_host) ==
              "10.0.0.2 https app.example 127.0.0.1");
        CHECK(seen(fields_of({{"Forwarded", element + ", for=203.0.113.7;proto=http"}}), standard_with_host)
                  .starts_with("203.0.113.7 http "));
    }
}

TEST_CASE("a host that proxies say is checked by what follows") {
    sake::Engine app;
    app.use(trusted_proxies(proxies, with_host));
    app.use(sake::middleware::allowed_hosts({"app.example"}));
    add_who(app);
    TestClient client(app);
    CHECK(client.get("/", fields_of({{"X-Forwarded-Host", "app.example"}})).status == 200);
    CHECK(client.get("/", fields_of({{"X-Forwarded-Host", "evil.test"}})).status == 421);
    CHECK(client.get("/").status == 421);
}

TEST_CASE("trusted_proxies refuses lists that are not of addresses, in words") {
    const auto complaint = [](const std::string& text) -> std::string {
        try {
            static_cast<void>(trusted_proxies({"10.0.0.1", text}));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "taken";
    };
    CHECK_THROWS_WITH_AS(static_cast<void>(trusted_proxies({})),
                         "trusted_proxies: no proxies: list their addresses or networks",
                         std::invalid_argument);
    for (const std::string text : {"", "*", "localhost", "10.0.0", "10.0.0.1:80", "[::1]",
                                   "10.0.0.1,10.0.0.2", "/8", "unix:/run/x", "fe80::1%eth0", " 10.0.0.1"}) {
        CAPTURE(text);
        CHECK(complaint(text) == "trusted_proxies: '" + text +
                                     "' is not an address or network: write 10.0.0.0/8, 2001:db8::7 or unix");
    }
    for (const std::string text :
         {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "2001:db8::/129",
          "10.0.0.0/99999999999", "10.0.0.0/ 8"}) {
        CAPTURE(text);
        const std::string cure = text.starts_with("2001") ? "write /1 to /128" : "write /1 to /32";
        CHECK(complaint(text) ==
              "trusted_proxies: '" + text + "' has a prefix that its address does not have: " + cure);
    }
    CHECK(complaint("::ffff:10.0.0.0/129").ends_with(": write /97 to /128"));
    for (const std::string text :
         {"0.0.0.0/0", "::/0", "10.0.0.0/0", "::ffff:0.0.0.0/96", "::ffff:10.0.0.0/8"}) {
        CAPTURE(text);
        CHECK(complaint(text).ends_with(
            "contains every address, so that each client could choose its own: list your proxies only"));
    }
    CHECK(complaint("10.0.0.1/8") ==
          "trusted_proxies: '10.0.0.1/8' has bits behind its prefix: write 10.0.0.0/8");
    CHECK(complaint("2001:db8::1/64").ends_with("write 2001:db8::/64"));
    for (const std::string text : {"10.0.0.0/32", "10.0.0.1/32", "128.0.0.0/1", "::1/128", "8000::/1", "unix",
                                   "::ffff:10.0.0.0/104", "::ffff:10.0.0.1/128"}) {
        CAPTURE(text);
        CHECK(complaint(text) == "taken");
    }
}

}  // namespace test_middleware_trusted_proxies
