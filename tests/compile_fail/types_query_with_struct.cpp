// expect: whose members are texts, numbers, bools, enums or times
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
