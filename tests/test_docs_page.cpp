#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "support/client_fixture.hpp"

namespace test_docs_page {

using harness::with_client;
using sake::Context;
using sake::Engine;
using sake::TestClient;
using sake::TestResponse;

namespace {

void add_page(Engine& app) {
    app.get("/openapi.json", [](Context& ctx) { ctx.json({{"openapi", "3.1.0"}}); });
    app.docs("/docs");
}

bool has(const TestResponse& response, std::string_view text) {
    return response.body.find(text) != std::string::npos;
}

/// What throws, as the words of its std::invalid_argument; "" if nothing does.
template <class F>
std::string refused(F f) {
    try {
        f();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("the page, its script and its style come out of the program, each with its type") {
    with_client(add_page, [](TestClient& client) {
        const TestResponse page = client.get("/docs");
        CHECK(page.status == 200);
        CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
        CHECK(page.body.starts_with("<!DOCTYPE html>\n"));
        CHECK(page.body.ends_with("</html>\n"));
        const TestResponse script = client.get("/docs/page.js");
        CHECK(script.status == 200);
        CHECK(script.header("Content-Type") == "text/javascript; charset=utf-8");
        CHECK(script.body.starts_with("\"use strict\";\n"));
        const TestResponse style = client.get("/docs/page.css");
        CHECK(style.status == 200);
        CHECK(style.header("Content-Type") == "text/css; charset=utf-8");
        CHECK(style.body.starts_with(":root {\n"));
    });
}

TEST_CASE("each of them is asked for again, and is 304 while it is the same") {
    with_client(add_page, [](TestClient& client) {
        for (const char* const path : {"/docs", "/docs/", "/docs/page.js", "/docs/page.css"}) {
            INFO(path);
            const TestResponse first = client.get(path);
            CHECK(first.header("Cache-Control") == "no-cache");
            CHECK(first.header("ETag").starts_with('"'));
            const TestResponse again = client.get(path, {{"If-None-Match", first.header("ETag")}});
            CHECK(again.status == 304);
            CHECK(again.body.empty());
            CHECK(again.header("ETag") == first.header("ETag"));
            CHECK(client.get(path, {{"If-None-Match", "\"other\""}}).body == first.body);

            const TestResponse head = client.head(path);
            CHECK(head.status == 200);
            CHECK(head.body.empty());
            CHECK(head.header("Content-Length") == std::to_string(first.body.size()));
            CHECK(head.header("ETag") == first.header("ETag"));
        }
    });
}

TEST_CASE("a strict policy holds, and types are not guessed") {
    with_client(add_page, [](TestClient& client) {
        for (const char* const path : {"/docs", "/docs/", "/docs/page.js", "/docs/page.css"}) {
            INFO(path);
            const TestResponse response = client.get(path);
            CHECK(response.header("Content-Security-Policy") ==
                  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                  "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
            CHECK(response.header("X-Content-Type-Options") == "nosniff");
        }
    });
}

TEST_CASE("no text of the page names an outside address, has inline code, or writes markup") {
    with_client(add_page, [](TestClient& client) {
        for (const char* const path : {"/docs", "/docs/page.js", "/docs/page.css"}) {
            INFO(path);
            const TestResponse response = client.get(path);
            for (const char* const text :
                 {"http://", "https://", "//cdn", "@import", "url(", "innerHTML", "outerHTML",
                  "insertAdjacentHTML", "document.write", "eval(", "new Function", "style=", " onclick"}) {
                INFO(text);
                CHECK_FALSE(has(response, text));
            }
        }
        CHECK_FALSE(has(client.get("/docs"), "<style"));
        CHECK_FALSE(has(client.get("/docs"), "<script>"));
    });
}

TEST_CASE("the page, its script and its style are small") {
    with_client(add_page, [](TestClient& client) {
        std::size_t size = 0;
        for (const char* const path : {"/docs", "/docs/page.js", "/docs/page.css"})
            size += client.get(path).body.size();
        CHECK(size < 37 * 1024);
    });
}

TEST_CASE("addresses in the page are relative, with a slash at the end of its path and without") {
    with_client(
        [](Engine& app) {
            app.docs("/docs");
            app.docs("/a/b/help", {.openapi = "/a/api.json"});
            app.docs("/:tenant/docs");
            app.docs("/", {.openapi = "/x/openapi.json"});
        },
        [](TestClient& client) {
            const auto check = [&](const char* path, const char* files, const char* root,
                                   const char* document) {
                INFO(path);
                const TestResponse page = client.get(path);
                CHECK(page.status == 200);
                CHECK(has(page, "href=\"" + std::string(files) + "page.css\""));
                CHECK(has(page, "src=\"" + std::string(files) + "page.js\""));
                CHECK(has(page, "data-root=\"" + std::string(root) + "\""));
                CHECK(has(page, "data-openapi=\"" + std::string(document) + "\""));
            };
            check("/docs", "./docs/", "./", "./openapi.json");
            check("/docs/", "./", "./../", "./../openapi.json");
            check("/a/b/help", "./help/", "./../../", "./../../a/api.json");
            check("/a/b/help/", "./", "./../../../", "./../../../a/api.json");
            check("/one/docs", "./docs/", "./../", "./../openapi.json");
            check("/", "./", "./", "./x/openapi.json");
            CHECK(client.get("/a/b/help/page.js").status == 200);
            CHECK(client.get("/one/docs/page.css").status == 200);
            CHECK(client.get("/page.js").status == 200);
        });
}

TEST_CASE("a title of the program's is text in the page, whatever is in it") {
    with_client([](Engine& app) { app.docs("/docs", {.title = "A <b>\"&' API"}); },
                [](TestClient& client) {
                    const TestResponse page = client.get("/docs");
                    CHECK(has(page, "<title>A &lt;b&gt;&quot;&amp;&#39; API</title>"));
                    CHECK(has(page, "data-title=\"A &lt;b&gt;&quot;&amp;&#39; API\""));
                    CHECK(has(page, "<h1>A &lt;b&gt;&quot;&amp;&#39; API</h1>"));
                });
}

TEST_CASE("beneath the page there is nothing else, and other methods are 405") {
    with_client(add_page, [](TestClient& client) {
        for (const char* const path : {"/docs/page", "/docs/page.js/", "/docs/x/page.js", "/docs/..%2f",
                                       "/page.js", "/docs/page.html"}) {
            INFO(path);
            CHECK(client.get(path).status == 404);
        }
        CHECK(client.post("/docs", "").status == 405);
        CHECK(client.post("/docs/page.js", "").header("Allow") == "GET, HEAD, OPTIONS");
    });
}

TEST_CASE("a page in a group passes the group's middleware, with its script and its style") {
    with_client(
        [](Engine& app) {
            auto inside = app.group("/inside");
            inside.use([](Context& ctx) {
                if (ctx.header("Authorization") != "Bearer key") ctx.abort(401);
            });
            inside.docs("/docs", {.openapi = "/inside/openapi.json"});
            auto own = app.group("/help");
            own.docs("/");
        },
        [](TestClient& client) {
            for (const char* const path :
                 {"/inside/docs", "/inside/docs/", "/inside/docs/page.js", "/inside/docs/page.css"}) {
                INFO(path);
                CHECK(client.get(path).status == 401);
                CHECK(client.get(path, {{"Authorization", "Bearer key"}}).status == 200);
            }
            CHECK(has(client.get("/help"), "href=\"./help/page.css\""));
            CHECK(has(client.get("/help/"), "href=\"./page.css\""));
            CHECK(has(client.get("/help/"), "data-openapi=\"./../openapi.json\""));
            CHECK(client.get("/help/page.js").status == 200);
        });
}

TEST_CASE("middleware may decide how long the page is kept") {
    with_client(
        [](Engine& app) {
            app.use([](Context& ctx) { ctx.set_header("Cache-Control", "private, max-age=60"); });
            app.docs("/docs");
        },
        [](TestClient& client) {
            CHECK(client.get("/docs").header("Cache-Control") == "private, max-age=60");
        });
}

TEST_CASE("another route with a slash at its end takes the place of the page") {
    with_client(
        [](Engine& app) {
            app.docs("/docs");
            app.get("/docs/", [] { return "mine"; });
        },
        [](TestClient& client) {
            CHECK(client.get("/docs/").body == "mine");
            CHECK(client.get("/docs").body.starts_with("<!DOCTYPE html>"));
        });
}

TEST_CASE("a page that could not work is refused, with what to write") {
    Engine app;
    CHECK(refused([&] { app.docs("/docs/:version"); }) ==
          "docs: the path '/docs/:version' ends with a parameter: end it with a name");
    CHECK(refused([&] { app.docs("/docs/*rest"); }) ==
          "docs: the path '/docs/*rest' ends with a parameter: end it with a name");
    CHECK(refused([&] { app.docs("/docs", {.openapi = "openapi.json"}); }) ==
          "docs: openapi must be a path of the engine, not 'openapi.json': write it as '/openapi.json'");
    CHECK(app.routes().empty());
    CHECK_FALSE(refused([&] { app.docs("/docs", {.openapi = ""}); }).empty());
    app.docs("/docs");
    CHECK(refused([&] { app.docs("/docs"); }).find("GET /docs (") != std::string::npos);
}

TEST_CASE("a path that is known at run time has a page as well") {
    const std::string place = "/help";
    with_client([&](Engine& app) { app.docs(sake::runtime(place)); },
                [](TestClient& client) { CHECK(client.get("/help/page.js").status == 200); });
}

}  // namespace test_docs_page
