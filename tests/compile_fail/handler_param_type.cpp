// expect: a parameter converts to a number, bool, std::string or std::string_view
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](sake::Context&, sake::Json) {});
}
