// expect: run_until_complete takes a sake::Task: call the coroutine, run_until_complete(f())
#include "sake.hpp"

int main() {
    sake::run_until_complete([]() -> sake::Task<> { co_await sake::yield(); });
}
