// expect: a_pattern_is_a_path_without_a_query_read_that_by_ctx_query
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/search?q=:text", [](sake::Context&) {});
}
