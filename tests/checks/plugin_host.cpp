// Loads the plug-in that is its argument, and asks for each of its routes, twice, with an engine that runs
// anew.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "sake.hpp"

namespace {

void expect(sake::TestClient& client, const char* path, int status, const char* body) {
    const sake::TestResponse answer = client.get(path);
    if (answer.status == status && (body == nullptr || answer.body == body)) return;
    std::printf("%s: %d %s\n", path, answer.status, answer.body.c_str());
    std::exit(1);
}

}  // namespace

int main(int, char** argv) {
    void* const plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) {
        std::printf("%s\n", ::dlerror());
        return 1;
    }
    sake::Engine app;
    using AddRoutes = void(sake::Engine&);
    reinterpret_cast<AddRoutes*>(::dlsym(plugin, "add_routes"))(app);
    for (int run = 0; run < 2; ++run) {
        sake::TestClient client(app);
        for (int round = 0; round < 2; ++round) {
            expect(client, "/plain", 200, "plain");
            expect(client, "/coroutine", 200, "coroutine 7");
            expect(client, "/worker", 200, "worker 8");
            expect(client, "/throws", 418, nullptr);
            expect(client, "/background", 200, "background 9");
            expect(client, "/group", 200, "visits 1");
            expect(client, "/none", 404, "nothing");
        }
    }
}
