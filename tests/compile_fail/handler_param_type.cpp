// expect: a handler takes path parameters as a number, bool, std::string, std::string_view or enum class:
// take one of these, and make your type of it in the handler
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/:id", [](sake::Context&, sake::Json) {});
}
