#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/server_fixture.hpp"

namespace test_handler {

using namespace harness;
using sake::Context;
using sake::Json;
using sake::Task;

namespace {

void free_function(Context& ctx) { ctx.text("free function"); }
void free_noexcept(Context& ctx, int n) noexcept { ctx.status(200 + n); }
std::string free_with_params(Context&, std::string_view first, int second) {
    return std::string(first) + std::to_string(second);
}
Task<std::string> free_coroutine(Context& ctx) {
    co_await sake::yield();
    co_return std::string("free coroutine ").append(ctx.method());
}

std::string free_without_context() { return "no context"; }
int free_sum(int a, int b) noexcept { return a + b; }
Task<std::string> free_coroutine_without_context(std::string_view name) {
    co_await sake::yield();
    co_return std::string("hello ").append(name);
}

/// A type with a JSON form.
struct Note {
    int id = 0;
    std::string text;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Note, id, text)
};
/// A text with a JSON form that is not asked for.
struct Text {
    operator std::string_view() const { return "as text"; }  // NOLINT(google-explicit-constructor)
};
struct FunctorWithoutContext {
    int factor;
    int operator()(int n) const { return n * factor; }
};

struct Functor {
    std::string name;
    std::string operator()(Context&) const { return name; }
};
struct Counter {
    int count = 0;
    std::string operator()(Context&) { return std::to_string(++count); }
};
struct Overloaded {
    void operator()(Context& ctx) const { ctx.text("with a context"); }
    void operator()(int) const {}
};

/// Waits until everything else had its turn, twice, so that the stack it was called on is long gone.
Task<> other_turns() {
    co_await sake::yield();
    co_await sake::yield();
}

std::string error_detail(const TestServer& server, std::string_view path) {
    const Response response = server.get(path);
    return std::to_string(response.status) + " " +
           Json::parse(response.body).value("detail", std::string("no detail"));
}

}  // namespace

TEST_CASE("a handler may be a lambda, a function, a functor, std::function or overloaded") {
    with_server(
        [](sake::Engine& app) {
            app.get("/lambda", [](Context& ctx) { ctx.text("lambda"); });
            app.get("/generic", [](auto& ctx) { ctx.text("generic"); });
            app.get("/function", free_function);
            app.get("/pointer", &free_function);
            app.get("/noexcept/:n", free_noexcept);
            app.get("/params/:a/:b", free_with_params);
            app.get("/coroutine", free_coroutine);
            app.get("/functor", Functor{"functor"});
            const Functor named{"a copy of a functor"};
            app.get("/copied", named);
            app.get("/overloaded", Overloaded{});
            app.get("/std/:n", std::function<void(Context&, int)>(
                                   [](Context& ctx, int n) { ctx.text(std::to_string(n * 2)); }));
        },
        [](TestServer& server) {
            CHECK(server.get("/lambda").body == "lambda");
            CHECK(server.get("/generic").body == "generic");
            CHECK(server.get("/function").body == "free function");
            CHECK(server.get("/pointer").body == "free function");
            CHECK(server.get("/noexcept/7").status == 207);
            CHECK(server.get("/params/a/7").body == "a7");
            CHECK(server.get("/coroutine").body == "free coroutine GET");
            CHECK(server.get("/functor").body == "functor");
            CHECK(server.get("/copied").body == "a copy of a functor");
            CHECK(server.get("/overloaded").body == "with a context");
            CHECK(server.get("/std/21").body == "42");
        });
}

TEST_CASE("a handler's state lives in the engine and is one for all requests") {
    with_server(
        [](sake::Engine& app) {
            app.get("/mutable", [n = 0](Context&) mutable { return std::to_string(++n); });
            app.get("/functor", Counter{});
            app.get("/moved", [owned = std::make_unique<std::string>("only moved")](Context& ctx) {
                ctx.text(*owned);
            });
            Counter copied;
            app.get("/copied", copied);
            copied.count = 100;
        },
        [](TestServer& server) {
            for (const char* path : {"/mutable", "/functor", "/copied"}) {
                CHECK(server.get(path).body == "1");
                CHECK(server.get(path).body == "2");
            }
            CHECK(server.get("/moved").body == "only moved");
        });
}

