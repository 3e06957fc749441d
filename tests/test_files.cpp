// Files as answers: Context::file and attachment, static_files and frontend, by memory.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/reliability.hpp"
#include "support/temporary_directory.hpp"

namespace test_files {

using namespace harness;
using sake::Context;
using sake::Engine;
using sake::StaticOptions;
using sake::TestClient;
using sake::TestResponse;
using Headers = sake::http::Headers;

namespace {

/// Some time in the past, so that no test runs in the second in which a file was made.
constexpr long some_time = 784'111'777;
constexpr const char* some_date = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string bytes_of(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i % 23);
    return bytes;
}

struct Site {
    Site() {
        add("index.html", "<h1>home</h1>");
        add("a.txt", "0123456789");
        add("empty.txt", "");
        add("large.bin", bytes_of(100'000));
        add("sub/index.html", "sub");
        add("bare/b.txt", "b");
        add(".env", "secret");
        add(".git/config", "secret");
        add("html", "no extension");
    }
    void add(std::string_view path, std::string_view content) const {
        place.write("public/" + std::string(path), content);
        place.set_modified("public/" + std::string(path), some_time);
    }
    [[nodiscard]] std::string root() const { return place.path("public"); }
    [[nodiscard]] std::string path(std::string_view inside) const {
        return place.path("public/" + std::string(inside));
    }
    TemporaryDirectory place;
};

/// Serves the files of a site at "/s".
void with_site(const Site& site, const std::function<void(TestClient&)>& body, StaticOptions options = {}) {
    with_client([&](Engine& app) { app.static_files("/s", site.root(), options); }, body);
}

std::string names_of(const TestResponse& response) {
    std::string names;
    for (const auto& [name, value] : response.headers) names.append(name).append(" ");
    return names;
}

}  // namespace

TEST_CASE("a file is sent with its type, its length, a tag and a date") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const TestResponse response = client.get("/s/a.txt");
        CHECK(response.status == 200);
        CHECK(response.body == "0123456789");
        CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
        CHECK(response.header("Content-Length") == "10");
        CHECK(response.header("Last-Modified") == some_date);
        CHECK(response.header("Accept-Ranges") == "bytes");
        CHECK(response.header("Vary") == "Accept-Encoding");
        CHECK(sake::detail::EntityTag::parse(response.header("ETag")).has_value());
        CHECK_FALSE(response.header("ETag").starts_with("W/"));
        CHECK_FALSE(response.headers.contains("Cache-Control"));

        CHECK(client.get("/s/large.bin").body == bytes_of(100'000));
        CHECK(client.get("/s/large.bin").header("Content-Type") == "application/octet-stream");
        CHECK(client.get("/s/empty.txt").status == 200);
        CHECK(client.get("/s/empty.txt").header("Content-Length") == "0");
        CHECK(client.get("/s/html").header("Content-Type") == "application/octet-stream");
    });
}

TEST_CASE("files around what is copied behind a head, and around what is sent at a time, arrive whole") {
    const Site site;
    const std::size_t sizes[] = {1,         16'383,    16'384,    16'385,   65'536,
                                 1'048'575, 1'048'576, 1'048'577, 3'000'000};
    for (const std::size_t size : sizes) site.add("f" + std::to_string(size), bytes_of(size));
    with_site(site, [&](TestClient& client) {
        for (const std::size_t size : sizes) {
            const TestResponse response = client.get("/s/f" + std::to_string(size));
            CHECK(response.header("Content-Length") == std::to_string(size));
            CHECK((response.body == bytes_of(size)));
        }
    });
}

TEST_CASE("HEAD is what GET would be, without the file, and heeds no range") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        for (const char* const path :
             {"/s/a.txt", "/s/large.bin", "/s/empty.txt", "/s/", "/s/absent", "/s/sub"}) {
            const TestResponse get = client.get(path);
            const TestResponse head = client.head(path);
            INFO(path);
            CHECK(head.status == get.status);
            CHECK(head.body.empty());
            CHECK(names_of(head) == names_of(get));
            CHECK(head.header("Content-Length") == get.header("Content-Length"));
            CHECK(head.header("ETag") == get.header("ETag"));
        }
        const TestResponse head = client.request("HEAD", "/s/a.txt", {{"Range", "bytes=0-1"}});
        CHECK(head.status == 200);
        CHECK(head.header("Content-Length") == "10");
        CHECK_FALSE(head.headers.contains("Content-Range"));
    });
}

TEST_CASE("other methods are 405, with what is allowed") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const TestResponse response = client.post("/s/a.txt", "x", {{"Range", "bytes=0-1"}});
        CHECK(response.status == 405);
        CHECK(response.header("Allow") == "GET, HEAD, OPTIONS");
        CHECK(client.options("/s/a.txt").header("Allow") == "GET, HEAD, OPTIONS");
    });
}

TEST_CASE("one range is a part with its place") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const auto part = [&](const char* range) { return client.get("/s/a.txt", {{"Range", range}}); };
        TestResponse response = part("bytes=2-4");
        CHECK(response.status == 206);
        CHECK(response.body == "234");
        CHECK(response.header("Content-Range") == "bytes 2-4/10");
        CHECK(response.header("Content-Length") == "3");
        CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
        CHECK(response.headers.contains("ETag"));
        CHECK(part("bytes=-3").body == "789");
        CHECK(part("bytes=8-").body == "89");
        CHECK(part("bytes=0-0").body == "0");
        CHECK(part("bytes=0-100").header("Content-Range") == "bytes 0-9/10");
        CHECK(part("bytes=0-3,2-6").header("Content-Range") == "bytes 0-6/10");
        CHECK(part("bytes=50-60,9-").body == "9");

        response = client.get("/s/large.bin", {{"Range", "bytes=10000-69999"}});
        CHECK(response.status == 206);
        CHECK((response.body == bytes_of(100'000).substr(10'000, 60'000)));
    });
}

