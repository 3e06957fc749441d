// A call that no socket brought: built field by field, built anew from a worker's document, found its route.
#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake.hpp"
#include "support/machinery.hpp"

namespace test_call {

using sake::Context;
using sake::Json;
using sake::WorkerContext;
using sake::detail::Call;
using sake::detail::CallBuilder;
using sake::detail::Handler;
using sake::detail::Method;
using sake::detail::Refusal;
using sake::detail::RouteEntry;
using sake::detail::RouteTable;
namespace detail = sake::detail;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// A table of routes that serves calls.
struct Routes {
    Routes() {
        table.set_fallback(Handler([](Context& ctx) { ctx.text(404, "none"); }));
    }
    RouteEntry& add(std::string_view method, std::string_view pattern) {
        return table.add(table.root(), method, {pattern, 0, __FILE__, __LINE__}, Handler([](Context&) {}));
    }
    RouteEntry& add_worker(std::string_view method, std::string_view pattern) {
        RouteEntry& entry = add(method, pattern);
        entry.route.worker();
        return entry;
    }
    RouteTable table;
};

/// Builds the call from texts that do not outlive the building. The reason if it is refused.
const Refusal* build(Call& call, const std::string& method, const std::string& target,
                     const Fields& fields = {}) {
    CallBuilder builder(call);
    builder.begin(std::string(method), std::string(target));
    for (const auto& [name, value] : fields) builder.field(std::string(name), std::string(value));
    return builder.end();
}

Fields fields_of(const Call& call) {
    Fields fields;
    for (const auto& [name, value] : call.context.headers()) fields.emplace_back(name, value);
    return fields;
}

std::string every_byte() {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    return bytes;
}

/// A pattern and a target that it takes.
Call& routed(Call& call, Routes& routes, const std::string& method, const std::string& target,
             const Fields& fields = {}) {
    REQUIRE(build(call, method, target, fields) == nullptr);
    routes.table.route(call);
    return call;
}

}  // namespace

TEST_CASE("a call that is built field by field keeps copies of all that it was given") {
    Routes routes;
    routes.add("POST", "/users/:id/*rest");
    Call call;
    const Fields fields = {
        {"Host", "example.com:81"}, {"X-Twice", "1"}, {"x-twice", "2"}, {"X-Empty", ""}, {"Cookie", "a=b"}};
    routed(call, routes, "POST", "/users/%41b/c/d%2Fe?q=1+2&q=3", fields);
    Context& ctx = call.context;
    CHECK(ctx.method() == "POST");
    CHECK(call.request.known_method == Method::post);
    CHECK(ctx.target() == "/users/%41b/c/d%2Fe?q=1+2&q=3");
    CHECK(ctx.path() == "/users/Ab/c/d/e");
    CHECK(ctx.query_string() == "q=1+2&q=3");
    CHECK(ctx.queries("q") == std::vector<std::string_view>{"1 2", "3"});
    CHECK(ctx.host() == "example.com:81");
    CHECK(ctx.header("X-TWICE") == "1");
    CHECK(ctx.find_header("x-empty") == "");
    CHECK(ctx.cookie("a") == "b");
    CHECK((fields_of(call) == fields));
    CHECK(ctx.route() == "/users/:id/*rest");
    CHECK(ctx.param("id") == "Ab");
    CHECK(ctx.param("rest") == "c/d/e");
}

