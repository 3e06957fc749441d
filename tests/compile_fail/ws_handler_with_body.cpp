// expect: a WebSocket handler takes sake::WebSocket&, with a sake::Context& in front of it or not, then the
// path parameters, then a sake::Query: read all else in ctx or from the messages
#include "sake.hpp"

struct Vote {
    int option;
};

int main() {
    sake::Engine app;
    app.ws("/votes", [](sake::WebSocket& ws, sake::Body<Vote>) -> sake::Task<> {
        while (co_await ws.receive()) ws.post("vote");
    });
}
