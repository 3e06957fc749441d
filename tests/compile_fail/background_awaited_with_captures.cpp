// expect: GCC before 13 destroys the captures of this lambda twice: capture by reference, or name the lambda
// first, `auto work = [...] {...}; co_await background(work);`
#include <string>

#include "sake.hpp"

#if SAKE_HAS_SAFE_AWAIT_TEMPORARIES
#error \
    "GCC before 13 destroys the captures of this lambda twice: capture by reference, or name the lambda first, `auto work = [...] {...}; co_await background(work);`"
#endif

sake::Task<> handler(std::string text) {
    co_await sake::background([text] { static_cast<void>(text); });
}

int main() { sake::run_until_complete(handler("captured")); }
