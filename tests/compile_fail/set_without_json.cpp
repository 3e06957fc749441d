// expect: ctx.set: this type has no JSON form, by which it would cross to a worker: make it a plain struct,
// write a to_json, or keep it in ctx.state<T>()
#include "sake.hpp"

class NoJson {
  public:
    [[nodiscard]] void* pointer() const { return pointer_; }

  private:
    void* pointer_ = nullptr;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context& ctx) { ctx.set("key", NoJson{}); });
}
