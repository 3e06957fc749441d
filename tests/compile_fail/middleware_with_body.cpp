// expect: middleware takes sake::Context& and nothing else: ctx.param, ctx.query and ctx.bind read the
// request, and what follows runs by itself, or by co_await ctx.next()
#include "sake.hpp"

struct Note {
    std::string text;
};

int main() {
    sake::Engine app;
    app.use([](sake::Context&, sake::Body<Note>) {});
}
