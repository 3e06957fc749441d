// compress: which whole answers are compressed, by what, and what they say of it.
#include <doctest/doctest.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/decoder.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"
#include "support/temporary_directory.hpp"

namespace test_middleware_compress {

using namespace harness;
using sake::Context;
using sake::Engine;
using sake::Task;
using sake::TestClient;
using sake::TestResponse;
using sake::http::Headers;
using sake::middleware::compress;
using sake::middleware::CompressOptions;

namespace {

const std::string all_codings = "gzip, deflate, br, zstd";

/// JSON of so many bytes.
std::string sample(std::size_t size) {
    std::string text = "[";
    for (int i = 0; text.size() < size; ++i) {
        text += R"({"id":)" + std::to_string(i) + R"(,"name":"a rice wine","price":)" +
                std::to_string(i * 7 % 1000) + "},";
    }
    text.resize(size - 1);
    return text + "]";
}

/// "/json/N" answers with N bytes of JSON, to any method.
void add_json(Engine& app) {
    app.any("/json/:size", [](Context& ctx, std::size_t size) {
        ctx.text(sample(size)).set_header("Content-Type", "application/json");
    });
}

Headers accepting(const std::string& codings) { return {{"Accept-Encoding", codings}}; }

}  // namespace

TEST_CASE("compress: a body is smaller by each coding, and the same again when it is decoded") {
    Engine app;
    app.use(compress());
    add_json(app);
    TestClient client(app);
    for (const std::string& coding : {std::string("gzip"), std::string("br"), std::string("zstd")}) {
        for (const std::size_t size : {1024UL, 10'000UL, 16'384UL, 131'072UL, 131'073UL, 1'048'576UL}) {
            CAPTURE(coding);
            CAPTURE(size);
            for (int time = 0; time < 2; ++time) {  // the second one by the same compressor
                const TestResponse response = client.get("/json/" + std::to_string(size), accepting(coding));
                CHECK(response.status == 200);
                CHECK(response.header("Content-Encoding") == coding);
                CHECK(response.header("Content-Type") == "application/json");
                CHECK(response.header("Vary") == "Accept-Encoding");
                CHECK(response.header("Content-Length") == std::to_string(response.body.size()));
                CHECK(response.body.size() < size / 2);
                CHECK(decoded(response) == sample(size));
            }
        }
    }
}

TEST_CASE("compress: the coding that the client wants most, and of several the cheapest") {
    Engine app;
    app.use(compress());
    add_json(app);
    TestClient client(app);
    const std::pair<const char*, const char*> table[] = {
        {"", ""},
        {"gzip", "gzip"},
        {"GZIP", "gzip"},
        {"x-gzip", "gzip"},
        {"br", "br"},
        {"zstd", "zstd"},
        {"deflate", ""},
        {"compress, deflate", ""},
        {"identity", ""},
        {"gzip, deflate, br, zstd", "zstd"},
        {"gzip, br", "br"},
        {"br, gzip", "br"},
        {"gzip;q=1.0, br;q=0.9", "gzip"},
        {"gzip;q=0.8, br;q=0.9, zstd;q=0.1", "br"},
        {"zstd;q=0, br;q=0.001", "br"},
        {"*", "zstd"},
        {"*;q=0.5, gzip", "gzip"},
        {"*, zstd;q=0", "br"},
        {"*, zstd;q=0, br;q=0", "gzip"},
        {"gzip;q=0", ""},
        {"gzip;q=0, *", "zstd"},
        {"gzip;q=0.5, identity;q=0.4", "gzip"},
        {"gzip;q=0.5, identity;q=0.5", "gzip"},
        {"gzip;q=0.5, identity", ""},
        {"identity;q=0.1, *;q=0", ""},
        {"gzip, identity;q=0", "gzip"},
        {"gzip, *;q=0", "gzip"},
        // What is not valid counts as absent.
        {"gzip;q=2", ""},
        {"gzip;q=-1", ""},
        {"gzip;q=0.1234", ""},
        {"gzip;q=", ""},
        {"gzip;q=nan, br", "br"},
        {"gzip q=1", ""},
        {"gzip;;q=0.5", "gzip"},
        {"gzip;level=9", "gzip"},
        {", ,gzip,,", "gzip"},
        {"gzip;q=1;q=0", "gzip"},
        {"gzip, gzip;q=0", "gzip"},
        {"gzip;q=0, gzip", ""},
        {"gzipp, xgzip, gz", ""},
        {"\"gzip\"", ""},
    };
    for (const auto& [field, coding] : table) {
        CAPTURE(field);
        const TestResponse response = client.get("/json/2000", accepting(field));
        CHECK(response.status == 200);
        CHECK(response.header("Content-Encoding") == coding);
        CHECK(response.header("Vary") == "Accept-Encoding");
        CHECK(decoded(response) == sample(2000));
    }
    CHECK(client.get("/json/2000").header("Content-Encoding").empty());
    CHECK(client.get("/json/2000").header("Vary") == "Accept-Encoding");
    Headers twice = accepting("zstd;q=0");
    twice.add("Accept-Encoding", "*");
    CHECK(client.get("/json/2000", twice).header("Content-Encoding") == "br");
}

TEST_CASE("compress: hostile fields are read in time, and no more") {
    Engine app(sake::Config().with_max_header_block(256 * 1024));
    app.use(compress());
    add_json(app);
    TestClient client(app);
    std::string many;
    for (int i = 0; i < 20'000; ++i) many += "gzip;q=0,";
    CHECK(client.get("/json/2000", accepting(many + "br")).header("Content-Encoding") == "br");
    CHECK(client.get("/json/2000", accepting(std::string(100'000, ';'))).status == 200);
    CHECK(client.get("/json/2000", accepting(std::string(100'000, ','))).status == 200);
    CHECK(client.get("/json/2000", accepting("gzip;q=0." + std::string(100'000, '0'))).status == 200);
    CHECK(client.get("/json/2000", accepting("\xff\xfe, gzip")).header("Content-Encoding") == "gzip");
    Headers lines;
    for (int i = 0; i < 90; ++i) lines.add("Accept-Encoding", i == 89 ? "gzip" : "x");
    CHECK(client.get("/json/2000", lines).header("Content-Encoding") == "gzip");
}

TEST_CASE("compress: from min_body to max_body") {
    Engine app;
    app.use(compress({.min_body = 500, .max_body = 5000}));
    add_json(app);
    TestClient client(app);
    const auto coding = [&](const char* target) {
        return client.get(target, accepting("gzip")).header("Content-Encoding");
    };
    CHECK(coding("/json/499").empty());
    CHECK(coding("/json/500") == "gzip");
    CHECK(coding("/json/501") == "gzip");
    CHECK(coding("/json/4999") == "gzip");
    CHECK(coding("/json/5000") == "gzip");
    CHECK(coding("/json/5001").empty());
    // What is never compressed does not vary.
    CHECK(client.get("/json/499").header("Vary").empty());
    CHECK(client.get("/json/5001").header("Vary").empty());
    CHECK(client.get("/json/5000").header("Vary") == "Accept-Encoding");
    Engine usual;
    usual.use(compress());
    add_json(usual);
    TestClient other(usual);
    CHECK(other.get("/json/1023", accepting("gzip")).header("Content-Encoding").empty());
    CHECK(other.get("/json/1024", accepting("gzip")).header("Content-Encoding") == "gzip");
    CHECK(other.get("/json/1048576", accepting("gzip")).header("Content-Encoding") == "gzip");
    CHECK(other.get("/json/1048577", accepting("gzip")).header("Content-Encoding").empty());
}

TEST_CASE("compress: types that become smaller, and no others") {
    Engine app;
    app.use(compress());
    app.get("/",
            [](Context& ctx) { ctx.text(sample(2000)).set_header("Content-Type", ctx.header("X-Type")); });
    TestClient client(app);
    const auto is_compressed = [&](const std::string& type) {
        const TestResponse response = client.get("/", {{"X-Type", type}, {"Accept-Encoding", "gzip"}});
        CHECK(response.header("Content-Type") == type);
        CHECK(response.header("Vary") ==
              (response.header("Content-Encoding").empty() ? "" : "Accept-Encoding"));
        return response.header("Content-Encoding") == "gzip";
    };
    for (const char* type :
         {"text/plain", "TEXT/HTML; charset=utf-8", "text/event-stream", "application/json",
          "Application/JSON", "application/json ; charset=utf-8", "application/problem+json", "image/svg+xml",
          "application/xml", "application/xhtml+xml", "application/javascript", "application/wasm",
          "application/x-ndjson", "application/manifest+json", "application/yaml", "application/rtf",
          "application/jsonl"}) {
        CAPTURE(type);
        CHECK(is_compressed(type));
    }
    for (const char* type :
         {"image/png", "image/jpeg", "image/webp", "video/mp4", "audio/mpeg", "application/zip",
          "application/gzip", "application/zstd", "application/pdf", "font/woff2", "application/octet-stream",
          "text", "text/", "json", "application/jsonx", "+json", "application/x-json; a=text/plain",
          "multipart/form-data; boundary=a"}) {
        CAPTURE(type);
        CHECK_FALSE(is_compressed(type));
    }
}

TEST_CASE("compress: what leaves as it is") {
    const TemporaryDirectory directory;
    directory.write("small.txt", sample(2000));
    directory.write("large.txt", sample(100'000));
    const std::string path = directory.path("");
    Engine app;
    app.use(compress());
    const auto add = [&](const char* target, auto decorate) {
        app.get(sake::runtime(target), [decorate](Context& ctx) {
            ctx.text(sample(2000));
            decorate(ctx);
        });
    };
    add("/coded", [](Context& ctx) { ctx.set_header("Content-Encoding", "deflate"); });
    add("/identity", [](Context& ctx) { ctx.set_header("Content-Encoding", "identity"); });
    add("/kept", [](Context& ctx) { ctx.set_header("Cache-Control", "no-store, No-Transform"); });
    add("/kept-too", [](Context& ctx) {
        ctx.set_header("Cache-Control", "no-store").add_header("Cache-Control", "no-transform");
    });
    add("/part", [](Context& ctx) { ctx.status(206).set_header("Content-Range", "bytes 0-1999/5000"); });
    add("/unsaid-part", [](Context& ctx) { ctx.status(206); });
    add("/ranges", [](Context& ctx) { ctx.set_header("Accept-Ranges", "bytes"); });
    add("/digest", [](Context& ctx) { ctx.set_header("Content-Digest", "sha-256=:AAAA:"); });
    add("/md5", [](Context& ctx) { ctx.set_header("Content-MD5", "AAAA"); });
    add("/untyped", [](Context& ctx) { ctx.set_header("Content-Type", ""); });
    app.get("/small", [path](Context& ctx) { ctx.file(path + "/small.txt"); });
    app.get("/large", [path](Context& ctx) { ctx.file(path + "/large.txt"); });
    app.get("/empty", [](Context& ctx) { ctx.text(""); });
    app.get("/none", [](Context& ctx) { ctx.no_content(); });
    app.get("/reset", [](Context& ctx) { ctx.text(205, sample(2000)); });
    app.get("/late", [](Context&) -> Task<> { co_return; });
    TestClient client(app);
    for (const char* target : {"/kept", "/kept-too", "/part", "/unsaid-part", "/ranges", "/digest", "/md5",
                               "/untyped", "/small", "/large", "/empty", "/none", "/reset", "/late"}) {
        CAPTURE(target);
        const TestResponse plain = client.get(target);
        const TestResponse response = client.get(target, accepting(all_codings));
        CHECK(response.status == plain.status);
        CHECK(response.body == plain.body);
        CHECK(response.header("Content-Encoding").empty());
        CHECK(response.header("Vary").empty());
        CHECK(response.header("ETag") == plain.header("ETag"));
    }
    CHECK(client.get("/coded", accepting("gzip")).header("Content-Encoding") == "deflate");
    CHECK(client.get("/coded", accepting("gzip")).body == sample(2000));
    CHECK(client.get("/identity", accepting("gzip")).body == sample(2000));
    CHECK(client.get("/small", {{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-9"}}).body ==
          sample(2000).substr(0, 10));
}

TEST_CASE("compress: a page of a 404 that is a file is a text, to HEAD as well") {
    const TemporaryDirectory directory;
    directory.write("404.html", sample(2000));
    const std::string path = directory.path("404.html");
    Engine app;
    app.use(compress());
    app.not_found([path](Context& ctx) { ctx.status(404).file(path); });
    TestClient client(app);
    const TestResponse got = client.get("/nowhere", accepting("gzip"));
    CHECK(got.status == 404);
    CHECK(decoded(got) == sample(2000));
    const TestResponse head = client.head("/nowhere", accepting("gzip"));
    CHECK(head.header("Content-Length") == got.header("Content-Length"));
    CHECK(head.header("Content-Encoding") == "gzip");
}

TEST_CASE("compress: a text that does not become smaller stays") {
    std::string random;
    std::uint64_t state = 88172645463325252u;
    while (random.size() < 4000) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        random += static_cast<char>(state >> 56);
    }
    Engine app;
    app.use(compress());
    app.get("/", [&random](Context& ctx) { ctx.text(random); });
    TestClient client(app);
    for (const char* coding : {"gzip", "br", "zstd"}) {
        CAPTURE(coding);
        const TestResponse response = client.get("/", accepting(coding));
        CHECK(response.header("Content-Encoding").empty());
        CHECK(response.header("Vary") == "Accept-Encoding");
        CHECK(response.body == random);
        const TestResponse demanded = client.get("/", accepting(coding + std::string(", identity;q=0")));
        CHECK(demanded.header("Content-Encoding") == coding);
        CHECK(decoded(demanded) == random);
    }
}

TEST_CASE("compress: HEAD says what GET says") {
    Engine app;
    app.use(compress());
    app.use(sake::middleware::etag());
    app.get("/", [](Context& ctx) { ctx.text(sample(5000)); });
    TestClient client(app);
    for (const char* codings : {"gzip", "br", "zstd", "identity", ""}) {
        CAPTURE(codings);
        const TestResponse got = client.get("/", accepting(codings));
        const TestResponse head = client.head("/", accepting(codings));
        CHECK(head.body.empty());
        for (const char* name : {"Content-Length", "Content-Encoding", "Vary", "ETag", "Content-Type"}) {
            CAPTURE(name);
            CHECK(head.header(name) == got.header(name));
        }
    }
}

TEST_CASE("compress: a strong ETag becomes weak, and conditions are answered by etag behind it") {
    Engine app;
    app.use(compress());
    app.use(sake::middleware::etag());
    app.get("/", [](Context& ctx) { ctx.text(sample(2000)); });
    app.get("/weak", [](Context& ctx) { ctx.text(sample(2000)).set_header("ETag", "W/\"v7\""); });
    app.get("/odd", [](Context& ctx) { ctx.text(sample(2000)).set_header("ETag", "v7"); });
    TestClient client(app);
    const std::string strong = client.get("/").header("ETag");
    CHECK(strong.substr(0, 1) == "\"");
    const std::string weak = client.get("/", accepting("gzip")).header("ETag");
    CHECK(weak == "W/" + strong);
    CHECK(client.get("/weak", accepting("gzip")).header("ETag") == "W/\"v7\"");
    for (const char* codings : {"gzip", "br", "identity"}) {
        CAPTURE(codings);
        const auto known = [&](const std::string& tag) {
            return client.get("/", {{"Accept-Encoding", codings}, {"If-None-Match", tag}});
        };
        for (const std::string& tag : {weak, strong}) {
            const TestResponse response = known(tag);
            CHECK(response.status == 304);
            CHECK(response.header("ETag") == tag);
            CHECK(response.header("Vary") == "Accept-Encoding");
            CHECK(response.header("Content-Encoding").empty());
        }
        CHECK(known("\"other\", " + weak).header("ETag") == weak);
        CHECK(known("*").status == 304);
        CHECK(known("*").header("ETag") == strong);
        CHECK(known("W/\"other\"").status == 200);
    }
    CHECK(client.get("/", {{"If-Match", strong}, {"Accept-Encoding", "gzip"}}).status == 200);
    CHECK(client.get("/", {{"If-Match", weak}, {"Accept-Encoding", "gzip"}}).status == 412);
}

TEST_CASE("compress: Vary is said once, beside what others say") {
    Engine app;
    app.use(compress());
    const auto add = [&](const char* target, const char* vary) {
        app.get(sake::runtime(target),
                [vary](Context& ctx) { ctx.text(sample(2000)).set_header("Vary", vary); });
    };
    add("/star", "*");
    add("/said", "Origin, accept-encoding");
    add("/other", "Origin");
    app.get("/changed", [](Context& ctx) { ctx.status(304); });
    app.get("/kept", [](Context& ctx) { ctx.status(304).set_header("Cache-Control", "no-transform"); });
    TestClient client(app);
    const auto varies = [&](const char* target) {
        std::string all;
        const TestResponse response = client.get(target, accepting("gzip"));
        for (const auto& [name, value] : response.headers) {
            if (sake::iequals(name, "Vary")) all.append(value).append("|");
        }
        return all;
    };
    CHECK(varies("/star") == "*|");
    CHECK(varies("/said") == "Origin, accept-encoding|");
    CHECK(varies("/other") == "Origin|Accept-Encoding|");
    CHECK(varies("/changed") == "Accept-Encoding|");
    CHECK(varies("/kept").empty());
}

TEST_CASE("compress: a client that refuses a body as it is") {
    const TemporaryDirectory directory;
    directory.write("file.txt", sample(2000));
    const std::string path = directory.path("file.txt");
    Engine app;
    app.use(compress());
    add_json(app);
    app.any("/png", [](Context& ctx) { ctx.text(sample(2000)).set_header("Content-Type", "image/png"); });
    app.any("/kept",
            [](Context& ctx) { ctx.text(sample(2000)).set_header("Cache-Control", "no-transform"); });
    app.any("/coded", [](Context& ctx) { ctx.text(sample(2000)).set_header("Content-Encoding", "deflate"); });
    app.any("/part", [](Context& ctx) { ctx.text(sample(2000)).status(206); });
    app.any("/none", [](Context& ctx) { ctx.no_content(); });
    app.any("/empty", [](Context& ctx) { ctx.text(""); });
    app.get("/file", [path](Context& ctx) { ctx.file(path); });
    app.get("/gone", [](Context& ctx) { ctx.text(410, sample(2000)); });
    TestClient client(app);
    struct Case {
        const char* codings;
        const char* target;
        int status;
        const char* coding;
    };
    const Case table[] = {
        // Another coding will do: then size and type do not count.
        {"gzip, identity;q=0", "/json/2000", 200, "gzip"},
        {"gzip, *;q=0", "/json/10", 200, "gzip"},
        {"br, identity;q=0", "/json/10", 200, "br"},
        {"zstd, identity;q=0", "/json/2", 200, "zstd"},
        {"gzip, identity;q=0", "/png", 200, "gzip"},
        {"*, identity;q=0", "/json/2000", 200, "zstd"},
        {"gzip, identity;q=0", "/gone", 410, "gzip"},
        // No other coding will do.
        {"identity;q=0", "/json/2000", 406, ""},
        {"*;q=0", "/json/2000", 406, ""},
        {"deflate, identity;q=0", "/json/10", 406, ""},
        {"*;q=0, gzip;q=0", "/png", 406, ""},
        {"*;q=0, identity;q=0.5", "/json/2000", 200, ""},
        // What is not to be changed.
        {"gzip, identity;q=0", "/kept", 406, ""},
        {"gzip, identity;q=0", "/file", 406, ""},
        {"gzip, identity;q=0", "/json/1048577", 406, ""},
        {"identity;q=0", "/coded", 200, "deflate"},
        {"identity;q=0", "/part", 206, ""},
        // Nothing to refuse.
        {"*;q=0", "/none", 204, ""},
        {"*;q=0", "/empty", 200, ""},
        {"*;q=0", "/gone", 410, ""},
        {"*;q=0", "/nowhere", 404, ""},
    };
    for (const Case& each : table) {
        CAPTURE(each.codings);
        CAPTURE(each.target);
        const TestResponse response = client.get(each.target, accepting(each.codings));
        CHECK(response.status == each.status);
        CHECK(response.header("Content-Encoding") == each.coding);
        const TestResponse head = client.head(each.target, accepting(each.codings));
        CHECK(head.status == each.status);
        CHECK(head.header("Content-Encoding") == each.coding);
        CHECK(head.header("Content-Length") == response.header("Content-Length"));
        if (each.status == 406) {
            CHECK(response.header("Content-Type") == "application/problem+json");
            CHECK(response.header("Vary") == "Accept-Encoding");
        }
        // What was done stays done.
        const TestResponse posted = client.request("POST", each.target, accepting(each.codings));
        CHECK(posted.status != 406);
    }
    CHECK(decoded(client.get("/json/2", accepting("zstd, identity;q=0"))) == sample(2));
}

TEST_CASE("compress: what another site's page asks for with the user's cookies leaves as it is") {
    const auto coding = [](CompressOptions options, const Headers& fields) {
        Engine app;
        app.use(compress(options));
        add_json(app);
        TestClient client(app);
        Headers all = fields;
        all.set("Accept-Encoding", "gzip");
        const TestResponse response = client.get("/json/2000", all);
        CHECK(response.header("Vary") == "Accept-Encoding");
        return std::string(response.header("Content-Encoding"));
    };
    for (const char* credentials : {"Cookie", "Authorization"}) {
        CAPTURE(credentials);
        for (const char* site : {"cross-site", "same-site"}) {
            CAPTURE(site);
            CHECK(coding({}, {{"Sec-Fetch-Site", site}, {credentials, "a=b"}}).empty());
            CHECK(coding({.cross_site = true}, {{"Sec-Fetch-Site", site}, {credentials, "a=b"}}) == "gzip");
            CHECK(coding({}, {{"Sec-Fetch-Site", site}}) == "gzip");
        }
        for (const char* site : {"same-origin", "none"}) {
            CHECK(coding({}, {{"Sec-Fetch-Site", site}, {credentials, "a=b"}}) == "gzip");
        }
        CHECK(coding({}, {{credentials, "a=b"}}) == "gzip");
    }
}

TEST_CASE("compress: an answer of another method, of a worker or of an error is compressed as any other") {
    Engine app;
    app.use(compress());
    add_json(app);
    app.get("/worker", [](Context& ctx) { ctx.text(sample(2000)); }).worker();
    app.get("/error", []() -> std::string { throw sake::HttpError(418, sample(2000)); });
    app.get("/late", [](Context& ctx) -> Task<> {
        co_await sake::yield();
        ctx.text(sample(2000));
    });
    TestClient client(app);
    CHECK(decoded(client.request("POST", "/json/2000", accepting("gzip"))) == sample(2000));
    CHECK(decoded(client.get("/worker", accepting("gzip"))) == sample(2000));
    CHECK(client.get("/worker", accepting("gzip")).header("Content-Encoding") == "gzip");
    const TestResponse error = client.get("/error", accepting("gzip"));
    CHECK(error.status == 418);
    CHECK(error.header("Content-Encoding") == "gzip");
    CHECK(decoded(error).find("a rice wine") != std::string::npos);
    CHECK(client.get("/late", accepting("br")).header("Content-Encoding") == "br");
    sake::TestConnection old = client.connect();
    old.send("GET /json/2000 HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK(decoded(old.response()) == sample(2000));
}

TEST_CASE("compress: twice, and inside a group, it compresses once") {
    Engine app;
    app.use(compress());
    app.use(compress());
    auto group = app.group("/group");
    group.use(compress({.gzip_level = 1}));
    group.get("/", [](Context& ctx) { ctx.text(sample(2000)); });
    TestClient client(app);
    const TestResponse response = client.get("/group/", accepting("gzip"));
    CHECK(response.header("Content-Encoding") == "gzip");
    CHECK(response.header("Vary") == "Accept-Encoding");
    CHECK(decoded(response) == sample(2000));
}

TEST_CASE("compress: levels are used, and 0 leaves a coding out") {
    const auto response_of = [](CompressOptions options, const char* codings) {
        Engine app;
        app.use(compress(options));
        add_json(app);
        return TestClient(app).get("/json/20000", accepting(codings));
    };
    CHECK(response_of({.gzip_level = 9}, "gzip").body.size() <
          response_of({.gzip_level = 1}, "gzip").body.size());
    CHECK(response_of({.br_level = 9}, "br").body.size() < response_of({.br_level = 1}, "br").body.size());
    CHECK(response_of({.zstd_level = 12}, "zstd").body.size() !=
          response_of({.zstd_level = 1}, "zstd").body.size());
    CHECK(response_of({.zstd_level = 0}, "gzip, zstd").header("Content-Encoding") == "gzip");
    CHECK(response_of({.gzip_level = 0}, "gzip").header("Content-Encoding").empty());
    for (const char* coding : {"gzip", "br", "zstd"}) {
        CHECK(decoded(response_of({.gzip_level = 9, .zstd_level = 12, .br_level = 9}, coding)) ==
              sample(20000));
    }
}

TEST_CASE("compress: options that make no sense") {
    const auto said = [](CompressOptions options) {
        return thrown_by<std::invalid_argument>([&] { static_cast<void>(compress(options)); });
    };
    CHECK(said({.gzip_level = 10}) ==
          "compress: gzip_level is 10; write 1 to 9, or 0 to leave the coding out");
    CHECK(said({.gzip_level = -1}) ==
          "compress: gzip_level is -1; write 1 to 9, or 0 to leave the coding out");
    CHECK(said({.zstd_level = 13}).find("zstd_level is 13; write 1 to 12") != std::string::npos);
    CHECK(said({.br_level = 10}).find("br_level is 10; write 1 to 9") != std::string::npos);
    CHECK(said({.gzip_level = 0, .zstd_level = 0, .br_level = 0}) ==
          "compress: the levels turn off every coding whose library is linked: set one above 0");
    CHECK(said({.max_body = 1024UL * 1024 * 1024 + 1}) == "compress: max_body is more than a gigabyte");
    CHECK(said({.max_body = 1024UL * 1024 * 1024}) == "nothing");
    for (const std::size_t window : {1023UL, 32UL * 1024 + 1}) {
        CHECK(said({.stream_window = window}) == "compress: stream_window is 1 KiB to 32 KiB");
    }
    for (const std::size_t window : {1024UL, 5000UL, 32UL * 1024})
        CHECK(said({.stream_window = window}) == "nothing");
}

TEST_CASE("compress: refusals leave as they are, and are compressed if a client takes nothing else") {
    for_each_refusal([](Engine& app) { app.use(compress()); },
                     [](const TestResponse& response) {
                         CHECK(response.header("Content-Encoding").empty());
                         CHECK(response.header("Content-Type") == "application/problem+json");
                     });
    Engine app(sake::Config().with_max_body(4));
    app.use(compress());
    app.post("/", [](Context& ctx) { ctx.text(ctx.body()); });
    TestClient client(app);
    const Headers gzip_only = accepting("gzip, identity;q=0");
    CHECK(decoded(client.get("/nowhere", gzip_only)).find("404") != std::string::npos);
    CHECK(decoded(client.get("/", gzip_only)).find("405") != std::string::npos);
    const TestResponse large = client.post("/", "12345", gzip_only);
    CHECK(large.status == 413);
    CHECK(large.header("Content-Encoding") == "gzip");
    CHECK(decoded(large).find("413") != std::string::npos);
}

}  // namespace test_middleware_compress
