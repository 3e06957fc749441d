#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "support/programs.hpp"

namespace test_types {

using sake::Json;
using sake::TestClient;

namespace {

enum class Colour : std::uint8_t { red, green = 5, blue };
enum Weekday : short { monday = -3, tuesday, late = 255 };

struct Point {
    int x;
    int y;
};
struct Note {
    std::string text;
    std::optional<int> stars;
};
struct Everything {
    bool flag;
    std::int8_t small;
    std::uint64_t large;
    double ratio;
    float single;
    std::string text;
    Colour colour;
    std::optional<std::string> maybe;
    std::vector<Point> points;
    std::array<int, 2> pair;
    std::map<std::string, std::vector<int>> lists;
    std::variant<int, std::string, Point> either;
    std::unique_ptr<Point> owned;
    Point nested;
    Json anything;
    std::deque<bool> flags;
    std::pair<int, std::string> foreign;
};
struct Tree {
    std::string name;
    std::vector<Tree> children;
};
struct Paging {
    int page = 1;
    int size = 20;
    std::optional<std::string> search;
    std::vector<int> ids;
    bool all;
};
struct Login {
    std::string user;
    std::string pin;
    std::optional<int> age;
    bool remember;
};

// As many members as are seen.
struct Many {
    int a1, a2, a3, a4, a5, a6, a7, a8, b1, b2, b3, b4, b5, b6, b7, b8;
    int c1, c2, c3, c4, c5, c6, c7, c8, d1, d2, d3, d4, d5, d6, d7, d8;
    int e1, e2, e3, e4, e5, e6, e7, e8, f1, f2, f3, f4, f5, f6, f7, f8;
    int g1, g2, g3, g4, g5, g6, g7, g8, h1, h2, h3, h4, h5, h6, h7, h8;
};
struct Nothing {};
struct Single {
    std::vector<int> only;
};

// A type with conversions of its own, which win.
struct Celsius {
    double degrees = 0;
    friend void to_json(Json& json, const Celsius& value) { json = std::to_string(int(value.degrees)) + "C"; }
    friend void from_json(const Json& json, Celsius& value) {
        value.degrees = std::stod(json.get<std::string>());
    }
};
struct Macro {
    int count = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Macro, count)
};
struct Weather {
    Celsius high;
    Macro macro;
};

/// The faults of a document as "pointer code", in a row.
template <class T>
std::string faults_of(std::string_view body, std::string_view type = "application/json") {
    sake::Engine app;
    app.post("/", [](sake::Body<T>) { return "fits"; });
    TestClient client(app);
    const auto answer = client.post("/", body, {{"Content-Type", std::string(type)}});
    if (answer.status == 200) return answer.body;
    std::string row = std::to_string(answer.status);
    if (answer.status != 422) return row;
    const Json problem = answer.json();
    for (const Json& fault : problem["errors"])
        row += " " + fault["pointer"].get<std::string>() + ":" + fault["code"].get<std::string>();
    return row;
}

struct Empty {};
struct Packed {
    [[no_unique_address]] Empty nothing;
    int count;
};
struct Wide {
    std::array<double, 64> numbers = {1};
};
enum class NoZero { one = 1 };
struct Numbers {
    std::vector<int> values;
};
struct Words {
    std::vector<std::string> values;
};

struct Ruled {
    std::string text;
    std::optional<int> stars;
    int offset = 0;
    std::vector<std::string> tags;
    std::vector<Point> points;
};

}  // namespace
}  // namespace test_types

template <>
inline constexpr auto sake::rules<test_types::Ruled> =
    sake::fields(sake::length(&test_types::Ruled::text, 1, 5), sake::range(&test_types::Ruled::stars, 1, 5),
                 sake::defaulted(&test_types::Ruled::offset), sake::items(&test_types::Ruled::tags, 0, 2),
                 sake::no_other_members<test_types::Ruled>());

template <>
inline constexpr auto sake::rules<test_types::Packed> =
    sake::fields(sake::range(&test_types::Packed::count, 1, 5));

