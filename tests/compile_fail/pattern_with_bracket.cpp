// expect: the_pattern_has_a_bracket_write_a_parameter_with_a_colon_like_slash_colon_id
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/users/{id}", [](sake::Context&) {});
}
