// A plug-in: handlers that need the loop which runs them.
#include "sake.hpp"

using namespace std::chrono_literals;

namespace {

sake::Task<int> later(int value) {
    co_await sake::sleep(1ms);
    co_return value;
}

struct Visits {
    int count = 0;
};

// Apart from the extern "C" function, in which GCC 12 defines coroutine lambdas twice.
void add_all(sake::Engine& app) {
    app.use([](sake::Context& ctx) { ++ctx.state<Visits>().count; });
    app.get("/plain", [](sake::Context& ctx) {
        sake::spawn(later(1)).detach();
        ctx.text("plain");
    });
    app.get("/coroutine", [](sake::Context& ctx) -> sake::Task<> {
        auto child = sake::spawn(later(7));
        const int value = co_await child;
        ctx.text("coroutine " + std::to_string(value));
    });
    app.get("/worker",
            [](sake::Context& ctx) -> sake::Task<> {
                auto child = sake::spawn(later(8));
                const int value = co_await child;
                ctx.text("worker " + std::to_string(value));
            })
        .worker();
    app.get("/throws", [] { throw sake::HttpError(418, "from the plug-in"); });
    app.get("/background", [](sake::Context& ctx) -> sake::Task<> {
        const auto work = [] { return 9; };
        const int value = co_await sake::background(work);
        ctx.text("background " + std::to_string(value));
    });
    app.group("/group").get("/", [](sake::Context& ctx) {
        sake::spawn(later(2)).detach();
        ctx.text("visits " + std::to_string(ctx.state<Visits>().count));
    });
    app.not_found([](sake::Context& ctx) {
        sake::spawn(later(3)).detach();
        ctx.text("nothing");
    });
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void add_routes(sake::Engine& app) { add_all(app); }
