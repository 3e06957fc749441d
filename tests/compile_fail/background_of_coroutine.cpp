// expect: background runs plain functions, and this is a coroutine: co_await it as it is
#include "sake.hpp"

sake::Task<int> answer() { co_return 42; }

sake::Task<> asks() {
    const auto number = co_await sake::background([&] { return answer(); });
}

int main() { sake::run_until_complete(asks()); }
