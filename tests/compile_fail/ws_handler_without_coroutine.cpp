// expect: a handler of ws is a coroutine: it returns sake::Task<>
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.ws("/votes", [](sake::WebSocket& ws) { ws.post("hello"); });
}