TEST_CASE("C5 the captures of a coroutine lambda stay valid while it waits") {
    with_server(
        [](sake::Engine& app) {
            const std::string text(100, 'c');
            app.get("/captured", [text](Context& ctx) -> Task<> {
                co_await other_turns();
                ctx.text(text);
            });
            app.get("/moved", [owned = std::make_unique<std::string>(text)](Context&) -> Task<std::string> {
                co_await other_turns();
                co_return *owned;
            });
            app.get("/mutable", [n = 0](Context&) mutable -> Task<std::string> {
                ++n;
                co_await other_turns();
                co_return std::to_string(n);
            });
            app.use([text](Context& ctx) -> Task<> {
                co_await other_turns();
                co_await ctx.next();
                ctx.set_header("X-Captured", text);
            });
        },
        [](TestServer& server) {
            const std::string text(100, 'c');
            CHECK(server.get("/captured").body == text);
            CHECK(server.get("/moved").body == text);
            CHECK(server.get("/mutable").body == "1");
            CHECK(server.get("/mutable").header("X-Captured") == text);
        });
}

TEST_CASE("a returned string is text/plain, a returned Json is JSON, as value and as Task") {
    with_server(
        [](sake::Engine& app) {
            app.get("/string", [](Context&) { return std::string("string"); });
            app.get("/view", [](Context& ctx) { return ctx.path(); });
            app.get("/literal", [](Context&) { return "literal"; });
            app.get("/json", [](Context&) { return Json{{"a", 1}}; });
            app.get("/json-ref", [kept = Json{{"kept", true}}](Context&) -> const Json& { return kept; });
            app.get("/json-text", [](Context&) { return Json("text"); });
            app.get("/task-string", [](Context&) -> Task<std::string> { co_return "task string"; });
            app.get("/task-view", [](Context& ctx) -> Task<std::string_view> { co_return ctx.path(); });
            app.get("/task-json", [](Context&) -> Task<Json> {
                co_await other_turns();
                co_return Json::array({1, 2});
            });
            app.get("/status", [](Context& ctx) {
                ctx.status(201).set_header("X-Set", "too");
                return "made";
            });
            app.get("/nothing", [](Context&) {});
        },
        [](TestServer& server) {
            for (const char* text : {"string", "literal"}) {
                const Response response = server.get("/" + std::string(text));
                CHECK(response.status == 200);
                CHECK(response.body == text);
                CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
            }
            CHECK(server.get("/view").body == "/view");
            CHECK(server.get("/task-string").body == "task string");
            CHECK(server.get("/task-string").header("Content-Type") == "text/plain; charset=utf-8");
            CHECK(server.get("/task-view").body == "/task-view");
            CHECK(server.get("/json").body == R"({"a":1})");
            CHECK(server.get("/json").header("Content-Type") == "application/json");
            CHECK(server.get("/json-ref").body == R"({"kept":true})");
            CHECK(server.get("/json-text").body == R"("text")");
            CHECK(server.get("/task-json").body == "[1,2]");
            CHECK(server.get("/task-json").header("Content-Type") == "application/json");
            CHECK(server.get("/status").status == 201);
            CHECK(server.get("/status").header("X-Set") == "too");
            CHECK(server.get("/status").body == "made");
            const Response nothing = server.get("/nothing");
            CHECK(nothing.status == 200);
            CHECK(nothing.header("Content-Length") == "0");
            CHECK_FALSE(nothing.has_header("Content-Type"));
        });
}

TEST_CASE("path parameters are arguments, converted in pattern order") {
    with_server(
        [](sake::Engine& app) {
            app.get("/order/:a/:b/*c", [](Context&, int a, std::string b, std::string_view c) {
                return std::to_string(a) + "|" + b + "|" + std::string(c);
            });
            app.get("/bool/:x", [](Context&, bool x) { return x ? "yes" : "no"; });
            app.get("/double/:x", [](Context&, double x) { return Json(x); });
            app.get("/const/:x", [](Context&, const std::string& x) { return x; });
            app.get("/none/:x", [](Context& ctx) { return ctx.param("x"); });
            app.get("/task/:x/:y", [](Context&, int x, int y) -> Task<std::string> {
                co_await other_turns();
                co_return std::to_string(x - y);
            });
        },
        [](TestServer& server) {
            CHECK(server.get("/order/1/b%20b/c/d").body == "1|b b|c/d");
            CHECK(server.get("/bool/true").body == "yes");
            CHECK(server.get("/bool/0").body == "no");
            CHECK(server.get("/double/-1.5e2").body == "-150.0");
            CHECK(server.get("/const/text").body == "text");
            CHECK(server.get("/none/text").body == "text");
            CHECK(server.get("/task/5/7").body == "-2");
        });
}

