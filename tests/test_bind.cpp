#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "support/machinery.hpp"
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
        CHECK(refusal(server, "/trip", R"({"first": []})") == "422 body: /first " + must + "array");
        CHECK(refusal(server, "/trip", R"({"others": [{}, null]})") == "422 body: /others " + must + "null");
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
        CHECK(refusal(server, "/user", without("name")) == "422 body: /name is missing");
        CHECK(refusal(server, "/user", without("tags")) == "422 body: /tags is missing");
        CHECK(refusal(server, "/user", "{}") == "422 body: /name is missing");
        CHECK(refusal(server, "/user", with("name", "1")) ==
              "422 body: /name type must be string, but is number");
        CHECK(refusal(server, "/user", with("age", R"("36")")) ==
              "422 body: /age type must be number, but is string");
        CHECK(refusal(server, "/user", with("age", "null")) ==
              "422 body: /age type must be number, but is null");
        CHECK(refusal(server, "/user", with("tags", R"(["x",1])")) ==
              "422 body: /tags type must be string, but is number");
        CHECK(refusal(server, "/user", with("tags", "{}")) ==
              "422 body: /tags type must be array, but is object");
        CHECK(refusal(server, "/user", with("address", "7")).starts_with("422 body: /address "));
        CHECK(refusal(server, "/user", with("address", R"({"city":"x","code":"y"})"))
                  .starts_with("422 body: /address type must be number, but is string"));
        CHECK(refusal(server, "/user", with("address", R"({"city":"x"})")) == "422 body: /code is missing");
        CHECK(refusal(server, "/user", "[]").starts_with("422 body: "));
        CHECK(refusal(server, "/user", "17").starts_with("422 body: "));
        CHECK(refusal(server, "/lenient", R"({"retries":"many"})") ==
              "422 body: /retries type must be number, but is string");
        CHECK(refusal(server, "/numbers", "{}") == "422 body: must be an array, but is an object");
        CHECK(refusal(server, "/int", R"("x")") == "422 body: must be an integer, but is text");
        CHECK(refusal(server, "/later", with("age", "{}")) ==
              "422 body: /age type must be number, but is object");
    });
}

