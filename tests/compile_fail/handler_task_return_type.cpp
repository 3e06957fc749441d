// expect: a Sake handler returns void, a string or sake::Json, or a sake::Task of one of them
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> sake::Task<int> { co_return 7; });
}