TEST_CASE("several ranges are parts between boundaries") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const TestResponse response = client.get("/s/a.txt", {{"Range", "bytes=7-8, 0-1"}});
        CHECK(response.status == 206);
        CHECK_FALSE(response.headers.contains("Content-Range"));
        const std::string type(response.header("Content-Type"));
        REQUIRE(type.starts_with("multipart/byteranges; boundary="));
        const std::string boundary = type.substr(type.find('=') + 1);
        CHECK(response.body ==
              "--" + boundary +
                  "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n"
                  "\r\n01\r\n--" +
                  boundary +
                  "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 7-8/10\r\n"
                  "\r\n78\r\n--" +
                  boundary + "--\r\n");
        CHECK(response.header("Content-Length") == std::to_string(response.body.size()));
        const TestResponse other = client.get("/s/a.txt", {{"Range", "bytes=7-8, 0-1"}});
        CHECK(other.header("Content-Type") != type);  // nobody can know it beforehand

        std::string field = "bytes=";
        for (int i = 0; i < 16; ++i)
            field += std::to_string(i * 6000) + "-" + std::to_string(i * 6000 + 4999) + ",";
        const TestResponse large = client.get("/s/large.bin", {{"Range", field}});
        CHECK(large.status == 206);
        CHECK(large.header("Content-Length") == std::to_string(large.body.size()));
        for (std::size_t i = 0; i < 16; ++i) {
            CHECK(large.body.find(bytes_of(100'000).substr(i * 6000, 5000)) != std::string::npos);
        }
    });
}

TEST_CASE("a range that is not there is 416, and one that is none is ignored") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const TestResponse none = client.get("/s/a.txt", {{"Range", "bytes=10-"}});
        CHECK(none.status == 416);
        CHECK(none.header("Content-Range") == "bytes */10");
        CHECK(none.header("Content-Type") == "application/problem+json");
        CHECK_FALSE(none.headers.contains("ETag"));
        CHECK(client.get("/s/empty.txt", {{"Range", "bytes=0-"}}).header("Content-Range") == "bytes */0");
        for (const char* const range : {"bytes=a", "bytes=5-1", "lines=1-2", "", "bytes=0-0,x"}) {
            INFO(range);
            CHECK(client.get("/s/a.txt", {{"Range", range}}).status == 200);
        }
        Headers twice;
        twice.add("Range", "bytes=0-0");
        twice.add("Range", "bytes=1-1");
        CHECK(client.get("/s/a.txt", twice).status == 200);
        std::string many = "bytes=";
        for (int i = 0; i < 17; ++i) many += "0-0,";
        CHECK(client.get("/s/a.txt", {{"Range", many}}).status == 200);
    });
}

TEST_CASE("what a client has already is not sent again") {
    const Site site;
    with_site(
        site,
        [&](TestClient& client) {
            const TestResponse first = client.get("/s/a.txt");
            const std::string tag(first.header("ETag"));
            for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
                const TestResponse response = client.get("/s/a.txt", {{"If-None-Match", known}});
                CHECK(response.status == 304);
                CHECK(response.body.empty());
                CHECK(response.header("ETag") == tag);
                CHECK(response.header("Vary") == "Accept-Encoding");
                CHECK(response.header("Cache-Control") == "max-age=60");
                CHECK_FALSE(response.headers.contains("Content-Type"));
                CHECK_FALSE(response.headers.contains("Content-Length"));
                CHECK_FALSE(response.headers.contains("Content-Encoding"));
            }
            CHECK(client.request("HEAD", "/s/a.txt", {{"If-None-Match", tag}}).status == 304);
            CHECK(client.get("/s/a.txt", {{"If-None-Match", tag.substr(1, tag.size() - 2)}}).status == 200);
            CHECK(client.get("/s/a.txt", {{"If-None-Match", "\"other\""}}).status == 200);
            CHECK(client.get("/s/a.txt", {{"If-Modified-Since", some_date}}).status == 304);
            CHECK(client.get("/s/a.txt", {{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"}}).status ==
                  200);
            CHECK(client.get("/s/a.txt", {{"If-None-Match", "\"other\""}, {"If-Modified-Since", some_date}})
                      .status == 200);
            CHECK(client.get("/s/absent", {{"If-None-Match", "*"}}).status == 404);
            Headers two_lines;
            two_lines.add("If-None-Match", "\"x\"");
            two_lines.add("If-None-Match", tag);
            CHECK(client.get("/s/a.txt", two_lines).status == 304);
        },
        {.cache_control = "max-age=60"});
}

TEST_CASE("a condition that does not hold is 412") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const std::string tag(client.get("/s/a.txt").header("ETag"));
        CHECK(client.get("/s/a.txt", {{"If-Match", tag}}).status == 200);
        CHECK(client.get("/s/a.txt", {{"If-Match", "*"}}).status == 200);
        CHECK(client.get("/s/a.txt", {{"If-Match", "\"x\""}}).status == 412);
        CHECK(client.get("/s/a.txt", {{"If-Match", "W/" + tag}}).status == 412);
        CHECK(client.get("/s/a.txt", {{"If-Unmodified-Since", some_date}}).status == 200);
        const TestResponse failed =
            client.get("/s/a.txt", {{"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"}});
        CHECK(failed.status == 412);
        CHECK(failed.header("Content-Type") == "application/problem+json");
    });
}

