// expect: name the pipeline, or source, first
#include <string>
#include <vector>

#include "sake.hpp"

#if SAKE_HAS_SAFE_AWAIT_TEMPORARIES
#error "name the pipeline, or source, first: only GCC before 13 has to be guarded against"
#endif

sake::Task<> handler(std::string text, std::vector<int> inputs) {
    co_await sake::pipeline([text](int) { static_cast<void>(text); }).run_async(inputs);
}

int main() { sake::run_until_complete(handler("captured", {1})); }