namespace test_types {

TEST_CASE("a rule finds its member beside one that takes no room") {
    CHECK(faults_of<Packed>(R"({"nothing":{},"count":5})") == "fits");
    CHECK(faults_of<Packed>(R"({"nothing":{},"count":6})") == "422 /count:range");
}

TEST_CASE("elements that would take more memory than there is are refused") {
    sake::Config config;
    config.max_buffered = 1024 * 1024;
    sake::Engine app(config);
    app.post("/", [](sake::Body<std::vector<Wide>> body) { return body->size(); });
    TestClient client(app);
    const auto post = [&](std::size_t count) {
        std::string body = "[{}";
        while (count-- > 1) body += ",{}";
        return client.post("/", body + "]", {{"Content-Type", "application/json"}}).status;
    };
    CHECK(post(100) == 200);
    CHECK(post(100'000) == 503);  // 51 MB from 300 kB
}

TEST_CASE("what cannot be written leaves no half of an answer") {
    struct Two {
        int first = 1;
        NoZero second{};
    };
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) {
        try {
            ctx.json(Two{});
        } catch (const std::invalid_argument&) {
            ctx.status(202);
        }
    });
    TestClient client(app);
    CHECK(client.get("/").status == 202);
    CHECK(client.get("/").body.empty());
}

TEST_CASE("a type for the body is refused where the body is read in pieces") {
    sake::Engine app;
    auto& route = app.post("/", [](sake::Body<Note>) -> sake::Task<> { co_return; });
    CHECK_THROWS_WITH_AS(route.stream_body(), doctest::Contains("takes no sake::Body or sake::FormBody"),
                         std::invalid_argument);
}

TEST_CASE("the rules of a type hold wherever it is read, and for what was sent") {
    const auto ruled = [](std::string_view members) {
        return faults_of<Ruled>("{" + std::string(members) + "}");
    };
    const std::string rest = R"("tags":[],"points":[])";
    CHECK(ruled(R"("text":"12345","stars":1,)" + rest) == "fits");
    CHECK(ruled(R"("text":"123456","stars":0,)" + rest) == "422 /text:length /stars:range");
    CHECK(ruled(R"("text":"","stars":6,"tags":["a","b","c"],"points":[])") ==
          "422 /text:length /stars:range /tags:items");
    CHECK(ruled(R"("text":7,)" + rest) == "422 /text:type");
    CHECK(ruled(R"("text":"a","extra":1,)" + rest) == "422 /extra:unknown");
    CHECK(faults_of<std::vector<Ruled>>(R"([{"text":"","tags":[],"points":[]}])") == "422 /0/text:length");

    sake::Engine app;
    struct Search {
        std::string q;
        int page = 1;
    };
    app.get("/", [](sake::Query<Search> search) { return *search; });
    TestClient client(app);
    CHECK(client.get("/?q=a&more=1").status == 200);
}

TEST_CASE("a struct is written as it stands, its members in their order") {
    CHECK(sake::dump_json(Point{1, -2}) == R"({"x":1,"y":-2})");
    CHECK(sake::dump_json(Note{"tea \"time\"\n", std::nullopt}) ==
          R"({"text":"tea \"time\"\n","stars":null})");
    CHECK(sake::dump_json(Nothing{}) == "{}");
    CHECK(sake::dump_json(Single{{1, 2}}) == R"({"only":[1,2]})");
    Everything all{true,
                   -128,
                   std::numeric_limits<std::uint64_t>::max(),
                   0.1,
                   0.1F,
                   "é\xff",
                   Colour::green,
                   "yes",
                   {{1, 2}, {3, 4}},
                   {5, 6},
                   {{"b", {1}}, {"a", {}}},
                   Point{7, 8},
                   std::make_unique<Point>(Point{9, 10}),
                   {11, 12},
                   {{"free", nullptr}},
                   {true, false},
                   {13, "x"}};
    CHECK(sake::dump_json(all) ==
          R"({"flag":true,"small":-128,"large":18446744073709551615,"ratio":0.1,"single":0.1,)"
          "\"text\":\"é\uFFFD\","
          R"("colour":"green","maybe":"yes","points":[{"x":1,"y":2},{"x":3,"y":4}],"pair":[5,6],)"
          R"("lists":{"a":[],"b":[1]},"either":{"x":7,"y":8},"owned":{"x":9,"y":10},)"
          R"("nested":{"x":11,"y":12},"anything":{"free":null},"flags":[true,false],"foreign":[13,"x"]})");
    CHECK(sake::dump_json(std::vector<Note>{{"a", 1}, {"b", 2}}) ==
          R"([{"text":"a","stars":1},{"text":"b","stars":2}])");
    CHECK(sake::dump_json(std::map<std::string, Colour>{{"sky", Colour::blue}}) == R"({"sky":"blue"})");
    CHECK(sake::dump_json(std::optional<Note>()) == "null");
    CHECK(sake::dump_json(std::variant<std::monostate, int>()) == "null");
}

