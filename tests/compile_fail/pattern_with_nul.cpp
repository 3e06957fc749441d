// expect: the_pattern_must_be_utf8_without_nul
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.group("/a\0b").get("/", [](sake::Context&) {});
}
