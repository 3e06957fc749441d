// expect: a handler has one operator(), and a type for each parameter: write int id, not auto id
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](sake::Context&, auto) {});
}
