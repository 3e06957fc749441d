// Prints what is said of JSON bodies that do not fit, for two settings of nlohmann/json to be compared.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "sake.hpp"

namespace {

struct Inner {
    int a = 0;
    std::vector<int> list;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Inner, a, list)
};

struct Outer {
    Inner in;
    std::map<std::string, Inner> named;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(Outer, in, named)
};

struct Measure {
    int size = 0;
    friend void from_json(const sake::Json& json, Measure& measure) {
        measure.size = json.at("in").at("size (mm) x").get<int>();
    }
};

struct Pair {
    int right = 0;
    friend void from_json(const sake::Json& json, Pair& pair) { pair.right = json.at("in").at(1).get<int>(); }
};

}  // namespace

int main() {
    sake::Engine app({.handle_signals = false, .announce = false});
    app.post("/outer", [](sake::Context& ctx) { ctx.json(ctx.bind<Outer>().in.a); });
    app.post("/measure", [](sake::Context& ctx) { ctx.json(ctx.bind<Measure>().size); });
    app.post("/pair", [](sake::Context& ctx) { ctx.json(ctx.bind<Pair>().right); });
    sake::TestClient client(app);
    const char* const inner = R"({"a": 1, "list": []})";
    const auto with = [&](std::string in, std::string name, std::string value) {
        return R"({"in": )" + in + R"(, "named": {")" + name + R"(": )" + value + "}}";
    };
    const std::vector<std::pair<const char*, std::string>> bodies = {
        {"/outer", with(inner, "x", inner)},
        {"/outer", "{}"},
        {"/outer", "[]"},
        {"/outer", R"({"in": {}, "named": {}})"},
        {"/outer", R"({"in": [], "named": {}})"},
        {"/outer", R"({"in": {"a": 1}, "named": {}})"},
        {"/outer", R"({"in": {"a": "1", "list": []}, "named": {}})"},
        {"/outer", R"({"in": {"a": 1.5, "list": []}, "named": {}})"},
        {"/outer", R"({"in": {"a": 1, "list": [1, 2, "3"]}, "named": {}})"},
        {"/outer", R"({"in": {"a": 1, "list": 7}, "named": {}})"},
        {"/outer", with(inner, "x", "{}")},
        {"/outer", with(inner, "x", R"({"a": null, "list": []})")},
        {"/outer", with(inner, "a/b~c (d) e", "{}")},
        {"/outer", with(inner, ") key 'b' not found", "{}")},
        {"/outer", with(inner, ") type must be nothing", R"({"a": null, "list": []})")},
        {"/outer", with(inner, "x", "null")},
        {"/measure", R"({"in": {}})"},
        {"/measure", R"({"in": {"size (mm) x": ""}})"},
        {"/measure", R"({"in": []})"},
        {"/pair", R"({"in": [1]})"},
        {"/pair", R"({"in": {}})"},
        {"/pair", R"({"in": [1, null]})"},
    };
    for (const auto& [path, body] : bodies) {
        const auto response = client.request("POST", path, {}, body);
        std::printf("%s %s: %d %s\n", path, body.c_str(), response.status, response.body.c_str());
    }
}
