// expect: a parameter converts to a number, bool, std::string, std::string_view or an enum class
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](sake::Context&, sake::Json) {});
}