TEST_CASE("a struct with constants and views is written, though it cannot be read") {
    struct Row {
        const int id = 0;
        std::string_view name;
        const char* part = "";
    };
    CHECK(sake::dump_json(Row{7, "tea", "e"}) == R"({"id":7,"name":"tea","part":"e"})");
}

TEST_CASE("other values of nlohmann/json stay nlohmann's") {
    nlohmann::ordered_json ordered;
    ordered["b"] = 1;
    ordered["a"] = {2};
    sake::Engine app;
    app.get("/", [&](sake::Context& ctx) { ctx.json(ordered); });
    app.get("/bools", [](sake::Context& ctx) { ctx.json(std::vector<bool>{true, false}); });
    app.get("/text", [](sake::Context& ctx) { ctx.json("text"); });
    app.get("/pair", [](sake::Context& ctx) { ctx.json(std::pair(1, "x")); });
    app.get("/null", [](sake::Context& ctx) { ctx.json(nullptr); });
    TestClient client(app);
    CHECK(client.get("/").json() == Json{{"a", {2}}, {"b", 1}});
    CHECK(client.get("/bools").body == "[true,false]");
    CHECK(client.get("/text").body == R"("text")");
    CHECK(client.get("/pair").body == R"([1,"x"])");
    CHECK(client.get("/null").body == "null");
}

