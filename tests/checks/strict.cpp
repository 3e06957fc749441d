// Much of the public surface in one program, for the compilers' warnings; it is compiled and never run.
#include "sake.hpp"

using namespace std::chrono_literals;

namespace {

struct Item {
    int id = 0;
    std::string name;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Item, id, name)

struct Ruled {
    std::string text;
    std::optional<unsigned> count;
    std::vector<float> numbers;
    std::chrono::sys_time<std::chrono::milliseconds> time;
};

}  // namespace

template <>
inline constexpr auto sake::rules<Ruled> = sake::fields(
    sake::length(&Ruled::text, 1, 80), sake::one_of(&Ruled::text, "a", "b"),
    sake::format(&Ruled::text, sake::Format::uuid), sake::range(&Ruled::count, 1, 5),
    sake::one_of(&Ruled::count, 1, 2U), sake::range(&Ruled::numbers, -1, 0.5),
    sake::items(&Ruled::numbers, 0, 9), sake::unique(&Ruled::numbers), sake::defaulted(&Ruled::numbers));

namespace {

sake::Task<int> twice(int n) {
    co_await sake::sleep(1ms);
    co_return 2 * n;
}

sake::Task<> toolbox() {
    const int one = co_await twice(1);
    auto child = sake::spawn(twice(one));
    const int joined = co_await child;
    sake::spawn([joined]() -> sake::Task<int> { co_return joined; }).detach();
    sake::Event event;
    event.set();
    co_await event.wait();
}

void add_routes(sake::Engine& app) {
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/users/:id", [](sake::Context& ctx) { ctx.json({{"id", ctx.param<int>("id")}}); });
    app.get("/typed/:id/:name", [](sake::Context& ctx, int id, std::string name) {
        ctx.json(200, {{"id", id}, {"name", std::move(name)}});
    });
    app.post("/items", [](sake::Context& ctx) { ctx.json(201, ctx.bind<Item>()); });
    app.post("/ruled", [](sake::Body<Ruled> body) { return *body; })
        .summary("Rules")
        .tag("ruled")
        .responds<Ruled>(200, "The same")
        .responds(404)
        .security("token");
    app.openapi("/openapi.json",
                {.title = "Strict", .version = "1", .security = {sake::SecurityScheme::bearer("token")}});
    app.get("/text", [](sake::Context&) { return std::string("text"); });
    app.get("/value", [](sake::Context&) -> sake::Task<sake::Json> {
        const int n = co_await twice(21);
        co_return sake::Json{{"n", n}};
    });
    app.get("/fail", [](sake::Context&) { throw sake::HttpError(404, "no such user"); });
    app.get("/go", [](sake::Context& ctx) { ctx.redirect("/"); });
    app.get("/query", [](sake::Context& ctx) {
        ctx.set("seen", ctx.query<int>("n", 1));
        ctx.set_header("X-Method", ctx.find_header("host") ? "yes" : "no");
        for (const auto& [name, value] : ctx.headers()) ctx.add_header("X-Seen", name.empty() ? name : value);
        ctx.html(ctx.query("name", "nobody"));
    });
    app.get("/work", [](sake::Context& ctx) { ctx.text(ctx.in_worker_pool() ? "pool" : "reactor"); });
    app.post("/large", [](sake::Context& ctx) { ctx.no_content(); }).max_body(1 << 24);
    app.get("/events", [](sake::Context& ctx) -> sake::Task<> {
        sake::EventStream events = ctx.events();
        co_await events.send("text");
        co_await events.send(sake::Event("text").name("name").id(1).retry(1s));
        const sake::Json value{{"n", 1}};
        co_await events.send_json(value);
        co_await events.comment();
    });
    static sake::Hub hub;
    app.get("/hub", [](sake::Context& ctx) { return hub.serve(ctx, "topic"); });
    app.on_error([](sake::Context& ctx, const std::exception& error) { ctx.text(error.what()); });
    auto group = app.group("/api");
    group.use([](sake::Context& ctx) -> sake::Task<> { co_await ctx.next(); });
    group.get("/files/*path", [](sake::Context& ctx) { ctx.text(ctx.param("path")); });
    app.not_found([](sake::Context& ctx) { ctx.text("nothing here"); });
}

}  // namespace

int main() {
    sake::Engine app(sake::Config::with_defaults().with_worker_pool(false));
    add_routes(app);
    sake::run_until_complete(toolbox());
    return app.run(8080);
}
