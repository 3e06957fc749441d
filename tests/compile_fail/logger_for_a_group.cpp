// expect: a logger is told of every answer: give it to the engine, not to a group
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.group("/api").use(sake::middleware::logger());
}
