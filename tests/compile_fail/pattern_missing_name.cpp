// expect: a_parameter_of_the_pattern_has_no_name_write_it_behind_the_colon_or_star
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.post("/users/:", [](sake::Context&) {});
}
