// expect: a Sake handler takes sake::Context& first or not at all
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](int, sake::Context&) {});
}
