// expect: the_pattern_uses_a_parameter_name_twice_rename_one
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id/x/:id", [](sake::Context&) {});
}
