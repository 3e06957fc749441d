// expect: a stage of the pipeline does not take what comes before it
#include <string>
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> inputs = {1, 2};
    sake::pipeline([](int n) { return n; }, [](std::string) {}).run(inputs);
}
