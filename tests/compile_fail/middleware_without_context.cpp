// expect: a Sake handler takes sake::Context& first
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([] {});
}
