// expect: a Sake handler returns void, a string or something with a JSON form
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> const int* { return nullptr; });
}
