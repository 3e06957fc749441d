// expect: this type has no JSON form: it must be a number, bool, text, enum, optional, list, map of texts,
// variant or a plain struct of them (no constructors, bases or private members), or have nlohmann's to_json
#include "sake.hpp"

struct Note {
    std::string text;
    int* pointer;
};

int main() {
    sake::Engine app;
    app.get("/", [] { return Note{}; });
}
