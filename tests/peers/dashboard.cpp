// A server for dashboard.py: a dashboard of its own, and beneath /made the same page with frames that a file
// has, which the script writes.

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "sake.hpp"

using sake::Context;
using sake::Task;

namespace {

std::string text_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Task<> send_frames(Context& ctx, std::string path) {
    auto events = ctx.events();
    for (;;) {
        const std::string frame = text_of_file(path);
        co_await events.send(frame);
        co_await sake::sleep(std::chrono::milliseconds(50));
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const std::string frames = argv[2];
    const auto page = sake::detail::make_dashboard_page();
    sake::Engine app;
    app.dashboard("/_sake");
    app.get("/made", [&](Context& ctx) {
        ctx.set_header("Content-Security-Policy", page.policy);
        ctx.html(page.html);
    });
    app.get("/made/events", [&](Context& ctx) { return send_frames(ctx, frames); });
    app.get("/plain", [] { return "plain"; });
    app.get("/users/:id", [](int id) { return std::to_string(id); });
    app.get("/bad", [] { throw std::runtime_error("bad"); });
    app.get("/wait", [](Context& ctx) -> Task<> {
        co_await sake::sleep(std::chrono::milliseconds(120));
        ctx.text("waited");
    });
    app.get("/work", [] { return "done"; }).worker();
    return app.run(argv[1]);
}
