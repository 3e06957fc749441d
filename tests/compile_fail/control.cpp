// expect: (compiles)
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sake.hpp"

// What the programs beside this one get wrong, done right.
struct WithJson {
    int number = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(WithJson, number)
};

struct WithRules {
    std::string text;
    std::optional<int> stars;
    std::vector<std::uint64_t> sizes;
};
template <>
inline constexpr auto sake::rules<WithRules> =
    sake::fields(sake::length(&WithRules::text, 1, 1), sake::one_of(&WithRules::text, "a", "b"),
                 sake::format(&WithRules::text, sake::Format::uri), sake::range(&WithRules::stars, -1, -1),
                 sake::one_of(&WithRules::stars, -1, 1), sake::range(&WithRules::sizes, 0, UINT64_MAX),
                 sake::items(&WithRules::sizes, 0, 10), sake::unique(&WithRules::sizes));

void by_id(sake::Context&, int) {}
int twice(int number) { return 2 * number; }

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.set("key", WithJson{}); });
    app.get("/users/:id", by_id);
    app.get("/users/:id/:post", [](sake::Context&, int, const std::string&) {});
    app.any("/files/*path", [](sake::Context&, std::string_view path) { return path; });
    app.get("/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p", [](sake::Context&) {});
    app.group("/:a").get("/:b", [](sake::Context&, int, int) -> sake::Task<> { co_return; });
    app.group("").get("/json", [](auto&) -> sake::Task<sake::Json> { co_return sake::Json(7); });
    app.get(sake::runtime(std::string("/at/run/time")), [](sake::Context&) { return "text"; });
    app.use([](sake::Context& ctx) -> sake::Task<> { co_await ctx.next(); });
    app.get("/bare", [] { return "text"; });
    app.get("/bare/:id", [](int id) -> sake::Task<int> { co_return id; });
    app.get("/twice/:number", twice);
    app.get("/struct", [] { return WithJson{}; });
    app.get("/map", [](sake::Context&) { return std::map<std::string, std::vector<int>>(); });
    app.post("/rules", [](sake::Body<WithRules> body) { return *body; });
    app.get("/route", [] {}).use([](sake::Context& ctx) { ctx.after([](sake::Context&) {}); });
    app.use([] {});
    app.on_error([] {});
    app.on_answered([](const sake::Answered&) {});
    app.not_found([](sake::Context& ctx) { ctx.text(ctx.query<std::string>("q", "none")); });
}