TEST_CASE("the place of a fault is cut where a client chooses long names") {
    const auto pointer_of = [](const std::string& name) {
        sake::Engine app;
        app.post("/", [](sake::Body<std::map<std::string, std::map<std::string, int>>>) {});
        TestClient client(app);
        const auto answer = client.post("/", Json{{name, {{"b", "x"}}}});
        return answer.json()["errors"][0]["pointer"].get<std::string>();
    };
    const std::string fits(1021, 'a');
    CHECK(pointer_of(fits) == "/" + fits + "/b");  // 1,024 bytes
    CHECK(pointer_of(fits + "a") == "/" + fits + "a");
    CHECK(pointer_of(fits + "aa") == "/" + fits + "aa");
    CHECK(pointer_of(fits + "aaa").empty());
    CHECK(pointer_of(std::string(100'000, 'a')).empty());
}

TEST_CASE("what is written is read as the same again") {
    const std::string text =
        R"({"flag":false,"small":127,"large":0,"ratio":-1.5e+300,"single":0.25,"text":"","colour":"red",)"
        R"("maybe":null,"points":[],"pair":[1,2],"lists":{"":[3]},"either":"text","owned":null,)"
        R"("nested":{"x":2147483647,"y":-2147483648},"anything":[1,{"a":2.5}],"flags":[],"foreign":[1,"y"]})";
    CHECK(sake::dump_json(sake::parse_json<Everything>(text)) == text);
    const std::string tree =
        R"({"name":"a","children":[{"name":"b","children":[]},{"name":"c","children":[]}]})";
    CHECK(sake::dump_json(sake::parse_json<Tree>(tree)) == tree);
    CHECK(sake::parse_json<std::vector<int>>("[1,2]") == std::vector<int>{1, 2});
    CHECK(sake::parse_json<std::string>(R"("a")") == "a");
    Many many{};
    many.h8 = 64;
    const std::string written = sake::dump_json(many);
    CHECK(written.starts_with(R"({"a1":0,"a2":0)"));
    CHECK(written.ends_with(R"("h7":0,"h8":64})"));
    CHECK(sake::parse_json<Many>(written).h8 == 64);
}

TEST_CASE("every fault is named by its place and its kind") {
    CHECK(faults_of<Note>(R"({"text":"a"})") == "fits");
    CHECK(faults_of<Note>(R"({"text":"a","stars":null,"other":[1]})") == "fits");
    CHECK(faults_of<Note>("{}") == "422 /text:missing");
    CHECK(faults_of<Note>(R"({"text":null,"stars":"5"})") == "422 /text:type /stars:type");
    CHECK(faults_of<Note>("[]") == "422 :type");
    CHECK(faults_of<Note>("null") == "422 :type");
    CHECK(faults_of<Tree>(R"({"name":"a","children":[{"name":1,"children":[]},{"children":{}}]})") ==
          "422 /children/0/name:type /children/1/name:missing /children/1/children:type");
    CHECK(faults_of<std::map<std::string, int>>(R"({"a/b~c":"x","":true})") == "422 /:type /a~1b~0c:type");
    CHECK(faults_of<std::array<int, 2>>("[1]") == "422 :items");
    CHECK(faults_of<std::array<int, 2>>("[1,2]") == "fits");
    CHECK(faults_of<std::array<int, 2>>("[1,2,3]") == "422 :items");
    CHECK(faults_of<Note>("{") == "400");
    CHECK(faults_of<Note>("") == "400");
    CHECK(faults_of<Note>("{}", "text/plain") == "415");
    CHECK(faults_of<Note>(R"({"text":"a"})", "application/vnd.note+json; charset=utf-8") == "fits");
}

TEST_CASE("an integer is held to its type, and nothing is rounded") {
    CHECK(faults_of<std::int8_t>("-128") == "fits");
    CHECK(faults_of<std::int8_t>("-129") == "422 :range");
    CHECK(faults_of<std::int8_t>("127") == "fits");
    CHECK(faults_of<std::int8_t>("128") == "422 :range");
    CHECK(faults_of<std::uint8_t>("255") == "fits");
    CHECK(faults_of<std::uint8_t>("256") == "422 :range");
    CHECK(faults_of<std::uint8_t>("-1") == "422 :range");
    CHECK(faults_of<std::int64_t>("9223372036854775807") == "fits");
    CHECK(faults_of<std::int64_t>("9223372036854775808") == "422 :range");
    CHECK(faults_of<std::int64_t>("-9223372036854775808") == "fits");
    CHECK(faults_of<std::int64_t>("-9223372036854775809") == "422 :range");
    CHECK(faults_of<std::uint64_t>("18446744073709551615") == "fits");
    CHECK(faults_of<std::uint64_t>("18446744073709551616") == "422 :range");
    CHECK(faults_of<int>("2.0") == "fits");
    CHECK(faults_of<int>("1e3") == "fits");
    CHECK(faults_of<int>("1.7") == "422 :type");
    CHECK(faults_of<int>("1e300") == "422 :range");
    CHECK(faults_of<int>("true") == "422 :type");
    CHECK(faults_of<bool>("1") == "422 :type");
    CHECK(faults_of<float>("3.5e38") == "422 :range");
    CHECK(faults_of<float>("3.4e38") == "fits");
    const float largest = std::numeric_limits<float>::max();
    CHECK(sake::parse_json<float>(sake::dump_json(largest)) == largest);
    CHECK(faults_of<std::array<int, 0>>("[]") == "fits");
    CHECK(faults_of<std::array<int, 0>>("[1]") == "422 :items");
    CHECK(faults_of<double>("7") == "fits");
}

TEST_CASE("an enum goes by its names, also negative ones, and the last that is looked for") {
    CHECK(sake::dump_json(Colour::blue) == R"("blue")");
    CHECK(sake::dump_json(monday) == R"("monday")");
    CHECK(sake::dump_json(late) == R"("late")");
    CHECK(sake::parse_json<Weekday>(R"("tuesday")") == tuesday);
    CHECK(faults_of<Colour>(R"("green")") == "fits");
    CHECK(faults_of<Colour>(R"("Green")") == "422 :one_of");
    CHECK(faults_of<Colour>("5") == "422 :type");
    CHECK_THROWS_WITH_AS(static_cast<void>(sake::dump_json(static_cast<Colour>(9))),
                         doctest::Contains("has the value 9, which has no name"), std::invalid_argument);
}

TEST_CASE("a variant takes the first alternative that is of the kind of what is there") {
    using Either = std::variant<std::monostate, bool, std::int8_t, double, Colour, std::string, Note, Point,
                                std::vector<int>>;
    const auto index = [](std::string_view text) { return sake::parse_json<Either>(text).index(); };
    CHECK(index("null") == 0);
    CHECK(index("true") == 1);
    CHECK(index("7") == 2);
    CHECK(index("700") == 3);
    CHECK(index("0.5") == 3);
    CHECK(index(R"("red")") == 4);
    CHECK(index(R"("violet")") == 5);
    CHECK(index(R"({"text":"a"})") == 6);
    CHECK(index(R"({"x":1,"y":2})") == 7);
    CHECK(index("[1]") == 8);
    using Lists = std::variant<Numbers, Words>;
    CHECK(sake::parse_json<Lists>(R"({"values":[1]})").index() == 0);
    CHECK(sake::parse_json<Lists>(R"({"values":["a"]})").index() == 1);
    CHECK(faults_of<Lists>(R"({"values":[true]})") == "422 /values/0:type");
    using Times = std::variant<std::optional<std::chrono::sys_days>, std::string>;
    CHECK(sake::parse_json<Times>(R"("2026-11-29")").index() == 0);
    CHECK(sake::parse_json<Times>(R"("hello")").index() == 1);
    CHECK(sake::parse_json<std::variant<float, double>>("1e300").index() == 1);
    CHECK(faults_of<Either>(R"({"x":1})") == "422 :type");
    CHECK(faults_of<Either>(R"({"x":1,"y":"2"})") == "422 /y:type");
    CHECK(faults_of<Either>(R"(["a"])") == "422 /0:type");
}

TEST_CASE("a member with a default may be absent, and so may an optional one; the others may not") {
    struct Defaults {
        int zero = 0;
        int seven = 7;
        std::string name = "none";
        std::vector<int> list = {1, 2};
        Colour colour = Colour::blue;
        std::shared_ptr<int> none = {};
    };
    CHECK(faults_of<Defaults>("{}") == "422 /zero:missing");
    const auto read = sake::parse_json<Defaults>(R"({"zero":1})");
    CHECK(sake::dump_json(read) ==
          R"({"zero":1,"seven":7,"name":"none","list":[1,2],"colour":"blue","none":null})");
    struct Outer {
        Defaults inner = {.zero = 5, .seven = 0};
    };
    CHECK(faults_of<Outer>(R"({"inner":{}})") == "422 /inner/zero:missing");  // as its own type has it
    CHECK(sake::parse_json<Outer>(R"({"inner":{"zero":1}})").inner.seven == 0);
    CHECK(sake::parse_json<Defaults>(R"({"zero":0,"list":[9]})").list == std::vector<int>{9});
}

TEST_CASE("defaults of every kind count, in documents and in queries") {
    struct Kinds {
        std::array<int, 2> pair = {1, 2};
        std::chrono::sys_days day = std::chrono::sys_days(std::chrono::days(5));
        std::variant<int, std::string> either = "x";
        Json anything = 5;
    };
    struct Blank {
        std::array<int, 2> pair = {0, 0};
        std::chrono::sys_seconds time;
        std::variant<int, std::string> either;
        Json anything;
    };
    CHECK(faults_of<Kinds>("{}") == "fits");
    CHECK(faults_of<Blank>("{}") == "422 /pair:missing /time:missing /either:missing /anything:missing");

    struct Lists {
        std::array<int, 2> pair = {1, 2};
        std::optional<std::vector<int>> some;
        std::vector<std::string> names;
    };
    sake::Engine app;
    app.get("/", [](sake::Query<Lists> lists) { return *lists; });
    TestClient client(app);
    CHECK(client.get("/").body == R"({"pair":[1,2],"some":null,"names":[]})");
    CHECK(client.get("/?pair=3&pair=4&some=5&some=&names=&names=a").body ==
          R"({"pair":[3,4],"some":[5],"names":["","a"]})");
    CHECK(client.get("/?pair=3").json()["errors"][0]["code"] == "items");
    CHECK(client.get("/?pair=3&pair=4&pair=5").status == 422);
}

TEST_CASE("conversions of nlohmann/json win where a type has them") {
    CHECK(sake::dump_json(Weather{{21.9}, {3}}) == R"({"high":"21C","macro":{"count":3}})");
    CHECK(sake::parse_json<Weather>(R"({"high":"4.5","macro":{"count":1}})").high.degrees == 4.5);
    CHECK(faults_of<Weather>(R"({"high":"4.5","macro":{"count":1.5}})") == "422 /macro/count:range");
    CHECK(faults_of<Weather>(R"({"high":7,"macro":{}})") == "422 /high:type /macro/count:missing");
}

TEST_CASE("there are 100 faults at most") {
    const auto wrong = [](int count) {
        Json list = Json::array();
        for (int i = 0; i < count; ++i) list.push_back("x");
        return list.dump();
    };
    const auto count = [&](int faults) {
        sake::Engine app;
        app.post("/", [](sake::Body<std::vector<int>>) {});
        TestClient client(app);
        const auto answer = client.post("/", Json::parse(wrong(faults)));
        return answer.json()["errors"].size();
    };
    CHECK(count(99) == 99);
    CHECK(count(100) == 100);
    CHECK(count(101) == 100);
    CHECK(count(5000) == 100);
}

TEST_CASE("handlers take the body, the query and the form by type, after the path parameters") {
    sake::Engine app;
    app.post("/notes/:id", [](sake::Context& ctx, int id, sake::Body<Note> note, sake::Query<Paging> paging) {
        ctx.json({{"id", id}, {"text", note->text}, {"page", (*paging).page}});
    });
    app.post("/later/:id", [](int id, const sake::Body<Note>& note) -> sake::Task<Note> {
        co_await sake::yield();
        co_return Note{note->text, id};
    });
    app.post("/worker", [](sake::Body<Note> note) { return *note; }).worker();
    app.post("/login", [](sake::FormBody<Login> login) { return *login; });
    app.get("/notes", [](sake::Query<Paging> paging) { return *paging; });
    app.get("/paint/:colour", [](Colour colour) { return std::vector{colour}; });
    TestClient client(app);
    const Note note{"tea", 3};
    CHECK(client.post("/notes/7?page=2", note).body == R"({"id":7,"page":2,"text":"tea"})");
    CHECK(client.post("/notes/x", note).status == 400);
    CHECK(client.post("/notes/7?page=x", note).status == 422);
    CHECK(client.post("/later/5", note).body == R"({"text":"tea","stars":5})");
    CHECK(client.post("/later/5", "{}", {{"Content-Type", "application/json"}}).status == 422);
    CHECK(client.post("/worker", note).json<Note>().text == "tea");
    CHECK(client.post("/worker", Json::object()).status == 422);
    CHECK(client.get("/paint/blue").body == R"(["blue"])");
    CHECK(client.get("/paint/pink").json()["detail"] ==
          "path parameter 'colour' must be one of: red, green, blue");
    CHECK(client.get("/paint/pink").status == 400);

    CHECK(client.get("/notes").body == R"({"page":1,"size":20,"search":null,"ids":[],"all":false})");
    CHECK(client.get("/notes?page=3&ids=1&ids=2&search=a%20b&all=true&other=1").body ==
          R"({"page":3,"size":20,"search":"a b","ids":[1,2],"all":true})");
    CHECK(client.get("/notes?page=&search=&ids=&all=").body ==
          R"({"page":1,"size":20,"search":"","ids":[],"all":false})");
    CHECK(client.get("/notes?search=%ff").json()["errors"][0]["code"] == "type");
    CHECK(
        client.get("/notes?page=99999999999&ids=1&ids=b&all=perhaps").json()["errors"] ==
        Json::parse(R"([{"pointer":"/page","code":"range","detail":"must be from -2147483648 to 2147483647"},
                          {"pointer":"/ids/1","code":"type","detail":"must be an integer"},
                          {"pointer":"/all","code":"type","detail":"must be true or false"}])"));

    const auto form = [&](std::string_view text) {
        return client.post("/login", text, {{"Content-Type", "application/x-www-form-urlencoded"}});
    };
    CHECK(form("user=a&pin=").body == R"({"user":"a","pin":"","age":null,"remember":false})");
    CHECK(form("user=a&pin=1&age=&remember=on").body ==
          R"({"user":"a","pin":"1","age":null,"remember":true})");
    CHECK(form("pin=1&age=x").json()["detail"] == "form: /user is missing, and 1 more: see errors");
    CHECK(client.post("/login", note).status == 415);
}

TEST_CASE("what was created is a 201 that says where it is") {
    sake::Engine app;
    app.post("/there", [](sake::Body<Note> note) { return sake::Created(*note, "/notes/1"); });
    app.post("/somewhere",
             []() -> sake::Task<sake::Created<Json>> { co_return sake::Created(Json{{"a", 1}}); });
    TestClient client(app);
    const auto there = client.post("/there", Note{"a", 1});
    CHECK(there.status == 201);
    CHECK(there.header("Location") == "/notes/1");
    CHECK(there.body == R"({"text":"a","stars":1})");
    const auto somewhere = client.post("/somewhere");
    CHECK(somewhere.status == 201);
    CHECK(somewhere.header("Location").empty());
    CHECK(somewhere.body == R"({"a":1})");
}

TEST_CASE("ctx.bind, ctx.form, ctx.query and ctx.json take types of the program as well") {
    sake::Engine app;
    app.post("/bind", [](sake::Context& ctx) { ctx.json(201, ctx.bind<Note>()); });
    app.post("/form", [](sake::Context& ctx) { ctx.json(ctx.form<Login>()); });
    app.get("/query", [](sake::Context& ctx) { ctx.json(ctx.query<Paging>()); });
    app.get("/list", [](sake::Context& ctx) { ctx.json(std::vector<Note>{{"a", {}}}); });
    app.get("/number", [](sake::Context& ctx) { ctx.json(7); });
    TestClient client(app);
    CHECK(client.post("/bind", Note{"a", 1}).status == 201);
    CHECK(client.post("/bind", Note{"a", 1}).header("Content-Type") == "application/json");
    CHECK(client.post("/form", "user=u&pin=p", {{"Content-Type", "application/x-www-form-urlencoded"}})
              .json<Login>()
              .user == "u");
    CHECK(client.get("/query?page=9").json<Paging>().page == 9);
    CHECK(client.get("/list").body == R"([{"text":"a","stars":null}])");
    CHECK(client.get("/number").body == "7");
    CHECK_THROWS_WITH_AS(static_cast<void>(client.get("/list").json<Note>()),
                         "JSON that must be an object, but is an array", sake::JsonError);
    CHECK_THROWS_WITH_AS(static_cast<void>(sake::parse_json<std::vector<Note>>(R"([{"text":1}])")),
                         "/0/text must be text, but is a number", sake::JsonError);
}

TEST_CASE("a document of a type nests no deeper than the limit, and the last of two members counts") {
    const auto nested = [](int depth) {
        std::string text;
        for (int i = 1; i < depth; ++i) text += R"({"name":"a","children":[)";
        text += R"({"name":"a","children":[]})";
        for (int i = 1; i < depth; ++i) text += "]}";
        return text;
    };
    CHECK(faults_of<Tree>(nested(32)) == "fits");  // 64 levels of arrays and objects
    CHECK(faults_of<Tree>(nested(33)) == "400");
    CHECK(sake::parse_json<Point>(R"({"x":1,"y":2,"x":3})").x == 3);
}

TEST_CASE("what a handler with types misses is told on the problem of on_error as well") {
    sake::Engine app;
    app.on_error([](sake::Context& ctx, const std::exception& error) {
        auto problem = dynamic_cast<const sake::HttpError&>(error);
        ctx.send(422, problem.with({{"help", "/docs"}}).document(), "application/problem+json");
    });
    app.post("/", [](sake::Body<Note>) {});
    TestClient client(app);
    const Json problem = client.post("/", Json::object()).json();
    CHECK(problem["help"] == "/docs");
    CHECK(problem["errors"].size() == 1);
}

}  // namespace test_types
