// etag: which answers have a tag, and how conditions are answered by it.
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"
#include "support/temporary_directory.hpp"

namespace test_middleware_etag {

using namespace harness;
using sake::Context;
using sake::TestClient;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::etag;

namespace {

bool is_strong_tag(std::string_view tag) {
    return tag.size() == 34 && tag.front() == '"' && tag.back() == '"' &&
           tag.find_first_not_of("0123456789abcdef", 1) == 33;
}

void add_hello(sake::Engine& app) {
    app.get("/", [](Context& ctx) {
        ctx.set_header("Cache-Control", "max-age=60").set_header("Vary", "Accept");
        ctx.text("hello");
    });
}

}  // namespace

TEST_CASE("etag: a body has a tag, the same for the same bytes") {
    sake::Engine app;
    app.use(etag());
    app.get("/text", [](Context& ctx) { ctx.text(ctx.query("t")); });
    app.get("/json", [] { return sake::Json{{"a", 1}}; });
    TestClient client(app);
    const std::string tag = client.get("/text?t=a").header("ETag");
    CHECK(is_strong_tag(tag));
    CHECK(client.get("/text?t=a").header("ETag") == tag);
    CHECK(client.get("/text?t=b").header("ETag") != tag);
    CHECK(is_strong_tag(client.get("/json").header("ETag")));
    CHECK(client.head("/text?t=a").header("ETag") == tag);
    sake::Engine other;  // as after a restart
    other.use(etag());
    other.get("/", [] { return "a"; });
    CHECK(TestClient(other).get("/").header("ETag") == tag);
}

TEST_CASE("etag: a client that has the body is answered with 304") {
    sake::Engine app;
    app.use(etag());
    add_hello(app);
    TestClient client(app);
    const std::string tag = client.get("/").header("ETag");
    for (const std::string& condition : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
        CAPTURE(condition);
        for (const char* method : {"GET", "HEAD"}) {
            const TestResponse response = client.request(method, "/", {{"If-None-Match", condition}});
            CHECK(response.status == 304);
            CHECK(response.body.empty());
            CHECK(response.header("ETag") == tag);
            CHECK(response.header("Cache-Control") == "max-age=60");
            CHECK(response.header("Vary") == "Accept");
            CHECK(response.header("Content-Type").empty());
        }
    }
    for (const std::string& condition :
         {std::string("\"other\""), tag.substr(1, 32), std::string(), tag + "x", "\"" + tag}) {
        CAPTURE(condition);
        const TestResponse response = client.get("/", {{"If-None-Match", condition}});
        CHECK(response.status == 200);
        CHECK(response.body == "hello");
    }
    Headers twice{{"If-None-Match", "\"other\""}};
    twice.add("If-None-Match", tag);
    CHECK(client.get("/", twice).status == 304);
}

TEST_CASE("etag: a weak tag matches weakly alone") {
    sake::Engine app;
    app.use(etag({.weak = true}));
    add_hello(app);
    TestClient client(app);
    const std::string tag = client.get("/").header("ETag");
    CHECK(tag.substr(0, 3) == "W/\"");
    CHECK(is_strong_tag(tag.substr(2)));
    CHECK(client.get("/", {{"If-None-Match", tag}}).status == 304);
    CHECK(client.get("/", {{"If-Match", tag}}).status == 412);
}

TEST_CASE("etag: a body that a request does not want is answered with 412") {
    sake::Engine app;
    app.use(etag());
    add_hello(app);
    TestClient client(app);
    const std::string tag = client.get("/").header("ETag");
    CHECK(client.get("/", {{"If-Match", tag}}).status == 200);
    const TestResponse failed = client.get("/", {{"If-Match", "\"other\""}});
    CHECK(failed.status == 412);
    CHECK(failed.header("ETag").empty());
    CHECK(failed.header("Content-Type") == "application/problem+json");
}

TEST_CASE("etag: tags and dates of the handler count") {
    sake::Engine app;
    app.use(etag());
    app.get("/own", [](Context& ctx) { ctx.set_header("ETag", "\"v7\"").text("seven"); });
    app.get("/dated", [](Context& ctx) {
        ctx.set_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT").text("dated");
    });
    TestClient client(app);
    CHECK(client.get("/own").header("ETag") == "\"v7\"");
    CHECK(client.get("/own", {{"If-None-Match", "\"v7\""}}).status == 304);
    CHECK(client.get("/own", {{"If-None-Match", "\"v8\""}}).status == 200);
    const auto since = [&](const char* date) {
        return client.get("/dated", {{"If-Modified-Since", date}}).status;
    };
    CHECK(since("Wed, 31 Dec 2025 23:59:59 GMT") == 200);
    CHECK(since("Thu, 01 Jan 2026 00:00:00 GMT") == 304);
    CHECK(since("Thu, 01 Jan 2026 00:00:01 GMT") == 304);
    CHECK(since("yesterday") == 200);
}

TEST_CASE("etag: what has no tag") {
    const TemporaryDirectory directory;
    directory.write("file.txt", "a file");
    const std::string path = directory.path("file.txt");
    sake::Engine app;
    app.use(etag());
    app.get("/created", [](Context& ctx) { ctx.text(201, "made"); });
    app.get("/empty", [](Context& ctx) { ctx.text(""); });
    app.get("/none", [](Context& ctx) { ctx.no_content(); });
    app.get("/secret", [](Context& ctx) { ctx.set_header("Cache-Control", "private, No-Store").text("s"); });
    app.post("/post", [](Context& ctx) { ctx.text("posted"); });
    app.get("/stream", [](Context& ctx) -> sake::Task<> {
        auto out = ctx.stream("text/plain");
        co_await out.write("piece");
    });
    app.get("/file", [path](Context& ctx) { ctx.file(path); });
    TestClient client(app);
    for (const char* target : {"/created", "/empty", "/none", "/secret", "/stream", "/nowhere"}) {
        CAPTURE(target);
        CHECK(client.get(target).header("ETag").empty());
        CHECK(client.get(target, {{"If-None-Match", "*"}}).status != 304);
    }
    CHECK(client.post("/post").header("ETag").empty());
    const std::string of_file = client.get("/file").header("ETag");
    CHECK_FALSE(of_file.empty());
    CHECK_FALSE(is_strong_tag(of_file));
    CHECK(client.get("/file", {{"If-None-Match", of_file}}).status == 304);
    CHECK(client.get("/file", {{"Range", "bytes=2-"}}).body == "file");
}

TEST_CASE("etag: bodies up to a size") {
    sake::Engine app;
    app.use(etag({.max_body = 10}));
    app.get("/:size", [](Context& ctx, std::size_t size) { ctx.text(std::string(size, 'b')); });
    TestClient client(app);
    CHECK(is_strong_tag(client.get("/9").header("ETag")));
    CHECK(is_strong_tag(client.get("/10").header("ETag")));
    CHECK(client.get("/11").header("ETag").empty());
    CHECK(client.get("/11").body == std::string(11, 'b'));
}

TEST_CASE("etag: the same bytes of another type are another answer") {
    sake::Engine app;
    app.use(etag());
    app.get("/text", [](Context& ctx) { ctx.text("[1]"); });
    app.get("/json", [](Context& ctx) { ctx.json({1}); });
    app.get("/set", [](Context& ctx) { ctx.set_header("Content-Type", "application/json").text("[1]"); });
    app.get("/sent", [](Context& ctx) { ctx.send("[1]", "application/json"); });
    TestClient client(app);
    const std::string of_json = client.get("/json").header("ETag");
    CHECK(client.get("/text").body == client.get("/json").body);
    CHECK(client.get("/text").header("ETag") != of_json);
    CHECK(client.get("/sent").header("ETag") == of_json);
    CHECK(client.get("/set").header("Content-Type") == "application/json");
    CHECK(client.get("/set").header("ETag") == of_json);
}

TEST_CASE("etag: no-store counts in every field Cache-Control, also where the handler has set a tag") {
    sake::Engine app;
    app.use(etag());
    app.get("/two", [](Context& ctx) {
        ctx.add_header("Cache-Control", "private").add_header("Cache-Control", "no-store").text("secret");
    });
    app.get("/own", [](Context& ctx) {
        ctx.set_header("ETag", "\"v1\"").set_header("Cache-Control", "no-store").text("secret");
    });
    TestClient client(app);
    CHECK(client.get("/two").header("ETag").empty());
    CHECK(client.get("/own").header("ETag") == "\"v1\"");
    CHECK(client.get("/own", {{"If-None-Match", "\"v1\""}}).status == 200);
}

TEST_CASE("etag: what has been encoded is not what has the tag, if etag stands behind it") {
    sake::Engine app;
    app.use([](Context& ctx) { ctx.after([](Context& answered) { answered.text("encoded"); }); });
    app.use(etag());
    app.get("/", [] { return "hello"; });
    app.get("/encoded", [] { return "encoded"; });
    TestClient client(app);
    CHECK(client.get("/").body == client.get("/encoded").body);
    CHECK(client.get("/").header("ETag") != client.get("/encoded").header("ETag"));
}

TEST_CASE("etag: the tag is of what middleware behind it makes of the body") {
    sake::Engine app;
    app.use(etag());
    app.use([](Context& ctx) { ctx.after([](Context& answered) { answered.text("changed"); }); });
    app.get("/", [] { return "hello"; });
    app.get("/changed", [] { return "changed"; });
    TestClient client(app);
    CHECK(client.get("/").header("ETag") == client.get("/changed").header("ETag"));
}

TEST_CASE("etag: a worker's answer has a tag") {
    sake::Engine app;
    app.use(etag());
    app.get("/", [] { return "hello"; }).worker();
    TestClient client(app);
    const std::string tag = client.get("/").header("ETag");
    CHECK(is_strong_tag(tag));
    CHECK(client.get("/", {{"If-None-Match", tag}}).status == 304);
}

TEST_CASE("etag: refusals have none, and are not turned into 304 or 412") {
    for_each_refusal([](sake::Engine& app) { app.use(etag()); },
                     [](const TestResponse& response) { CHECK(response.header("ETag").empty()); });
    sake::Engine app;
    app.use(etag());
    TestClient client(app);
    CHECK(client.get("/nowhere", {{"If-None-Match", "*"}, {"If-Match", "\"a\""}}).status == 404);
}

}  // namespace test_middleware_etag