TEST_CASE("a part is of the same file as the part before, or the whole file comes") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        const std::string tag(client.get("/s/a.txt").header("ETag"));
        const auto part = [&](std::string_view if_range) {
            return client.get("/s/a.txt", {{"Range", "bytes=5-"}, {"If-Range", if_range}});
        };
        CHECK(part(tag).status == 206);
        CHECK(part(some_date).status == 206);
        CHECK(part("W/" + tag).status == 200);
        CHECK(part("\"other\"").body == "0123456789");
        CHECK(part("Sun, 06 Nov 1994 08:49:38 GMT").status == 200);
        CHECK(client.get("/s/a.txt", {{"Range", "bytes=99-"}, {"If-Range", "\"other\""}}).status == 200);
        CHECK(client.get("/s/a.txt", {{"Range", "bytes=5-"}, {"If-None-Match", tag}}).status == 304);
    });
}

TEST_CASE("a tag changes with the content, the time and the file") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        std::set<std::string> tags;
        const auto add_tag = [&] { tags.insert(std::string(client.get("/s/a.txt").header("ETag"))); };
        add_tag();
        add_tag();
        CHECK(tags.size() == 1);
        site.place.set_modified("public/a.txt", some_time, 1);
        add_tag();
        CHECK(tags.size() == 2);
        site.add("a.txt", "01234567890");
        add_tag();
        CHECK(tags.size() == 3);
        site.add("new.txt", "01234567890");
        std::filesystem::rename(site.path("new.txt"), site.path("a.txt"));
        add_tag();
        CHECK(tags.size() == 4);
        for (const long time : {-1L, -784'111'777L, 0L, 4'000'000'000L}) {  // before 1970, and in the future
            site.place.set_modified("public/a.txt", time);
            const TestResponse response = client.get("/s/a.txt");
            CHECK(response.status == 200);
            const auto date = sake::http::parse_http_date(response.header("Last-Modified"));
            REQUIRE(date);
            CHECK((time > 3'000'000'000 ? *date < time : *date == time));
        }
    });
}

TEST_CASE("a directory has a slash at its end, and its index, or is not there") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        CHECK(client.get("/s/").body == "<h1>home</h1>");
        CHECK(client.get("/s/sub/").body == "sub");
        CHECK(client.get("/s/sub/").header("Content-Type") == "text/html; charset=utf-8");
        const TestResponse moved = client.get("/s/sub?a=b");
        CHECK(moved.status == 301);
        CHECK(moved.header("Location") == "/s/sub/?a=b");
        CHECK(client.get("/s").header("Location") == "/s/");
        CHECK(client.get("http://a/s/sub").header("Location") == "/s/sub/");
        CHECK(client.get("/s/bare").status == 404);
        CHECK(client.get("/s/bare/").status == 404);
        CHECK(client.get("/s/a.txt/").status == 404);
        CHECK(client.get("/sa.txt").status == 404);  // the prefix is whole segments
    });
    with_site(site, [&](TestClient& client) { CHECK(client.get("/s/").status == 404); }, {.index = ""});
    with_site(site, [&](TestClient& client) { CHECK(client.get("/s/bare/").body == "b"); },
              {.index = "b.txt"});
}

TEST_CASE("names that begin with a dot are not there, unless they shall be") {
    const Site site;
    const char* const paths[] = {"/s/.env", "/s/.git/config", "/s/%2eenv", "/s/.git/"};
    with_site(site, [&](TestClient& client) {
        for (const char* const path : paths) CHECK(client.get(path).status == 404);
    });
    with_site(site, [&](TestClient& client) { CHECK(client.get("/s/.env").body == "secret"); },
              {.dotfiles = true});
    with_client([&](Engine& app) { app.static_files("/.git", site.path(".git")); },
                [](TestClient& client) { CHECK(client.get("/.git/config").body == "secret"); });
}

TEST_CASE("a listing shows what can be asked for, and nothing that is in a name is HTML") {
    const Site site;
    site.add("bare/<b>&\"'.txt", "x");
    site.add("bare/.hidden", "x");
    site.add("bare/inner/x", "x");
    site.add("bare/javascript:alert(1)", "x");
    site.add("bare/100%?#.txt", "percent");
    site.add("bare/\\back", "x");
    site.add("bare/\xff", "x");
    with_site(
        site,
        [&](TestClient& client) {
            const TestResponse response = client.get("/s/bare/");
            CHECK(response.status == 200);
            CHECK(response.header("Content-Type") == "text/html; charset=utf-8");
            CHECK(response.header("Content-Security-Policy") == "default-src 'none'");
            CHECK(response.body.find("<b>") == std::string::npos);
            CHECK(response.body.find("&lt;b&gt;&amp;&quot;&#39;.txt</a>") != std::string::npos);
            CHECK(response.body.find("<a href=\"./inner/\">inner/</a>") != std::string::npos);
            CHECK(response.body.find("<a href=\"./javascript:alert(1)\">") != std::string::npos);
            CHECK(response.body.find("<a href=\"./100%25%3F%23.txt\">100%?#.txt</a>") != std::string::npos);
            CHECK(client.get("/s/bare/100%25%3F%23.txt").body == "percent");
            CHECK(response.body.find("hidden") == std::string::npos);
            CHECK(response.body.find("back") == std::string::npos);
            CHECK(response.body.find("\xff") == std::string::npos);
            CHECK(response.body.find("../") != std::string::npos);
            CHECK(client.get("/s/bare").header("Location") == "/s/bare/");
            CHECK(client.get("/s/sub/").body == "sub");  // an index comes first
            CHECK(client.head("/s/bare/").header("Content-Length") == response.header("Content-Length"));
        },
        {.listing = true});
    with_client([&](Engine& app) { app.static_files("/", site.root(), {.index = "", .listing = true}); },
                [](TestClient& client) { CHECK(client.get("/").body.find("../") == std::string::npos); });
}

