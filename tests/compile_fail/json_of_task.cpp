// expect: a Task has no JSON form, but its result may have one: co_await it first, auto value = co_await f();
#include "sake.hpp"

sake::Task<int> count() { co_return 1; }

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.json(count()); });
}
