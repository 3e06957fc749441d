// expect: middleware takes sake::Context& and nothing else
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](int) {}).use([](sake::Context&, int) {});
}
