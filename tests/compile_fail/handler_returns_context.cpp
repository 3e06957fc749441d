// expect: ctx.json(...) and the like set the answer: call it without returning what it returns
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) -> sake::Context& { return ctx.json({{"id", 1}}); });
}
