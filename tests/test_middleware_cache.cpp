// cache: which answers are kept for whom and for how long, who waits for whom, and what must never be shared.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"
#include "support/temporary_directory.hpp"

namespace test_middleware_cache {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
using sake::TestConnection;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::cache;
using sake::middleware::CacheOptions;

namespace {

/// A handler that counts its calls, and answers with their number.
struct Counter {
    int calls = 0;
    auto handler() {
        return [this](Context& ctx) {
            for (const auto& [name, value] : fields) ctx.add_header(name, value);
            ctx.text(status, std::to_string(++calls));
        };
    }
    int status = 200;
    Headers fields{};
};

void send_get(TestConnection& connection, std::string_view target, std::string_view fields = {}) {
    connection.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) +
                    "\r\n");
}

}  // namespace

TEST_CASE("cache: the same question is answered by the same answer, until it is too old") {
    Counter counter;
    sake::Engine app;
    app.use(cache({.ttl = 10s}));
    app.get("/", counter.handler());
    TestClient client(app);
    const TestResponse first = client.get("/");
    CHECK(first.body == "1");
    CHECK(first.header("Age").empty());
    CHECK(first.header("Cache-Status") == "sake; fwd=miss; stored");
    client.advance(3s);
    const TestResponse second = client.get("/");
    CHECK(second.status == 200);
    CHECK(second.body == "1");
    CHECK(second.header("Content-Type") == "text/plain; charset=utf-8");
    CHECK(second.header("Age") == "3");
    CHECK(second.header("Cache-Status") == "sake; hit; ttl=7");
    client.advance(7s - 1ms);
    CHECK(client.get("/").body == "1");
    client.advance(1ms);
    const TestResponse third = client.get("/");
    CHECK(third.body == "2");
    CHECK(third.header("Cache-Status") == "sake; fwd=stale; stored");
    CHECK(client.get("/").body == "2");
}

TEST_CASE("cache: an answer is kept for as long as it says") {
    struct Row {
        int status;
        std::vector<std::string> cache_control;
        int seconds;
    };
    for (const Row& row : {Row{200, {}, 10},
                           Row{200, {"max-age=5"}, 5},
                           Row{200, {"MAX-AGE = 5"}, 5},
                           Row{200, {"public, max-age=60, s-maxage=5"}, 5},
                           Row{200, {"max-age=60", "max-age=5"}, 5},
                           Row{200, {"max-age=5, max-age=60"}, 5},
                           Row{200, {"public"}, 10},
                           Row{200, {"must-revalidate, foo=bar, max-age=5"}, 5},
                           Row{200, {"max-age=0"}, 0},
                           Row{200, {"max-age=-1"}, 0},
                           Row{200, {"max-age"}, 0},
                           Row{200, {"max-age=5x"}, 0},
                           Row{200, {"max-age=\"5\""}, 0},
                           Row{200, {"max-age=99999999999999999999"}, 1000},
                           Row{200, {"no-store"}, 0},
                           Row{200, {"max-age=5, No-Store"}, 0},
                           Row{200, {"private, max-age=5"}, 0},
                           Row{200, {"private=\"a, b\", max-age=5"}, 0},
                           Row{200, {"no-cache"}, 0},
                           Row{200, {"max-age=5", "private"}, 0},
                           Row{404, {}, 0},
                           Row{404, {"max-age=5"}, 5},
                           Row{410, {"max-age=5"}, 5},
                           Row{201, {"max-age=5"}, 0},
                           Row{206, {"max-age=5"}, 0},
                           Row{302, {"max-age=5"}, 0},
                           Row{401, {"max-age=5"}, 0},
                           Row{500, {"max-age=5"}, 0},
                           Row{503, {"max-age=5"}, 0}}) {
        CAPTURE(row.status);
        if (!row.cache_control.empty()) CAPTURE(row.cache_control.front());
        Counter counter;
        counter.status = row.status;
        for (const std::string& value : row.cache_control) counter.fields.add("Cache-Control", value);
        Log log;
        sake::Engine app(log.config());
        app.get("/", counter.handler()).use(cache({.ttl = 10s}));
        TestClient client(app);
        CHECK(client.get("/").status == row.status);
        if (row.seconds > 0) {
            client.advance(std::chrono::seconds(row.seconds) - 1ms);
            const TestResponse kept = client.get("/");
            CHECK(kept.status == row.status);
            CHECK(kept.body == "1");
            client.advance(1ms);
        }
        if (row.seconds < 1000) CHECK(client.get("/").body == "2");
    }
}

TEST_CASE("cache: without a ttl, only answers that say for how long are kept") {
    Counter silent;
    Counter other;
    other.fields = {{"Cache-Control", "max-age=5"}};
    Counter expires;
    expires.fields = {{"Expires", "Thu, 01 Jan 2026 01:00:00 GMT"}};
    sake::Engine app;
    app.get("/silent", silent.handler()).use(cache({}));
    app.get("/other", other.handler()).use(cache({}));
    app.get("/expires", expires.handler()).use(cache({.ttl = 10s}));
    TestClient client(app);
    for (const char* target : {"/silent", "/silent", "/other", "/other", "/expires", "/expires"})
        CHECK(client.get(target).status == 200);
    CHECK(silent.calls == 2);
    CHECK(other.calls == 1);
    CHECK(expires.calls == 2);
}

