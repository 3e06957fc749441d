// expect: the_handler_needs_one_parameter_for_each_name_in_its_pattern_or_none_and_ctx_param
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.get("/users", [](sake::Context&, int) -> sake::Task<> { co_return; });
}
