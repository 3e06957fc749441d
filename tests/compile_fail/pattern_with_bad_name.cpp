// expect: a_parameter_name_has_letters_digits_underscores_and_hyphens_only_rename_it
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/files/:id.json", [](sake::Context&) {});
}
