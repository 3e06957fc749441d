// What a program can do with the libraries that it was compiled for. Writes the codings that its answers
// have, on one line, and the sizes of what holds them on the next.
#include <cstdio>
#include <stdexcept>
#include <string>

#include "sake.hpp"

int main() {
    sake::Engine app;
    try {
        app.use(sake::middleware::compress());
    } catch (const std::logic_error& error) {
        std::puts(error.what());
    }
    app.get("/", [](sake::Context& ctx) { ctx.text(std::string(5000, 'a')); });
    sake::TestClient client(app);
    std::string codings;
    for (const char* each : {"gzip", "br", "zstd"}) {
        codings += client.get("/", {{"Accept-Encoding", each}}).header("Content-Encoding") + " ";
    }
    std::puts(codings.c_str());
    std::printf("%zu %zu %zu %zu\n", sizeof(sake::Engine), sizeof(sake::detail::Compress),
                sizeof(sake::detail::Compressors), sizeof(sake::detail::H1Exchange));
}