TEST_CASE("a coroutine's parameters live as long as it does, by reference too") {
    with_server(
        [](sake::Engine& app) {
            app.get("/ref/:x", [](Context& ctx, const std::string& x) -> Task<> {
                co_await other_turns();
                ctx.text(x);
            });
            app.get("/view/:x", [](Context&, std::string_view x) -> Task<std::string> {
                co_await other_turns();
                co_return std::string(x);
            });
            app.get("/moved/:x", [](Context&, std::string&& x) -> Task<std::string> {
                co_await other_turns();
                co_return std::move(x);
            });
        },
        [](TestServer& server) {
            const std::string text(200, 'p');
            CHECK(server.get("/ref/" + text).body == text);
            CHECK(server.get("/view/%41" + text).body == "A" + text);
            CHECK(server.get("/moved/" + text).body == text);
        });
}

TEST_CASE("a segment that does not convert is a 400 that names the parameter") {
    with_server(
        [](sake::Engine& app) {
            app.get("/int/:id", [](Context&, int id) { return std::to_string(id); });
            app.get("/u8/:small", [](Context&, std::uint8_t n) { return std::to_string(n); });
            app.get("/i64/:big", [](Context&, std::int64_t n) { return std::to_string(n); });
            app.get("/bool/:flag", [](Context&, bool) { return "bool"; });
            app.get("/double/:x", [](Context&, double) { return "double"; });
            app.get("/two/:a/:b", [](Context&, int, int) { return "two"; });
            app.get("/task/:id", [](Context&, int id) -> Task<std::string> {
                co_await other_turns();
                co_return std::to_string(id);
            });
            app.get("/param/:id", [](Context& ctx) { return std::to_string(ctx.param<int>("id")); });
        },
        [](TestServer& server) {
            CHECK(server.get("/int/-2147483648").body == "-2147483648");
            CHECK(server.get("/int/2147483647").body == "2147483647");
            for (const char* bad : {"2147483648", "-2147483649", "99999999999999999999", "x", "1x", "+1",
                                    "%201", "1%20", "0x1", "1.0", "-", "--1", "1e3", "%EF%BC%91"}) {
                INFO(bad);
                const std::string expected = "400 path parameter 'id' is not an integer in range";
                CHECK(error_detail(server, std::string("/int/") + bad) == expected);
                CHECK(error_detail(server, std::string("/task/") + bad) == expected);
                CHECK(error_detail(server, std::string("/param/") + bad) == expected);
            }
            CHECK(server.get("/u8/255").body == "255");
            CHECK(server.get("/u8/007").body == "7");
            for (const char* bad : {"256", "-1", "-0"}) {
                CHECK(error_detail(server, std::string("/u8/") + bad) ==
                      "400 path parameter 'small' is not a non-negative integer in range");
            }
            CHECK(server.get("/i64/-9223372036854775808").body == "-9223372036854775808");
            CHECK(server.get("/i64/9223372036854775808").status == 400);
            CHECK(error_detail(server, "/bool/maybe") == "400 path parameter 'flag' is not true or false");
            for (const char* bad : {"nan", "inf", "1,5", "."}) {
                CHECK(error_detail(server, std::string("/double/") + bad) ==
                      "400 path parameter 'x' is not a number");
            }
            CHECK(error_detail(server, "/double/1e999") == "400 path parameter 'x' is out of range");
            CHECK(error_detail(server, "/two/x/y") == "400 path parameter 'a' is not an integer in range");
            CHECK(error_detail(server, "/two/1/y") == "400 path parameter 'b' is not an integer in range");
            CHECK(error_detail(server, "/task/x") == "400 path parameter 'id' is not an integer in range");
        });
}

