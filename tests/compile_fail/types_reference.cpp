// expect: Sake takes a struct that can be made without values
#include "sake.hpp"

struct Note {
    const std::string& text;
};

int main() {
    sake::Engine app;
    const std::string text;
    app.get("/", [&] { return Note{text}; });
}
