// Coroutines: waiting without holding the thread, two things at once, and what happens when the client
// leaves.
//
//   g++ -std=c++20 -O2 -I../single_include coroutines.cpp -o coroutines -pthread && ./coroutines
//
//   curl 127.0.0.1:8080/nap/100          # 200 {"slept_ms":100}
//   curl 127.0.0.1:8080/meal             # 200 {"seconds":1,"served":["rice","soup"]}
//   curl -m 0.3 127.0.0.1:8080/patient   # no answer
//     # stderr: sake: nobody waits for /patient any more
//   curl -m 0.3 127.0.0.1:8080/order     # no answer
//     # stderr: sake: the order is taken back

#include <chrono>
#include <stop_token>
#include <string>

#include "sake.hpp"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A task takes what it needs by value, since it may outlive whoever started it.
sake::Task<std::string> cook(std::string dish) {
    co_await sake::sleep(1s);
    co_return dish;
}

sake::Task<> deliver() {
    try {
        co_await sake::sleep(10s);
    } catch (const sake::Cancelled&) {
        sake::log_to_stderr(sake::LogLevel::info, "the order is taken back");
        throw;
    }
}

int main(int argc, char** argv) {
    sake::Engine app;

    // While this one sleeps, the same thread serves the others.
    app.get("/nap/:ms", [](unsigned ms) -> sake::Task<sake::Json> {
        co_await sake::sleep(std::chrono::milliseconds(ms));
        co_return sake::Json{{"slept_ms", ms}};
    });

    // Spawned tasks run beside this one: two dishes of one second each take one second.
    app.get("/meal", []() -> sake::Task<sake::Json> {
        const auto start = Clock::now();
        auto rice = sake::spawn(cook("rice"));
        auto soup = sake::spawn(cook("soup"));
        const std::string first = co_await rice;
        const std::string second = co_await soup;
        const auto taken = std::chrono::floor<std::chrono::seconds>(Clock::now() - start);
        co_return sake::Json{{"served", {first, second}}, {"seconds", taken.count()}};
    });

    // When the client leaves or the time is up, the wait throws Cancelled: clean up, and throw it on.
    app.get("/patient", []() -> sake::Task<std::string> {
        try {
            co_await sake::sleep(10s);
            co_return "at last";
        } catch (const sake::Cancelled&) {
            sake::log_to_stderr(sake::LogLevel::info, "nobody waits for /patient any more");
            throw;
        }
    });

    // That ends the handler, but not what it has spawned. The stop token carries the news there.
    app.get("/order", [](sake::Context& ctx) -> sake::Task<> {
        auto delivery = sake::spawn(deliver());
        const std::stop_callback take_back(ctx.stop_token(), [&] { delivery.cancel(); });
        co_await delivery;
        ctx.text("delivered");
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
