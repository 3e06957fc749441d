// expect: a handler returns nothing, a text, a sake::Json, a plain struct, a type with nlohmann's to_json, or
// a sake::Task of one of them: make one of these of what this one returns
#include "sake.hpp"

class Hidden {
  public:
    int number() const { return number_; }

  private:
    int number_ = 0;
};

int main() {
    sake::Engine app;
    app.get("/", [](sake::Context&) -> sake::Task<Hidden> { co_return Hidden{}; });
}
