// expect: a query or a form is read into a plain struct, whose members are texts, numbers, bools, enums or
// times, std::optionals of them, or lists of them: for anything else use a JSON body, sake::Body<T>
#include "sake.hpp"

struct Inner {
    int x;
};
struct Outer {
    Inner inner;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Query<Outer>) {});
}
