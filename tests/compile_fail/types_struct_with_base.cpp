// expect: Sake does not see the members of a struct with a base: make the base its first member
#include "sake.hpp"

struct Base {
    int x;
};
struct Note : Base {
    int y;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
