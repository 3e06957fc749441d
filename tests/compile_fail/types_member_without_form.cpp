// expect: this type has no JSON form
#include "sake.hpp"

struct Note {
    std::string text;
    int* pointer;
};

int main() {
    sake::Engine app;
    app.get("/", [] { return Note{}; });
}
