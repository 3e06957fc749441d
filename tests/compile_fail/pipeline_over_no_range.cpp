// expect: a pipeline runs over a range, or over a callable that gives a std::optional
#include "sake.hpp"

int main() {
    sake::pipeline([](int n) { return n; }).run(7);
}
