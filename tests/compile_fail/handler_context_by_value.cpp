// expect: a handler takes the Context by reference: write sake::Context& ctx
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context) {});
}
