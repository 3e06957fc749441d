// A shop for docs_page.py: the page of an API, its document from a file, and routes that answer with what the
// page has sent.

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "sake.hpp"

using sake::Context;
using sake::Json;
using sake::Task;

namespace {

std::string text_of_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// What came, as JSON; numbers of it are larger than a double holds.
void mirror(Context& ctx) {
    Json fields = Json::object();
    for (const auto& [name, value] : ctx.headers()) fields[std::string(name)] = value;
    ctx.json({{"method", ctx.method()},
              {"path", ctx.path()},
              {"query", ctx.query_string()},
              {"fields", fields},
              {"body", ctx.body()},
              {"large", 9007199254740993},
              {"empty", Json::array()}});
}

Task<> tick(Context& ctx) {
    auto events = ctx.events();
    for (int i = 0; i < 1'000'000; ++i) {
        const std::string words = "tick " + std::to_string(i);
        co_await events.send(words);
        co_await sake::sleep(std::chrono::milliseconds(20));
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string document = argc > 1 ? text_of_file(argv[1]) : "";
    sake::Engine app;
    app.get("/openapi.json", [&](Context& ctx) { ctx.send(document, "application/json"); });
    app.docs("/docs");
    app.docs("/absent", {.openapi = "/none.json", .title = "Absent"});
    app.docs("/other", {.openapi = "/other.json"});
    app.get("/other.json", [](Context& ctx) { ctx.json({{"swagger", "2.0"}}); });
    app.docs("/text", {.openapi = "/text.json"});
    app.get("/text.json", [](Context& ctx) { ctx.text("openapi: 3.1.0"); });
    app.docs("/bare", {.openapi = "/bare.json"});
    app.get("/bare.json", [](Context& ctx) { ctx.json({{"openapi", "3.1.0"}}); });
    app.get("/events", tick);
    app.any("/pets", mirror);
    app.any("/pets/:id", mirror);
    app.any("/pets/:id/picture", mirror);
    app.get("/plain", [](Context& ctx) { ctx.html("<!doctype html><title>Elsewhere</title>"); });
    return app.run("127.0.0.1:0");
}