TEST_CASE("cache: what an answer depends on") {
    Counter counter;
    sake::Engine app;
    app.use(sake::middleware::trusted_proxies({"127.0.0.1"}));
    app.use([](Context& ctx) { ctx.state<sake::User>().name = ctx.header("X-User"); });
    app.use(cache({.ttl = 1h}));
    app.get("/a", counter.handler());
    app.get("/a/:b", counter.handler());
    app.get("/ab", counter.handler());
    app.head("/a", counter.handler());
    TestClient client(app);
    std::set<std::string> answers;
    int asked = 0;
    const auto ask = [&](std::string_view method, std::string_view target, const Headers& fields = {}) {
        ++asked;
        const TestResponse first = client.request(method, target, fields);
        const TestResponse again = client.request(method, target, fields);
        CHECK(first.status == 200);
        CHECK(again.body == first.body);
        CHECK(std::string_view(again.header("Cache-Status")).starts_with("sake; hit"));
    };
    ask("GET", "/a");
    ask("HEAD", "/a");
    ask("GET", "/a?");
    ask("GET", "/a?b");
    ask("GET", "/a?b=c");
    ask("GET", "/a?B=c");
    ask("GET", "/ab");
    ask("GET", "/a/b");
    ask("GET", "/a/%62");
    ask("GET", "/a/b%2Fc");
    ask("GET", "/a", {{"Host", "other"}});
    ask("GET", "/a", {{"Host", "other:8080"}});
    ask("GET", "/a", {{"X-Forwarded-Proto", "https"}});
    ask("GET", "/a", {{"X-User", "ann"}});
    ask("GET", "/a", {{"X-User", "bob"}});
    CHECK(counter.calls == asked);
}

TEST_CASE("cache: parts of a key do not run into each other") {
    std::string one;
    std::string other;
    for (const char* part : {"ab", "c"}) sake::detail::add_key_part(one, part);
    for (const char* part : {"a", "bc"}) sake::detail::add_key_part(other, part);
    CHECK(one != other);
    std::string in_one;
    sake::detail::add_key_part(in_one, one);
    CHECK(in_one != one);
    Counter counter;
    sake::Engine app;
    app.use(cache({.ttl = 1h, .key = [](Context& ctx) { return std::string(ctx.header("X-Tenant")); }}));
    counter.fields = {{"Vary", "X-A, X-B"}};
    app.get("/*rest", counter.handler());
    TestClient client(app);
    int asked = 0;
    const auto ask = [&](std::string_view target, const Headers& fields) {
        ++asked;
        client.get(target, fields);
        client.get(target, fields);
    };
    ask("/a", {{"X-Tenant", "bc"}});
    ask("/ab", {{"X-Tenant", "c"}});
    ask("/a", {{"X-Tenant", "2:bc"}});
    ask("/a", {{"X-A", "1"}, {"X-B", "2"}});
    ask("/a", {{"X-A", "1X-B"}, {"X-B", "2"}});
    ask("/a", {{"X-A", "12"}});
    ask("/a", {{"X-B", "12"}});
    ask("/a", {{"X-A", ""}});
    ask("/a", {});
    ask("/a", {{"X-A", "1;3:X-B1:2"}});
    Headers twice{{"X-A", "1"}};
    twice.add("X-A", "2");
    ask("/a", twice);
    ask("/a", {{"X-A", "1, 2"}});
    CHECK(counter.calls == asked);
}

TEST_CASE("cache: answers that vary are kept for each of the values") {
    Counter counter;
    counter.fields = {{"Vary", "Accept-Language"}};
    counter.fields.add("Vary", "accept");
    sake::Engine app;
    app.get("/", counter.handler()).use(cache({.ttl = 1h}));
    TestClient client(app);
    const auto ask = [&](std::string_view language, std::string_view accept) {
        return client.get("/", {{"Accept-Language", language}, {"Accept", accept}}).body;
    };
    CHECK(ask("de", "text/html") == "1");
    CHECK(ask("en", "text/html") == "2");
    CHECK(ask("en", "text/plain") == "3");
    CHECK(client.get("/").body == "4");
    CHECK(ask("de", "text/html") == "1");
    CHECK(ask("en", "text/html") == "2");
    CHECK(ask("en", "text/plain") == "3");
    CHECK(client.get("/").body == "4");
}

TEST_CASE("cache: fields in Vary that come later count as well") {
    int calls = 0;
    sake::Engine app;
    app.get("/",
            [&](Context& ctx) {
                if (ctx.header("X-A") == "2")
                    ctx.set_header("Vary", "X-B");
                else if (ctx.header("X-A") == "1")
                    ctx.set_header("Vary", "X-A");
                ctx.text(std::to_string(++calls));
            })
        .use(cache({.ttl = 1h}));
    TestClient client(app);
    const auto ask = [&](const Headers& fields) { return client.get("/", fields).body; };
    CHECK(ask({{"X-A", "1"}}) == "1");
    CHECK(ask({{"X-A", "2"}, {"X-B", "1"}}) == "2");
    CHECK(ask({{"X-A", "2"}, {"X-B", "2"}}) == "3");
    CHECK(ask({{"X-A", "2"}, {"X-B", "1"}}) == "2");
    CHECK(ask({{"X-A", "1"}}) == "4");  // which was kept under X-A alone
    CHECK(ask({{"X-A", "1"}}) == "4");
}

