// expect: (compiles)
#include <memory>
#include <string>
#include <vector>

#include "sake.hpp"

// The right code of docs/compile-errors.md.
using namespace std::chrono_literals;

struct Note {
    std::string text;
};
struct Base {
    int x;
};
struct Note2 {
    Base base;
    int y;
};
struct Inner {
    int x;
};
struct Outer {
    Inner inner;
};
struct Open {
    int number = 0;
};
struct Vote {
    int option;
};
struct Notes {
    void list(sake::Context& ctx) { ctx.text("notes"); }
};

void home(sake::Context& ctx) { ctx.text("home"); }

sake::Task<> slow(sake::Context& ctx) {
    co_await sake::sleep(100ms);
    ctx.text("slept");
}

void add_patterns(sake::Engine& app) {
    app.get("/users", [](sake::Context&) {});
    app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.json({{"id", id}}); });
    app.get("/u/:id", [](sake::Context& ctx) { ctx.text(ctx.query("q")); });
    app.get("/files/:id", [](sake::Context&) {});
    app.get("/:id/x/:item", [](sake::Context&) {});
    app.any("/size/*path", [](sake::Context&) {});
    app.get("/users/:id/:post", [](sake::Context&, int, int) {});
    const std::string prefix = "/at/run/time";
    app.get(sake::runtime(prefix + "/:id"), [](sake::Context&, int) {});
}

void add_handlers(sake::Engine& app, Notes& notes) {
    app.get("/", home);
    app.get("/notes", [&notes](sake::Context& ctx) { notes.list(ctx); });
    app.get("/none", [](sake::Context&) {});
    app.get("/one/:id", [](sake::Context&, int) {});
    app.get("/hello/:name", [](sake::Context& ctx, std::string name) { ctx.text(name); });
    app.get("/text/:json", [](sake::Context&, std::string) {});
    app.post("/note", [](sake::Body<Note>) {});
    app.post("/note/:id", [](int, sake::Body<Note>) {});
    app.get("/open", [] { return Open{}; });
    app.get("/json", [](sake::Context& ctx) { ctx.json(Open{}); });
    app.post("/outer", [](sake::Body<Outer>) {});
    app.get("/two", [] { return Note2{}; });
    auto handler = [number = std::make_unique<int>(7)](sake::Context& ctx) { ctx.json(*number); };
    app.get("/moved", std::move(handler));
    app.get("/slow", slow);
}

void add_others(sake::Engine& app) {
    app.use([](sake::Context& ctx) -> sake::Task<> { co_await ctx.next(); });
    app.use(sake::middleware::cors({}));
    app.post("/voted", [](sake::Context& ctx, sake::Body<Vote> vote) { ctx.json(*vote); });
    app.use([](sake::Context& ctx) {
        if (ctx.header("X-Key") != "sesame") throw sake::HttpError(401);
    });
    app.use(sake::middleware::logger());
    app.on_error([](sake::Context& ctx, const std::exception&) { ctx.text("failed"); });
    app.ws("/votes", [](sake::WebSocket& ws) -> sake::Task<> {
        while (co_await ws.receive()) ws.post("vote");
    });
    app.ws("/vote", [](sake::WebSocket& ws, sake::Query<Vote>) -> sake::Task<> {
        while (co_await ws.receive()) ws.post("vote");
    });
}

sake::Task<> save() { co_return; }
sake::Task<int> count() { co_return 1; }
sake::Task<> add_one(int number) {
    co_await sake::yield();
    static_cast<void>(number + 1);
}
int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

sake::Task<int> coroutines() {
    co_await save();
    co_await sake::sleep(std::chrono::seconds(1));
    co_await sake::sleep(100ms);
    const int number = co_await count();
    co_await sake::background([&] { return fib(30); });
    auto spawned = sake::spawn(add_one, number);
    co_await spawned;
    sake::Task<> moved = save();
    auto handle = sake::spawn(std::move(moved));
    co_await handle;
    sake::Task<int> task = count();
    co_return co_await std::move(task) + 1;
}

int main() {
    sake::Engine app;
    Notes notes;
    add_patterns(app);
    add_handlers(app, notes);
    add_others(app);
    const std::vector<int> numbers = {1, 2};
    const auto doubled = sake::parallel(numbers, [](int number) { return number * 2; });
    sake::pipeline([](int n) { return n; }, [](int) {}).run(doubled);
    sake::run_until_complete([]() -> sake::Task<> { co_await sake::yield(); }());
    return sake::run_until_complete(coroutines());
}