TEST_CASE("many fields, short and long, are kept though the memory behind them moves") {
    Call call;
    Fields fields;
    for (int i = 0; i < 300; ++i) {
        fields.emplace_back("X-" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
    }
    REQUIRE(build(call, "PROPFIND", "/", fields) == nullptr);
    CHECK(call.context.method() == "PROPFIND");
    CHECK(call.request.known_method == Method::other);
    CHECK((fields_of(call) == fields));
}

TEST_CASE("a call is built again after clear, and nothing of the last request is left in it") {
    Routes routes;
    routes.add("GET", "/first/:id");
    routes.add("GET", "/second");
    Call call;
    for (int round = 0; round < 3; ++round) {
        routed(call, routes, "GET", "/first/%37?a=1", {{"X-First", "1"}, {"Host", "one"}});
        CHECK(call.context.param<int>("id") == 7);
        CHECK(call.context.headers().size() == 2);
        call.context.set("key", 1);
        call.context.state<int>() = 7;
        call.context.after([](Context&) {});
        call.context.abort(401);
        call.clear();
        routed(call, routes, "GET", "/second", {{"Host", "two"}});
        CHECK(call.context.headers().size() == 1);
        CHECK_FALSE(call.context.find_header("X-First"));
        CHECK(call.context.host() == "two");
        CHECK(call.context.query_string() == "");
        CHECK_FALSE(call.context.find_param("id"));
        CHECK(call.context.get("key").is_null());
        CHECK(call.context.state<int>() == 0);
        CHECK(call.context.response().status() == 200);
        CHECK_FALSE(call.context.is_aborted());
        CHECK(call.afters.empty());
        call.clear();
    }
}

TEST_CASE("a head that was taken apart elsewhere is taken without a copy") {
    const std::string text = "GET /p?x=1 Host example.com";
    detail::Array<detail::FieldSlice> fields;
    fields.push_back({{11, 4}, {16, 11}});
    Call call;
    CallBuilder builder(call);
    builder.take(text.data(), Method::get, {0, 3}, {4, 6}, fields);
    REQUIRE(builder.end() == nullptr);
    CHECK(call.request.base == text.data());
    CHECK(call.context.method().data() == text.data());
    CHECK(call.context.path() == "/p");
    CHECK(call.context.query("x") == "1");
    CHECK(call.context.header("host") == "example.com");
    CHECK(call.request.storage.empty());
}

TEST_CASE("an https target is taken over a connection that is secured, and over no other") {
    for (const bool is_secured : {true, false}) {
        CAPTURE(is_secured);
        Call call;
        if (is_secured) call.place.scheme = "https";
        const Refusal* const refusal = build(call, "GET", "https://other/p?x=1", {{"Host", "other"}});
        CHECK(call.context.path() == "/p");
        CHECK(call.context.host() == "other");
        if (is_secured) {
            CHECK(refusal == nullptr);
            CHECK(call.context.scheme() == "https");
        } else {
            REQUIRE(refusal != nullptr);
            CHECK(refusal->status == 421);
        }
    }
}

TEST_CASE("the host of an absolute target counts, whatever the field says") {
    for (const bool is_taken : {false, true}) {
        CAPTURE(is_taken);
        Call call;
        const std::string text = "GET http://other:8080/p%20q?x=1 Host test";
        detail::Array<detail::FieldSlice> fields;
        fields.push_back({{32, 4}, {37, 4}});
        CallBuilder builder(call);
        if (is_taken) {
            builder.take(text.data(), Method::get, {0, 3}, {4, 27}, fields);
        } else {
            builder.begin("GET", "http://other:8080/p%20q?x=1");
            builder.field("Host", "test");
        }
        REQUIRE(builder.end() == nullptr);
        CHECK(call.context.host() == "other:8080");
        CHECK(call.context.header("Host") == "other:8080");
        CHECK(call.context.path() == "/p q");
        CHECK(call.context.query("x") == "1");
        CHECK(call.context.target() == "http://other:8080/p%20q?x=1");
    }
    Call without_field;
    REQUIRE(build(without_field, "GET", "HTTP://other") == nullptr);
    CHECK(without_field.context.host() == "other");
    CHECK(without_field.context.path() == "/");
    CHECK_FALSE(without_field.context.find_header("Host"));
}

TEST_CASE("OPTIONS of the whole server has the path of the asterisk") {
    for (const char* target : {"*", "http://example.com"}) {
        Call call;
        REQUIRE(build(call, "OPTIONS", target, {{"Host", "example.com"}}) == nullptr);
        CHECK(call.context.path() == "*");
    }
}

TEST_CASE("a target that is none is refused with 400, one of https with 421") {
    for (const char* target : {"", "x", "users", "*", "/%", "/%4", "/%zz", "/%00", "/%ff", "/a%C3",
                               "http:", "http://", "http:///x", "ftp://host/"}) {
        CAPTURE(std::string(target));
        Call call;
        const Refusal* const refusal = build(call, "GET", target);
        REQUIRE(refusal != nullptr);
        CHECK(refusal->status == 400);
        CHECK(refusal->reason == "the request target is not valid");
    }
    Call call;
    const Refusal* const refusal = build(call, "GET", "https://example.com/x", {{"Host", "example.com"}});
    REQUIRE(refusal != nullptr);
    CHECK(refusal->status == 421);
    CHECK(call.context.path() == "/x");
    call.clear();
    CHECK(build(call, "GET", "/") == nullptr);
}

TEST_CASE("a percent sign that begins no escape is itself in every way to ask for a query parameter") {
    Call call;
    REQUIRE(build(call, "GET", "/?tag=a&tag=%zz&bad=%4&100%=1") == nullptr);
    Context& ctx = call.context;
    CHECK(ctx.query("tag") == "a");
    CHECK(ctx.queries("tag") == std::vector<std::string_view>{"a", "%zz"});
    CHECK(ctx.query("bad") == "%4");
    CHECK(ctx.query("bad", "fallback") == "%4");
    CHECK(ctx.find_query("bad") == "%4");
    CHECK(ctx.query<std::string>("bad") == "%4");
    CHECK(ctx.query<int>("100%") == 1);
    CHECK_THROWS_AS(static_cast<void>(ctx.query<int>("bad", 7)), sake::HttpError);
}

// --- The table ---

TEST_CASE("a route is found again by its pattern and a method that it takes") {
    Routes routes;
    const RouteEntry& get = routes.add("GET", "/a/:id");
    const RouteEntry& post = routes.add("POST", "/a/:id");
    const RouteEntry& any = routes.add("*", "/a/:id");
    const RouteEntry& head = routes.add("HEAD", "/b");
    const RouteEntry& get_b = routes.add("GET", "/b");
    const RouteEntry& rest = routes.add("*", "/c");
    const RouteTable& table = routes.table;
    CHECK(table.find("/a/:id", "GET") == &get);
    CHECK(table.find("/a/:id", "POST") == &post);
    CHECK(table.find("/a/:id", "HEAD") == &get);
    CHECK(table.find("/a/:id", "DELETE") == &any);
    CHECK(table.find("/a/:id", "PROPFIND") == &any);
    CHECK(table.find("/b", "HEAD") == &head);
    CHECK(table.find("/b", "GET") == &get_b);
    CHECK(table.find("/b", "POST") == nullptr);
    CHECK(table.find("/c", "HEAD") == &rest);
    CHECK(table.find("/a/:other", "GET") == nullptr);
    CHECK(table.find("/a/7", "GET") == nullptr);
    CHECK(table.find("", "GET") == nullptr);
}

TEST_CASE("HEAD finds the route of GET whichever of it and of `any` was registered first") {
    for (const bool any_first : {false, true}) {
        Routes routes;
        if (any_first) routes.add("*", "/");
        const RouteEntry& get = routes.add("GET", "/");
        if (!any_first) routes.add("*", "/");
        CHECK(routes.table.find("/", "HEAD") == &get);
        Call call;
        CHECK(routed(call, routes, "HEAD", "/").route == &get);
    }
}

TEST_CASE("what no route takes goes to the fallback, whose pattern is empty") {
    Routes routes;
    routes.add("GET", "/a");
    Call call;
    routed(call, routes, "GET", "/b");
    CHECK(call.route == &routes.table.fallback());
    CHECK(call.context.route() == "");
    CHECK_FALSE(call.context.find_param("id"));
    CHECK(call.context.param("id", "none") == "none");
    CHECK_THROWS_AS(static_cast<void>(call.context.param("id")), std::out_of_range);
}

// --- The worker's document ---

TEST_CASE("W8 a call crosses as a document and is the same call on the other side, whatever its bytes") {
    Routes routes;
    const RouteEntry& route = routes.add_worker("POST", "/users/:id/*rest");
    routes.table.freeze(true);
    const std::string bytes = every_byte();
    std::string escaped;  // every byte that a path may hold
    for (int byte = 1; byte < 128; ++byte) {
        const char hex[] = "0123456789ABCDEF";
        escaped += {'%', hex[byte / 16], hex[byte % 16]};
    }
    Call call;
    routed(call, routes, "POST", "/users/" + escaped + "/%C3%A4/%2F%25?q=%00%FF&q",
           {{"Host", "h"}, {"X-Latin", "caf\xE9"}, {"x-latin", "\x80\xFF"}, {"Empty", ""}});
    call.request.body = bytes;
    call.remote_address = "2001:db8::1";
    call.context.set("user", Json{{"id", 7}});
    call.context.status(202).set_header("X-Set", "\xE9").send(bytes, "text/x-own; a=b");
    call.response.close = true;

    const WorkerContext document = sake::from_text<WorkerContext>(to_text(detail::describe_request(call)));
    CHECK(document.route == route.pattern());
    CHECK(document.params.at(0).first == "id");
    CHECK(document.params.at(1) == std::pair<std::string, std::string>("rest", "\xC3\xA4//%"));
    Call other;
    detail::build_call(other, route, WorkerContext(document));
    Context& ctx = other.context;
    CHECK(ctx.method() == "POST");
    CHECK(ctx.target() == call.context.target());
    CHECK((ctx.path() == call.context.path()));
    CHECK(ctx.query_string() == "q=%00%FF&q");
    CHECK((fields_of(other) == fields_of(call)));
    CHECK((ctx.body() == bytes));
    CHECK(ctx.remote_address() == "2001:db8::1");
    CHECK((ctx.param("id") == call.context.param("id")));
    CHECK(ctx.param("rest") == "\xC3\xA4//%");
    CHECK(ctx.route() == "/users/:id/*rest");
    CHECK(ctx.get("user") == Json{{"id", 7}});
    CHECK(ctx.response().status() == 202);
    CHECK(ctx.response().content_type() == "text/x-own; a=b");
    CHECK((ctx.response().body() == bytes));
    CHECK(ctx.response().headers().get("X-Set") == "\xE9");
    CHECK(other.response.close);
    // Only the handler is left to run.
    CHECK(other.position == route.chain().size());
    CHECK((detail::describe_request(other) == document));
}

TEST_CASE("W8 a HEAD is served by the route of GET on the other side too") {
    Routes routes;
    const RouteEntry& route = routes.add_worker("GET", "/x");
    Call call;
    routed(call, routes, "HEAD", "/x", {{"Host", "h"}});
    Call other;
    detail::build_call(other, route, detail::describe_request(call));
    CHECK(other.context.method() == "HEAD");
    CHECK(other.request.known_method == Method::head);
    CHECK(other.context.response().content_type() == "");
}

TEST_CASE("W8 the host of an absolute target has crossed as well") {
    Routes routes;
    const RouteEntry& route = routes.add_worker("GET", "/x");
    Call call;
    routed(call, routes, "GET", "http://other/x", {{"Host", "test"}});
    const WorkerContext document = detail::describe_request(call);
    Call other;
    detail::build_call(other, route, WorkerContext(document));
    CHECK(other.context.host() == "other");
    CHECK(other.context.header("Host") == "other");
    CHECK((detail::describe_request(other) == document));
}

TEST_CASE("W8 a document for another route, or of no request, is refused") {
    Routes routes;
    const RouteEntry& route = routes.add_worker("GET", "/users/:id");
    Call call;
    routed(call, routes, "GET", "/users/7", {{"Host", "h"}});
    const WorkerContext good = detail::describe_request(call);
    const auto refusal = [&](auto change) {
        WorkerContext document = good;
        change(document);
        Call other;
        try {
            detail::build_call(other, route, std::move(document));
            return std::string("taken");
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
    };
    const std::string other_route = "worker document: it is not for the route " + route.description();
    CHECK(refusal([](WorkerContext&) {}) == "taken");
    CHECK(refusal([](WorkerContext& d) { d.route = "/users/:name"; }) == other_route);
    CHECK(refusal([](WorkerContext& d) { d.route.clear(); }) == other_route);
    CHECK(refusal([](WorkerContext& d) { d.params.clear(); }) == other_route);
    CHECK(refusal([](WorkerContext& d) { d.params.emplace_back("more", "x"); }) == other_route);
    CHECK(refusal([](WorkerContext& d) { d.method = "POST"; }) == other_route);
    CHECK(refusal([](WorkerContext& d) { d.method = "HEAD"; }) == "taken");
    for (const char* target : {"", "users/7", "/%", "/%ff", "https://h/users/7", "/users/7\r\nX: y", "/a b",
                               "/users/7#x", "/\xff", "/users/7\n"}) {
        CAPTURE(std::string(target));
        CHECK(refusal([&](WorkerContext& d) { d.target = target; }) ==
              "worker document: it describes no request");
    }
}

TEST_CASE("W8 a document cannot reach a route that is no worker route, whose middleware would not run") {
    Routes routes;
    const RouteEntry& route = routes.add("GET", "/admin");
    Call call;
    routed(call, routes, "GET", "/admin", {{"Host", "h"}});
    Call other;
    CHECK_THROWS_WITH_AS(detail::build_call(other, route, detail::describe_request(call)),
                         ("worker document: this is not a worker route: " + route.description()).c_str(),
                         std::invalid_argument);
}

TEST_CASE("W8 a document is refused where the server would have refused its request") {
    Routes routes;
    RouteEntry& route = routes.add_worker("POST", "/users/:id");
    Call call;
    routed(call, routes, "POST", "/users/7", {{"Host", "h"}, {"X", "y"}});
    const WorkerContext good = detail::describe_request(call);
    const auto refusal = [&](auto change, const sake::Config& config = {}) {
        WorkerContext document = good;
        change(document);
        Call other;
        try {
            detail::build_call(other, route, std::move(document), detail::RequestLimits(config));
            return std::string("taken");
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
    };
    const std::string bad_field = "worker document: 'headers' has a field that is not valid";
    for (const Fields& fields :
         {Fields{{"X", "a\r\nb"}}, Fields{{"X", "a\nb"}}, Fields{{"X", std::string("a\0b", 3)}},
          Fields{{"X ", "a"}}, Fields{{"", "a"}}, Fields{{"X\r\nY", "a"}}, Fields{{"X:", "a"}},
          Fields{{"X", " a"}}, Fields{{"X", "a\t"}}}) {
        CHECK(refusal([&](WorkerContext& d) { d.headers = fields; }) == bad_field);
    }
    const std::string bad_host = "worker document: 'headers' has no valid Host";
    CHECK(refusal([](WorkerContext& d) { d.headers = {{"Host", "a b"}}; }) == bad_host);
    CHECK(refusal([](WorkerContext& d) { d.headers = {{"Host", "a"}, {"host", "a"}}; }) == bad_host);
    const std::string bad_params = "worker document: 'params' are not those of a path";
    CHECK(refusal([](WorkerContext& d) { d.params[0].first = "name"; }) == bad_params);
    CHECK(refusal([](WorkerContext& d) { d.params[0].second = "\xff"; }) == bad_params);
    CHECK(refusal([](WorkerContext& d) { d.params[0].second = std::string(1, '\0'); }) == bad_params);
    const std::string bad_address = "worker document: 'remote_address' is not one";
    CHECK(refusal([](WorkerContext& d) { d.remote_address = "1.2.3.4\r\n"; }) == bad_address);
    CHECK(refusal([](WorkerContext& d) { d.remote_address = "example.com"; }) == bad_address);
    CHECK(refusal([](WorkerContext& d) { d.remote_address = "2001:db8::1"; }) == "taken");
    for (const char* text :
         {"", "::::", "...", "dead", "1.2.3", "10.0.0.256", "[::1]", "fe80::1%eth0", "::1 "}) {
        CAPTURE(text);
        CHECK(refusal([&](WorkerContext& d) { d.remote_address = text; }) == bad_address);
        if (*text == '\0') continue;  // nobody says who the client is
        CHECK(refusal([&](WorkerContext& d) { d.client_ip = text; }) ==
              "worker document: 'client_ip' is not one");
    }
    CHECK(refusal([](WorkerContext& d) { d.remote_address = d.client_ip = "unix"; }) == "taken");
    const std::string bad_trace =
        "worker document: 'traceparent', 'tracestate' and 'parent_id' are not those of a trace";
    const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    CHECK(refusal([&](WorkerContext& d) { d.traceparent = trace; }) == "taken");
    CHECK(refusal([&](WorkerContext& d) { d.traceparent = "00-1"; }) == bad_trace);
    for (const char* id :
         {"b7ad6b716920333", "b7ad6b71692033311", "B7AD6B7169203331", "0000000000000000", "x"}) {
        CAPTURE(id);
        CHECK(refusal([&](WorkerContext& d) { d.traceparent = trace, d.parent_id = id; }) == bad_trace);
    }
    CHECK(refusal([&](WorkerContext& d) {
              d.traceparent = trace, d.tracestate = "a=1", d.parent_id = "b7ad6b7169203331";
          }) == "taken");
    CHECK(refusal([&](WorkerContext& d) { d.traceparent = trace, d.tracestate = "A=1"; }) == bad_trace);
    CHECK(refusal([&](WorkerContext& d) { d.traceparent = trace, d.tracestate = std::string(513, 'a'); }) ==
          bad_trace);
    CHECK(refusal([](WorkerContext& d) { d.tracestate = "a=1"; }) == bad_trace);
    CHECK(refusal([](WorkerContext& d) { d.parent_id = "b7ad6b7169203331"; }) == bad_trace);
    CHECK(refusal([&](WorkerContext& d) { d.request_id = std::string(128, 'a'); }) == "taken");
    CHECK(refusal([&](WorkerContext& d) { d.request_id = std::string(129, 'a'); }) ==
          "worker document: 'request_id' is not one");
    CHECK(refusal([&](WorkerContext& d) { d.request_id = "a\r\nb"; }) ==
          "worker document: 'request_id' is not one");
    CHECK(refusal([](WorkerContext& d) { d.values = Json::array(); }) ==
          "worker document: 'values' must be an object");

    const auto same = [](WorkerContext&) {};
    const sake::Config config;
    CHECK(refusal(same, sake::Config(config).with_max_header_count(2)) == "taken");
    CHECK(refusal(same, sake::Config(config).with_max_header_count(1)) ==
          "worker document: 'headers' are too many");
    CHECK(refusal(same, sake::Config(config).with_max_request_line(24)) == "taken");
    CHECK(refusal(same, sake::Config(config).with_max_request_line(23)) ==
          "worker document: 'method' and 'target' are too long");
    CHECK(refusal(same, sake::Config(config).with_max_header_block(12)) == "taken");
    CHECK(refusal(same, sake::Config(config).with_max_header_block(11)) ==
          "worker document: 'headers' are too large");
    const auto with_body = [](WorkerContext& d) { d.body = "12345"; };
    CHECK(refusal(with_body, sake::Config(config).with_max_body(5)) == "taken");
    CHECK(refusal(with_body, sake::Config(config).with_max_body(4)) ==
          "worker document: 'body' is too large");
    route.route.max_body(5);
    CHECK(refusal(with_body, sake::Config(config).with_max_body(4)) == "taken");
}

TEST_CASE("W8 a response from another process passes the checks of what handlers set") {
    const auto refusal = [&](auto change) {
        sake::WorkerResponse document;
        document.status = 201;
        document.headers = {{"X-Good", "1"}};
        change(document);
        detail::Response response;
        response.headers.set("X-Before", "1");
        try {
            detail::apply_response(response, std::move(document));
            return "taken" + std::string(response.close ? ", close" : "");
        } catch (const std::invalid_argument& error) {
            CHECK(response.status == 200);  // as it was
            CHECK(response.headers.get("X-Before") == "1");
            CHECK_FALSE(response.headers.get("X-Good").has_value());
            return std::string(error.what());
        }
    };
    using sake::WorkerResponse;
    CHECK(refusal([](WorkerResponse&) {}) == "taken");
    for (const char* name :
         {"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer"}) {
        CHECK(refusal([&](WorkerResponse& d) { d.headers.emplace_back(name, "5"); }) ==
              "header " + std::string(name) + " is set by the server itself");
    }
    CHECK(refusal([](WorkerResponse& d) { d.headers.emplace_back("connection", "close"); }) ==
          "taken, close");
    CHECK(refusal([](WorkerResponse& d) {
              d.headers.emplace_back("X", "a\r\nY: b");
          }).find("carriage return") != std::string::npos);
    CHECK(refusal([](WorkerResponse& d) { d.headers.emplace_back("X\n", "a"); }).find("line feed") !=
          std::string::npos);
    CHECK(refusal([](WorkerResponse& d) { d.content_type = "text/html\r\nX: y"; }).find("carriage return") !=
          std::string::npos);
    for (const int status : {101, 199, 600, -1}) {
        CHECK(refusal([&](WorkerResponse& d) { d.status = status; }) ==
              "status: " + std::to_string(status) + " is not in 200 to 599");
    }
}

TEST_CASE("W8 what a handler of another process threw becomes the error that it was") {
    CHECK_THROWS_WITH_AS(detail::throw_error_of(404, "no such user"), "no such user", sake::HttpError);
    CHECK_THROWS_WITH_AS(detail::throw_error_of(500, "a file is missing"), "a file is missing",
                         std::runtime_error);
    CHECK_THROWS_WITH_AS(detail::throw_error_of(200, "a file is missing"), "a file is missing",
                         std::runtime_error);
}

// --- Objects of a request ---

TEST_CASE("a call has one object of each type, made at the first call and destroyed in reverse order") {
    std::vector<std::string> ends;
    struct First {
        First() = default;
        First(const First&) = delete;
        First& operator=(const First&) = delete;
        ~First() {
            if (log != nullptr) log->emplace_back("first");
        }
        std::vector<std::string>* log = nullptr;
    };
    struct Second {
        ~Second() {
            if (log != nullptr) log->emplace_back("second");
        }
        std::vector<std::string>* log = nullptr;
    };
    {
        Call call;
        Context& ctx = call.context;
        First& first = ctx.state<First>();
        first.log = &ends;
        ctx.state<Second>().log = &ends;
        for (int i = 0; i < 20; ++i) static_cast<void>(ctx.state<std::string>());
        ctx.state<int>() = 7;
        CHECK(&ctx.state<First>() == &first);
        CHECK(ctx.state<int>() == 7);
        CHECK(ctx.state<unsigned>() == 0);
        CHECK(ends.empty());
        call.clear();
        CHECK(ends == std::vector<std::string>{"second", "first"});
        CHECK(ctx.state<First>().log == nullptr);
        ctx.state<First>().log = &ends;
    }
    CHECK(ends.size() == 3);
}

TEST_CASE("a type whose constructor throws has no object, and is made at the next try") {
    static bool is_broken;
    struct Fragile {
        Fragile() {
            if (is_broken) throw std::runtime_error("not now");
        }
        std::string text = "whole";
    };
    is_broken = true;
    Call call;
    CHECK_THROWS_AS(static_cast<void>(call.context.state<Fragile>()), std::runtime_error);
    is_broken = false;
    CHECK(call.context.state<Fragile>().text == "whole");
}

}  // namespace test_call
