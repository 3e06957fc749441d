// expect: the_pattern_has_an_escape_write_what_it_stands_for
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/two%20words", [](sake::Context&) {});
}
