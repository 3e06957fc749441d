// expect: the_name_of_a_parameter_is_of_letters_digits_underscores_and_hyphens
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/files/:id.json", [](sake::Context&) {});
}
