#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/server_fixture.hpp"

namespace test_bind {

using namespace harness;
using sake::Context;
using sake::Json;

namespace {

struct Address {
    std::string city;
    int code = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Address, city, code)
};

struct User {
    std::string name;
    int age = 0;
    Address address;
    std::vector<std::string> tags;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(User, name, age, address, tags)
};

struct Lenient {
    int retries = 3;
    bool loud = false;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(Lenient, retries, loud)
};

struct Trip {
    Lenient first;
    std::vector<Lenient> others;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(Trip, first, others)
};

/// Reads "[1,2]", by a from_json of the program.
struct Pair {
    int left = 0;
    int right = 0;
    friend void from_json(const Json& json, Pair& pair) {
        pair.left = json.at(0).get<int>();
        pair.right = json.at(1).get<int>();
    }
};

constexpr std::string_view good_user =
    R"({"name":"Ada","age":36,"address":{"city":"London","code":7},"tags":["x","y"]})";

void routes(sake::Engine& app) {
    app.post("/json", [](Context& ctx) { ctx.json(ctx.bind()); });
    app.post("/user", [](Context& ctx) {
        const auto user = ctx.bind<User>();
        ctx.text(user.name + std::to_string(user.age) + user.address.city + user.tags.back());
    });
    app.post("/lenient", [](Context& ctx) { ctx.json(ctx.bind<Lenient>()); });
    app.post("/trip", [](Context& ctx) { ctx.json(ctx.bind<Trip>()); });
    app.post("/pair", [](Context& ctx) { ctx.json(ctx.bind<Pair>().right); });
    app.post("/numbers", [](Context& ctx) { ctx.json(ctx.bind<std::vector<int>>().size()); });
    app.post("/int", [](Context& ctx) { ctx.json(ctx.bind<int>()); });
    app.post("/later", [](Context& ctx) -> sake::Task<> {
        co_await sake::yield();
        const auto user = ctx.bind<User>();
        ctx.text(user.name);
    });
}

Response post(const TestServer& server, std::string_view path, std::string_view body) {
    return round_trip(server.port(),
                      std::string("POST ")
                          .append(path)
                          .append(" HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: ")
                          .append(std::to_string(body.size()))
                          .append("\r\n\r\n")
                          .append(body));
}

/// "400 what the answer's detail says"
std::string refusal(const TestServer& server, std::string_view path, std::string_view body) {
    const Response response = post(server, path, body);
    if (response.header("Content-Type") != "application/problem+json") return response.body;
    const Json problem = Json::parse(response.body);
    return problem["status"].dump() + " " + problem.value("detail", std::string("no detail"));
}

std::string nested(int depth) {
    const auto count = static_cast<std::size_t>(depth);
    return std::string(count, '[') + std::string(count, ']');
}

}  // namespace

TEST_CASE("bind reads the body as Json or as a type with from_json") {
    with_server(routes, [](TestServer& server) {
        CHECK(post(server, "/json", R"( {"b" : [1, 2.5, null, true, "\u00e9"] } )").body ==
              "{\"b\":[1,2.5,null,true,\"\xc3\xa9\"]}");
        CHECK(post(server, "/json", "17").body == "17");
        CHECK(post(server, "/user", good_user).body == "Ada36Londony");
        CHECK(post(server, "/later", good_user).body == "Ada");
        CHECK(post(server, "/lenient", "{}").body == R"({"loud":false,"retries":3})");
        CHECK(post(server, "/lenient", R"({"loud":true,"unknown":1})").body ==
              R"({"loud":true,"retries":3})");
        CHECK(post(server, "/numbers", "[1,2,3]").body == "3");
    });
}

