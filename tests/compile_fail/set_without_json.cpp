// expect: ctx.set: this type has no to_json, by which it would cross to a worker: write one, or keep it in
// ctx.state<T>()
#include "sake.hpp"

struct NoJson {
    void* pointer = nullptr;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.set("key", NoJson{}); });
}
