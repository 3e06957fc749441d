// expect: a handler of ws takes sake::Context& or not, then sake::WebSocket&
#include "sake.hpp"

struct Vote {
    int option;
};

int main() {
    sake::Engine app;
    app.ws("/votes", [](sake::WebSocket& ws, sake::Body<Vote>) -> sake::Task<> { co_await ws.receive(); });
}
