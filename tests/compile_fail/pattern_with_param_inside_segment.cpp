// expect: a_parameter_is_a_whole_segment_write_the_colon_or_star_behind_a_slash
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/u-:id", [](sake::Context&) {});
}
