// expect: a Task is awaited once, and ends with that: write co_await std::move(task)
#include "sake.hpp"

sake::Task<int> one() { co_return 1; }

sake::Task<int> two() {
    sake::Task<int> task = one();
    co_return co_await task + 1;
}

int main() { return sake::run_until_complete(two()); }
