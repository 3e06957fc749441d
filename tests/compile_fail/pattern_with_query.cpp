// expect: a_pattern_is_of_the_path_alone_and_has_no_query
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/search?q=:text", [](sake::Context&) {});
}
