// The OpenAPI document: what stands in it, where it comes from, and how it is served.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sake.hpp"
#include "support/client_fixture.hpp"
#include "support/machinery.hpp"
#include "support/observed.hpp"
#include "support/sample_api.hpp"

namespace test_openapi {

using namespace harness;
using sake::Engine;
using sake::Json;

namespace {

const sake::ApiInfo small_info{.title = "Notes", .version = "1.0"};

Json document_of(Engine& app, const sake::ApiInfo& info = small_info) {
    return Json::parse(app.openapi_document(info));
}

/// The document of an engine with these routes.
template <class Setup>
Json document_of(Setup setup) {
    Engine app;
    setup(app);
    return document_of(app);
}

std::vector<std::string> keys(const Json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
}
using Names = std::vector<std::string>;

/// The schema of a T where it is the answer of a route, and of the types that it uses.
template <class T>
struct SchemaOf {
    SchemaOf() {
        Engine app;
        sake::Route& route = app.get("/", [](sake::Context&) {});
        route.responds<T>(200);
        const Json document = document_of(app);
        schema = document["paths"]["/"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        named = document["components"]["schemas"];
    }
    Json schema;
    Json named;
};
template <class T>
Json schema_of() {
    return SchemaOf<T>().schema;
}

}  // namespace

// --- The whole ---

TEST_CASE("the document of an API of every kind is what was recorded") {
    Engine app;
    sample::add_all(app);
    const std::string document = app.openapi_document(sample::api_info()) + "\n";
    const auto path = std::filesystem::path(__FILE__).parent_path() / "golden" / "openapi.json";
    const char* const mode = std::getenv("SAKE_GOLDEN");
    if (mode != nullptr && std::string_view(mode) == "record") {
        std::ofstream(path, std::ios::binary) << document;
        return;
    }
    std::ifstream file(path, std::ios::binary);
    const std::string recorded{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    CHECK(document == recorded);
}

TEST_CASE("the order in which routes are registered changes nothing") {
    Engine one;
    sample::add_notes(one);
    sample::add_types(one);
    sample::add_others(one);
    Engine other;
    sample::add_others(other);
    sample::add_types(other);
    sample::add_notes(other);
    CHECK(one.openapi_document(sample::api_info()) == other.openapi_document(sample::api_info()));
}

TEST_CASE("an API without routes has a document") {
    const Json document = document_of([](Engine&) {});
    CHECK(document == Json{{"openapi", "3.1.0"},
                           {"info", {{"title", "Notes"}, {"version", "1.0"}}},
                           {"servers", {{{"url", "/"}}}},
                           {"paths", Json::object()},
                           {"components", Json::object()},
                           {"security", Json::array()}});
}

TEST_CASE("an API needs a title and a version") {
    Engine app;
    CHECK_THROWS_AS(app.openapi("/openapi.json", {.title = "", .version = "1"}), std::invalid_argument);
    CHECK(thrown_by<std::invalid_argument>([&] {
              static_cast<void>(app.openapi_document({.title = "a", .version = ""}));
          }) == "openapi: the title and the version of an API must not be empty");
}

TEST_CASE("hostile texts are texts in the document") {
    const std::string hostile = "\"</script>\\\n\x01\xE2\x80\xA8 {}$ref";
    Engine app;
    app.get("/", [] { return 1; })
        .summary(hostile)
        .description(hostile)
        .tag(hostile)
        .operation_id(hostile)
        .security(hostile)
        .responds(404, hostile);
    const Json document = document_of(
        app, {.title = hostile, .version = hostile, .security = {sake::SecurityScheme::basic(hostile)}});
    CHECK(document["info"]["title"] == hostile);
    const Json& operation = document["paths"]["/"]["get"];
    for (const char* name : {"summary", "description", "operationId"}) CHECK(operation[name] == hostile);
    CHECK(operation["tags"] == Json{hostile});
    CHECK(operation["security"] == Json{{{hostile, Json::array()}}});
    CHECK(operation["responses"]["404"]["description"] == hostile);
    CHECK(document["tags"] == Json{{{"name", hostile}}});
    CHECK(document["components"]["securitySchemes"].contains(hostile));
}

TEST_CASE("bytes that are not UTF-8 are replaced") {
    const Json document = document_of([](Engine& app) {
        app.get("/", [] { return 1; })
            .summary(
                "a\xFF"
                "b");
    });
    CHECK(document["paths"]["/"]["get"]["summary"] ==
          "a\xEF\xBF\xBD"
          "b");
}

// --- Routes ---

TEST_CASE("what is hidden, what OpenAPI has no place for, and what serves files is left out") {
    Engine app;
    app.get("/a", [] { return 1; });
    app.get("/b", [] { return 1; }).hidden();
    app.get("/c", [] { return 1; }).hidden().hidden(false);
    app.any("/d", [] { return 1; });
    app.query("/e", [] { return 1; });
    app.route("PROPFIND", "/f", [] { return 1; });
    app.static_files("/g", sake::embed({{"index.html", std::string_view("hello")}}));
    app.openapi("/openapi.json", small_info);
    CHECK(keys(document_of(app)["paths"]) == Names{"/a", "/c"});
}

TEST_CASE("routes stand in the order of their paths, and of a path in that of OpenAPI's methods") {
    Engine app;
    for (const char* path : {"/b", "/a/:id", "/a"}) {
        for (const char* method : {"TRACE", "PATCH", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "GET"})
            app.route(method, sake::runtime(path), [](sake::Context&) {});
    }
    const auto document = nlohmann::ordered_json::parse(app.openapi_document(small_info));
    Names paths;
    for (const auto& [path, methods] : document["paths"].items()) {
        paths.push_back(path);
        Names names;
        for (const auto& [method, operation] : methods.items()) names.push_back(method);
        CHECK(names == Names{"get", "put", "post", "delete", "options", "head", "patch", "trace"});
    }
    CHECK(paths == Names{"/a", "/a/{id}", "/b"});
}

TEST_CASE("a path has one set of names, that of its first method") {
    const Json document = document_of([](Engine& app) {
        app.del("/users/:name/:part", [](int, bool) {});
        app.get("/users/:id/:x", [](const std::string&, double) { return 1; });
    });
    CHECK(keys(document["paths"]) == Names{"/users/{id}/{x}"});
    const Json& path = document["paths"]["/users/{id}/{x}"];
    CHECK(path["get"]["operationId"] == "get_users_id_x");
    CHECK(path["delete"]["operationId"] == "delete_users_name_part");
    CHECK(
        path["delete"]["parameters"][0] ==
        Json{
            {"name", "id"},
            {"in", "path"},
            {"required", true},
            {"schema",
             {{"type", "integer"}, {"format", "int32"}, {"minimum", -2147483648}, {"maximum", 2147483647}}}});
    CHECK(path["delete"]["parameters"][1]["schema"] == Json{{"type", "boolean"}});
    CHECK(path["get"]["parameters"][0]["schema"] == Json{{"type", "string"}});
    CHECK(path["get"]["parameters"][1]["schema"] == Json{{"type", "number"}, {"format", "double"}});
}

TEST_CASE("a parameter of one segment hides the rest of a path, whichever is registered first") {
    for (const bool rest_first : {false, true}) {
        Engine app;
        if (rest_first) app.get("/files/*rest", [] { return 1; });
        app.get("/files/:id", [] { return 1; });
        if (!rest_first) app.get("/files/*rest", [] { return 1; });
        app.put("/files/*rest", [] { return 1; });
        const Json document = document_of(app);
        CHECK(keys(document["paths"]) == Names{"/files/{id}"});
        CHECK(document["paths"]["/files/{id}"]["get"]["operationId"] == "get_files_id");
        CHECK(document["paths"]["/files/{id}"]["put"]["operationId"] == "put_files_rest");
    }
}

TEST_CASE("operation ids are made of method and pattern, and each is there once") {
    Engine app;
    app.get("/", [] { return 1; });
    app.get("/users/:id", [] { return 1; });
    app.get("/users/id", [] { return 1; });
    app.get("/users-id", [] { return 1; });
    app.get("/a/b.c/*rest", [] { return 1; });
    app.get("/x", [] { return 1; }).operation_id("get_y");
    app.get("/y", [] { return 1; });
    const Json document = document_of(app);
    const auto id = [&](const char* path) { return document["paths"][path]["get"]["operationId"]; };
    CHECK(id("/") == "get_root");
    CHECK(id("/users-id") == "get_users_id");
    CHECK(id("/users/id") == "get_users_id_2");
    CHECK(id("/users/{id}") == "get_users_id_3");
    CHECK(id("/a/b.c/{rest}") == "get_a_b_c_rest");
    CHECK(id("/x") == "get_y");
    CHECK(id("/y") == "get_y_2");
}

TEST_CASE("the same operation id twice is an error that names both routes") {
    Engine app;
    app.get("/a", [] { return 1; }).operation_id("same");
    app.put("/b", [] { return 1; }).operation_id("same");
    const std::string words =
        thrown_by<std::invalid_argument>([&] { static_cast<void>(app.openapi_document(small_info)); });
    CHECK(words.starts_with("openapi: the operation id 'same' is that of GET /a ("));
    CHECK(words.find(" and of PUT /b (") != std::string::npos);
}

TEST_CASE("a route is set in one chain") {
    Engine app;
    app.get("/", [](sake::Context&) {})
        .summary("Short")
        .description("Long")
        .tag("one")
        .tag("two")
        .tag("one")
        .operation_id("root")
        .deprecated()
        .responds(204)
        .responds(302, "Elsewhere")
        .responds<std::string>(200, "A text")
        .responds<sample::Color>(201, "A color")
        .responds<Json>(202, "Whatever")
        .responds(409, "A conflict")
        .responds<int>(503, "The seconds to wait");
    const Json document = document_of(app);
    const Json& operation = document["paths"]["/"]["get"];
    CHECK(operation["summary"] == "Short");
    CHECK(operation["description"] == "Long");
    CHECK(operation["tags"] == Json{"one", "two"});
    CHECK(operation["deprecated"] == true);
    const Json& responses = operation["responses"];
    CHECK(keys(responses) == Names{"200", "201", "202", "204", "302", "409", "503", "default"});
    CHECK(responses["200"] ==
          Json{{"description", "A text"}, {"content", {{"text/plain", {{"schema", {{"type", "string"}}}}}}}});
    CHECK(responses["201"]["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Color");
    CHECK(responses["202"]["content"]["application/json"]["schema"] == Json::object());
    CHECK(responses["204"] == Json{{"description", "No Content"}});
    CHECK(responses["302"] == Json{{"description", "Elsewhere"}});
    CHECK(responses["409"]["content"]["application/problem+json"]["schema"]["$ref"] ==
          "#/components/schemas/Problem");
    CHECK(responses["503"]["content"]["application/json"]["schema"]["type"] == "integer");
}

TEST_CASE("a status is from 100 to 599, and the last that is said of it holds") {
    Engine app;
    sake::Route& route = app.get("/", [](sake::Context&) {});
    for (const int code : {-1, 0, 99, 600}) CHECK_THROWS_AS(route.responds(code), std::invalid_argument);
    const std::string words = thrown_by<std::invalid_argument>([&] { route.responds<int>(600); });
    CHECK(words.ends_with("responds: 600 is not a status: it must be from 100 to 599"));
    route.responds(100, "a").responds(599, "b").responds(599, "c");
    const Json responses = document_of(app)["paths"]["/"]["get"]["responses"];
    CHECK(keys(responses) == Names{"100", "599", "default"});
    CHECK(responses["599"]["description"] == "c");
}

TEST_CASE("names of a route must not be empty") {
    Engine app;
    sake::Route& route = app.get("/", [](sake::Context&) {});
    CHECK_THROWS_AS(route.tag(""), std::invalid_argument);
    CHECK_THROWS_AS(route.operation_id(""), std::invalid_argument);
    CHECK(thrown_by<std::invalid_argument>([&] { route.security(""); }).ends_with(": security needs a text"));
}

TEST_CASE("while the engine serves, what is said of a route stands") {
    Engine app;
    sake::Route& route = app.get("/", [](sake::Context&) {});
    const sake::TestClient client(app);
    CHECK_THROWS_AS(route.summary("a"), std::logic_error);
    CHECK_THROWS_AS(route.description("a"), std::logic_error);
    CHECK_THROWS_AS(route.tag("a"), std::logic_error);
    CHECK_THROWS_AS(route.operation_id("a"), std::logic_error);
    CHECK_THROWS_AS(route.responds(200), std::logic_error);
    CHECK_THROWS_AS(route.security("a"), std::logic_error);
    CHECK_THROWS_AS(route.deprecated(), std::logic_error);
    CHECK_THROWS_AS(route.hidden(), std::logic_error);
}

TEST_CASE("a security scheme is described, and known where a route names it") {
    Engine app;
    app.get("/", [] { return 1; }).security("token").security("key");
    const sake::ApiInfo info{
        .title = "a",
        .version = "1",
        .security = {sake::SecurityScheme::bearer("token"), sake::SecurityScheme::basic("login"),
                     sake::SecurityScheme::api_key("key", "X-Key")}};
    const Json document = document_of(app, info);
    CHECK(document["components"]["securitySchemes"] ==
          Json{{"token", {{"type", "http"}, {"scheme", "bearer"}}},
               {"login", {{"type", "http"}, {"scheme", "basic"}}},
               {"key", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Key"}}}});
    CHECK(document["paths"]["/"]["get"]["security"] ==
          Json::array({{{"token", Json::array()}}, {{"key", Json::array()}}}));
    app.get("/other", [] { return 1; }).security("tokn");
    CHECK(thrown_by<std::invalid_argument>([&] {
              document_of(app, info);
          }).ends_with(" needs the security scheme 'tokn': add it to ApiInfo::security"));
}

TEST_CASE("tags stand in the order of the info, then in that of the routes") {
    Engine app;
    app.get("/b", [] { return 1; }).tag("three").tag("two");
    app.get("/a", [] { return 1; }).tag("four");
    const sake::ApiInfo info{.title = "a", .version = "1", .tags = {{"one", "The first"}, {"two"}}};
    CHECK(document_of(app, info)["tags"] == Json::array({{{"name", "one"}, {"description", "The first"}},
                                                         {{"name", "two"}},
                                                         {{"name", "four"}},
                                                         {{"name", "three"}}}));
}

TEST_CASE("a group documents its own routes, with their whole paths") {
    Engine app;
    app.get("/outside", [] { return 1; });
    sake::RouterGroup group = app.group("/v1");
    group.get("/inside", [] { return 1; });
    group.group("/deeper").get("/:id", [] { return 1; });
    group.openapi("/openapi.json", small_info);
    CHECK(keys(Json::parse(group.openapi_document(small_info))["paths"]) ==
          Names{"/v1/deeper/{id}", "/v1/inside"});
    CHECK(keys(document_of(app)["paths"]) == Names{"/outside", "/v1/deeper/{id}", "/v1/inside"});
    sake::TestClient client(app);
    CHECK(keys(client.get("/v1/openapi.json").json()["paths"]).size() == 2);
}

// --- What is read and answered ---

struct Paging {
    int offset = 0;
    int limit = 20;
    std::optional<sample::Color> color;
    std::vector<std::string> words;
};

TEST_CASE("the members of a query are parameters, and what is read says which refusals there are") {
    const Json document = document_of([](Engine& app) {
        app.get("/", [](sake::Query<Paging>) {});
        app.get("/path/:id", [](int) {});
        app.get("/text/:id", [](const std::string&) {});
        app.post("/body", [](sake::Body<sample::Small>) {});
        app.post("/form", [](sake::FormBody<sample::Login>) {});
    });
    const Json& paths = document["paths"];
    const Json integer{
        {"type", "integer"}, {"format", "int32"}, {"minimum", -2147483648}, {"maximum", 2147483647}};
    Json limit = integer;
    limit["default"] = 20;
    CHECK(paths["/"]["get"]["parameters"] ==
          Json::array(
              {{{"name", "offset"}, {"in", "query"}, {"required", true}, {"schema", integer}},
               {{"name", "limit"}, {"in", "query"}, {"schema", limit}},
               {{"name", "color"}, {"in", "query"}, {"schema", {{"$ref", "#/components/schemas/Color"}}}},
               {{"name", "words"},
                {"in", "query"},
                {"schema", {{"type", "array"}, {"items", {{"type", "string"}}}}}}}));
    CHECK_FALSE(document["components"]["schemas"].contains("Paging"));
    CHECK(keys(paths["/"]["get"]["responses"]) == Names{"200", "400", "422", "default"});
    CHECK(keys(paths["/path/{id}"]["get"]["responses"]) == Names{"200", "400", "default"});
    CHECK(keys(paths["/text/{id}"]["get"]["responses"]) == Names{"200", "default"});
    const Names all{"200", "400", "413", "415", "422", "default"};
    CHECK(keys(paths["/body"]["post"]["responses"]) == all);
    CHECK(keys(paths["/form"]["post"]["responses"]) == all);
    CHECK(paths["/body"]["post"]["requestBody"] ==
          Json{{"required", true},
               {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Small"}}}}}}}});
    CHECK(keys(paths["/form"]["post"]["requestBody"]["content"]) ==
          Names{"application/x-www-form-urlencoded", "multipart/form-data"});
    CHECK(paths["/body"]["post"]["responses"]["422"] ==
          Json{{"$ref", "#/components/responses/UnprocessableContent"}});
    CHECK(document["components"]["responses"]["UnprocessableContent"]["content"]["application/problem+json"]
                  ["schema"] == Json{{"$ref", "#/components/schemas/ValidationProblem"}});
}

struct Texts {
    bool is_on = false;
    bool is_off = true;
    std::vector<int> some;
    std::vector<int> at_least_one;
    std::vector<int> given = {1, 2};
    std::array<int, 2> both{};
    std::optional<int> maybe;
    std::string text;
};

}  // namespace test_openapi

template <>
inline constexpr auto sake::rules<test_openapi::Texts> = sake::fields(
    sake::items(&test_openapi::Texts::at_least_one, 1, 9), sake::items(&test_openapi::Texts::given, 1, 9),
    sake::no_other_members<test_openapi::Texts>());

namespace test_openapi {

TEST_CASE("a form demands what its reader demands, and has no null") {
    Engine app;
    app.post("/", [](sake::FormBody<Texts>) {}).responds<Texts>(200);
    const Json document = document_of(app);
    const Json& content = document["paths"]["/"]["post"]["requestBody"]["content"];
    const Json& form = content["multipart/form-data"]["schema"];
    CHECK(form == content["application/x-www-form-urlencoded"]["schema"]);
    CHECK(form["required"] == Json{"at_least_one", "both", "text"});
    CHECK(form["properties"]["maybe"]["type"] == "integer");
    CHECK(form["additionalProperties"] == false);
    const Json& json = document["components"]["schemas"]["Texts"];
    CHECK(json["required"] == Json{"is_on", "some", "at_least_one", "both", "text"});
    CHECK(json["properties"]["maybe"]["type"] == Json{"integer", "null"});
    CHECK(json["additionalProperties"] == false);

    // The reader agrees.
    sake::TestClient client(app);
    const auto status = [&](std::string_view text) {
        return client.post("/", text, {{"Content-Type", "application/x-www-form-urlencoded"}}).status;
    };
    CHECK(status("at_least_one=1&both=1&both=2&text=") == 200);
    CHECK(status("at_least_one=1&both=1&both=2&text=&more=1") == 422);
    CHECK(status("at_least_one=1&both=1&text=") == 422);
    CHECK(status("at_least_one=1&both=1&both=2") == 422);
    CHECK(status("both=1&both=2&text=") == 422);
}

TEST_CASE("what a handler returns is the answer, unless the program says something else of that status") {
    const Json document = document_of([](Engine& app) {
        app.get("/text", [] { return std::string(); });
        app.get("/note", [] { return sample::Small(); });
        app.post("/made", [] { return sake::Created<sample::Small>({}); });
        app.get("/later", []() -> sake::Task<std::vector<int>> { co_return std::vector<int>(); });
        app.get("/other", [] { return sample::Small(); }).responds<int>(200, "A number");
        app.get("/error", [](sake::Context&) {}).responds(404, "Never found");
    });
    const auto answers = [&](const char* path, const char* method = "get") {
        return document["paths"][path][method]["responses"];
    };
    CHECK(keys(answers("/text")["200"]["content"]) == Names{"text/plain"});
    CHECK(answers("/note")["200"]["content"]["application/json"]["schema"] ==
          Json{{"$ref", "#/components/schemas/Small"}});
    CHECK(keys(answers("/made", "post")) == Names{"201", "default"});
    CHECK(answers("/later")["200"]["content"]["application/json"]["schema"]["type"] == "array");
    CHECK(answers("/other")["200"]["description"] == "A number");
    CHECK(answers("/other")["200"]["content"]["application/json"]["schema"]["type"] == "integer");
    CHECK(keys(answers("/error")) == Names{"200", "404", "default"});
    CHECK(answers("/error")["200"] == Json{{"description", "OK"}});
}

// --- Types ---

TEST_CASE("integers have the bounds of their type, as far as JavaScript holds them") {
    const auto bounds = [](const Json& schema) {
        return schema.value("minimum", Json()).dump() + " " + schema.value("maximum", Json()).dump();
    };
    CHECK(bounds(schema_of<std::int8_t>()) == "-128 127");
    CHECK(bounds(schema_of<std::uint8_t>()) == "0 255");
    CHECK(bounds(schema_of<std::int16_t>()) == "-32768 32767");
    CHECK(bounds(schema_of<std::uint16_t>()) == "0 65535");
    CHECK(bounds(schema_of<std::int32_t>()) == "-2147483648 2147483647");
    CHECK(bounds(schema_of<std::uint32_t>()) == "0 4294967295");
    CHECK(bounds(schema_of<std::int64_t>()) == "null null");
    CHECK(bounds(schema_of<std::uint64_t>()) == "0 null");
    CHECK(schema_of<std::int64_t>()["format"] == "int64");
    CHECK(schema_of<std::int32_t>()["format"] == "int32");
    CHECK_FALSE(schema_of<std::int16_t>().contains("format"));
}

TEST_CASE("each kind of type has its schema") {
    CHECK(schema_of<bool>() == Json{{"type", "boolean"}});
    CHECK(schema_of<float>() == Json{{"type", "number"}, {"format", "float"}});
    CHECK(schema_of<double>() == Json{{"type", "number"}, {"format", "double"}});
    CHECK(schema_of<long double>() == Json{{"type", "number"}});
    CHECK(schema_of<std::vector<bool>>() == Json::object());
    CHECK(schema_of<std::array<bool, 3>>() ==
          Json{{"type", "array"}, {"items", {{"type", "boolean"}}}, {"minItems", 3}, {"maxItems", 3}});
    CHECK(schema_of<std::map<std::string, bool>>() ==
          Json{{"type", "object"}, {"additionalProperties", {{"type", "boolean"}}}});
    CHECK(schema_of<std::optional<bool>>() == Json{{"type", {"boolean", "null"}}});
    CHECK(schema_of<std::optional<std::optional<bool>>>() == Json{{"type", {"boolean", "null"}}});
    CHECK(schema_of<std::optional<std::vector<bool>>>() == Json::object());
    CHECK(schema_of<std::vector<std::optional<double>>>()["items"]["type"] == Json{"number", "null"});
    CHECK(schema_of<Json>() == Json::object());
    CHECK(schema_of<std::optional<Json>>() == Json::object());
    CHECK(schema_of<std::variant<bool, std::monostate>>() ==
          Json{{"anyOf", {{{"type", "boolean"}}, {{"type", "null"}}}}});
    CHECK(schema_of<std::optional<std::variant<bool, std::string>>>() ==
          Json{{"anyOf", {{{"type", "boolean"}}, {{"type", "string"}}, {{"type", "null"}}}}});
    CHECK(schema_of<std::chrono::year_month_day>() == Json{{"type", "string"}, {"format", "date"}});
    CHECK(schema_of<std::chrono::sys_seconds>() == Json{{"type", "string"}, {"format", "date-time"}});
    const SchemaOf<std::optional<sample::Color>> color;
    CHECK(color.schema == Json{{"anyOf", {{{"$ref", "#/components/schemas/Color"}}, {{"type", "null"}}}}});
    CHECK(color.named["Color"] == Json{{"type", "string"}, {"enum", {"red", "green", "blue"}}});
}

struct Tree {
    std::vector<Tree> branches;
    std::unique_ptr<Tree> other;
};

TEST_CASE("a type that is made of itself refers to itself") {
    const SchemaOf<Tree> tree;
    CHECK(tree.schema == Json{{"$ref", "#/components/schemas/Tree"}});
    CHECK(tree.named["Tree"]["properties"] ==
          Json{{"branches", {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/Tree"}}}}},
               {"other", {{"anyOf", {{{"$ref", "#/components/schemas/Tree"}}, {{"type", "null"}}}}}}});
    CHECK(tree.named["Tree"]["required"] == Json{"branches"});
}

struct Defaults {
    int zero = 0;
    int one = 1;
    bool no = false;
    bool yes = true;
    std::string empty;
    std::string text = "a \"b\"";
    std::vector<int> list = {1, 2};
    sample::Color first = sample::Color::red;
    sample::Color last = sample::Color::blue;
    std::optional<int> nothing;
    std::optional<int> something = 5;
    sample::Small blank;
    sample::Small filled = {"x"};
};

TEST_CASE("a member is required unless it is optional or has a default to speak of, which is shown") {
    const Json schema = SchemaOf<Defaults>().named["Defaults"];
    CHECK(schema["required"] == Json{"zero", "no", "empty", "first", "blank"});
    const auto initial = [&](const char* name) {
        return schema["properties"][name].value("default", Json());
    };
    CHECK(initial("zero").is_null());
    CHECK(initial("one") == 1);
    CHECK(initial("yes") == true);
    CHECK(initial("text") == "a \"b\"");
    CHECK(initial("list") == Json{1, 2});
    CHECK(initial("first").is_null());
    CHECK(initial("last") == "blue");
    CHECK(initial("nothing").is_null());
    CHECK(initial("something") == 5);
    CHECK(initial("filled") == Json{{"text", "x"}});
}

struct Ruled {
    std::string text;
    std::optional<int> stars;
    std::vector<std::vector<std::string>> lists;
    std::map<std::string, double> weights;
    std::uint64_t big = 0;
    float small = 0;
    std::optional<std::string> word;
    std::optional<int> choice;
    std::vector<std::string> addresses;
    std::string open;
};

}  // namespace test_openapi

template <>
inline constexpr auto sake::rules<test_openapi::Ruled> = sake::fields(
    sake::length(&test_openapi::Ruled::text, 1, 80), sake::range(&test_openapi::Ruled::stars, -1, 5),
    sake::items(&test_openapi::Ruled::lists, 2, 9), sake::unique(&test_openapi::Ruled::lists),
    sake::length(&test_openapi::Ruled::lists, 3, 4), sake::items(&test_openapi::Ruled::weights, 0, 7),
    sake::range(&test_openapi::Ruled::weights, -0.5, 1.5),
    sake::range(&test_openapi::Ruled::big, 0, 18446744073709551615U),
    sake::range(&test_openapi::Ruled::small, 0.25F, 0.5F), sake::one_of(&test_openapi::Ruled::word, "a", "b"),
    sake::one_of(&test_openapi::Ruled::choice, -1, 2),
    sake::format(&test_openapi::Ruled::addresses, sake::Format::email),
    sake::length(&test_openapi::Ruled::open, 0, std::numeric_limits<std::size_t>::max()),
    sake::defaulted(&test_openapi::Ruled::text));

namespace test_openapi {

TEST_CASE("the rules of a member stand in its schema, at the level that they are for") {
    const Json schema = SchemaOf<Ruled>().named["Ruled"];
    const Json& members = schema["properties"];
    CHECK(members["text"] == Json{{"type", "string"}, {"minLength", 1}, {"maxLength", 80}});
    CHECK(members["stars"] ==
          Json{{"type", {"integer", "null"}}, {"format", "int32"}, {"minimum", -1}, {"maximum", 5}});
    CHECK(members["lists"] ==
          Json{{"type", "array"},
               {"items",
                {{"type", "array"}, {"items", {{"type", "string"}, {"minLength", 3}, {"maxLength", 4}}}}},
               {"minItems", 2},
               {"maxItems", 9},
               {"uniqueItems", true}});
    CHECK(members["weights"] ==
          Json{{"type", "object"},
               {"additionalProperties",
                {{"type", "number"}, {"format", "double"}, {"minimum", -0.5}, {"maximum", 1.5}}},
               {"maxProperties", 7}});
    CHECK(members["big"]["maximum"] == 18446744073709551615U);
    CHECK(members["small"]["minimum"] == 0.25);
    CHECK(members["word"] == Json{{"type", {"string", "null"}}, {"enum", {"a", "b", nullptr}}});
    CHECK(members["choice"]["enum"] == Json{-1, 2, nullptr});
    CHECK(members["addresses"]["items"] == Json{{"type", "string"}, {"format", "email"}});
    CHECK(members["open"] == Json{{"type", "string"}});
    CHECK(schema["required"] == Json{"lists", "weights", "big", "small", "addresses", "open"});
}

// --- Names of types ---

namespace a {
struct Thing {
    int x = 0;
};
}  // namespace a
namespace b {
struct Thing {
    int y = 0;
};
enum class Kind { one };
}  // namespace b
template <class T>
struct List {
    std::vector<T> items;
};
struct ValidationProblem {
    int z = 0;
};

TEST_CASE("types are called by their last name, and by their whole one where two have the same") {
    Engine app;
    app.get("/", [](sake::Context&) {})
        .responds<a::Thing>(200)
        .responds<b::Thing>(201)
        .responds<b::Kind>(202)
        .responds<List<a::Thing>>(203)
        .responds<ValidationProblem>(400);
    app.post("/", [](sake::Body<Tree>) {});
    const Json document = document_of(app);
    CHECK(keys(document["components"]["schemas"]) ==
          Names{"Kind", "List_Thing", "Problem", "Tree", "ValidationProblem",
                "test_openapi_ValidationProblem", "test_openapi_a_Thing", "test_openapi_b_Thing"});
    CHECK(document["components"]["schemas"]["test_openapi_b_Thing"]["properties"].contains("y"));
}

TEST_CASE("types of functions and of nameless namespaces have names, and each has its own") {
    Engine app;
    {
        struct Local {
            int x = 0;
        };
        app.get("/", [](sake::Context&) {}).responds<Local>(200);
    }
    {
        struct Local {
            int y = 0;
        };
        app.put("/", [](sake::Context&) {}).responds<Local>(200);
    }
    CHECK(keys(document_of(app)["components"]["schemas"]).size() == 3);
}

TEST_CASE("the name of a type is made of what compilers print") {
    using sake::detail::without_namespaces;
    using sake::detail::words_of;
    const auto name = [](std::string_view type) { return words_of(without_namespaces(type)); };
    CHECK(name("Note") == "Note");
    CHECK(name("api::v1::Note") == "Note");
    CHECK(name("{anonymous}::Note") == "Note");
    CHECK(name("(anonymous namespace)::Note") == "Note");
    CHECK(name("main()::Note") == "Note");
    CHECK(name("make(int, std::string)::<lambda(api::X)>::Note") == "Note");
    CHECK(name("api::Page<api::Note>") == "Page_Note");
    CHECK(name("Page<std::pair<a::B, c::D> >") == "Page_pair_B_D");
    CHECK(name("Page<int>::Item") == "Item");
    CHECK(name("Page<3>") == "Page_3");
    CHECK(words_of("api::v1::Note") == "api_v1_Note");
    CHECK(words_of("/users/:id/") == "users_id");
    CHECK(words_of("Gr\xC3\xB6\xC3\x9F"
                   "e") == "Gr_e");
    CHECK(words_of("::").empty());
}

// --- How it is served ---

TEST_CASE("the document is served as JSON with an entity tag, and asked for again") {
    Engine app;
    app.get("/a", [] { return 1; });
    app.openapi("/openapi.json", small_info);
    sake::TestClient client(app);
    const sake::TestResponse first = client.get("/openapi.json");
    CHECK(first.status == 200);
    CHECK(first.header("Content-Type") == "application/json");
    CHECK(first.header("Cache-Control") == "no-cache");
    CHECK(first.body == app.openapi_document(small_info));
    const std::string tag(first.header("ETag"));
    CHECK(tag.starts_with('"'));
    CHECK(client.get("/openapi.json").header("ETag") == tag);
    const sake::TestResponse same = client.get("/openapi.json", {{"If-None-Match", tag}});
    CHECK(same.status == 304);
    CHECK(same.body.empty());
    CHECK(same.header("ETag") == tag);
    CHECK(client.get("/openapi.json", {{"If-None-Match", "\"other\""}}).status == 200);
    const sake::TestResponse head = client.head("/openapi.json");
    CHECK(head.status == 200);
    CHECK(head.body.empty());
    CHECK(head.header("Content-Length") == std::to_string(first.body.size()));
}

TEST_CASE("the entity tag is that of the document, which the next run makes anew") {
    Engine app;
    app.openapi("/openapi.json", small_info);
    std::string tag;
    {
        sake::TestClient client(app);
        tag = client.get("/openapi.json").header("ETag");
    }
    app.get("/new", [] { return 1; });
    sake::TestClient client(app);
    const sake::TestResponse response = client.get("/openapi.json", {{"If-None-Match", tag}});
    CHECK(response.status == 200);
    CHECK(keys(response.json()["paths"]) == Names{"/new"});
}

TEST_CASE("a document that cannot be made is answered with 500, and the log says why") {
    Log log;
    Engine app(log.config());
    app.get("/a", [] { return 1; }).operation_id("same");
    app.get("/b", [] { return 1; }).operation_id("same");
    app.openapi("/openapi.json", small_info);
    sake::TestClient client(app);
    CHECK(client.get("/openapi.json").status == 500);
    CHECK(client.get("/openapi.json").status == 500);
    CHECK(log.has("the operation id 'same' is that of GET /a"));
}

TEST_CASE("serving a document leaves nothing behind") {
    with_client(
        [](Engine& app) {
            app.get("/a", [](sake::Query<Paging>) {}).summary("a").tag("b").responds(404);
            app.openapi("/openapi.json", small_info);
        },
        [](sake::TestClient& client) { CHECK(client.get("/openapi.json").status == 200); });
}

// --- The writer ---

TEST_CASE("JSON by lines has a line for each member and element") {
    sake::detail::JsonLines out;
    out.begin_object();
    out.name("a").integer(1);
    out.name("b").begin_list();
    out.text("x\ny");
    out.boolean(true);
    out.begin_object();
    out.end_object();
    out.begin_list();
    out.end_list();
    out.number(0.5);
    out.end_list();
    out.name("c\"").value().append("null");
    out.end_object();
    CHECK(out.document() ==
          "{\n  \"a\": 1,\n  \"b\": [\n    \"x\\ny\",\n    true,\n    {},\n    [],\n    0.5\n  ],\n"
          "  \"c\\\"\": null\n}");
}

}  // namespace test_openapi
