// expect: a coroutine would not run here
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> numbers = {1, 2};
    sake::for_each(numbers, [](int) -> sake::Task<> { co_return; });
}
