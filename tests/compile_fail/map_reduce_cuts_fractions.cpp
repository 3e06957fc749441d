// expect: the type of init is that of the result, and would cut fractions off
#include <functional>
#include <vector>

#include "sake.hpp"

int main() {
    const std::vector<double> halves(10, 0.5);
    return sake::map_reduce(halves, [](double half) { return half; }, std::plus(), 0);
}
