// What every fuzz target includes. A target is one function over bytes, in a header of its name; it aborts
// where a promise does not hold. libFuzzer calls it with inputs that it makes, the test suite with the files
// of a corpus.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sake.hpp"

namespace fuzz {

namespace http = sake::http;
namespace http1 = sake::detail::http1;

inline void require(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", promise);
    std::abort();
}

}  // namespace fuzz
