// expect: a handler is a function or a lambda: write app.get(path, f), not app.get(path, f())
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/", 7);
}
