// expect: the_pattern_must_start_with_a_slash
#include "sake.hpp"

int main() {
    sake::Engine app;
    static_cast<void>(app.group("api"));
}
