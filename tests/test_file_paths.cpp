// One path for router, middleware and files: no spelling of a path opens a file of a guarded group without
// its guard (FIELD: encoded and double slashes, dots, backslashes, overlong UTF-8).
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/dice.hpp"
#include "support/reliability.hpp"
#include "support/temporary_directory.hpp"

namespace test_file_paths {

using namespace harness;
using sake::Context;
using sake::Engine;
using sake::TestClient;
using sake::TestResponse;

namespace {

constexpr const char* secret = "what only the guard lets pass";

struct Site {
    Site() {
        place.write("public/open.txt", "open");
        place.write("public/index.html", "index");
        place.write("public/admin/x", secret);
        place.write("public/admin/index.html", secret);
        place.write("public/admin/deep/y.txt", secret);
        place.write("public/%61dmin/x", "another name");
        place.write("outside.txt", secret);
    }
    [[nodiscard]] std::string root() const { return place.path("public"); }
    TemporaryDirectory place;
};

/// Everything under "/admin" is for those who know the key; the same files are beneath the root of a site for
/// everybody.
void add_routes(Engine& app, const Site& site, bool is_frontend) {
    auto admin = app.group("/admin");
    admin.use([](Context& ctx) {
        if (ctx.header("Key") != "k") ctx.abort(401).text("guarded");
    });
    admin.static_files("/", site.place.path("public/admin"), {.listing = true});
    if (is_frontend) {
        app.frontend("/", site.root(), {.listing = true});
    } else {
        app.static_files("/", site.root(), {.listing = true});
    }
}

constexpr const char* names[] = {"admin",
                                 "admin",
                                 "admin",
                                 "x",
                                 "x",
                                 "deep",
                                 "y.txt",
                                 "%61dmin",
                                 "adm%69n",
                                 "%41dmin",
                                 "ADMIN",
                                 "admin%00",
                                 "admin.",
                                 "admin%20",
                                 "admin;a",
                                 "admin%3Ba",
                                 "..",
                                 ".",
                                 "%2e%2e",
                                 "%2E",
                                 "%252e",
                                 "admin%2Fx",
                                 "admin%2fx",
                                 "admin%5Cx",
                                 "%5cadmin",
                                 "open.txt",
                                 "index.html",
                                 "%c0%ae%c0%ae",
                                 "%c0%af",
                                 "%ef%bc%8f",
                                 "%2561dmin",
                                 "outside.txt",
                                 "admin%252Fx",
                                 "...",
                                 "x%2500",
                                 "%2F",
                                 "admin%0a",
                                 "~",
                                 ";",
                                 "",
                                 "a",
                                 "admin%c2%a0",
                                 "admin::$DATA",
                                 "%78"};
constexpr const char* slashes[] = {"/",   "/",   "/",   "/",   "/",    "/",  "//",
                                   "/./", "%2F", "%2f", "%5C", "/../", "///"};

/// A target made of pieces that servers have read in different ways.
std::string make_target(Dice& dice) {
    std::string target = dice.one_in(10) ? "//" : "/";
    const std::size_t count = 1 + dice.below(4);
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) target += dice.one_of(slashes);
        target += dice.one_of(names);
    }
    if (dice.one_in(6)) target += "/";
    if (dice.one_in(10)) target += "?a=/admin/x";
    return dice.one_in(20) ? "http://a" + target : target;
}

void check_target(TestClient& client, const std::string& target, int& passed) {
    INFO(target);
    const TestResponse open = client.get(target, {{"Accept", "text/html"}, {"Accept-Encoding", "gzip"}});
    CHECK(open.body.find(secret) == std::string::npos);
    CHECK(open.body.find("./y.txt") == std::string::npos);  // nor what a guarded directory holds
    CHECK(open.body.find("./deep/") == std::string::npos);
    const TestResponse known = client.get(target, {{"Accept", "text/html"}, {"Key", "k"}});
    if (known.body == secret) {
        CHECK(open.status == 401);
        ++passed;
    } else {
        // The guard decides by the path alone.
        CHECK((known.status == open.status || open.status == 401));
    }
}

}  // namespace

TEST_CASE("P9: no spelling of a path is a way past a group's middleware") {
    const Site site;
    for (const bool is_frontend : {false, true}) {
        with_client([&](Engine& app) { add_routes(app, site, is_frontend); },
                    [&](TestClient& client) {
                        Dice dice(is_frontend ? 2 : 1);
                        int passed = 0;
                        for (int round = 0; round < 3'000; ++round)
                            check_target(client, make_target(dice), passed);
                        CHECK(passed > 10);  // some of them are those files
                    });
    }
}

TEST_CASE("P9: what other servers read as a slash, a dot or nothing is no way to a file") {
    const Site site;
    with_client([&](Engine& app) { add_routes(app, site, false); },
                [](TestClient& client) {
                    const auto status = [&](const char* target) { return client.get(target).status; };
                    CHECK(status("/admin/x") == 401);
                    CHECK(status("/%61dmin/x") == 401);  // decoded for the router as well
                    CHECK(status("/admin/%78") == 401);
                    CHECK(status("/admin/") == 401);
                    CHECK(status("/admin") == 401);
                    for (const char* const target : {"/admin%2Fx",
                                                     "/admin%2fx",
                                                     "//admin/x",
                                                     "/./admin/x",
                                                     "/a/../admin/x",
                                                     "/a/%2e%2e/admin/x",
                                                     "/admin%5Cx",
                                                     "/%5Cadmin/x",
                                                     "/admin./x",
                                                     "/admin%20/x",
                                                     "/admin;/x",
                                                     "/admin%3B/x",
                                                     "/ADMIN/x",
                                                     "/..%2Foutside.txt",
                                                     "/../outside.txt",
                                                     "/%2e%2e/outside.txt",
                                                     "/..%5Coutside.txt",
                                                     "/open.txt/",
                                                     "/open.txt.",
                                                     "/open.txt%20",
                                                     "//open.txt",
                                                     "/open.txt%2F",
                                                     "/%2Fopen.txt",
                                                     "/admin%252Fx",
                                                     "/%252e%252e/outside.txt",
                                                     "/open.txt::$DATA"}) {
                        INFO(target);
                        CHECK(status(target) == 404);
                    }
                    for (const char* const target :
                         {"/open.txt%00", "/%00", "/admin%00/x", "/%c0%ae%c0%ae/outside.txt", "/%c0%af",
                          "/%ff", "/%", "/%zz", "/%u002e"}) {
                        INFO(target);
                        CHECK(status(target) == 400);
                    }
                    CHECK(client.get("/%2561dmin/x").body == "another name");  // "%25" is a percent sign
                    CHECK(client.get("/open.txt").body == "open");
                });
}

}  // namespace test_file_paths
