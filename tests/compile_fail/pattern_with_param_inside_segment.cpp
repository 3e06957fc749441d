// expect: the_pattern_has_a_colon_or_star_inside_a_segment_where_a_parameter_is_a_whole_one
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/u-:id", [](sake::Context&) {});
}
