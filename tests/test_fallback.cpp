// Fallback: what is answered where no route takes a request, without a server around it.
#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_fallback {

using sake::AnswerCause;
using sake::Context;
using sake::detail::Call;
using sake::detail::CallBuilder;
using sake::detail::Fallback;
using sake::detail::Handler;
using sake::detail::RouteTable;
namespace detail = sake::detail;

namespace {

struct FallbackTest {
    void add(std::string_view method, std::string_view pattern) {
        table.add(table.root(), method, {pattern, 0, __FILE__, __LINE__},
                  Handler([](Context& ctx) { ctx.text("route"); }));
    }
    template <class F>
    void not_found(F handler) {
        fallback.set_not_found(Handler(std::move(handler)));
    }
    void begin() {
        fallback.install();
        table.freeze(false);
    }
    /// "404 body", with " Allow: ..." if it says so.
    std::string ask(std::string_view method, std::string_view target) {
        call.clear();
        CallBuilder builder(call);
        builder.begin(method, target);
        REQUIRE(builder.end() == nullptr);
        table.route(call);
        detail::run_plain(call);
        std::string answer = std::to_string(call.response.status);
        if (const auto allow = call.response.headers.get("Allow")) answer.append(" Allow: ").append(*allow);
        if (!call.response.body.empty() && call.response.content_type() != "application/problem+json") {
            answer += " " + call.response.body;
        }
        return answer;
    }

    RouteTable table;
    Fallback fallback{table};
    Call call;
};

}  // namespace

TEST_CASE("404 for an unknown path, 405 and OPTIONS for a known one, 501 for a method that nothing takes") {
    FallbackTest test;
    test.add("GET", "/a/:id");
    test.add("PROPFIND", "/b");
    test.add("POST", "/b");
    test.add("*", "/all");
    test.begin();
    CHECK(test.ask("GET", "/a/1") == "200 route");
    CHECK(test.call.cause == AnswerCause::handler);
    for (const auto& [method, target, answer] : {std::tuple{"GET", "/c", "404"},
                                                 {"POST", "/a/1", "405 Allow: GET, HEAD, OPTIONS"},
                                                 {"GET", "/b", "405 Allow: OPTIONS, POST, PROPFIND"},
                                                 {"HEAD", "/b", "405 Allow: OPTIONS, POST, PROPFIND"},
                                                 {"PROPFIND", "/a/1", "405 Allow: GET, HEAD, OPTIONS"},
                                                 {"PROPFIND", "/c", "404"},
                                                 {"TRACE", "/b", "405 Allow: OPTIONS, POST, PROPFIND"},
                                                 {"TRACE", "/c", "404"},
                                                 {"OPTIONS", "/a/1", "204 Allow: GET, HEAD, OPTIONS"},
                                                 {"OPTIONS", "/c", "404"},
                                                 {"OPTIONS", "*",
                                                  "204 Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, "
                                                  "PROPFIND, PUT"},
                                                 {"BREW", "/a/1", "501"},
                                                 {"BREW", "/c", "501"},
                                                 {"get", "/a/1", "501"}}) {
        CAPTURE(std::string(method));
        CAPTURE(std::string(target));
        CHECK(test.ask(method, target) == answer);
        CHECK(test.call.cause == AnswerCause::no_route);
        CHECK(test.call.context.route() == "");
    }
}

TEST_CASE("the program's not_found answers unknown paths, and nothing else") {
    FallbackTest test;
    test.add("GET", "/a");
    test.not_found([](Context& ctx) { ctx.text("nothing at " + std::string(ctx.path())); });
    test.begin();
    CHECK(test.ask("GET", "/b%20c") == "404 nothing at /b c");
    CHECK(test.ask("OPTIONS", "/b") == "404 nothing at /b");
    CHECK(test.ask("POST", "/a") == "405 Allow: GET, HEAD, OPTIONS");
    CHECK(test.ask("BREW", "/b") == "501");
    CHECK(test.ask("OPTIONS", "/a") == "204 Allow: GET, HEAD, OPTIONS");
    CHECK(test.table.fallback().reads_body());
}

TEST_CASE("without a not_found the answer does not depend on the body, so that it is not asked for") {
    FallbackTest test;
    test.begin();
    CHECK_FALSE(test.table.fallback().reads_body());
    FallbackTest guarded;
    guarded.table.add_middleware(guarded.table.root(), Handler([](Context&) {}));
    guarded.begin();
    CHECK(guarded.table.fallback().reads_body());
}

TEST_CASE("a not_found that is a coroutine makes the fallback one that waits") {
    FallbackTest test;
    test.add("GET", "/a");
    test.not_found([](Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        ctx.text("nothing, later");
    });
    test.begin();
    CHECK(test.table.fallback().suspends());
    const auto answer = [&](std::string_view method, std::string_view target) {
        test.call.clear();
        CallBuilder builder(test.call);
        builder.begin(method, target);
        REQUIRE(builder.end() == nullptr);
        test.table.route(test.call);
        sake::run_until_complete(detail::run_rest(test.call));
        return std::to_string(test.call.response.status) + " " + test.call.response.body;
    };
    CHECK(answer("GET", "/b") == "404 nothing, later");
    CHECK(answer("POST", "/a").starts_with("405 {"));
}

TEST_CASE("the fallback is installed anew for every run, and not changed during one") {
    FallbackTest test;
    test.begin();
    CHECK(test.ask("GET", "/b") == "404");
    CHECK_THROWS_AS(test.not_found([](Context&) {}), std::logic_error);
    CHECK_THROWS_AS(test.fallback.install(), std::logic_error);
    test.table.unfreeze();
    test.not_found([] { return "now"; });
    test.add("GET", "/late");
    test.begin();
    CHECK(test.ask("GET", "/b") == "404 now");
    CHECK(test.ask("GET", "/late") == "200 route");
}

}  // namespace test_fallback
