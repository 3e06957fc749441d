// expect: a pipeline runs over a range, or over a callable that returns a std::optional: give one of the two
// to run
#include "sake.hpp"

int main() {
    sake::pipeline([](int n) { return n; }).run(7);
}
