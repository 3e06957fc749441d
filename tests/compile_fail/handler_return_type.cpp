// expect: a Sake handler returns void, a string or something with a JSON form
#include "sake.hpp"

struct Plain {
    int number = 0;
};

int main() {
    sake::Engine app;
    app.get("/", [] { return Plain{}; });
}
