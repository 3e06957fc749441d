// expect: path parameters first, then sake::Body, sake::Query and sake::FormBody
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/:id", [](sake::Body<Note>, int) {});
}
