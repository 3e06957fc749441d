// expect: middleware takes sake::Context& and nothing else
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.use([](sake::Context&, sake::Body<Note>) {});
}
