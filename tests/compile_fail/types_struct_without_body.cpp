// expect: a handler does not know where to read this struct from: take sake::Body<T> (JSON), sake::Query<T>
// or sake::FormBody<T>
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/", [](Note) {});
}
