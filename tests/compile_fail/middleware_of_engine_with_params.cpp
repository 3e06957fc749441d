// expect: middleware takes sake::Context& and no path parameters: read them by ctx.param(name)
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([](sake::Context&, int) {});
}
