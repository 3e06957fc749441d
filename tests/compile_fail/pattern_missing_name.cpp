// expect: a_parameter_of_the_pattern_has_no_name
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.post("/users/:", [](sake::Context&) {});
}
