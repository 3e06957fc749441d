// expect: it runs once, so it is moved: std::move(task)
#include "sake.hpp"

sake::Task<> save() { co_return; }

sake::Task<> handler() {
    auto task = save();
    sake::spawn(task);
    co_return;
}

int main() { sake::run_until_complete(handler()); }
