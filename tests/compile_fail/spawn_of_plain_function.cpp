// expect: spawn takes a task, spawn(f(x)), or a coroutine with its arguments, spawn(f, x): let f return
// sake::Task<>, and take them by value
#include "sake.hpp"

sake::Task<> handler() {
    sake::spawn([] {}).detach();
    co_return;
}

int main() { sake::run_until_complete(handler()); }
