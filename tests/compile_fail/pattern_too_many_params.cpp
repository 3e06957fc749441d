// expect: the_pattern_has_more_than_16_parameters_read_the_others_from_the_query
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q", [](sake::Context&) {});
}
