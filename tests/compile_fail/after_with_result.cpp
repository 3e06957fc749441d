// expect: ctx.after: the function must not be a coroutine or return a value: set the answer by ctx.json(...)
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.after([](sake::Context&) -> sake::Task<> { co_return; }); });
}
