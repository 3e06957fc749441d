// Prints what texts are as numbers, for two standard libraries to be compared.
#include <cstdio>

#include "sake.hpp"

namespace {

template <class T>
void print(const char* text) {
    const auto value = sake::parse_number<T>(text);
    std::printf(value ? " %.20Lg" : " -", value ? static_cast<long double>(*value) : 0.0L);
}

}  // namespace

int main() {
    const char* const texts[] = {
        "1",      "-1.5",   "1e5",     ".5",      "1.",      "",       "+1",
        " 1",     "1 ",     "0x1p3",   "inf",     "nan",     "1e400",  "-1e400",
        "--1",    "1e",     "1e+",     "1e+5",    "1,5",     ".",      "-",
        "-.5e-3", "1e39",   "-0",      "1e0",     "1.5.",    "1e5 ",   "1E-5",
        "1e-400", "1.5f",   "0.1",     "1e22",    "1_0",     "٣",      "1e99999999999",
        "4e-45",  "5e-324", "3.4e+38", "3.5e+38", "1.7e308", "1.8e308"};
    for (const char* const text : texts) {
        std::printf("%s:", text);
        print<float>(text);
        print<double>(text);
        print<long double>(text);
        print<int>(text);
        std::printf("\n");
    }
}
