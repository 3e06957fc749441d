// expect: a Sake handler returns void, a string or something with a JSON form
#include "sake.hpp"

class Hidden {
    int number = 0;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> sake::Task<Hidden> { co_return Hidden{}; });
}
