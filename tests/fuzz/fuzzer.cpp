// The program that libFuzzer drives: all targets, since the framework costs more to compile than they do. The
// environment variable FUZZ_TARGET names the one to run.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "targets.hpp"

namespace {

const fuzz::Target& chosen() {
    const char* const name = std::getenv("FUZZ_TARGET");
    for (const fuzz::Target& target : fuzz::targets) {
        if (name != nullptr && target.name == name) return target;
    }
    fuzz::require(false, "FUZZ_TARGET names a target");
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fuzz::Target& target = chosen();
    target.run({reinterpret_cast<const char*>(data), size});
    return 0;
}
