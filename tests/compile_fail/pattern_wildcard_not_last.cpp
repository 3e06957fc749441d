// expect: a_parameter_with_a_star_takes_the_rest_of_the_path_move_it_to_the_end
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.any("/files/*path/size", [](sake::Context&) {});
}
