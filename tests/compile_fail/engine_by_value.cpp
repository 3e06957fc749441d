// expect: pass it on by reference: sake::Engine& app
#include "sake.hpp"

void add_routes(sake::Engine app) {
    app.get("/", [] { return "hello"; });
}

int main() {
    sake::Engine app;
    add_routes(app);
}