TEST_CASE("cache: an answer that varies by too much is not kept") {
    for (const char* vary : {"*", "Accept, *", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}) {
        CAPTURE(vary);
        Counter counter;
        counter.fields = {{"Vary", vary}};
        sake::Engine app;
        app.get("/", counter.handler()).use(cache({.ttl = 1h}));
        TestClient client(app);
        CHECK(client.get("/").header("Cache-Status") == "sake; fwd=miss");
        CHECK(client.get("/").body == "2");
    }
    Counter counter;
    counter.fields = {{"Vary", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,,p,A"}};
    sake::Engine app;
    app.get("/", counter.handler()).use(cache({.ttl = 1h}));
    TestClient client(app);
    static_cast<void>(client.get("/"));
    CHECK(client.get("/").body == "1");
}

TEST_CASE("cache: requests with credentials pass, and their answers are nobody else's") {
    Counter counter;
    sake::Engine app;
    app.get("/", counter.handler()).use(cache({.ttl = 1h}));
    TestClient client(app);
    for (const char* field : {"Authorization", "Cookie"}) {
        CAPTURE(field);
        const int before = counter.calls;
        const TestResponse one = client.get("/", {{field, "a=b"}});
        CHECK(one.header("Cache-Status") == "sake; fwd=bypass");
        static_cast<void>(client.get("/", {{field, "a=b"}}));
        CHECK(counter.calls == before + 2);
    }
    CHECK(client.get("/").body == "5");
    CHECK(client.get("/").body == "5");
    CHECK(client.get("/", {{"Cookie", "a=b"}}).body == "6");
}

TEST_CASE("cache: a GET with a body passes, since its answer may depend on that") {
    sake::Engine app;
    app.get("/", [](Context& ctx) { ctx.text("you said " + std::string(ctx.body())); })
        .use(cache({.ttl = 1h, .key = [](Context&) { return std::string(); }}));
    TestClient client(app);
    CHECK(client.request("GET", "/", {}, "poison").body == "you said poison");
    TestConnection chunked = client.connect();
    send_get(chunked, "/", "Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n");
    CHECK(chunked.response().body == "you said b");
    CHECK(client.get("/").body == "you said ");
    CHECK(client.request("GET", "/", {}, "more").header("Cache-Status") == "sake; fwd=bypass");
    CHECK(client.get("/", {{"Content-Length", "0"}}).header("Age") == "0");
}

TEST_CASE("cache: with a key of the program's, each user has answers of their own") {
    Counter counter;
    sake::Engine app;
    app.get("/", counter.handler())
        .use(cache({.ttl = 1h, .key = [](Context& ctx) -> std::optional<std::string> {
                        if (ctx.cookie("user") == "root") return std::nullopt;
                        return std::string(ctx.cookie("user"));
                    }}));
    TestClient client(app);
    const auto ask = [&](std::string_view cookie) { return client.get("/", {{"Cookie", cookie}}).body; };
    CHECK(ask("user=ann; tracker=1") == "1");
    CHECK(ask("user=ann; tracker=2") == "1");
    CHECK(ask("user=bob") == "2");
    CHECK(ask("user=root") == "3");
    CHECK(ask("user=root") == "4");
    CHECK(client.get("/").body == "5");
    CHECK(client.get("/", {{"Authorization", "Bearer a"}}).body == "5");
}

TEST_CASE("cache: answers that are for one client are not kept") {
    const TemporaryDirectory directory;
    directory.write("file.txt", "a file");
    const std::string path = directory.path("file.txt");
    sake::Engine app;
    int calls = 0;
    app.use(sake::middleware::sessions());
    app.use(cache({.ttl = 1h}));
    app.get("/cookie",
            [&](Context& ctx) { ctx.set_cookie({.name = "a", .value = "b"}).text(std::to_string(++calls)); });
    app.get("/session", [&](Context& ctx) {
        static_cast<void>(ctx.session());
        ctx.text(std::to_string(++calls));
    });
    app.get("/renewed", [&](Context& ctx) {
        ctx.renew_session();
        ctx.text(std::to_string(++calls));
    });
    app.get("/ended", [&](Context& ctx) {
        ctx.end_session();
        ctx.text(std::to_string(++calls));
    });
    app.get("/file", [&](Context& ctx) {
        ++calls;
        ctx.file(path);
    });
    app.get("/stream", [&](Context& ctx) -> Task<> {
        ++calls;
        auto out = ctx.stream("text/plain");
        co_await out.write("a piece");
    });
    app.get("/empty", [&](Context& ctx) {
        ++calls;
        ctx.text("");
    });
    app.get("/none", [&](Context& ctx) {
        ++calls;
        ctx.no_content();
    });
    app.get("/failed", [&](Context&) {
        ++calls;
        throw sake::HttpError(404, "not there");
    });
    app.post("/post", [&](Context&) { return std::to_string(++calls); });
    TestClient client(app);
    for (const std::string target :
         {"/cookie", "/session", "/renewed", "/ended", "/file", "/stream", "/empty", "/none", "/failed"}) {
        CAPTURE(target);
        calls = 0;
        CHECK(client.get(target).header("Cache-Status") == "sake; fwd=miss");
        CHECK(client.get(target).header("Age").empty());
        CHECK(calls == 2);
    }
    CHECK(client.get("/stream").body == "a piece");
    CHECK(client.get("/file").body == "a file");
    calls = 0;
    CHECK(client.post("/post").header("Cache-Status").empty());
    CHECK(client.post("/post").body == "2");
}

TEST_CASE("cache: a redirection and an absence that say for how long are kept") {
    int calls = 0;
    sake::Engine app;
    app.use(cache({}));
    app.get("/moved", [&](Context& ctx) {
        ++calls;
        ctx.set_header("Cache-Control", "max-age=60").redirect("/new", 301);
    });
    app.get("/absent", [&](Context&) {
        ++calls;
        throw sake::HttpError(404, "not there").header("Cache-Control", "max-age=60");
    });
    TestClient client(app);
    for (int i = 0; i < 3; ++i) {
        const TestResponse moved = client.get("/moved");
        CHECK(moved.status == 301);
        CHECK(moved.header("Location") == "/new");
        CHECK(moved.header("Content-Type").empty());
        const TestResponse absent = client.get("/absent");
        CHECK(absent.status == 404);
        CHECK(absent.header("Content-Type") == "application/problem+json");
        CHECK(absent.json()["detail"] == "not there");
    }
    CHECK(calls == 2);
}

TEST_CASE("cache: a client may ask for a new answer, unless it is not allowed to") {
    for (const bool may_reload : {true, false}) {
        CAPTURE(may_reload);
        Counter counter;
        sake::Engine app;
        app.get("/", counter.handler()).use(cache({.ttl = 1h, .client_may_reload = may_reload}));
        TestClient client(app);
        const auto ask = [&](std::string_view control) {
            return client.get("/", {{"Cache-Control", control}});
        };
        CHECK(ask("only-if-cached").status == 504);
        CHECK(ask("max-age=10").body == "1");
        CHECK(ask("only-if-cached").body == "1");
        client.advance(10s);
        CHECK(ask("max-age=10").body == "1");
        CHECK(ask("min-fresh=1, max-stale, x").body == "1");
        CHECK(ask("max-age=9").body == (may_reload ? "2" : "1"));
        const TestResponse reloaded = ask("no-cache");
        CHECK(reloaded.body == (may_reload ? "3" : "1"));
        if (may_reload) CHECK(reloaded.header("Cache-Status") == "sake; fwd=request; stored");
        CHECK(ask("max-age=0").body == (may_reload ? "4" : "1"));
        CHECK(client.get("/").body == (may_reload ? "4" : "1"));  // the new one is kept
        const int before = counter.calls;
        CHECK(ask("no-store").header("Cache-Status") == "sake; fwd=bypass");
        CHECK(counter.calls == before + 1);
        CHECK(client.get("/").body == std::to_string(before));
    }
}

TEST_CASE("cache: while an answer is being made, others wait for it") {
    int calls = 0;
    sake::Engine app;
    app.get("/",
            [&]() -> Task<std::string> {
                const int number = ++calls;
                co_await sake::sleep(1s);
                co_return std::to_string(number);
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    std::vector<TestConnection> connections;
    for (int i = 0; i < 20; ++i) connections.push_back(client.connect());
    for (TestConnection& each : connections) {
        send_get(each, "/");
        CHECK(each.receive_now().empty());
    }
    CHECK(calls == 1);
    client.advance(1s);
    CHECK(calls == 1);
    for (TestConnection& each : connections) {
        const TestResponse response = each.response();
        CHECK(response.body == "1");
        CHECK((response.header("Cache-Status") == "sake; fwd=miss; stored" ||
               response.header("Cache-Status") == "sake; hit; ttl=10"));
    }
    // Also when it has become too old, and for those who ask for a new one.
    client.advance(10s);
    for (TestConnection& each : connections) send_get(each, "/", "Cache-Control: no-cache\r\n");
    for (TestConnection& each : connections) CHECK(each.response().body == "2");
    CHECK(calls == 2);
}

TEST_CASE("cache: a worker's answer is made once for all") {
    sake::Engine app;
    const auto calls = std::make_shared<std::atomic<int>>(0);
    app.get("/", [calls] { return std::to_string(++*calls); }).worker().use(cache({.ttl = 10s}));
    TestClient client(app);
    std::vector<TestConnection> connections;
    for (int i = 0; i < 10; ++i) connections.push_back(client.connect());
    for (TestConnection& each : connections) send_get(each, "/");
    for (TestConnection& each : connections) CHECK(each.response().body == "1");
    CHECK(*calls == 1);
}

TEST_CASE("cache: nobody waits for an answer that is not to be shared") {
    int calls = 0;
    int running = 0;
    int most = 0;
    sake::Engine app;
    app.get("/",
            [&](Context& ctx) -> Task<> {
                ++calls;
                most = std::max(most, ++running);
                co_await sake::sleep(1s);
                --running;
                ctx.set_header("Cache-Control", "private").text("mine");
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    std::vector<TestConnection> connections;
    for (int i = 0; i < 5; ++i) connections.push_back(client.connect());
    for (TestConnection& each : connections) send_get(each, "/");
    client.advance(1s);
    CHECK(calls == 5);  // the others waited for the first, once, and then none for another
    client.advance(1s);
    for (TestConnection& each : connections) CHECK(each.response().body == "mine");
    CHECK(most == 4);
    for (TestConnection& each : connections) send_get(each, "/");
    client.advance(1s);
    for (TestConnection& each : connections) CHECK(each.response().body == "mine");
    CHECK(most == 5);
    CHECK(calls == 10);
}

TEST_CASE("cache: of those who wait for an answer that fails, one at a time asks again") {
    for (const int status : {304, 403, 404, 429, 500, 503}) {
        CAPTURE(status);
        Log log;
        int calls = 0;
        int running = 0;
        int most = 0;
        sake::Engine app(log.config());
        app.get("/",
                [&](Context& ctx) -> Task<> {
                    const int number = ++calls;
                    most = std::max(most, ++running);
                    co_await sake::sleep(1s);
                    --running;
                    if (number <= 2)
                        ctx.text(status, "");
                    else
                        ctx.text("good");
                })
            .use(cache({.ttl = 10s}));
        TestClient client(app);
        std::vector<TestConnection> connections;
        for (int i = 0; i < 10; ++i) connections.push_back(client.connect());
        for (TestConnection& each : connections) send_get(each, "/");
        client.advance(3s);
        int failed = 0;
        for (TestConnection& each : connections) {
            const TestResponse response = each.response();
            if (response.status == status)
                ++failed;
            else
                CHECK(response.body == "good");
        }
        CHECK(failed == 2);
        CHECK(calls == 3);
        CHECK(most == 1);
    }
}

TEST_CASE("cache: an error or a 304 for one client leaves the answer that is kept for others") {
    for (const int status : {206, 302, 304, 400, 403, 404, 429, 500, 503}) {
        CAPTURE(status);
        Counter counter;
        Log log;
        sake::Engine app(log.config());
        app.use(cache({.ttl = 1h}));
        app.get("/", counter.handler());
        TestClient client(app);
        CHECK(client.get("/").body == "1");
        counter.status = status;
        for (int i = 0; i < 2; ++i) {
            CHECK(client.get("/", {{"Cache-Control", "no-cache"}}).status == status);
            const TestResponse good = client.get("/");
            CHECK(good.status == 200);
            CHECK(good.body == "1");
            CHECK(std::string_view(good.header("Cache-Status")).starts_with("sake; hit"));
        }
    }
    // A limit behind it, which is one client's own.
    Counter counter;
    sake::Engine app;
    app.use(sake::middleware::trusted_proxies({"127.0.0.1"}));
    app.use(cache({.ttl = 1h}));
    app.use(sake::middleware::rate_limit({.per_minute = 1}));
    app.get("/", counter.handler());
    TestClient client(app);
    const Headers good{{"X-Forwarded-For", "192.0.2.1"}};
    const Headers evil{{"X-Forwarded-For", "192.0.2.2"}, {"Cache-Control", "no-cache"}};
    CHECK(client.get("/", good).body == "1");
    CHECK(client.get("/", evil).body == "2");
    CHECK(client.get("/", evil).status == 429);
    CHECK(client.get("/", good).body == "2");
    // But a 200 that is nobody else's takes its place.
    counter.fields = {{"Cache-Control", "private"}};
    const Headers other{{"X-Forwarded-For", "192.0.2.3"}, {"Cache-Control", "no-cache"}};
    CHECK(client.get("/", other).body == "3");
    CHECK(client.get("/", {{"X-Forwarded-For", "192.0.2.4"}}).body == "4");
}

TEST_CASE("cache: after an answer that fails, those who wait get one of the next") {
    Log log;
    int calls = 0;
    sake::Engine app(log.config());
    app.get("/",
            [&](Context& ctx) -> Task<> {
                const int number = ++calls;
                co_await sake::sleep(1s);
                if (number == 1) throw std::runtime_error("the first fails");
                ctx.text(std::to_string(number));
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    TestConnection first = client.connect();
    TestConnection second = client.connect();
    send_get(first, "/");
    send_get(second, "/");
    CHECK(first.response().status == 500);
    CHECK(second.response().body == "2");
    CHECK(client.get("/").body == "2");
}

TEST_CASE("cache: if the client whose answer is awaited leaves, another one's is made") {
    int calls = 0;
    sake::Engine app;
    app.get("/",
            [&]() -> Task<std::string> {
                const int number = ++calls;
                co_await sake::sleep(1s);
                co_return std::to_string(number);
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    TestConnection first = client.connect();
    TestConnection second = client.connect();
    TestConnection third = client.connect();
    for (TestConnection* each : {&first, &second, &third}) {
        send_get(*each, "/");
        CHECK(each->receive_now().empty());
    }
    first.reset();
    CHECK(second.response().body == "2");
    CHECK(third.response().body == "2");
    // A client that waits may leave, too, and so may all.
    client.advance(10s);
    TestConnection fourth = client.connect();
    send_get(second, "/");
    send_get(third, "/");
    send_get(fourth, "/");
    CHECK(fourth.receive_now().empty());
    third.reset();
    CHECK(second.response().body == "3");
    CHECK(fourth.response().body == "3");
    client.advance(10s);
    send_get(second, "/");
    CHECK(second.receive_now().empty());
    second.reset();
    CHECK(client.get("/").body == "5");
}

TEST_CASE("cache: those who wait have their own time limit") {
    Log log;
    int calls = 0;
    sake::Engine app(log.config().with_request_timeout(3s));
    app.get("/",
            [&]() -> Task<std::string> {
                const int number = ++calls;
                co_await sake::sleep(number == 1 ? 1h : 1s);
                co_return std::to_string(number);
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    TestConnection first = client.connect();
    TestConnection second = client.connect();
    send_get(first, "/");
    CHECK(first.receive_now().empty());
    client.advance(1500ms);
    send_get(second, "/");
    CHECK(first.response().status == 504);
    CHECK(second.response().body == "2");
}

TEST_CASE("cache: those who wait for an answer that varies get their own") {
    int calls = 0;
    sake::Engine app;
    app.get("/",
            [&](Context& ctx) -> Task<> {
                ++calls;
                ctx.set_header("Vary", "X-A");
                const std::string value(ctx.header("X-A"));
                co_await sake::sleep(1s);
                ctx.text(value);
            })
        .use(cache({.ttl = 10s}));
    TestClient client(app);
    std::vector<TestConnection> connections;
    for (int i = 0; i < 9; ++i) connections.push_back(client.connect());
    for (int i = 0; i < 9; ++i)
        send_get(connections[static_cast<std::size_t>(i)], "/", "X-A: " + std::to_string(i % 3) + "\r\n");
    for (int i = 0; i < 9; ++i)
        CHECK(connections[static_cast<std::size_t>(i)].response().body == std::to_string(i % 3));
    CHECK(calls == 3);
}

TEST_CASE("cache: fields that stood in front of it are those of each request") {
    int requests = 0;
    Counter counter;
    counter.fields = {{"X-Own", "kept"}};
    sake::Engine app;
    app.use([&](Context& ctx) {
        ctx.set_header("X-Number", std::to_string(++requests)).set_header("X-Mode", "outer");
        ctx.add_header("Vary", "X-Outer").add_header("Link", "<outer>");
    });
    app.use(sake::middleware::request_id());
    app.use(cache({.ttl = 1h}));
    app.use([](Context& ctx) {
        ctx.set_header("X-Mode", "inner").add_header("Vary", "X-Inner").add_header("Link", "<inner>");
        ctx.after([](Context& answered) { answered.set_header("X-After", "kept"); });
    });
    app.get("/", counter.handler());
    TestClient client(app);
    const TestResponse first = client.get("/");
    const TestResponse second = client.get("/");
    CHECK(second.body == "1");
    CHECK(first.header("X-Number") == "1");
    CHECK(second.header("X-Number") == "2");
    CHECK(first.header("X-Request-Id") != second.header("X-Request-Id"));
    const auto all = [](const TestResponse& response, std::string_view wanted) {
        std::string values;
        for (const auto& [name, value] : response.headers) {
            if (sake::iequals(name, wanted)) values.append(value).append("|");
        }
        return values;
    };
    for (const TestResponse& each : {first, second}) {
        CHECK(all(each, "X-Number").size() == 2);
        CHECK(all(each, "X-Mode") == "inner|");
        CHECK(all(each, "Vary") == "X-Outer|X-Inner|");
        CHECK(all(each, "Link") == "<outer>|<inner>|");
        CHECK(all(each, "X-Own") == "kept|");
        CHECK(all(each, "X-After") == "kept|");
    }
    CHECK(all(second, "Cache-Status") == "sake; hit; ttl=3600|");
}

TEST_CASE("cache: an answer that another cache has kept is old already") {
    Counter counter;
    counter.fields = {{"Age", "7"}, {"Cache-Control", "max-age=10"}};
    sake::Engine app;
    app.get("/", counter.handler()).use(cache({}));
    TestClient client(app);
    static_cast<void>(client.get("/"));
    client.advance(2s);
    CHECK(client.get("/").header("Age") == "9");
    client.advance(1s);
    CHECK(client.get("/").body == "2");
}

TEST_CASE("cache: clear forgets what is kept, and what is being made") {
    int calls = 0;
    const sake::middleware::Cache pages = cache({.ttl = 1h});
    sake::Engine app;
    app.get("/",
            [&]() -> Task<std::string> {
                const int number = ++calls;
                co_await sake::sleep(1s);
                co_return std::to_string(number);
            })
        .use(pages);
    app.post("/change", [pages] { pages.clear(); });
    TestClient client(app);
    CHECK(client.get("/").body == "1");
    CHECK(client.get("/").body == "1");
    client.post("/change");
    TestConnection slow = client.connect();
    TestConnection waits = client.connect();
    send_get(slow, "/");
    send_get(waits, "/");
    CHECK(waits.receive_now().empty());
    CHECK(calls == 2);
    client.post("/change");
    CHECK(slow.response().body == "2");
    CHECK(waits.response().body == "3");  // and not what was begun before the change
    CHECK(client.get("/").body == "3");
}

TEST_CASE("cache: bodies up to a size") {
    int calls = 0;
    sake::Engine app;
    app.get("/:size",
            [&](Context& ctx, std::size_t size) {
                ++calls;
                ctx.text(std::string(size, 'b'));
            })
        .use(cache({.ttl = 1h, .max_body = 100}));
    TestClient client(app);
    for (const auto& [name, its_calls] : {std::pair("/99", 1), std::pair("/100", 1), std::pair("/101", 2)}) {
        const std::string target = name;
        CAPTURE(target);
        calls = 0;
        CHECK(client.get(target).body == client.get(target).body);
        CHECK(calls == its_calls);
    }
}

TEST_CASE("cache: what was asked for the longest time ago makes room") {
    std::vector<std::string> made;
    sake::Engine app;
    app.get("/:name",
            [&](Context& ctx, std::string name) {
                made.push_back(name);
                ctx.text(std::string(1000, 'b'));
            })
        .use(cache({.ttl = 1h, .max_bytes = 5000}));
    TestClient client(app);
    const auto is_made = [&](const char* target) {
        made.clear();
        static_cast<void>(client.get(target));
        return !made.empty();
    };
    CHECK(is_made("/a"));
    CHECK(is_made("/b"));
    CHECK(is_made("/c"));
    CHECK_FALSE(is_made("/a"));
    CHECK(is_made("/d"));
    CHECK_FALSE(is_made("/a"));
    CHECK(is_made("/b"));
    for (int i = 0; i < 1000; ++i) static_cast<void>(client.get("/x" + std::to_string(i)));
    CHECK(is_made("/a"));
}

TEST_CASE("cache: clear may be called from any thread") {
    const sake::middleware::Cache pages = cache({.ttl = 1h, .max_bytes = 10'000});
    std::atomic<bool> is_over{false};
    std::thread other([&] {
        while (!is_over) pages.clear();
    });
    sake::Engine app;
    app.get("/:name", [](Context& ctx, std::string name) { ctx.text(name); }).use(pages);
    TestClient client(app);
    for (int i = 0; i < 500; ++i) {
        const std::string name = std::to_string(i % 20);
        CHECK(client.get("/" + name).body == name);
    }
    is_over = true;
    other.join();
}

TEST_CASE("cache: the store keeps its number of bytes") {
    using Store = sake::detail::CacheStore;
    using sake::detail::OwningPtr;
    const auto entry = [](const Store& store, const std::string& key, std::size_t size) {
        OwningPtr<Store::Entry> made(new Store::Entry);
        made->key = store.hash(key);
        made->answer.body = std::string(size, 'b');
        return made;
    };
    const std::size_t empty = Store::Entry().size();
    for (const std::size_t body : {std::size_t{100}, std::size_t{101}}) {
        Store store(2 * (empty + 100));
        CHECK(store.put(entry(store, "a", 100)));
        CHECK(store.put(entry(store, "b", body)));
        CHECK((store.find(store.hash("a")) != nullptr) == (body == 100));
        CHECK(store.bytes() <= 2 * (empty + 100));
        CHECK(store.put(entry(store, "b", 50)));  // in place of the other
        CHECK(store.find(store.hash("b"))->answer.body.size() == 50);
        CHECK(store.put(entry(store, "c", empty + 200)));  // all that there is room for
        CHECK(store.find(store.hash("b")) == nullptr);
        CHECK(store.bytes() == 2 * (empty + 100));
        CHECK_FALSE(store.put(entry(store, "d", empty + 201)));
        CHECK(store.find(store.hash("c")) != nullptr);
        store.clear();
        CHECK(store.bytes() == 0);
        CHECK(store.find(store.hash("c")) == nullptr);
    }
}

TEST_CASE("cache: etag in front answers conditions by what is kept") {
    Counter counter;
    sake::Engine app;
    app.use(sake::middleware::etag());
    app.use(cache({.ttl = 1h}));
    app.get("/", counter.handler());
    TestClient client(app);
    const std::string tag = client.get("/").header("ETag");
    CHECK(client.get("/", {{"If-None-Match", tag}}).status == 304);
    CHECK(client.get("/").header("ETag") == tag);
    CHECK(counter.calls == 1);
}

TEST_CASE("cache: a session may choose the key") {
    int calls = 0;
    sake::Engine app;
    app.use(sake::middleware::sessions());
    app.get("/set/:user", [](Context& ctx, std::string user) { ctx.session()["user"] = user; });
    const auto pages =
        cache({.ttl = 1h, .key = [](Context& ctx) { return ctx.session().value("user", ""); }});
    app.get("/", [&] { return std::to_string(++calls); }).use(pages);
    app.get("/visit",
            [&](Context& ctx) {
                ctx.session()["visited"] = true;
                ctx.text(std::to_string(++calls));
            })
        .use(pages);
    TestClient client(app);
    const auto cookie_of = [&](const char* target) {
        const std::string cookie = client.get(target).header("Set-Cookie");
        return Headers{{"Cookie", cookie.substr(0, cookie.find(';'))}};
    };
    const Headers ann = cookie_of("/set/ann");
    const Headers ann_elsewhere = cookie_of("/set/ann");
    const Headers bob = cookie_of("/set/bob");
    CHECK(client.get("/", ann).body == "1");
    CHECK(client.get("/", ann_elsewhere).body == "1");
    CHECK(client.get("/", bob).body == "2");
    CHECK(client.get("/").body == "3");
    CHECK(client.get("/visit", ann).body == "4");  // changes the session, and so is not kept
    CHECK(client.get("/visit", ann_elsewhere).body == "5");
}

TEST_CASE("cache: what a handler reads of a session is kept for nobody else, whatever the key") {
    sake::Engine app;
    app.use(sake::middleware::sessions());
    app.get("/set/:user", [](Context& ctx, std::string user) { ctx.session()["user"] = user; });
    const auto user = [](Context& ctx) { return ctx.session().value("user", "nobody"); };
    const auto must_be_known = [user](Context& ctx) {
        if (user(ctx) == "nobody") throw sake::HttpError(403, "who are you?");
    };
    const auto language = [](Context& ctx) { return std::string(ctx.cookie("lang", "en")); };
    app.get("/hello", [user](Context& ctx) { return "hello " + user(ctx); })
        .use(cache({.ttl = 1h, .key = language}));
    int calls = 0;
    app.get("/news", [&calls] { return std::to_string(++calls); })
        .use(must_be_known)  // in front of the cache: it does not count
        .use(cache({.ttl = 1h, .key = language}));
    TestClient client(app);
    const auto cookie_of = [&](const char* target) {
        const std::string cookie(client.get(target).header("Set-Cookie"));
        return Headers{{"Cookie", cookie.substr(0, cookie.find(';'))}};
    };
    const Headers ann = cookie_of("/set/ann");
    const Headers bob = cookie_of("/set/bob");
    CHECK(client.get("/hello", ann).body == "hello ann");
    CHECK(client.get("/hello", bob).body == "hello bob");
    CHECK(client.get("/hello").body == "hello nobody");
    CHECK(client.get("/news", ann).body == "1");
    CHECK(client.get("/news", bob).body == "1");
    CHECK(client.get("/news").status == 403);
}

TEST_CASE("cache: the name in Cache-Status can be another, or none") {
    for (const char* name : {"", "edge-1"}) {
        Counter counter;
        sake::Engine app;
        app.get("/", counter.handler()).use(cache({.ttl = 1h, .name = name}));
        TestClient client(app);
        static_cast<void>(client.get("/"));
        const TestResponse hit = client.get("/");
        CHECK(hit.header("Age") == "0");
        CHECK(hit.header("Cache-Status") == (*name == '\0' ? "" : "edge-1; hit; ttl=3600"));
    }
}

TEST_CASE("cache: options that make no sense are refused in words") {
    const auto complaint = [](CacheOptions options) {
        return thrown_by<std::invalid_argument>([&] { static_cast<void>(cache(std::move(options))); });
    };
    CHECK(complaint({}) == "nothing");
    CHECK(complaint({.ttl = -1s}) == "cache: ttl must be from 0 s to 400 days, but is -1 s");
    CHECK(complaint({.ttl = 400 * 24h}) == "nothing");
    CHECK(complaint({.ttl = 400 * 24h + 1s}) != "nothing");
    CHECK(complaint({.max_bytes = 0}) != "nothing");
    CHECK(complaint({.name = "a b"}).starts_with("cache: the name must be a token"));
    CHECK(complaint({.name = "a\r\nX: y"}) != "nothing");
}

TEST_CASE("cache: refusals are not kept") {
    for_each_refusal([](sake::Engine& app) { app.use(cache({.ttl = 1h})); },
                     [](const TestResponse& response) { CHECK(response.header("Age").empty()); });
}

TEST_CASE("cache: a failing handler or an absent page is asked again") {
    Log log;
    int calls = 0;
    sake::Engine app(log.config());
    app.use(cache({.ttl = 1h}));
    app.get("/", [&](Context& ctx) {
        if (++calls == 1) throw std::runtime_error("not yet");
        ctx.text("now");
    });
    TestClient client(app);
    CHECK(client.get("/").status == 500);
    CHECK(client.get("/").body == "now");
    for (int i = 0; i < 2; ++i) CHECK(client.get("/nowhere").header("Cache-Status") == "sake; fwd=miss");
}

}  // namespace test_middleware_cache
