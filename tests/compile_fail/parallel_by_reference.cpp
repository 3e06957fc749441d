// expect: parallel and for_each: the function does not take an element of this range: take that by value or
// const reference
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> numbers = {1, 2};
    const auto doubled = sake::parallel(numbers, [](int& number) { return number *= 2; });
}