TEST_CASE("at run time too, a handler takes as many parameters as its pattern has, or none") {
    sake::Engine app;
    const auto two = [](Context&, int, int) {};
    CHECK_THROWS_AS(app.get(sake::runtime("/:one"), two), std::invalid_argument);
    CHECK_THROWS_AS(app.get(sake::runtime("/none"), two), std::invalid_argument);
    CHECK_NOTHROW(app.get(sake::runtime("/:a/:b"), two));
    CHECK_NOTHROW(app.get(sake::runtime("/x/:a/:b"), [](Context&) {}));
    sake::RouterGroup group = app.group("/g/:a");
    CHECK_NOTHROW(group.get("/:b", two));
    CHECK_THROWS_AS(group.get("/x", two), std::invalid_argument);
    try {
        group.get("/y", two);
        FAIL("a handler of two parameters on a pattern of one");
    } catch (const std::invalid_argument& error) {
        const std::string text = error.what();
        CHECK(text.starts_with("GET /g/:a/y ("));
        CHECK(text.ends_with("): the handler takes 2 path parameters, the pattern has 1"));
    }
}

TEST_CASE("a handler may do without the context, with or without path parameters") {
    with_server(
        [](sake::Engine& app) {
            app.get("/lambda", [] { return "x"; });
            app.get("/nothing", [] {});
            app.get("/param/:id", [](int id) { return std::to_string(id + 1); });
            app.get("/two/:a/*b",
                    [](const std::string& a, std::string_view b) { return a + "|" + std::string(b); });
            app.get("/function", free_without_context);
            app.get("/pointer/:a/:b", &free_sum);
            app.get("/functor/:n", FunctorWithoutContext{3});
            app.get("/std/:n", std::function<std::string(int)>([](int n) { return std::to_string(n * 2); }));
            app.get("/mutable", [n = 0]() mutable { return std::to_string(++n); });
            app.get("/moved", [owned = std::make_unique<std::string>("only moved")] { return *owned; });
            app.get("/ignored/:a/:b", [] { return "parameters are not asked for"; });
            app.get("/task", []() -> Task<> { co_await other_turns(); });
            app.get("/task-text", []() -> Task<std::string> {
                co_await other_turns();
                co_return std::string("task");
            });
            app.get("/task-param/:x", [](const std::string& x) -> Task<std::string> {
                co_await other_turns();
                co_return x;
            });
            app.get("/task-function/:name", free_coroutine_without_context);
            app.get("/worker/:n", [](int n) { return n * n; }).worker();
            app.get("/worker-task/:n",
                    [](int n) -> Task<int> {
                        co_await sake::yield();
                        co_return n* n;
                    })
                .worker();
            app.get("/throws", [] { throw sake::HttpError(418); });
            app.not_found([] { return "nothing here"; });
        },
        [](TestServer& server) {
            CHECK(server.get("/lambda").body == "x");
            CHECK(server.get("/nothing").status == 200);
            CHECK(server.get("/nothing").body.empty());
            CHECK(server.get("/param/41").body == "42");
            CHECK(error_detail(server, "/param/x") == "400 path parameter 'id' is not an integer in range");
            CHECK(server.get("/two/%41/b/c").body == "A|b/c");
            CHECK(server.get("/function").body == "no context");
            CHECK(server.get("/pointer/3/4").body == "7");
            CHECK(server.get("/functor/5").body == "15");
            CHECK(server.get("/std/21").body == "42");
            CHECK(server.get("/mutable").body == "1");
            CHECK(server.get("/mutable").body == "2");
            CHECK(server.get("/moved").body == "only moved");
            CHECK(server.get("/ignored/a/b").body == "parameters are not asked for");
            CHECK(server.get("/task").status == 200);
            CHECK(server.get("/task-text").body == "task");
            CHECK(server.get("/task-param/" + std::string(200, 'p')).body == std::string(200, 'p'));
            CHECK(server.get("/task-function/you").body == "hello you");
            CHECK(server.get("/worker/12").body == "144");
            CHECK(server.get("/worker-task/12").body == "144");
            CHECK(server.get("/throws").status == 418);
            CHECK(server.get("/none").status == 404);
            CHECK(server.get("/none").body == "nothing here");
        });
}

