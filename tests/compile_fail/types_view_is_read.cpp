// expect: cannot own what is read (use a std::string)
#include "sake.hpp"

struct Note {
    std::string_view text;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
