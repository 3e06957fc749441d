// expect: a Sake handler takes sake::Context& first or not at all
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([](int, sake::Context&) {});
}
