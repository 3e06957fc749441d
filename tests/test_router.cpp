#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/machinery.hpp"
#include "support/server_fixture.hpp"

namespace test_router {

using namespace harness;
using sake::detail::Method;

namespace {

/// A router of patterns for GET; the target is the pattern's own text.
struct Paths {
    explicit Paths(std::vector<std::string> list) : patterns(std::move(list)) {
        for (const std::string& each : patterns) router.add(each, "GET", each);
    }

    /// "pattern value value ...", or "-" if nothing matches.
    [[nodiscard]] std::string find(std::string_view path) const {
        sake::detail::PathParams params;
        const std::string* found = router.find(path, Method::get, "GET", params);
        if (found == nullptr) return "-";
        std::string text = *found;
        for (std::size_t i = 0; i < params.count; ++i) {
            text.append(" ").append(params.values[i].of(path.data()));
        }
        return text;
    }

    std::vector<std::string> patterns;
    sake::detail::Router<const std::string> router;
};

// --- The same by brute force: every pattern is tried, the best of those that match is taken ---

std::vector<std::string_view> segments(std::string_view text) {
    std::vector<std::string_view> list;
    while (!text.empty()) {
        text.remove_prefix(1);
        list.push_back(text.substr(0, text.find('/')));
        text.remove_prefix(list.back().size());
    }
    return list;
}

struct Match {
    std::string rank;  // per segment: '0' static, '1' parameter, '2' rest; the smallest wins
    std::string text;
};

std::optional<Match> match(const std::string& pattern, std::string_view path) {
    const auto want = segments(pattern);
    const auto have = segments(path);
    Match result{"", pattern};
    for (std::size_t i = 0; i < want.size(); ++i) {
        if (i >= have.size()) return std::nullopt;
        if (want[i].starts_with('*')) {
            const auto begin = static_cast<std::size_t>(have[i].data() - path.data());
            result.rank += '2';
            result.text.append(" ").append(path.substr(begin));
            return result;
        }
        const bool is_param = want[i].starts_with(':');
        if (is_param ? have[i].empty() : have[i] != want[i]) return std::nullopt;
        result.rank += is_param ? '1' : '0';
        if (is_param) result.text.append(" ").append(have[i]);
    }
    return want.size() == have.size() ? std::optional(result) : std::nullopt;
}

std::string find_by_force(const std::vector<std::string>& patterns, std::string_view path) {
    std::optional<Match> best;
    for (const std::string& pattern : patterns) {
        const auto found = match(pattern, path);
        if (found && (!best || found->rank < best->rank)) best = found;
    }
    return best ? best->text : "-";
}

template <class F>
std::string refusal(F&& registration) {
    try {
        registration();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "(taken)";
}

std::string request(std::string_view method, std::string_view path) {
    return std::string(method).append(" ").append(path).append(
        " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
}

}  // namespace

TEST_CASE("static beats :param beats *rest in every order of registration") {
    std::vector<std::string> patterns = {"/a/b", "/a/:x", "/a/*r", "/:x/b", "/*r"};
    std::sort(patterns.begin(), patterns.end());
    do {
        const Paths paths(patterns);
        REQUIRE(paths.find("/a/b") == "/a/b");
        REQUIRE(paths.find("/a/c") == "/a/:x c");
        REQUIRE(paths.find("/a/") == "/a/*r ");
        REQUIRE(paths.find("/a/b/c") == "/a/*r b/c");
        REQUIRE(paths.find("/z/b") == "/:x/b z");
        REQUIRE(paths.find("/a") == "/*r a");
        REQUIRE(paths.find("/") == "/*r ");
    } while (std::next_permutation(patterns.begin(), patterns.end()));
}

TEST_CASE("the router agrees with a search of all patterns by force") {
    std::mt19937 random(20240817);
    const auto pick = [&](std::size_t count) { return random() % count; };
    for (int round = 0; round < 300; ++round) {
        std::vector<std::string> patterns;
        sake::detail::Router<int> shapes;
        int target = 0;
        for (int i = 0; i < 12; ++i) {
            std::string pattern;
            for (std::size_t depth = pick(4) + 1; depth > 0; --depth) {
                constexpr std::string_view kinds[] = {"a", "b", "ab", ":", ""};
                const std::string_view kind = kinds[pick(5)];
                pattern.append("/").append(kind);
                if (kind == ":") pattern += "p" + std::to_string(depth);
            }
            if (pick(4) == 0) pattern += "/*rest";
            if (shapes.add(pattern, "GET", target) == nullptr) patterns.push_back(pattern);
        }
        const Paths paths(patterns);
        for (int i = 0; i < 60; ++i) {
            std::string path;
            for (std::size_t depth = pick(5) + 1; depth > 0; --depth) {
                constexpr std::string_view kinds[] = {"a", "b", "ab", "c", ""};
                path.append("/").append(kinds[pick(5)]);
            }
            INFO("path " << path << ", round " << round);
            REQUIRE(paths.find(path) == find_by_force(patterns, path));
        }
    }
}

TEST_CASE("a parameter is one segment that is not empty, a rest may be empty") {
    const Paths paths({"/users/:id", "/files/*path"});
    CHECK(paths.find("/users/7") == "/users/:id 7");
    CHECK(paths.find("/users/") == "-");
    CHECK(paths.find("/users") == "-");
    CHECK(paths.find("/users/7/") == "-");
    CHECK(paths.find("/users/7/x") == "-");
    CHECK(paths.find("/files/") == "/files/*path ");
    CHECK(paths.find("/files/a/b//c/") == "/files/*path a/b//c/");
    CHECK(paths.find("/files") == "-");
    CHECK(paths.find("/FILES/a") == "-");
    CHECK(paths.find("") == "-");
    CHECK(paths.find("*") == "-");
}

TEST_CASE("a trailing slash and empty segments are part of the path") {
    const Paths paths({"/", "/a", "/a/", "/b//c"});
    CHECK(paths.find("/") == "/");
    CHECK(paths.find("/a") == "/a");
    CHECK(paths.find("/a/") == "/a/");
    CHECK(paths.find("//") == "-");
    CHECK(paths.find("/b/c") == "-");
    CHECK(paths.find("/b//c") == "/b//c");
}

TEST_CASE("a route for the method that asks is found behind a better path for another") {
    sake::detail::Router<int> router;
    sake::detail::PathParams params;
    int get = 1;
    int post = 2;
    router.add("/users/me", "GET", get);
    router.add("/users/:id", "POST", post);
    CHECK(router.find("/users/me", Method::get, "GET", params) == &get);
    CHECK(params.count == 0);
    CHECK(router.find("/users/me", Method::post, "POST", params) == &post);
    CHECK(params.count == 1);
    CHECK(router.find("/users/me", Method::put, "PUT", params) == nullptr);
    CHECK(params.count == 0);
    const auto allowed = [&](const char* path) {
        const auto methods = router.allowed(path);
        return std::vector<std::string>(methods.begin(), methods.end());
    };
    CHECK(allowed("/users/me") == std::vector<std::string>{"GET", "HEAD", "OPTIONS", "POST"});
    CHECK(allowed("/users/7") == std::vector<std::string>{"OPTIONS", "POST"});
    CHECK(router.allowed("/nothing").empty());
}

TEST_CASE("sixteen parameters are all found, over every wrong turn on the way") {
    std::vector<std::string> patterns(2);
    std::string path;
    std::string expected;
    for (int i = 0; i < 16; ++i) {
        const std::string number = std::to_string(i);
        patterns[0].append("/:p").append(number);
        patterns[1].append("/s").append(number);
        path.append("/s").append(number);
        expected.append(" s").append(number);
    }
    patterns[1].append("/never");
    const Paths paths(patterns);
    CHECK(paths.find(path) == patterns[0] + expected);
}

TEST_CASE("a conflict throws and names both routes with their places") {
    sake::Engine app;
    const auto handler = [](sake::Context&) {};
    const int first = __LINE__ + 1;
    app.get("/users/:id", handler);
    const int second = __LINE__ + 1;
    const std::string text = refusal([&] { app.get("/users/:name", handler); });
    const std::string file = __FILE__;
    CHECK(text == "route GET /users/:name (" + file + ":" + std::to_string(second) +
                      ") conflicts with GET /users/:id (" + file + ":" + std::to_string(first) + ")");

    CHECK_NOTHROW(app.post("/users/:name", handler));
    CHECK_NOTHROW(app.get("/users/*rest", handler));
    CHECK_NOTHROW(app.any("/users/:id", handler));
    CHECK(refusal([&] { app.any("/users/:x", handler); }).find("ANY /users/:x") != std::string::npos);
    CHECK(refusal([&] { app.get("/users/*other", handler); }) != "(taken)");
    CHECK(refusal([&] { app.group("/users").get("/:id", handler); }) != "(taken)");
    const int runtime = __LINE__ + 1;
    const auto again = refusal([&] { app.get(sake::runtime("/users/:z"), handler); });
    CHECK(again.find("GET /users/:z (" + file + ":" + std::to_string(runtime) + ")") != std::string::npos);
}

TEST_CASE("an engine is still good after a conflict") {
    with_server(
        [](sake::Engine& app) {
            app.get("/a/:x", [](sake::Context& ctx) { ctx.text("first"); });
            try {
                app.get("/a/:y", [](sake::Context& ctx) { ctx.text("second"); });
            } catch (const std::invalid_argument&) {
            }
            app.get("/b", [](sake::Context& ctx) { ctx.text("third"); });
        },
        [](TestServer& server) {
            CHECK(server.get("/a/1").body == "first");
            CHECK(server.get("/b").body == "third");
        });
}

TEST_CASE("a QUERY has a body, needs to say of which type, and is known where no route takes it") {
    sake::Engine app(quiet_config());
    app.query("/search", [](sake::Context& ctx) { ctx.text(ctx.bind()["text"].get<std::string>()); });
    app.group("/api").query("/search", [](sake::Context& ctx) { ctx.text(ctx.body()); });
    app.get("/other", [](sake::Context& ctx) { ctx.text("other"); });
    sake::TestClient client(app);
    CHECK(client.query("/search", {{"text", "rice"}}).body == "rice");
    CHECK(client.query("/api/search", "select").body == "select");
    CHECK(client.query("/search").status == 400);
    CHECK(client.request("QUERY", "/search", {}, "{}").status == 400);
    CHECK(client.query("/search", "select").status == 415);
    const auto other = client.query("/other", "select");
    CHECK(other.status == 405);
    CHECK(other.header("Allow") == "GET, HEAD, OPTIONS");
    CHECK(client.get("/search").header("Allow") == "OPTIONS, QUERY");
}

TEST_CASE("every verb reaches its own route") {
    with_server(
        [](sake::Engine& app) {
            app.get("/x", [](sake::Context& ctx) { ctx.text("get"); });
            app.post("/x", [](sake::Context& ctx) { ctx.text("post"); });
            app.put("/x", [](sake::Context& ctx) { ctx.text("put"); });
            app.patch("/x", [](sake::Context& ctx) { ctx.text("patch"); });
            app.del("/x", [](sake::Context& ctx) { ctx.text("delete"); });
            app.head("/x", [](sake::Context& ctx) { ctx.set_header("X-Verb", "head"); });
            app.options("/x", [](sake::Context& ctx) { ctx.text("options"); });
            app.query("/x", [](sake::Context& ctx) { ctx.text("query"); });
            app.route("PROPFIND", "/x", [](sake::Context& ctx) { ctx.text("propfind"); });
            app.any("/x", [](sake::Context& ctx) { ctx.text("any " + std::string(ctx.method())); });
        },
        [](TestServer& server) {
            const auto body = [&](const char* method) {
                return round_trip(server.port(), request(method, "/x")).body;
            };
            CHECK(body("GET") == "get");
            CHECK(body("POST") == "post");
            CHECK(body("PUT") == "put");
            CHECK(body("PATCH") == "patch");
            CHECK(body("DELETE") == "delete");
            CHECK(body("OPTIONS") == "options");
            CHECK(body("PROPFIND") == "propfind");
            CHECK(body("BREW") == "any BREW");
            CHECK(body("get") == "any get");
            CHECK(round_trip(server.port(), request("HEAD", "/x")).header("X-Verb") == "head");
        });
}

TEST_CASE("a method that is no token is refused at registration") {
    sake::Engine app;
    CHECK_THROWS_AS(app.route("GET ME", "/x", [](sake::Context&) {}), std::invalid_argument);
    CHECK_THROWS_AS(app.route("", "/x", [](sake::Context&) {}), std::invalid_argument);
}

TEST_CASE("a route for CONNECT, which has no path, is refused at registration") {
    sake::Engine app;
    const auto handler = [](sake::Context&) {};
    CHECK_THROWS_AS(app.route("CONNECT", "/tunnel", handler), std::invalid_argument);
    CHECK_NOTHROW(app.route("Connect", "/tunnel", handler));  // another method: they are case-sensitive
}

TEST_CASE("404 for no such path, 405 with Allow for another method") {
    with_server(
        [](sake::Engine& app) {
            app.get("/thing", [](sake::Context& ctx) { ctx.text("thing"); });
            app.del("/thing", [](sake::Context& ctx) { ctx.no_content(); });
            app.post("/only", [](sake::Context& ctx) { ctx.no_content(); });
        },
        [](TestServer& server) {
            const Response missing = server.get("/nothing");
            CHECK(missing.status == 404);
            CHECK(missing.header("Content-Type") == "application/problem+json");
            CHECK(sake::Json::parse(missing.body)["status"] == 404);
            CHECK_FALSE(missing.has_header("Allow"));

            const Response refused = round_trip(server.port(), request("PUT", "/thing"));
            CHECK(refused.status == 405);
            CHECK(refused.header("Allow") == "DELETE, GET, HEAD, OPTIONS");
            CHECK(refused.header("Content-Type") == "application/problem+json");
            CHECK(sake::Json::parse(refused.body)["title"] == "Method Not Allowed");

            const Response head = round_trip(server.port(), request("HEAD", "/only"));
            CHECK(head.status == 405);
            CHECK(head.header("Allow") == "OPTIONS, POST");
            CHECK(round_trip(server.port(), request("BREW", "/thing")).status == 501);
            CHECK(round_trip(server.port(), request("BREW", "/nothing")).status == 501);
        });
}

TEST_CASE("HEAD follows GET with the same head and no body") {
    with_server(
        [](sake::Engine& app) {
            app.get("/text/:x", [](sake::Context& ctx) { ctx.text(ctx.param("x")); });
            app.get("/later", [](sake::Context& ctx) -> sake::Task<> {
                co_await sake::yield();
                ctx.text(std::string(100'000, 'x'));
            });
        },
        [](TestServer& server) {
            const Response get = server.get("/text/hello");
            const Response head = round_trip(server.port(), request("HEAD", "/text/hello"));
            CHECK(head.status == 200);
            CHECK(head.header("Content-Length") == "5");
            CHECK(head.header("Content-Type") == get.header("Content-Type"));
            CHECK(head.headers.size() == get.headers.size());

            RawClient client = server.connect();
            client.send("HEAD /later HTTP/1.1\r\nHost: t\r\n\r\nGET /text/next HTTP/1.1\r\nHost: t\r\n\r\n");
            CHECK(client.read_response(true).header("Content-Length") == "100000");
            CHECK(client.read_response().body == "next");
        });
}

TEST_CASE("OPTIONS answers with Allow, and for the whole server without") {
    with_server(
        [](sake::Engine& app) {
            app.any("/", [](sake::Context& ctx) { ctx.text("root"); });
            app.get("/thing", [](sake::Context& ctx) { ctx.text("thing"); });
        },
        [](TestServer& server) {
            const Response options = round_trip(server.port(), request("OPTIONS", "/thing"));
            CHECK(options.status == 204);
            CHECK(options.header("Allow") == "GET, HEAD, OPTIONS");
            CHECK(round_trip(server.port(), request("OPTIONS", "/nothing")).status == 404);
            CHECK(round_trip(server.port(), request("OPTIONS", "/")).body == "root");
            const Response whole = round_trip(server.port(), request("OPTIONS", "*"));
            CHECK(whole.status == 204);
            CHECK(whole.body.empty());
        });
}

TEST_CASE("404, 405 and OPTIONS pass through the middleware") {
    with_server(
        [](sake::Engine& app) {
            app.use([](sake::Context& ctx) { ctx.set_header("X-Seen", "yes"); });
            app.get("/thing", [](sake::Context& ctx) { ctx.text("thing"); });
        },
        [](TestServer& server) {
            CHECK(server.get("/nothing").header("X-Seen") == "yes");
            CHECK(round_trip(server.port(), request("PUT", "/thing")).header("X-Seen") == "yes");
            CHECK(round_trip(server.port(), request("OPTIONS", "/thing")).header("X-Seen") == "yes");
            CHECK(round_trip(server.port(), request("HEAD", "/thing")).header("X-Seen") == "yes");
        });
}

TEST_CASE("groups nest, may be empty, and take '/' as the prefix itself") {
    with_server(
        [](sake::Engine& app) {
            const auto pattern_of = [](const char* name) {
                return [name](sake::Context& ctx) { ctx.text(name); };
            };
            sake::RouterGroup api = app.group("/api");
            api.get("/", pattern_of("api root"));
            api.get("/users", pattern_of("users"));
            sake::RouterGroup user = api.group("/users/:id");
            user.get("/", [](sake::Context& ctx) { ctx.text("user " + std::string(ctx.param("id"))); });
            user.get("/posts/:post", [](sake::Context& ctx, int id, int post) {
                ctx.text(std::to_string(id) + "." + std::to_string(post));
            });
            sake::RouterGroup bare = app.group("");
            bare.get("/", pattern_of("root"));
            bare.get("/bare", pattern_of("bare"));
            app.group("/slash/").get("/x", pattern_of("slash"));
            app.group("/deep").group("").group("/er").get("/x/", pattern_of("deeper"));
            app.group(sake::runtime("/made")).get(sake::runtime("/up"), pattern_of("made up"));
        },
        [](TestServer& server) {
            CHECK(server.get("/api").body == "api root");
            CHECK(server.get("/api/").body == "api root");
            CHECK(server.get("/api//").status == 404);
            CHECK(server.get("/api/users/").status == 404);
            CHECK(server.get("/api/users/7/").body == "user 7");
            CHECK(round_trip(server.port(), request("POST", "/api/")).header("Allow") ==
                  "GET, HEAD, OPTIONS");
            CHECK(server.get("/api/users").body == "users");
            CHECK(server.get("/api/users/7").body == "user 7");
            CHECK(server.get("/api/users/7/posts/9").body == "7.9");
            CHECK(server.get("/api/users/7/posts/x").status == 400);
            CHECK(server.get("/").body == "root");
            CHECK(server.get("/bare").body == "bare");
            CHECK(server.get("/slash/x").body == "slash");
            CHECK(server.get("/deep/er/x/").body == "deeper");
            CHECK(server.get("/deep/er/x").status == 404);
            CHECK(server.get("/made/up").body == "made up");
        });
}

TEST_CASE("a route of its own wins over a group's '/' with a slash at its end, whichever comes first") {
    for (const bool group_first : {true, false}) {
        sake::Engine app;
        const auto add_group = [&] {
            app.group("/g").get("/", [] { return "group"; });
            app.group("/p/:id").get("/", [](int id) { return "group " + std::to_string(id); });
        };
        if (group_first) add_group();
        app.get("/g/", [] { return "own"; });
        app.get("/p/:name/", [] { return "own"; });
        app.get("/*rest", [] { return "rest"; });
        if (!group_first) add_group();
        CHECK_THROWS_AS(app.get("/g/", [] {}), std::invalid_argument);
        CHECK(app.routes().size() == 5);
        sake::TestClient client(app);
        CHECK(client.get("/g").body == "group");
        CHECK(client.get("/g/").body == "own");
        CHECK(client.get("/p/7").body == "group 7");
        CHECK(client.get("/p/7/").body == "own");
        CHECK(client.get("/g/x").body == "rest");
    }
    sake::Engine app;
    app.group("/g").get("/", [] { return "group"; });
    app.get("/*rest", [] { return "rest"; });
    CHECK(sake::TestClient(app).get("/g/").body == "group");
}

TEST_CASE("%3A and %2A in a pattern are a colon and a star of the path, not parameters") {
    sake::Engine app;
    app.get("/v1/things%3Abatch", [] { return "batch"; });
    app.get("/%3Aid", [] { return "colon"; });
    app.get("/%2A", [] { return "star"; });
    app.get("/:id", [](std::string id) { return "id " + id; });
    sake::TestClient client(app);
    CHECK(client.get("/v1/things:batch").body == "batch");
    CHECK(client.get("/v1/things%3Abatch").body == "batch");
    CHECK(client.get("/:id").body == "colon");
    CHECK(client.get("/*").body == "star");
    CHECK(client.get("/x").body == "id x");
}

TEST_CASE("a request target may be a whole URL, with or without a path") {
    with_server(
        [](sake::Engine& app) {
            app.get("/", [](sake::Context& ctx) { ctx.text("root?" + std::string(ctx.query_string())); });
            app.get("/x/:y", [](sake::Context& ctx) { ctx.text(ctx.param("y")); });
        },
        [](TestServer& server) {
            const auto body = [&](const char* target) {
                return round_trip(server.port(), request("GET", target)).body;
            };
            CHECK(body("http://test") == "root?");
            CHECK(body("http://test/") == "root?");
            CHECK(body("http://test?a=1") == "root?a=1");
            CHECK(body("HTTP://test/x/y%20z?q") == "y z");
            CHECK(round_trip(server.port(), request("GET", "ftp://test/")).status == 400);
            CHECK(round_trip(server.port(), request("CONNECT", "test:443")).status == 501);
        });
}

TEST_CASE(
    "OPTIONS for a URL without a path says what the server takes, and passes by the routes of its root") {
    with_server(
        [](sake::Engine& app) {
            app.use([](sake::Context& ctx) { ctx.set_header("X-Path", ctx.path()); });
            app.options("/", [](sake::Context& ctx) { ctx.text("root"); });
            app.del("/x", [](sake::Context&) {});
        },
        [](TestServer& server) {
            const auto options = [&](const char* target) {
                return round_trip(server.port(), request("OPTIONS", target));
            };
            CHECK(options("/").body == "root");
            CHECK(options("http://test/").body == "root");
            CHECK(options("http://test?").body == "root");
            const Response about_server = options("http://test");
            CHECK(about_server.status == 204);
            CHECK(about_server.header("Allow") == options("*").header("Allow"));
            CHECK(about_server.header("X-Path") == "*");
            CHECK(about_server.header("Allow").find("DELETE") != std::string::npos);
        });
}

TEST_CASE("a segment is compared after decoding, where %2F is no separator") {
    with_server(
        [](sake::Engine& app) {
            app.get("/s%2Ft%25", [](sake::Context& ctx) { ctx.text(ctx.path()); });
            app.get("/caf\xc3\xa9/ok", [](sake::Context& ctx) { ctx.text("static"); });
            app.get("/a/:x", [](sake::Context& ctx) { ctx.text("one:" + std::string(ctx.param("x"))); });
            app.get("/a/:x/:y", [](sake::Context& ctx) { ctx.text("two"); });
            app.get("/f/*p", [](sake::Context& ctx) { ctx.text("rest:" + std::string(ctx.param("p"))); });
        },
        [](TestServer& server) {
            CHECK(server.get("/caf%C3%A9/%6fk").body == "static");
            CHECK(server.get("/a/b%2Fc").body == "one:b/c");
            CHECK(server.get("/a/b%252Fc").body == "one:b%2Fc");
            CHECK(server.get("/a/100%25").body == "one:100%");
            CHECK(server.get("/a/b/c").body == "two");
            CHECK(server.get("/f/x%2Fy/z%20w").body == "rest:x/y/z w");
            CHECK(server.get("/a%2Fb").status == 404);
            CHECK(server.get("/s%2Ft%25").body == "/s/t%");
            CHECK(server.get("/s%2ft%25").body == "/s/t%");
            CHECK(server.get("/%73%2ft%25").body == "/s/t%");
            CHECK(server.get("/a/%ff").status == 400);
            CHECK(server.get("/a/%00").status == 400);
            CHECK(server.get("/a/%4").status == 400);
            CHECK(server.get("/a/%zz").status == 400);
        });
}

}  // namespace test_router
