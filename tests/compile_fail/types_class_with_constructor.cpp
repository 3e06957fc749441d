// expect: ctx.bind<T> and sake::Body<T>: this type cannot be made from JSON: make it a struct without
// constructors, bases and private members, or write a from_json(const sake::Json&, T&) beside it
#include "sake.hpp"

class Note {
  public:
    explicit Note(int);
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
