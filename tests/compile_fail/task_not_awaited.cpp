// expect: a Task does nothing until it is awaited: co_await it
#include "sake.hpp"

sake::Task<> save() { co_return; }

int main() {
    sake::Engine app;
    app.post("/", [](sake::Context&) -> sake::Task<> {
        save();
        co_return;
    });
}
