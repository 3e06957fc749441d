// expect: a struct in it has a const member
#include "sake.hpp"

struct Note {
    const std::string owner = "server";
    int stars;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
