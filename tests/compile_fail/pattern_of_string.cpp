// expect: a pattern that is made at run time needs sake::runtime(text)
#include "sake.hpp"

int main() {
    sake::Engine app;
    const std::string prefix = "/at/run/time";
    app.get(prefix + "/:id", [](sake::Context&, int) {});
}
