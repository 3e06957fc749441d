// expect: a_pattern_starts_with_a_slash_write_it_in_front
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("", [](sake::Context&) {});
}
