// expect: a handler takes the path parameters first: move sake::Body, sake::Query and sake::FormBody behind
// them
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/:id", [](sake::Body<Note>, int) {});
}