TEST_CASE("what was compressed beforehand is sent to those who accept it") {
    const Site site;
    site.add("app.js", "plain");
    site.add("app.js.gz", "zipped!");
    site.add("app.js.br", "brotli!!");
    site.add("app.js.zst", "standard!");
    with_site(site, [&](TestClient& client) {
        const auto get = [&](std::string_view accept) {
            return client.get("/s/app.js", {{"Accept-Encoding", accept}});
        };
        TestResponse response = get("gzip, deflate, br, zstd");
        CHECK(response.body == "brotli!!");
        CHECK(response.header("Content-Encoding") == "br");
        CHECK(response.header("Content-Type") == "text/javascript; charset=utf-8");
        CHECK(response.header("Vary") == "Accept-Encoding");
        CHECK(get("gzip").header("Content-Encoding") == "gzip");
        CHECK(get("zstd, gzip;q=0.5").header("Content-Encoding") == "zstd");
        CHECK(get("br;q=0.5, gzip;q=0.8").header("Content-Encoding") == "gzip");
        CHECK(get("*").header("Content-Encoding") == "br");
        CHECK(get("br;q=0, *;q=0.1").header("Content-Encoding") == "zstd");
        for (const char* const plain : {"", "identity", "deflate", "gzip;q=0", "identity, gzip;q=0.9"}) {
            INFO(plain);
            response = get(plain);
            CHECK(response.body == "plain");
            CHECK_FALSE(response.headers.contains("Content-Encoding"));
            CHECK(response.header("Vary") == "Accept-Encoding");
        }
        CHECK(get("identity;q=0, deflate").status == 406);
        CHECK(get("*;q=0").status == 406);
        CHECK(get("gzip, *;q=0").header("Content-Encoding") == "gzip");
        // One tag for each, and a client is answered by the one that it has.
        std::set<std::string> tags;
        for (const char* const coding : {"br", "gzip", "zstd", "identity"}) {
            const std::string tag(get(coding).header("ETag"));
            tags.insert(tag);
            CHECK(client.get("/s/app.js", {{"Accept-Encoding", coding}, {"If-None-Match", tag}}).status ==
                  304);
        }
        CHECK(tags.size() == 4);
        CHECK(
            client
                .get("/s/app.js", {{"Accept-Encoding", "br"}, {"If-None-Match", get("gzip").header("ETag")}})
                .status == 200);
        CHECK(client.request("HEAD", "/s/app.js", {{"Accept-Encoding", "br"}}).header("Content-Length") ==
              "8");
        // The index is a file as any other.
        CHECK(client.get("/s/app.js.gz").header("Content-Type") == "application/gzip");
    });
    with_site(site,
              [&](TestClient& client) {
                  const TestResponse response = client.get("/s/app.js", {{"Accept-Encoding", "br"}});
                  CHECK(response.body == "plain");
                  CHECK_FALSE(response.headers.contains("Vary"));
              },
              {.precompressed = false});
}

TEST_CASE("a range is of the file as it is, whatever codings the client accepts") {
    const Site site;
    site.add("app.js", "plain");
    site.add("app.js.gz", "zipped!");
    with_site(site, [&](TestClient& client) {
        const TestResponse whole = client.get("/s/app.js", {{"Accept-Encoding", "gzip"}});
        const std::string zipped(whole.header("ETag"));
        const std::string plain(client.get("/s/app.js").header("ETag"));
        TestResponse response =
            client.get("/s/app.js", {{"Accept-Encoding", "gzip"}, {"Range", "bytes=1-2"}});
        CHECK(response.status == 206);
        CHECK(response.body == "la");
        CHECK_FALSE(response.headers.contains("Content-Encoding"));
        CHECK(response.header("ETag") == plain);
        const auto rest = [&](std::string_view tag) {
            return client.get("/s/app.js",
                              {{"Accept-Encoding", "gzip"}, {"Range", "bytes=1-2"}, {"If-Range", tag}});
        };
        CHECK(rest(plain).body == "la");
        // Whoever has a part of the other form goes on with that.
        CHECK(rest(zipped).body == "ip");
        CHECK(rest(zipped).header("Content-Encoding") == "gzip");
        CHECK(rest(zipped).header("Content-Range") == "bytes 1-2/7");
        CHECK(rest("\"old\"").body == "zipped!");
        response = client.get("/s/app.js", {{"Range", "bytes=1-2"}, {"If-Range", zipped}});
        CHECK(response.status == 200);  // no part of one behind a part of the other
        CHECK(response.body == "plain");
        response =
            client.get("/s/app.js", {{"Accept-Encoding", "gzip, identity;q=0"}, {"Range", "bytes=1-2"}});
        CHECK(response.header("Content-Encoding") == "gzip");
    });
}

TEST_CASE("a compressed sibling that is older than the file, or is no file, is not sent") {
    const Site site;
    site.add("app.js", "plain");
    site.add("app.js.gz", "zipped!");
    with_site(site, [&](TestClient& client) {
        const auto coding = [&] {
            return std::string(
                client.get("/s/app.js", {{"Accept-Encoding", "gzip"}}).header("Content-Encoding"));
        };
        CHECK(coding() == "gzip");
        site.place.set_modified("public/app.js", some_time, 1);
        CHECK(coding() == "");
        site.place.set_modified("public/app.js.gz", some_time, 1);
        CHECK(coding() == "gzip");
        site.place.set_modified("public/app.js", some_time + 1);
        CHECK(coding() == "");
        std::filesystem::remove(site.path("app.js.gz"));
        std::filesystem::create_directory(site.path("app.js.gz"));
        CHECK(coding() == "");
        std::filesystem::remove(site.path("app.js"));  // a sibling alone is no file
        site.add("b.js.gz", "zipped!");
        CHECK(client.get("/s/b.js", {{"Accept-Encoding", "gzip"}}).status == 404);
    });
}

