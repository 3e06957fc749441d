// expect: take sake::Context&; leave out the return of `return ctx.json(...)`
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { return ctx.json({{"id", 1}}); });
}
