// expect: ctx.after: the function must return void
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.after([](sake::Context&) -> sake::Task<> { co_return; }); });
}
