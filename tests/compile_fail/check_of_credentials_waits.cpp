// expect: bearer_auth: is_right(token) takes a std::string_view, and returns bool or
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use(sake::middleware::bearer_auth([](std::string_view) -> sake::Task<bool> { co_return true; }));
}
