// expect: a handler returns a Task of a Task: co_await the inner one, and return its result
#include "sake.hpp"

sake::Task<int> count() { co_return 1; }

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> sake::Task<sake::Task<int>> { co_return count(); });
}