TEST_CASE("the place that nlohmann's diagnostics put before their words is taken off") {
    using sake::detail::without_place;
    for (const std::string words :
         {"key 'a' not found", "key 'size (mm) x' not found", "cannot use at() with null",
          "type must be number, but is null", "array index 1 is out of range"}) {
        CAPTURE(words);
        CHECK(without_place(words) == words);
        for (const char* place : {"(/in) ", "(/in/0/a~1b) ", "(bytes 5-9) ", "(/in) (bytes 5-9) ",
                                  "(/a() (b) c) ", "(/) key 'b' not found) ", "(/) type must be x) "}) {
            CHECK(without_place(place + words) == words);
        }
    }
    CHECK(without_place("(/in) no such colour (yet) at all") == "no such colour (yet) at all");
    CHECK(without_place("(see above) no colour") == "(see above) no colour");
    CHECK(without_place("(/in") == "(/in");
    CHECK(without_place("").empty());
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
        CHECK(refusal(server, "/user", R"({"na\nme\"":1})") == "422 body: /name is missing");
        CHECK(refusal(server, "/lenient", R"({"loud":1,"x":"y","retries":2})") ==
              "422 body: /loud type must be boolean, but is number");
        Json user = Json::parse(good_user);
        user["age"] = "old";
        user["tags"] = 7;
        user["zip"] = Json::object();
        CHECK(refusal(server, "/user", user.dump()) == "422 body: /age type must be number, but is string");
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

namespace {

struct Numbers {
    int count = 0;
    std::int8_t small = 0;
    std::uint8_t byte = 0;
    unsigned natural = 0;
    std::int64_t large = 0;
    std::uint64_t largest = 0;
    float single_number = 0;
    double real = 0;
    bool flag = false;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(Numbers, count, small, byte, natural, large, largest,
                                                single_number, real, flag)
};

struct Nested {
    std::vector<Numbers> list;
    std::map<std::string, short> by_name;
    std::map<int, std::string> by_id;
    std::set<int> ids;
    std::array<unsigned, 2> pair{};
    std::pair<int, double> point;
    Json any;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(Nested, list, by_name, by_id, ids, pair, point, any)
};

/// Reads a number as it likes, and writes another.
struct OfItsOwn {
    int cents = 0;
};
void from_json(const Json& json, OfItsOwn& value) {
    value.cents = static_cast<int>(json.at("price").get<double>() * 100);
    if (value.cents > 100'000) value.cents = 100'000;
}
void to_json(Json& json, const OfItsOwn& value) { json = Json{{"price", value.cents / 100.0}}; }

/// Refuses what the search for the types puts into the place of a number.
struct Picky {
    double at_least_one = 1;
    int count = 0;
};
void from_json(const Json& json, Picky& value) {
    json.at("at_least_one").get_to(value.at_least_one);
    if (value.at_least_one < 1) throw std::invalid_argument("too small");
    json.at("count").get_to(value.count);
}
void to_json(Json& json, const Picky& value) {
    json = Json{{"at_least_one", value.at_least_one}, {"count", value.count}};
}

/// Takes a year, or a price from 1 on, and a count.
struct Checked {
    double year = 2000;
    double price = 1;
    int count = 0;
    Json any;
};
void from_json(const Json& json, Checked& value) {
    value.year = json.value("year", 2000.0);
    value.price = json.value("price", 1.0);
    value.count = json.value("count", 0);
    value.any = json.value("any", Json());
    if (value.year < 1900 || value.year > 2100) throw sake::HttpError(422, "no such year");
    if (value.price < 1) throw sake::HttpError(422, "too cheap");
}
void to_json(Json& json, const Checked& value) {
    json = Json{{"year", value.year}, {"price", value.price}, {"count", value.count}, {"any", value.any}};
}

/// Converts a number to one type or the other, as another member says.
struct Twofold {
    double real = 0;
    int integer = 0;
    std::string text;
};
void from_json(const Json& json, Twofold& value) {
    if (json.contains("is_real"))
        json.at("number").get_to(value.real);
    else
        json.at("number").get_to(value.integer);
    json.at("text").get_to(value.text);
}
void to_json(Json& json, const Twofold& value) { json = Json{{"number", value.real}, {"text", value.text}}; }

struct Note {
    int stars = 0;
    std::string text;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Note, stars, text)
};

enum Plain { zero, one };

/// What the body is made of, as JSON; or the refusal.
template <class T>
std::string bound_text(std::string_view body) {
    sake::Engine app({.announce = false});
    app.post("/", [](Context& ctx) { ctx.json(Json(ctx.bind<T>())); });
    sake::TestClient client(app);
    const sake::TestResponse answer =
        client.request("POST", "/", {{"Content-Type", "application/json"}}, std::string(body));
    if (answer.status == 200) return answer.body;
    return std::to_string(answer.status) + " " + answer.json()["detail"].template get<std::string>();
}

}  // namespace

TEST_CASE("a number that its type does not hold is a 422 that says which, in a type of the program too") {
    const auto member = [](std::string_view text) { return bound_text<Numbers>(text); };
    CHECK(member(R"({"count":99999999999})") == "422 body: /count 99999999999 is out of range");
    CHECK(member(R"({"count":2147483648})") == "422 body: /count 2147483648 is out of range");
    CHECK(member(R"({"count":-2147483649})") == "422 body: /count -2147483649 is out of range");
    CHECK(member(R"({"count":4294967296})") == "422 body: /count 4294967296 is out of range");
    CHECK(member(R"({"count":1e30})") == "422 body: /count 1e+30 is out of range");
    CHECK(member(R"({"count":-1e300})") == "422 body: /count -1e+300 is out of range");
    CHECK(member(R"({"count":3e9})") == "422 body: /count 3000000000 is out of range");
    CHECK(member(R"({"count":1.7})") == "422 body: /count 1.7 is not an integer");
    CHECK(member(R"({"count":-0.5})") == "422 body: /count -0.5 is not an integer");
    CHECK(member(R"({"count":true})") == "422 body: /count type must be number, but is boolean");
    CHECK(member(R"({"count":false})") == "422 body: /count type must be number, but is boolean");
    CHECK(member(R"({"count":"7"})") == "422 body: /count type must be number, but is string");
    CHECK(member(R"({"single_number":true})") ==
          "422 body: /single_number type must be number, but is boolean");
    CHECK(member(R"({"large":true})").starts_with("422 "));
    CHECK(member(R"({"flag":1})").starts_with("422 "));
    CHECK(member(R"({"small":128})") == "422 body: /small 128 is out of range");
    CHECK(member(R"({"small":-129})") == "422 body: /small -129 is out of range");
    CHECK(member(R"({"byte":256})") == "422 body: /byte 256 is out of range");
    CHECK(member(R"({"byte":-1})") == "422 body: /byte -1 is out of range");
    CHECK(member(R"({"byte":-1.0})") == "422 body: /byte -1 is out of range");
    CHECK(member(R"({"natural":-1})") == "422 body: /natural -1 is out of range");
    CHECK(member(R"({"natural":4294967296})") == "422 body: /natural 4294967296 is out of range");
    CHECK(member(R"({"large":9223372036854775808})") ==
          "422 body: /large 9223372036854775808 is out of range");
    CHECK(member(R"({"large":9223372036854775808.0})").starts_with("422 body: /large "));
    CHECK(member(R"({"large":-9223372036854775809})").starts_with("422 body: /large "));
    CHECK(member(R"({"large":-9223372036854775810})").starts_with("422 body: /large "));
    CHECK(member(R"({"largest":-1})") == "422 body: /largest -1 is out of range");
    CHECK(member(R"({"largest":18446744073709551616})").starts_with("422 body: /largest "));
    CHECK(member(R"({"single_number":1e39})") == "422 body: /single_number 1e+39 is out of range");
    CHECK(member(R"({"real":1e400})") == "400 JSON with a number that is too large, which ends at byte 13");
}

TEST_CASE("a number that its type holds is taken, whatever it is written like") {
    const auto member = [](const std::string& name, const std::string& number) {
        return Json::parse(bound_text<Numbers>("{\"" + name + "\":" + number + "}"))[name].dump();
    };
    CHECK(member("count", "2147483647") == "2147483647");
    CHECK(member("count", "-2147483648") == "-2147483648");
    CHECK(member("count", "2.0") == "2");
    CHECK(member("count", "1e5") == "100000");
    CHECK(member("count", "-0.0") == "0");
    CHECK(member("small", "-128") == "-128");
    CHECK(member("byte", "255") == "255");
    CHECK(member("natural", "4294967295") == "4294967295");
    CHECK(member("large", "9223372036854775807") == "9223372036854775807");
    CHECK(member("large", "-9223372036854775808") == "-9223372036854775808");
    CHECK(member("largest", "18446744073709551615") == "18446744073709551615");
    CHECK(member("single_number", "3.4e38").starts_with("3.39999"));
    CHECK(member("single_number", "0.1").starts_with("0.1000000014"));
    CHECK(member("single_number", "1e-60") == "0.0");
    CHECK(member("real", "1e300") == "1e+300");
    CHECK(member("real", "99999999999") == "99999999999.0");
    CHECK(member("real", "0.1") == "0.1");
    CHECK(member("flag", "true") == "true");
}

TEST_CASE("numbers in lists, maps, pairs and types within types are held to their types") {
    const auto member = [](std::string_view text) { return bound_text<Nested>(text); };
    CHECK(member(R"({"list":[{"count":1},{"count":99999999999}]})") ==
          "422 body: /list/1/count 99999999999 is out of range");
    CHECK(member(R"({"list":[{"count":1.5}]})") == "422 body: /list/0/count 1.5 is not an integer");
    CHECK(member(R"({"by_name":{"a":1,"b":70000}})") == "422 body: /by_name/b 70000 is out of range");
    CHECK(member(R"({"by_id":[[4294967297,"x"]]})").starts_with("422 body: /by_id/0/0 4294967297 "));
    CHECK(member(R"({"ids":[1,1e10]})").starts_with("422 body: /ids/1 "));
    CHECK(member(R"({"pair":[1,-1]})") == "422 body: /pair/1 -1 is out of range");
    CHECK(member(R"({"point":[1.5,1.5]})") == "422 body: /point/0 1.5 is not an integer");
    CHECK(bound_text<std::vector<int>>("[1,2,3000000000]") ==
          "422 body: /2 must be from -2147483648 to 2147483647");
    CHECK(bound_text<std::vector<int>>("[1,true]") ==
          "422 body: /1 must be an integer, but is true or false");
    CHECK(bound_text<std::map<std::string, int>>(R"({"a":1e30})") ==
          "422 body: /a must be from -2147483648 to 2147483647");
    CHECK(bound_text<int>("99999999999") == "422 body: must be from -2147483648 to 2147483647");
    CHECK(bound_text<int>("1e30") == "422 body: must be from -2147483648 to 2147483647");
    CHECK(bound_text<int>("true") == "422 body: must be an integer, but is true or false");
    CHECK(bound_text<std::int64_t>("1.5") == "422 body: must be an integer, but has a fraction");
    CHECK(bound_text<unsigned short>("65536") == "422 body: must be from 0 to 65535");
    CHECK(bound_text<float>("-1e39") == "422 body: is beyond what a float holds");
    CHECK(bound_text<Plain>("4294967296") == "422 body: 4294967296 is out of range");
}

TEST_CASE("a number that is cut to another element of a set or a map is not lost without a word") {
    using Set = std::set<int>;
    using Map = std::map<int, int>;
    CHECK(bound_text<Set>("[3,4294967299]") == "422 body: /1 4294967299 is out of range");
    CHECK(bound_text<Set>("[1,4294967297]") == "422 body: /1 4294967297 is out of range");
    CHECK(bound_text<Set>("[4294967297,1]") == "422 body: /0 4294967297 is out of range");
    CHECK(bound_text<Set>("[5,4294967297]") == "422 body: /1 4294967297 is out of range");
    CHECK(bound_text<Set>("[257,1,4294967298]") == "422 body: /2 4294967298 is out of range");
    CHECK(bound_text<Set>("[3,3,4294967299]") == "422 body: /2 4294967299 is out of range");
    CHECK(bound_text<Set>("[3,3.5]") == "422 body: /1 3.5 is not an integer");
    CHECK(bound_text<Set>("[1,true]") == "422 body: /1 type must be number, but is boolean");
    CHECK(bound_text<Set>("[1e10,2e10]").starts_with("422 body: /0 "));
    CHECK(bound_text<Set>("[5,1e10,2e30]") == "422 body: /2 2e+30 is out of range");
    CHECK(bound_text<std::set<std::uint8_t>>("[255,-1]") == "422 body: /1 -1 is out of range");
    CHECK(bound_text<std::unordered_set<int>>("[3,4294967299]").starts_with("422 body: /1 "));
    CHECK(bound_text<Map>("[[1,2],[4294967297,3]]") == "422 body: /1/0 4294967297 is out of range");
    CHECK(bound_text<Map>("[[3,2],[1,4294967297]]") == "422 body: /1/1 4294967297 is out of range");
    CHECK(bound_text<std::map<std::int8_t, int>>("[[257,257]]") == "422 body: /0/0 257 is out of range");
    CHECK(bound_text<std::set<std::pair<int, int>>>("[[1,2],[1,4294967298]]").starts_with("422 body: /1/1 "));
    CHECK(bound_text<std::vector<Set>>("[[5],[257,1,4294967298]]").starts_with("422 body: /1/2 "));
    CHECK(bound_text<std::map<std::string, Set>>(R"({"a":[3,4294967299]})").starts_with("422 body: /a/1 "));

    CHECK(bound_text<Set>("[257,1,257,1.0]") == "[1,257]");
    CHECK(bound_text<Map>("[[257,1],[1,2],[1,3],[257,4]]") == "[[1,2],[257,1]]");
    CHECK(bound_text<std::map<int, double>>("[[3,3.5],[1,0.5],[3,1]]") == "[[1,0.5],[3,3.5]]");
    CHECK(bound_text<std::map<int, float>>("[[0,0.5],[0,7]]") == "[[0,0.5]]");
    CHECK(bound_text<std::set<double>>("[1e30,300.5,3,300.5,3.5]") == "[3.0,3.5,300.5,1e+30]");
    CHECK(bound_text<std::vector<Set>>("[[257,1],[5]]") == "[[1,257],[5]]");
    CHECK(bound_text<std::set<Set>>("[[257,1],[1,257],[5]]") == "[[1,257],[5]]");
}

TEST_CASE("what another order, a set, or a type of its own makes of numbers is no loss") {
    const auto member = [](std::string_view text) { return bound_text<Nested>(text); };
    CHECK(Json::parse(member(R"({"ids":[257,1,4294,0,256]})"))["ids"].dump() == "[0,1,256,257,4294]");
    CHECK(Json::parse(member(R"({"ids":[257,1,257]})"))["ids"].dump() == "[1,257]");
    CHECK(Json::parse(member(R"({"by_id":[[257,"x"],[1,"y"]]})"))["by_id"].dump() ==
          R"([[1,"y"],[257,"x"]])");
    CHECK(Json::parse(member(R"({"any":{"a":[1e30,1.5,true,2.0]}})"))["any"].dump() ==
          R"({"a":[1e+30,1.5,true,2.0]})");
    CHECK(bound_text<Json>("[1e30,2.0]") == "[1e+30,2.0]");
    CHECK(bound_text<OfItsOwn>(R"({"price":19.999})") == R"({"price":19.99})");
    CHECK(bound_text<OfItsOwn>(R"({"price":12345})") == R"({"price":1000.0})");
    CHECK(bound_text<Picky>(R"({"at_least_one":1.5,"count":2})") == R"({"at_least_one":1.5,"count":2})");
    CHECK(bound_text<Picky>(R"({"at_least_one":1.5,"count":2.5})") ==
          "422 body: /count 2.5 is not an integer");
}

TEST_CASE("a wide number is never converted as it is where its type could not be found out") {
    // -fsanitize=float-cast-overflow says whether it was.
    CHECK(bound_text<Note>(R"({"stars":1e30,"text":7})").starts_with("422 body: /text "));
    CHECK(bound_text<Note>(R"({"stars":-1e300,"text":null})").starts_with("422 body: /text "));
    CHECK(bound_text<Note>(R"({"stars":1e30})") == "422 body: /text is missing");
    CHECK(bound_text<std::vector<int>>(R"([1e30,"x"])").starts_with("422 body: "));
    CHECK(bound_text<std::map<std::string, std::int8_t>>(R"({"a":300.5,"b":[]})").starts_with("422 body: "));
    CHECK(bound_text<Twofold>(R"({"number":1e30,"is_real":1,"text":7})").starts_with("422 body: "));

    const auto checked = [](std::string_view text) { return bound_text<Checked>(text); };
    CHECK(checked(R"({"count":1e30,"price":2.5})") == "422 body: /count 1e+30 is out of range");
    CHECK(checked(R"({"count":1e30,"price":200.5})") == "422 body: /count 1e+30 is out of range");
    CHECK(checked(R"({"count":1e30,"price":0.5})") == "422 too cheap");
    CHECK(checked(R"({"count":1e30,"year":2001.5})") == "422 body: /count 1e+30 is out of range");
    CHECK(checked(R"({"count":200.5,"year":2001.5})") == "422 body: /count 200.5 is not an integer");
    CHECK(checked(R"({"count":3e9,"year":2001.5})") == "422 body: /count 3000000000 is out of range");
    CHECK(checked(R"({"count":1e30,"year":1e30})") == "422 no such year");
    CHECK(checked(R"({"count":1e5,"year":2001.5,"price":1e300,"any":[200.5,500.0]})") ==
          R"({"any":[200.5,500.0],"count":100000,"price":1e+300,"year":2001.5})");
}

TEST_CASE("a value that was set for the request is held to the type that it is asked for as") {
    sake::Engine app({.announce = false});
    std::string seen;
    app.get("/", [&](Context& ctx) {
        ctx.set("large", 99999999999);
        ctx.set("fraction", 1.5);
        ctx.set("flag", true);
        ctx.set("list", std::vector<long long>{1, 99999999999});
        const auto refusal = [](auto get) -> std::string {
            try {
                get();
                return "taken";
            } catch (const std::out_of_range& error) {
                return error.what();
            }
        };
        CHECK(ctx.get<long long>("large") == 99999999999);
        CHECK(ctx.get<double>("large") == 99999999999.0);
        CHECK(ctx.get<bool>("flag"));
        CHECK(refusal([&] { static_cast<void>(ctx.get<int>("large")); }) ==
              "ctx.get: 'large': 99999999999 is out of range");
        CHECK(refusal([&] { static_cast<void>(ctx.get<int>("fraction")); }) ==
              "ctx.get: 'fraction': 1.5 is not an integer");
        CHECK(refusal([&] { static_cast<void>(ctx.get<int>("flag")); }) ==
              "ctx.get: 'flag': type must be number, but is boolean");
        CHECK(refusal([&] { static_cast<void>(ctx.get<std::vector<int>>("list")); }) ==
              "ctx.get: 'list': 99999999999 is out of range");
        CHECK_THROWS_WITH_AS(static_cast<void>(ctx.get<std::string>("large")),
                             "ctx.get: 'large': type must be string, but is number", std::out_of_range);
    });
    sake::TestClient client(app);
    CHECK(client.get("/").status == 200);
}

TEST_CASE("a parameter that is a number beyond the range of its type is not called something else") {
    sake::Engine app({.announce = false});
    app.get("/double/:x", [](double x) { return std::to_string(x); });
    app.get("/query", [](Context& ctx) { ctx.text(std::to_string(ctx.query<float>("x"))); });
    app.get("/int/:x", [](int x) { return std::to_string(x); });
    sake::TestClient client(app);
    const auto detail = [&](const std::string& target) {
        const sake::TestResponse answer = client.get(target);
        return std::to_string(answer.status) + " " + answer.json()["detail"].get<std::string>();
    };
    CHECK(detail("/double/1e400") == "400 path parameter 'x' is out of range");
    CHECK(detail("/double/-1e400") == "400 path parameter 'x' is out of range");
    CHECK(detail("/query?x=1e39") == "400 query parameter 'x' is out of range");
    CHECK(detail("/query?x=.1e400") == "400 query parameter 'x' is out of range");
    for (const char* text : {"one", "1e", "1e400x", "--1", ".", "inf", "nan", "1.2.3"}) {
        CHECK(detail("/double/" + std::string(text)) == "400 path parameter 'x' is not a number");
    }
    CHECK(detail("/int/99999999999") == "400 path parameter 'x' is not an integer in range");
    CHECK(detail("/int/1.7") == "400 path parameter 'x' is not an integer in range");
    CHECK(detail("/int/true") == "400 path parameter 'x' is not an integer in range");
}

TEST_CASE("L1 a document may have as many values as the limit, and no more") {
    sake::Engine app({.max_json_values = 5, .announce = false});
    app.post("/here", [](Context& ctx) { ctx.json(ctx.bind()); });
    app.post("/worker", [](Context& ctx) { ctx.json(ctx.bind()); }).worker();
    sake::TestClient client(app);
    for (const char* path : {"/here", "/worker"}) {
        const auto status = [&](std::string body) {
            return client.request("POST", path, {}, std::move(body)).status;
        };
        CHECK(status("[1,2,3,4]") == 200);
        CHECK(status("[1,2,3,4,5]") == 400);
        CHECK(status(R"([[],{},[],{}])") == 200);
        CHECK(status(R"([[],{},[],{},[]])") == 400);
        CHECK(status(R"({"a":1,"b":[2,"3"]})") == 200);
        CHECK(status(R"({"a":1,"b":[2,"3",4]})") == 400);
        CHECK(status(R"([ [ [ [ [ ] ] ] ] ])") == 200);
        CHECK(status(R"([ [ [ [ [ 1 ] ] ] ] ])") == 400);
        CHECK(status(R"("[[[[[,,,,,,")") == 200);
    }
    const auto refused = client.request("POST", "/here", {}, "[1,2,3,4,5]");
    CHECK(refused.json()["detail"] == "JSON has more than 5 values at byte 9");
}

TEST_CASE("L3 a document that would take more memory than all connections may hold is a 503") {
    sake::Engine app(
        {.max_buffered = 64 * 1024, .announce = false, .log = [](sake::LogLevel, std::string_view) {}});
    bool is_held = false;
    sake::Event release;
    app.post("/held", [&](Context& ctx) -> sake::Task<> {
        is_held = true;
        co_await release.wait();
        ctx.text("held");
    });
    app.post("/", [](Context& ctx) { ctx.json(ctx.bind<std::vector<int>>().size()); });
    sake::TestClient client(app);
    std::string many = "[1";
    for (int i = 0; i < 1000; ++i) many += ",1";
    many += "]";
    CHECK(client.request("POST", "/", {}, many).body == "1001");  // it is alone
    sake::TestConnection other = client.connect();
    other.send("POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345");
    client.advance(std::chrono::milliseconds(0));
    REQUIRE(is_held);
    const auto refused = client.request("POST", "/", {}, many);
    CHECK(refused.status == 503);
    CHECK(refused.header("Retry-After") == "1");
    CHECK(client.request("POST", "/", {}, "[1,2]").body == "2");
    release.set();
    CHECK(other.response().body == "held");
}

}  // namespace test_bind
