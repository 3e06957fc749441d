// expect: this type has no JSON form: it must be a number, bool, text, enum, optional, list, map of texts,
// variant or a plain struct of them (no constructors, bases or private members), or have nlohmann's to_json
#include "sake.hpp"

class User {
  public:
    explicit User(std::string name) : name_(std::move(name)) {}
    std::string name() const { return name_; }

  private:
    std::string name_;
};

int main() {
    sake::Hub hub;
    hub.publish("users", User("ada"));
}