TEST_CASE("a body that is no JSON is a 400 that says at which byte") {
    with_server(routes, [](TestServer& server) {
        CHECK(refusal(server, "/json", "") == "400 the body is empty, but must be JSON");
        CHECK(refusal(server, "/json", "x") == "400 invalid JSON at byte 1");
        CHECK(refusal(server, "/json", R"({"a":})") == "400 invalid JSON at byte 6");
        CHECK(refusal(server, "/json", R"({"a":1,})") == "400 invalid JSON at byte 8");
        CHECK(refusal(server, "/json", "[1,2") == "400 invalid JSON at byte 5");
        CHECK(refusal(server, "/json", "[1] x") == "400 invalid JSON at byte 5");
        CHECK(refusal(server, "/json", "NaN") == "400 invalid JSON at byte 1");
        CHECK(refusal(server, "/json", "\"\xff\"") == "400 invalid JSON at byte 2");
        CHECK(refusal(server, "/user", R"({"name")") == "400 invalid JSON at byte 8");
        CHECK(refusal(server, "/later", "{") == "400 invalid JSON at byte 2");
        CHECK(
            refusal(server, "/json", std::string_view("1\0 2", 4)).starts_with("400 invalid JSON at byte "));
        CHECK(refusal(server, "/json", "1e999").starts_with("400 "));
        CHECK(refusal(server, "/user", "[-1e999]").starts_with("400 "));
    });
}

TEST_CASE("JSON that is no object where members are asked for is a 422 that says so, with defaults as well") {
    with_server(routes, [](TestServer& server) {
        const std::string must = "must be an object, but is ";
        for (const char* path : {"/user", "/lenient", "/trip"}) {
            CAPTURE(path);
            CHECK(refusal(server, path, "[]") == "422 body: " + must + "array");
            CHECK(refusal(server, path, "null") == "422 body: " + must + "null");
            CHECK(refusal(server, path, "7") == "422 body: " + must + "number");
            CHECK(refusal(server, path, R"("text")") == "422 body: " + must + "string");
        }
        CHECK(refusal(server, "/trip", R"({"first": []})") == "422 body: 'first': " + must + "array");
        CHECK(refusal(server, "/trip", R"({"others": [{}, null]})") ==
              "422 body: 'others': " + must + "null");
        CHECK(refusal(server, "/pair", "{}") == "422 body: must be an array, but is object");
        CHECK(refusal(server, "/pair", "[1,2]") == "2");
    });
}

TEST_CASE("JSON that does not fit is a 422 that names the field") {
    with_server(routes, [](TestServer& server) {
        const auto with = [](std::string_view key, std::string_view value) {
            Json user = Json::parse(good_user);
            user[std::string(key)] = Json::parse(value);
            return user.dump();
        };
        const auto without = [](const char* key) {
            Json user = Json::parse(good_user);
            user.erase(key);
            return user.dump();
        };
        CHECK(refusal(server, "/user", without("name")) == "422 body: 'name' is missing");
        CHECK(refusal(server, "/user", without("tags")) == "422 body: 'tags' is missing");
        CHECK(refusal(server, "/user", "{}") == "422 body: 'name' is missing");
        CHECK(refusal(server, "/user", with("name", "1")) ==
              "422 body: 'name': type must be string, but is number");
        CHECK(refusal(server, "/user", with("age", R"("36")")) ==
              "422 body: 'age': type must be number, but is string");
        CHECK(refusal(server, "/user", with("age", "null")) ==
              "422 body: 'age': type must be number, but is null");
        CHECK(refusal(server, "/user", with("tags", R"(["x",1])")) ==
              "422 body: 'tags': type must be string, but is number");
        CHECK(refusal(server, "/user", with("tags", "{}")) ==
              "422 body: 'tags': type must be array, but is object");
        CHECK(refusal(server, "/user", with("address", "7")).starts_with("422 body: 'address': "));
        CHECK(refusal(server, "/user", with("address", R"({"city":"x","code":"y"})"))
                  .starts_with("422 body: 'address': type must be number, but is string"));
        CHECK(refusal(server, "/user", with("address", R"({"city":"x"})")) == "422 body: 'code' is missing");
        CHECK(refusal(server, "/user", "[]").starts_with("422 body: "));
        CHECK(refusal(server, "/user", "17").starts_with("422 body: "));
        CHECK(refusal(server, "/lenient", R"({"retries":"many"})") ==
              "422 body: 'retries': type must be number, but is string");
        CHECK(refusal(server, "/numbers", "{}") == "422 body: type must be array, but is object");
        CHECK(refusal(server, "/int", R"("x")") == "422 body: type must be number, but is string");
        CHECK(refusal(server, "/later", with("age", "{}")) ==
              "422 body: 'age': type must be number, but is object");
    });
}

