#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "sake.hpp"

namespace test_mime {

using sake::http::mime_type;

TEST_CASE("the media type follows from the extension, given as a name, a path or by itself") {
    for (const std::string_view name :
         {"index.html", "/a/b/index.html", "a.b/index.v2.html", ".html", "html", "HTML", "x.Html"}) {
        CAPTURE(name);
        CHECK(mime_type(name) == "text/html; charset=utf-8");
    }
    CHECK(mime_type("app.js") == "text/javascript; charset=utf-8");
    CHECK(mime_type("style.css") == "text/css; charset=utf-8");
    CHECK(mime_type("data.json") == "application/json");
    CHECK(mime_type("a.tar.gz") == "application/gzip");
    CHECK(mime_type("logo.svg") == "image/svg+xml");
    CHECK(mime_type("x.wasm") == "application/wasm");
}

TEST_CASE("every entry of the table is found") {
    for (const auto& entry : sake::http::detail::mime_table) {
        CAPTURE(entry.extension);
        CHECK(mime_type(entry.extension) == entry.type);
        CHECK(mime_type("file." + std::string(entry.extension)) == entry.type);
    }
}

TEST_CASE("an unknown extension is a stream of bytes") {
    for (const std::string_view name : {"", ".", "/", "Makefile", "a.", "a.unknown", "html/readme", "x.html/",
                                        "a.averyveryverylongextension", "0", "zzzz"}) {
        CAPTURE(name);
        CHECK(mime_type(name) == "application/octet-stream");
    }
}

}  // namespace test_mime
