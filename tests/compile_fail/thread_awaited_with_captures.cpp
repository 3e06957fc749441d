// expect: name the handle first
#include <string>

#include "sake.hpp"

#if SAKE_HAS_SAFE_AWAIT_TEMPORARIES
#error "name the handle first: only GCC before 13 has to be guarded against"
#endif

sake::Task<> handler(std::string text) {
    co_await sake::thread::spawn([text] { static_cast<void>(text); });
}

int main() { sake::run_until_complete(handler("captured")); }