TEST_CASE("P7 JSON may nest as deep as the configuration says, and no deeper") {
    with_server(routes, [](TestServer& server) {
        CHECK(post(server, "/json", nested(63)).status == 200);
        CHECK(post(server, "/json", nested(64)).body == nested(64));
        CHECK(refusal(server, "/json", nested(65)) == "400 JSON nests deeper than 64 levels at byte 65");
        CHECK(post(server, "/json", std::string(500'000, '[')).status == 400);
        const std::string in_text = "\"" + std::string(1000, '[') + "\\\"{{{\"";
        CHECK(post(server, "/json", in_text).status == 200);
    });
    with_server(
        routes,
        [](TestServer& server) {
            CHECK(post(server, "/json", nested(2)).status == 200);
            CHECK(refusal(server, "/json", nested(3)) == "400 JSON nests deeper than 2 levels at byte 3");
        },
        {.max_json_depth = 2});
}

TEST_CASE("the field is named whatever the order, and not where looking for it would be costly") {
    with_server(routes, [](TestServer& server) {
        CHECK(refusal(server, "/user", R"({"na\nme\"":1})") == "422 body: 'name' is missing");
        CHECK(refusal(server, "/lenient", R"({"loud":1,"x":"y","retries":2})") ==
              "422 body: 'loud': type must be boolean, but is number");
        Json user = Json::parse(good_user);
        user["age"] = "old";
        user["tags"] = 7;
        user["zip"] = Json::object();
        CHECK(refusal(server, "/user", user.dump()) == "422 body: 'age': type must be number, but is string");
        user["name"] = std::string(20'000, 'n');
        CHECK(refusal(server, "/user", user.dump()) == "422 body: type must be number, but is string");
        user["name"] = "n";
        for (int i = 0; i < 64; ++i) user["key" + std::to_string(i)] = i;
        CHECK(refusal(server, "/user", user.dump()) == "422 body: type must be number, but is string");
    });
}

TEST_CASE("a body that says it is of another type than JSON is a 415") {
    with_server(
        [](sake::Engine& app) {
            routes(app);
            app.post("/worker", [](Context& ctx) { ctx.json(ctx.bind()); }).worker();
        },
        [](TestServer& server) {
            const auto status = [&](const std::string& path, const std::string& fields) {
                return round_trip(server.port(), "POST " + path +
                                                     " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" +
                                                     fields + "Content-Length: 2\r\n\r\n{}");
            };
            const char* const accepted[] = {"application/json",
                                            "Application/JSON",
                                            "application/json; charset=utf-8",
                                            "application/json;",
                                            "application/json ; x=y",
                                            "application/problem+json; charset=utf-8",
                                            "",
                                            "application/vnd.api+json",
                                            "image/svg+JSON"};
            const char* const refused[] = {"text/plain",
                                           "text/json",
                                           "application/jsonp",
                                           "application/json-seq",
                                           "xapplication/json",
                                           "+json",
                                           "application/x-www-form-urlencoded",
                                           "text/plain; application/json",
                                           "json",
                                           "application/json, text/plain"};
            for (const std::string path : {"/json", "/worker"}) {
                CHECK(status(path, "").status == 200);
                for (const char* type : accepted) {
                    CAPTURE(std::string(type));
                    CHECK(status(path, std::string("Content-Type: ") + type + "\r\n").status == 200);
                }
                for (const char* type : refused) {
                    CAPTURE(std::string(type));
                    const Response response = status(path, std::string("Content-Type: ") + type + "\r\n");
                    CHECK(response.status == 415);
                    CHECK(Json::parse(response.body)["detail"] == "the body must be application/json");
                }
            }
        });
}

}  // namespace test_bind
