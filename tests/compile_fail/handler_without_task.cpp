// expect: a handler that uses co_await returns a sake::Task<>: write -> sake::Task<> behind its parameters
#include "sake.hpp"

void slow(sake::Context& ctx) {
    co_await sake::sleep(std::chrono::seconds(1));
    ctx.text("slept");
}

int main() {
    sake::Engine app;
    app.get("/slow", slow);
}
