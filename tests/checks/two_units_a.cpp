// One of two units with the header in them; see two_units.
#include "sake.hpp"

void add_routes(sake::Engine& app);

int main() {
    sake::Engine app;
    app.get("/a", [](sake::Context& ctx) { ctx.json({{"unit", "a"}}); });
    add_routes(app);
    app.listen("127.0.0.1:0");
    app.stop();
    return app.run();
}
