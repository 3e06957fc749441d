// expect: a WebSocket handler is a coroutine: write [](sake::WebSocket& ws) -> sake::Task<> {...}, and
// co_await ws.receive() in it
#include "sake.hpp"

int main() {
    sake::Engine app;
    app.ws("/votes", [](sake::WebSocket& ws) { ws.post("hello"); });
}
