// expect: the_pattern_must_be_utf8_without_nul
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/caf\xe9", [](sake::Context&) {});
}
