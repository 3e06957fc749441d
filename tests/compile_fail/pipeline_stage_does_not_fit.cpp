// expect: a stage of the pipeline does not take what the stage or source before it returns: give it a
// parameter of that type
#include <string>
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<int> inputs = {1, 2};
    sake::pipeline([](int n) { return n; }, [](std::string) {}).run(inputs);
}
