// expect: ctx.json(...) and the like set the answer, and a handler does not return it: leave out the return
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) -> sake::Context& { return ctx.json({{"id", 1}}); });
}
