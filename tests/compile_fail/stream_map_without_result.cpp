// expect: the function gives nothing to go on with: end with for_each(f)
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> numbers = {1, 2};
    static_cast<void>(sake::stream(numbers).map([](int) {}));
}
