// expect: on_error: the handler takes (Context&), (Context&, const std::exception&) or
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.on_error([](int) {});
}
