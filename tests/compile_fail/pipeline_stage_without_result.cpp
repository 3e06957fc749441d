// expect: only the last stage of a pipeline may give nothing
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> inputs = {1, 2};
    sake::pipeline([](int) {}, [] {}).run(inputs);
}
