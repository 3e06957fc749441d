// expect: the function gives nothing: use for_each(range, f)
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> numbers = {1, 2};
    static_cast<void>(sake::parallel(numbers, [](int) {}));
}
