// expect: on_error: the handler takes (sake::Context&), (sake::Context&, const std::exception&) or
// (sake::Context&, std::exception_ptr): write one of these
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.on_error([](int) {});
}
