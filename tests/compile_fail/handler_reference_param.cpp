// expect: a handler takes its parameters by value or const reference: write std::string name, not
// std::string& name
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/hello/:name", [](sake::Context& ctx, std::string& name) { ctx.text(name); });
}
