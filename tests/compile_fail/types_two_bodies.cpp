// expect: a handler takes one sake::Query at most, and one sake::Body or sake::FormBody: make one struct of
// the two
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>, sake::FormBody<Note>) {});
}
