// expect: this type has no JSON form, but what it holds may have one: write *value
#include "sake.hpp"

struct Vote {
    int option;
};

int main() {
    sake::Engine app;
    app.post("/votes", [](sake::Context& ctx, sake::Body<Vote> vote) { ctx.json(vote); });
}