TEST_CASE("a frontend's pages are its index, for browsers and for paths that could be pages") {
    const Site site;
    site.add("assets/index-BkX3f9aQ.js", "script");
    with_client(
        [&](Engine& app) {
            app.frontend("/", site.root());
            app.get("/api/users", [] { return "users"; });
        },
        [](TestClient& client) {
            const Headers browser{
                {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}};
            for (const char* const path : {"/", "/about", "/users/7/edit", "/about/", "/api/nowhere"}) {
                INFO(path);
                const TestResponse page = client.get(path, browser);
                CHECK(page.status == 200);
                CHECK(page.body == "<h1>home</h1>");
                CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
                CHECK(page.header("Cache-Control") == "no-cache");
                CHECK(client.request("HEAD", path, browser).status == 200);
            }
            CHECK(client.get("/").body == "<h1>home</h1>");  // it is there
            for (const char* const path :
                 {"/missing.js", "/assets/index-old.css", "/x.y/z.png", "/.env", "/a%5Cb"}) {
                INFO(path);
                CHECK(client.get(path, browser).status == 404);
            }
            CHECK(client.get("/about").status == 404);
            CHECK(client.get("/about", {{"Accept", "*/*"}}).status == 404);
            CHECK(client.get("/about", {{"Accept", "application/json"}}).status == 404);
            CHECK(client.get("/about", {{"Accept", "text/html;q=0, */*"}}).status == 404);
            CHECK(client.get("/about", {{"Accept", "application/json"}}).header("Vary") == "Accept");
            CHECK(client.post("/about", "x", browser).status == 405);
            CHECK(client.get("/api/users", browser).body == "users");
            const TestResponse script = client.get("/assets/index-BkX3f9aQ.js");
            CHECK(script.header("Cache-Control") == "public, max-age=31536000, immutable");
            CHECK_FALSE(client.get("/a.txt").headers.contains("Cache-Control"));
            const std::string tag(client.get("/about", browser).header("ETag"));
            Headers again = browser;
            again.set("If-None-Match", tag);
            CHECK(client.get("/about", again).status == 304);
            CHECK(client.get("/about", again).header("Cache-Control") == "no-cache");
        });
}

TEST_CASE("what is below the option immutable is cached for a year, whatever its name") {
    const Site site;
    for (const char* const name : {"assets/logo.png", "assets/fonts/a.woff2", "assets.txt", "other/logo.png"})
        site.add(name, "x");
    for (const char* const directory : {"assets", "/assets", "assets/", "/assets/"}) {
        CAPTURE(directory);
        const auto age = [](TestClient& client, const char* path) {
            const TestResponse response = client.get(path);
            CHECK(response.status == 200);
            return std::string(response.header("Cache-Control"));
        };
        with_client(
            [&](Engine& app) {
                app.frontend("/", site.root(), {.immutable = directory});
                app.static_files("/s", site.root(), {.cache_control = "no-store", .immutable = directory});
            },
            [&](TestClient& client) {
                for (const char* const path :
                     {"/assets/logo.png", "/assets/fonts/a.woff2", "/s/assets/logo.png"}) {
                    CHECK(age(client, path) == "public, max-age=31536000, immutable");
                }
                CHECK(age(client, "/assets.txt").empty());
                CHECK(age(client, "/s/assets.txt") == "no-store");
                CHECK(age(client, "/s/other/logo.png") == "no-store");
                CHECK_FALSE(client.get("/assets/missing.png").headers.contains("Cache-Control"));
            });
    }
}

TEST_CASE("names with a hash are told from other names") {
    using sake::detail::is_hashed_name;
    for (const char* const hashed :
         {"index-BkX3f9aQ.js", "assets/index-BkX3f9aQ.css", "main.4f3a2b1c.js", "app-A2B3C4D5.js",
          "x/y.0a1b2c3d4e5f.woff2", "787.4f3a2b1c.chunk.js", "index-BkX3f9aQ.js.map", "a-Bk_3f9aQ.js",
          "a-B-k3f9aQ.mjs", "logo.0a1b2c3d.svg", "main.0a1b2c3d4e5f60718293.css", "chunk-2A3B4C5D.js",
          "module-Q3x9Zk1p.wasm", "photo-x7Tq2LmZ.png", "main.4f3a2b1c.css.map", "icon-9aB3xY2z.ico"}) {
        INFO(hashed);
        CHECK(is_hashed_name(hashed));
    }
    for (const char* const plain :
         {"index.html", "jquery-compiled.js", "logo-2024Final.png", "app-V2Release.js",
          "holiday-DSC01234.jpg", "x-cafe1234.js", "app-20240131.js", "video-1280x720.mp4", "logo-dark.svg",
          "4f3a2b1c.js", "main.4f3a2b1.js", "README", "a-4f3a2b1c", "app-MyWidget.js", "x-deadbeef.js",
          "a.b.c", "", "-.js",
          // documents, data and pages, whatever their names
          "invoice-2024a01b.pdf", "invoice-BkX3f9aQ.pdf", "report.4f3a2b1c.csv", "data.4f3a2b1c.json",
          "index-BkX3f9aQ.html", "notes-BkX3f9aQ.txt", "app.4f3a2b1c", "invoice-BkX3f9aQ.pdf.map",
          "archive.4f3a2b1c.zip", "film-BkX3f9aQ.mp4",
          // words, versions and dates in their places
          "invoice-2024a01b.js", "app-V1_Beta2.js", "app-v1-Beta2.js", "app.deadbeef.js", "app.20240131.js",
          "app-PART2END.js", "app-H264x265.js", "IMG-20240131.jpg", "app-A1B2C3D4.js", "level-LEVEL2UI.png",
          // hashes of other lengths and in other places
          "main.4f3a2b1.js", "main.0a1b2c3d4e5f607182930.js", "index-BkX3f9a.js", "index-BkX3f9aQ2.js",
          "index.BkX3f9aQ.js", "main-4f3a2b1c.js", "-BkX3f9aQ.js", ".4f3a2b1c.js", "main.4F3A2B1C.js",
          "main.4f3a2b1c.min.js", "index-BkX3f9aQ.JS", "index-Bk%3f9aQ.js"}) {
        INFO(plain);
        CHECK_FALSE(is_hashed_name(plain));
    }
}

