// expect: a member function has no object here: wrap it in a lambda, [&notes](sake::Context& ctx) {
// notes.list(ctx); }
#include "sake.hpp"

struct Notes {
    void list(sake::Context& ctx) { ctx.text("notes"); }
};

int main() {
    sake::Engine app;
    app.get("/notes", &Notes::list);
}
