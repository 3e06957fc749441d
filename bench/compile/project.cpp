// A project of ten files, all of which are this one: PART 0 has main, the others have routes. To be compiled
// and measured.
#include "sake.hpp"

#define BENCH_JOIN(a, b) a##b
#define BENCH_NAME(part) BENCH_JOIN(add_routes_, part)

#if PART == 0
void add_routes_1(sake::RouterGroup& app);
void add_routes_2(sake::RouterGroup& app);
void add_routes_3(sake::RouterGroup& app);
void add_routes_4(sake::RouterGroup& app);
void add_routes_5(sake::RouterGroup& app);
void add_routes_6(sake::RouterGroup& app);
void add_routes_7(sake::RouterGroup& app);
void add_routes_8(sake::RouterGroup& app);
void add_routes_9(sake::RouterGroup& app);

int main() {
    sake::Engine app;
    sake::RouterGroup all = app.group("/all");
    for (auto* add : {add_routes_1, add_routes_2, add_routes_3, add_routes_4, add_routes_5, add_routes_6,
                      add_routes_7, add_routes_8, add_routes_9})
        add(all);
    return app.run(8080);
}
#else
void BENCH_NAME(PART)(sake::RouterGroup& all);
void BENCH_NAME(PART)(sake::RouterGroup& all) {
    sake::RouterGroup app = all.group(sake::runtime("/" + std::to_string(PART)));
    app.get("/", [](sake::Context& ctx) { ctx.text("Hello, World!"); });
    app.get("/users/:id", [](sake::Context& ctx, int id) { ctx.json({{"id", id}}); });
    app.get("/slow", [](sake::Context& ctx) -> sake::Task<> {
        co_await sake::sleep(std::chrono::milliseconds(100));
        ctx.text("awake");
    });
}
#endif
