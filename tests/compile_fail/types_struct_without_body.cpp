// expect: a handler takes a struct as sake::Body<T>, sake::Query<T> or sake::FormBody<T>
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.post("/", [](Note) {});
}
