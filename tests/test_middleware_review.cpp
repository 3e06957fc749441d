// Faults that a review of middleware has found; each case fails until its fault is mended.
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/server_fixture.hpp"

namespace test_middleware_review {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Task;
using sake::TestClient;
namespace middleware = sake::middleware;

namespace {

/// Adds the middleware by `add`, and says whether a server with it starts.
template <class Add>
bool starts(Add add) {
    sake::Engine app;
    add(app);
    app.get("/", [] { return "hello"; });
    try {
        TestClient client(app);
    } catch (const std::invalid_argument&) {
        return false;
    }
    return true;
}

}  // namespace

TEST_CASE("a body_limit or a check of credentials behind timeout comes too late") {
    CHECK_FALSE(starts([](sake::Engine& app) {
        app.use(middleware::timeout(1s));
        app.use(middleware::body_limit(10));
    }));
}

TEST_CASE("timeout: the answer does not wait for a job in the background") {
    Log log;
    std::promise<void> release;
    with_server(
        [&](sake::Engine& app) {
            app.get("/",
                    [released = release.get_future().share()](Context& ctx) -> Task<> {
                        co_await sake::background([&] { released.wait_for(2s); });
                        ctx.text("late");
                    })
                .use(middleware::timeout(20ms));
        },
        [&](TestServer& server) {
            CHECK(server.get("/").status == 504);
            release.set_value();
        },
        log.config());
}

}  // namespace test_middleware_review
