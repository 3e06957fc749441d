// expect: Sake takes a struct that can be made without values: a member of this one is a reference, or has no
// default: make it a value with one, or a std::optional
#include "sake.hpp"

struct Note {
    const std::string& text;
};

int main() {
    sake::Engine app;
    const std::string text;
    app.get("/", [&] { return Note{text}; });
}
