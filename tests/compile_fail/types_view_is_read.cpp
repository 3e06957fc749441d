// expect: this type cannot be read: a std::string_view or const char* in it owns no text, or a member is
// const: use std::string, and leave out const
#include "sake.hpp"

struct Note {
    std::string_view text;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
