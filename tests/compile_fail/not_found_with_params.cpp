// expect: not_found: there is no pattern, so the handler takes no path parameters: read ctx.path()
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.not_found([](sake::Context&, int) {});
}
