// expect: only the last stage of a pipeline may return nothing: return what the next stage takes
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> inputs = {1, 2};
    sake::pipeline([](int) {}, [] {}).run(inputs);
}