TEST_CASE("groups have files of their own, behind their middleware, and routes come first") {
    const Site site;
    with_client(
        [&](Engine& app) {
            auto area = app.group("/area");
            area.use([](Context& ctx) {
                if (ctx.header("Key") != "k") ctx.abort(401);
            });
            area.static_files("/files", site.root());
            area.group("/deep").frontend("/", site.path("sub"));
            app.static_files("/", site.root());
            app.get("/a.txt", [] { return "a route"; });
            auto shop = app.group("/shop/:id");
            shop.static_files("/", site.root());
        },
        [](TestClient& client) {
            const Headers key{{"Key", "k"}};
            CHECK(client.get("/area/files/a.txt").status == 401);
            CHECK(client.get("/area/files/a.txt", key).body == "0123456789");
            CHECK(client.get("/area/files", key).header("Location") == "/area/files/");
            CHECK(client.get("/area/files").status == 401);
            CHECK(client.get("/area/deep/", key).body == "sub");
            CHECK(client.get("/area/deep", key).header("Location") == "/area/deep/");
            CHECK(client.get("/a.txt").body == "a route");
            CHECK(client.get("/empty.txt").status == 200);
            CHECK(client.get("/").body == "<h1>home</h1>");
            CHECK(client.get("/shop/7/a.txt").body == "0123456789");
            CHECK(client.get("/shop/7/sub/").body == "sub");
        });
}

TEST_CASE("a route that is the prefix itself comes before the way to its slash, in any order") {
    const Site site;
    with_client(
        [&](Engine& app) {
            app.static_files("/one", site.root());
            app.get("/one", [] { return "mine"; });
            app.get("/two", [] { return "mine"; });
            app.static_files("/two", site.root());
        },
        [](TestClient& client) {
            CHECK(client.get("/one").body == "mine");
            CHECK(client.get("/two").body == "mine");
            CHECK(client.get("/two/").body == "<h1>home</h1>");
        });
    Engine app(quiet_config());
    app.static_files("/x", site.root());
    CHECK_THROWS_AS(app.static_files("/x", site.root()), std::invalid_argument);
}

