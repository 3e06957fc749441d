// expect: a handler takes sake::Context& as its first parameter, or not at all: move it to the front
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](int, sake::Context&) {});
}
