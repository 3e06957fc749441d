// expect: a_pattern_has_no_regular_expressions_take_an_int_or_check_in_the_handler
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/users/:id(\\d+)", [](sake::Context& ctx, int id) { ctx.json({{"id", id}}); });
}
