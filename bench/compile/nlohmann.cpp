// What anything that uses nlohmann/json pays: one parse and one dump, to be compiled and measured.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

int main(int argc, char** argv) {
    const nlohmann::json value = nlohmann::json::parse(argc > 1 ? argv[1] : "{}");
    std::puts(value.dump().c_str());
}
