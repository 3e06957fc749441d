// expect: on_error: the handler must not be a coroutine or return a value: set the answer by ctx.json(...)
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.on_error([](sake::Context& ctx, const std::exception&) -> sake::Task<> {
        ctx.text("failed");
        co_return;
    });
}
