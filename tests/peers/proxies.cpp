// Says who the client is behind trusted proxies, for proxies.mjs: the address is logged, SIGTERM ends it.
#include <string>

#include "sake.hpp"

int main() {
    sake::Engine app;
    app.use(sake::middleware::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "192.168.1.0/24", "172.16.0.0/12",
                                               "2001:db8:1::/48", "fd00::/8", "::1"}));
    app.get("/", [](sake::Context& ctx) { return std::string(ctx.client_ip()); });
    return app.run("127.0.0.1:0");
}
