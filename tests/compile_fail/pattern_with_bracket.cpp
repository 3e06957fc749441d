// expect: the_pattern_has_a_bracket_where_a_parameter_is_written_with_a_colon
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/users/{id}", [](sake::Context&) {});
}
