// expect: the_wildcard_must_be_the_last_segment_of_the_pattern
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.group("/api").get("/*a/b", [](sake::Context&) {});
}
