// expect: a parameter converts to a number, bool, std::string, std::string_view or an enum class: ask for one
// of these, and make your type of it in the handler
#include "sake.hpp"

struct NoJson {
    void* pointer = nullptr;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { static_cast<void>(ctx.query<NoJson>("q", {})); });
}
