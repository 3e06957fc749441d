// expect: a pattern that is made at run time is checked at run time: write app.get(sake::runtime(text), f)
#include "sake.hpp"

int main() {
    sake::Engine app;
    const std::string prefix = "/at/run/time";
    app.get(prefix + "/:id", [](sake::Context&, int) {});
}
