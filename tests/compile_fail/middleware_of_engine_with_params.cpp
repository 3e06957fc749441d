// expect: middleware takes sake::Context& and nothing else
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([](sake::Context&, int) {});
}
