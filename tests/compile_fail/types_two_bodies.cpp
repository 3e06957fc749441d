// expect: a Sake handler takes one sake::Query at most, and one sake::Body or sake::FormBody
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>, sake::FormBody<Note>) {});
}
