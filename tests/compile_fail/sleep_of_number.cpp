// expect: a duration is needed here, not a number: write 10s or 500ms, behind `using namespace
// std::chrono_literals;`
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> sake::Task<> { co_await sake::sleep(100); });
}
