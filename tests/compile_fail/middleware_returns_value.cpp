// expect: middleware returns nothing or a sake::Task<>, since a value would stop no request: throw
// sake::HttpError(401), or call ctx.abort(401)
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([](sake::Context& ctx) { return ctx.header("X-Key") == "sesame"; });
}
