// expect: the_handler_takes_another_number_of_parameters_than_its_pattern_has
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](int) {});
}
