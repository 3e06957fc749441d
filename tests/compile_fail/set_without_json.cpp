// expect: ctx.set: this type has no JSON form
#include "sake.hpp"

struct NoJson {
    void* pointer = nullptr;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.set("key", NoJson{}); });
}
