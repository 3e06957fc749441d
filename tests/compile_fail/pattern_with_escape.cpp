// expect: the_pattern_has_a_percent_escape_write_the_character_itself
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/two%20words", [](sake::Context&) {});
}
