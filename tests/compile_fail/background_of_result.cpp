// expect: background takes a function without arguments: write background([&] { return fib(30); }), neither
// background(fib, 30) nor background(fib(30))
#include "sake.hpp"

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

sake::Task<> handler() { co_await sake::background(fib(30)); }

int main() { sake::run_until_complete(handler()); }
