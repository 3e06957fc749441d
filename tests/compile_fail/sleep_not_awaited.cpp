// expect: nothing happens until it is awaited: co_await it
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) { sake::sleep(std::chrono::seconds(1)); });
}
