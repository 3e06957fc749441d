// expect: this handler cannot be copied, because a capture cannot (a std::unique_ptr): move it, app.get(path,
// std::move(handler))
#include <memory>

#include "sake.hpp"

int main() {
    sake::Engine app;
    auto handler = [number = std::make_unique<int>(7)](sake::Context& ctx) { ctx.json(*number); };
    app.get("/", handler);
}