TEST_CASE("a directory that is not there is said at once") {
    Engine app(quiet_config());
    const auto why = [](auto add) {
        try {
            add();
        } catch (const std::system_error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(why([&] { app.static_files("/", "no/such/directory"); }) ==
          "static_files: no/such/directory: No such file or directory");
    CHECK(why([&] { app.group("/g").frontend("/", "/proc/self/status"); }) ==
          "frontend: /proc/self/status: Not a directory");
    CHECK(app.routes().empty());
}

TEST_CASE("a handler sends a file, under a status of its own, and with fields of its own") {
    const Site site;
    with_client(
        [&](Engine& app) {
            app.get("/file", [&](Context& ctx) { ctx.file(site.path("a.txt")); });
            app.get("/absent", [&](Context& ctx) { ctx.file(site.path("absent")); });
            app.get("/directory", [&](Context& ctx) { ctx.file(site.root()); });
            app.get("/device", [](Context& ctx) { ctx.file("/dev/zero"); });
            app.get("/sorry", [&](Context& ctx) { ctx.status(503).file(site.path("large.bin")); });
            app.get("/own", [&](Context& ctx) {
                ctx.set_header("Content-Type", "text/x-own")
                    .set_header("ETag", "\"mine\"")
                    .file(site.path("a.txt"));
            });
            app.get("/last",
                    [&](Context& ctx) { ctx.file(site.path("large.bin")).text("the last body wins"); });
            app.get("/first", [&](Context& ctx) {
                ctx.text("no");
                ctx.file(site.path("large.bin"));
            });
            app.get("/later", [&](Context& ctx) -> sake::Task<> {
                co_await sake::sleep(1s);
                ctx.file(site.path("large.bin"));
            });
            app.post("/posted", [&](Context& ctx) { ctx.file(site.path("a.txt")); });
            app.get("/pathlike", [&](Context& ctx) { ctx.file(std::filesystem::path(site.path("a.txt"))); });
        },
        [](TestClient& client) {
            CHECK(client.get("/file").body == "0123456789");
            CHECK(client.get("/file", {{"Range", "bytes=0-1"}}).body == "01");
            CHECK_FALSE(client.get("/file").headers.contains("Vary"));
            CHECK(client.get("/absent").status == 404);
            CHECK(client.get("/absent").json()["detail"] == "there is nothing at this path");
            CHECK(client.get("/directory").status == 404);
            CHECK(client.get("/device").status == 404);
            const TestResponse sorry = client.get("/sorry", {{"Range", "bytes=0-1"}, {"If-None-Match", "*"}});
            CHECK(sorry.status == 503);
            CHECK(sorry.body.size() == 100'000);
            const TestResponse own = client.get("/own");
            CHECK(own.header("Content-Type") == "text/x-own");
            CHECK(own.header("ETag") == "\"mine\"");
            CHECK(client.get("/own", {{"If-None-Match", "\"mine\""}}).status == 304);
            const TestResponse parts = client.get("/own", {{"Range", "bytes=0-1,5-6"}});
            CHECK(parts.header("Content-Type").starts_with("multipart/byteranges"));
            CHECK(parts.body.find("text/x-own") != std::string::npos);
            CHECK(client.get("/last").body == "the last body wins");
            CHECK((client.get("/first").body == bytes_of(100'000)));
            CHECK((client.get("/later").body == bytes_of(100'000)));
            CHECK(client.post("/posted", "x", {{"Range", "bytes=0-1"}, {"If-None-Match", "*"}}).body ==
                  "0123456789");
            CHECK(client.get("/pathlike").status == 200);
        });
}

TEST_CASE("a file that a handler names and that is not there is a line of the log, others are none") {
    const Site site;
    for (const bool is_worker : {false, true}) {
        CAPTURE(is_worker);
        std::vector<std::string> lines;
        lines.reserve(100);
        const auto config = quiet_config().with_worker_pool_size(1).with_log(
            [&](sake::LogLevel level, std::string_view line) {
                if (level == sake::LogLevel::warning) lines.emplace_back(line);
            });
        {
            Engine app(config);
            const auto add = [&](const char* at, auto handler) {
                sake::Route& route = app.get(sake::runtime(at), handler);
                if (is_worker) route.worker();
            };
            add("/absent", [&](Context& ctx) { ctx.file(site.path("absent\n")); });
            add("/directory", [&](Context& ctx) { ctx.attachment(site.root(), "a"); });
            add("/empty", [&](Context& ctx) { ctx.file(""); });
            add("/there", [&](Context& ctx) { ctx.file(site.path("a.txt")); });
            app.static_files("/s", site.root());
            app.frontend("/f", site.root());
            TestClient client(app);
            for (const char* quiet : {"/there", "/s/absent", "/s/.env", "/f/absent.js", "/nothing"}) {
                static_cast<void>(client.get(quiet));
            }
            CHECK(lines.empty());
            for (const char* target : {"/absent", "/directory", "/empty"}) {
                CHECK(client.get(target).status == 404);
            }
        }
        REQUIRE(lines.size() == (is_worker ? 2 : 3));  // a worker sends no empty path to the reactor
        CHECK(lines[0].starts_with("GET /absent: no file to send in GET /absent ("));
        CHECK(lines[0].ends_with("/absent\\x0a' is not there, is not a regular file, or may not be read"));
        CHECK(lines[1].find("'" + site.root() + "' is not there, is not") != std::string::npos);
        if (!is_worker) CHECK(lines[2].find(": '' is not there, is not") != std::string::npos);
    }
}

TEST_CASE("an attachment is saved under its name") {
    const Site site;
    with_client(
        [&](Engine& app) {
            app.get("/own", [&](Context& ctx) { ctx.attachment(site.path("a.txt")); });
            app.get("/other",
                    [&](Context& ctx) { ctx.attachment(site.path("a.txt"), "r\xc3\xa9sum\xc3\xa9.pdf"); });
            app.get("/absent", [&](Context& ctx) { ctx.attachment(site.path("absent"), "x"); });
        },
        [](TestClient& client) {
            CHECK(client.get("/own").header("Content-Disposition") == "attachment; filename=\"a.txt\"");
            const TestResponse other = client.get("/other");
            CHECK(other.header("Content-Disposition") ==
                  "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf");
            CHECK(other.header("Content-Type") == "application/pdf");
            CHECK_FALSE(client.get("/absent").headers.contains("Content-Disposition"));
        });
}

TEST_CASE("middleware adds to the answer, and on_error and on_answered see what is not there") {
    const Site site;
    std::string seen;
    seen.reserve(1000);
    with_client(
        [&](Engine& app) {
            app.use([](Context& ctx) {
                ctx.set_header("Cache-Control", "private");
                ctx.after([](Context& after) { after.set_header("X-After", "1"); });
            });
            app.on_error([](Context& ctx, const std::exception&) { ctx.text("nothing, sorry"); });
            app.on_answered([&](const sake::Answered& answered) {
                seen += std::to_string(answered.status) + " " + std::to_string(answered.bytes) + " ";
            });
            app.static_files("/s", site.root(), {.cache_control = "public"});
        },
        [&](TestClient& client) {
            const TestResponse response = client.get("/s/large.bin");
            CHECK(response.header("Cache-Control") == "private");
            CHECK(response.header("X-After") == "1");
            CHECK(client.get("/s/absent").body == "nothing, sorry");
            client.head("/s/large.bin");
            client.get("/s/large.bin", {{"Range", "bytes=0-99"}});
            CHECK(seen == "200 100000 404 14 200 0 206 100 ");
        });
}

TEST_CASE("middleware that asks for the body after it has set a file leaves the file as it was") {
    const Site site;
    with_client(
        [&](Engine& app) {
            app.use([&](Context& ctx) { ctx.file(site.path("large.bin")); });
            app.use([](Context& ctx) { static_cast<void>(ctx.body()); });
            app.post("/", [](Context&) {});
        },
        [](TestClient& client) {
            sake::TestConnection connection = client.connect();
            connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
            client.advance(0s);
            connection.send("body");
            CHECK((connection.response().body == bytes_of(100'000)));
        });
}

TEST_CASE("a worker answers with a file by its path, which the reactor opens") {
    const Site site;
    with_client(
        [&](Engine& app) {
            app.get("/file", [&](Context& ctx) { ctx.file(site.path("a.txt")); }).worker();
            app.get("/large", [&](Context& ctx) { ctx.attachment(site.path("large.bin"), "l.bin"); })
                .worker();
            app.get("/absent", [&](Context& ctx) { ctx.file(site.path("absent")); }).worker();
            app.get("/last", [&](Context& ctx) { ctx.file(site.path("a.txt")).text("the last"); }).worker();
            app.static_files("/s", site.root()).worker();
        },
        [](TestClient& client) {
            CHECK(client.get("/file").body == "0123456789");
            CHECK(client.get("/file").header("Content-Type") == "text/plain; charset=utf-8");
            CHECK(client.get("/file", {{"Range", "bytes=2-3"}}).body == "23");
            CHECK(client.get("/file", {{"If-None-Match", "*"}}).status == 304);
            CHECK(client.get("/file", {{"Range", "bytes=20-"}}).header("Content-Range") == "bytes */10");
            const TestResponse large = client.get("/large");
            CHECK((large.body == bytes_of(100'000)));
            CHECK(large.header("Content-Disposition") == "attachment; filename=\"l.bin\"");
            CHECK(client.get("/absent").status == 404);
            CHECK(client.get("/last").body == "the last");
            CHECK(client.get("/s/a.txt").status == 500);  // and the log says why
        },
        quiet_config().with_worker_pool_size(1));
}

TEST_CASE("embedded files are answered as those of a directory") {
    static const unsigned char logo[] = {1, 2, 3, 0, 5};
    static const std::string large = bytes_of(200'000);
    const auto files = sake::embed({{"index.html", "home"},
                                    {"app.js", "plain"},
                                    {"app.js.br", "brotli"},
                                    {"img/logo.png", logo},
                                    {"img/other.png", logo, 2},
                                    {"large.bin", large},
                                    {".hidden", "x"}});
    with_client(
        [&](Engine& app) {
            app.static_files("/s", files, {.listing = true});
            app.frontend("/", files);
        },
        [&](TestClient& client) {
            CHECK(client.get("/s/").body == "home");
            CHECK(client.get("/s/img/logo.png").body == std::string("\1\2\3\0\5", 5));
            CHECK(client.get("/s/img/logo.png").header("Content-Type") == "image/png");
            CHECK(client.get("/s/img/other.png").body.size() == 2);
            CHECK((client.get("/s/large.bin").body == large));
            CHECK((client.get("/s/large.bin", {{"Range", "bytes=50000-149999"}}).body ==
                   large.substr(50'000, 100'000)));
            const TestResponse parts =
                client.get("/s/large.bin", {{"Range", "bytes=0-49999, 100000-149999"}});
            CHECK(parts.body.find(large.substr(100'000, 50'000)) != std::string::npos);
            const std::string tag(client.get("/s/app.js").header("ETag"));
            CHECK(client.get("/s/app.js", {{"If-None-Match", tag}}).status == 304);
            CHECK_FALSE(client.get("/s/app.js").headers.contains("Last-Modified"));
            CHECK(client.get("/s/app.js", {{"Accept-Encoding", "br"}}).body == "brotli");
            CHECK(client.get("/s/img").header("Location") == "/s/img/");
            const std::string page = client.get("/s/img/").body;
            CHECK(page.find("./logo.png\"") != std::string::npos);
            CHECK(page.find("./other.png\"") != std::string::npos);
            for (const char* const path :
                 {"/s/.hidden", "/s/im", "/s/img/x", "/s/app.js/", "/s/..", "/s//app.js"}) {
                CHECK(client.get(path).status == 404);
            }
            CHECK(client.get("/about", {{"Accept", "text/html"}}).body == "home");
            CHECK(client.head("/large.bin").header("Content-Length") == "200000");
        });
    CHECK_THROWS_AS(static_cast<void>(sake::embed({{"a", "1"}, {"a", "2"}})), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(sake::embed({{"/a", "1"}})), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(sake::embed({{"", "1"}})), std::invalid_argument);
}

TEST_CASE("pipelined files come in order, and the connection goes on") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        sake::TestConnection connection = client.connect();
        for (const char* const path : {"a.txt", "large.bin", "absent", "a.txt", "large.bin"}) {
            connection.send("GET /s/" + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        CHECK(connection.response().body == "0123456789");
        CHECK((connection.response().body == bytes_of(100'000)));
        CHECK(connection.response().status == 404);
        CHECK(connection.response().body == "0123456789");
        CHECK((connection.response().body == bytes_of(100'000)));
        CHECK_FALSE(connection.is_closed());
        connection.send("GET /s/large.bin HTTP/1.0\r\n\r\n");
        CHECK(connection.response().body.size() == 100'000);
        CHECK(connection.is_closed());
    });
}

TEST_CASE("a client that reads slowly gets all of a file, and one that stops is closed") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        sake::TestConnection slow = client.connect(1000);
        slow.send("GET /s/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        std::string got;
        while (!got.ends_with(bytes_of(100'000))) {
            got += slow.receive();
            client.advance(10ms);
        }
        sake::TestConnection stopped = client.connect(1000);
        stopped.send("GET /s/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        client.advance(2min);
        CHECK_THROWS_AS(static_cast<void>(stopped.receive_all()), std::system_error);
    });
}

TEST_CASE(
    "P9: a file that becomes shorter while it is sent cuts the answer, and one that grows does not change "
    "it") {
    const Site site;
    with_site(site, [&](TestClient& client) {
        sake::TestConnection cut = client.connect(1000);
        cut.send("GET /s/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        std::string got = cut.receive();
        std::filesystem::resize_file(site.path("large.bin"), 50'000);
        CHECK_THROWS_AS(got += cut.receive_all(), std::system_error);
        CHECK(got.size() < 60'000);
        CHECK(got.find('\0') == std::string::npos);

        sake::TestConnection grown = client.connect(1000);
        grown.send("GET /s/large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        got = grown.receive();
        site.place.write("public/large.bin", bytes_of(80'000));
        got += grown.receive_all();
        CHECK(got.find("Content-Length: 50000\r\n") != std::string::npos);
        CHECK(got.size() == got.find("\r\n\r\n") + 4 + 50'000);
    });
}

}  // namespace test_files
