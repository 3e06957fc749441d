// expect: a Task does nothing until it is awaited: co_await it
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use([](sake::Context& ctx) { ctx.next(); });
}
