// expect: a_pattern_is_utf8_without_nul_save_the_file_as_utf8
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/caf\xe9", [](sake::Context&) {});
}