TEST_CASE("a returned value with a JSON form is JSON, text is text") {
    with_server(
        [](sake::Engine& app) {
            app.get("/map", [] { return std::map<std::string, int>{{"a", 1}, {"b", 2}}; });
            app.get("/vector", [] { return std::vector<int>{1, 2, 3}; });
            app.get("/int", [] { return 42; });
            app.get("/negative", [] { return std::int64_t{-5'000'000'000}; });
            app.get("/bool", [] { return true; });
            app.get("/double", [](Context&) { return 2.5; });
            app.get("/struct", [] { return Note{7, "text"}; });
            app.get("/structs", [] { return std::vector<Note>{{1, "a"}, {2, "b"}}; });
            app.get("/const-ref", [kept = Note{8, "kept"}]() -> const Note& { return kept; });
            app.get("/null", [] { return nullptr; });
            app.get("/empty", [] { return std::vector<int>(); });
            app.get("/status", [](Context& ctx) {
                ctx.status(201).set_header("X-Set", "yes");
                return Note{9, "made"};
            });
            app.get("/task-map", []() -> Task<std::map<std::string, int>> {
                co_await other_turns();
                co_return std::map<std::string, int>{{"a", 1}};
            });
            app.get("/task-vector/:n", [](int n) -> Task<std::vector<int>> {
                co_await other_turns();
                co_return std::vector<int>(static_cast<std::size_t>(n), n);
            });
            app.get("/task-int", []() -> Task<int> { co_return 42; });
            app.get("/task-bool", [](Context&) -> Task<bool> { co_return false; });
            app.get("/task-struct", []() -> Task<Note> {
                co_await other_turns();
                co_return Note{7, "later"};
            });
            app.get("/worker", [] { return Note{7, "worker"}; }).worker();

            app.get("/literal", [] { return "text"; });
            app.get("/array", [] {
                static const char text[] = "array";
                return text;
            });
            app.get("/string", [] { return std::string("string"); });
            app.get("/view", [] { return std::string_view("view"); });
            app.get("/const-string", [kept = std::string("kept")]() -> const std::string& { return kept; });
            app.get("/as-text", [] { return Text{}; });
            app.get("/task-literal", []() -> Task<const char*> { co_return "task literal"; });
            app.get("/task-view", []() -> Task<std::string_view> { co_return "task view"; });
        },
        [](TestServer& server) {
            struct Row {
                const char* path;
                const char* body;
            };
            for (const Row& row : {Row{"/map", R"({"a":1,"b":2})"},
                                   {"/vector", "[1,2,3]"},
                                   {"/int", "42"},
                                   {"/negative", "-5000000000"},
                                   {"/bool", "true"},
                                   {"/double", "2.5"},
                                   {"/struct", R"({"id":7,"text":"text"})"},
                                   {"/structs", R"([{"id":1,"text":"a"},{"id":2,"text":"b"}])"},
                                   {"/const-ref", R"({"id":8,"text":"kept"})"},
                                   {"/null", "null"},
                                   {"/empty", "[]"},
                                   {"/status", R"({"id":9,"text":"made"})"},
                                   {"/task-map", R"({"a":1})"},
                                   {"/task-vector/3", "[3,3,3]"},
                                   {"/task-int", "42"},
                                   {"/task-bool", "false"},
                                   {"/task-struct", R"({"id":7,"text":"later"})"},
                                   {"/worker", R"({"id":7,"text":"worker"})"}}) {
                CAPTURE(std::string(row.path));
                const Response response = server.get(row.path);
                CHECK(response.body == row.body);
                CHECK(response.header("Content-Type") == "application/json");
                CHECK(response.status == (std::string_view(row.path) == "/status" ? 201 : 200));
            }
            for (const Row& row : {Row{"/literal", "text"},
                                   {"/array", "array"},
                                   {"/string", "string"},
                                   {"/view", "view"},
                                   {"/const-string", "kept"},
                                   {"/as-text", "as text"},
                                   {"/task-literal", "task literal"},
                                   {"/task-view", "task view"}}) {
                CAPTURE(std::string(row.path));
                const Response response = server.get(row.path);
                CHECK(response.body == row.body);
                CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
            }
        });
}

}  // namespace test_handler
