// expect: T must be a struct that is an aggregate, or a type that nlohmann/json makes
#include "sake.hpp"

class Note {
  public:
    explicit Note(int);
};

int main() {
    sake::Engine app;
    app.post("/", [](sake::Body<Note>) {});
}
