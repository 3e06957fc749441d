// expect: spawn takes a task, spawn(f(x)), or a coroutine with its arguments, spawn(f, x): let f return
// sake::Task<>, and take them by value
#include "sake.hpp"

sake::Task<> add_one(int& number) {
    co_await sake::yield();
    ++number;
}

sake::Task<> handler() {
    int number = 0;
    auto task = sake::spawn(add_one, number);
    co_await task;
}

int main() { sake::run_until_complete(handler()); }
