// What a program runs beside its requests: something at the start, something every so often, a thread of its
// own, and a last word at the stop.
//
//   g++ -std=c++20 -O2 -I../single_include life.cpp -o life -pthread && ./life
//
//   curl 127.0.0.1:8080/price   # 200 {"price":100}
//   curl 127.0.0.1:8080/pace    # 200 it was measured

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

#include "sake.hpp"

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    sake::Engine app;
    int price = 0;
    std::atomic<int> measured{0};

    // Before the first request; a coroutine may wait for a database, for instance.
    app.on_start([&]() -> sake::Task<> {
        co_await sake::sleep(10ms);
        price = 100;
    });

    // On the loop, as handlers are, so that what they share needs no lock.
    int per_second = 0;
    app.every(1s, [&] { per_second = measured.exchange(0); });

    // On a thread of its own, until the token tells of the stop.
    app.background([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(50ms);
            ++measured;
        }
    });

    app.on_stop([] { sake::log_to_stderr(sake::LogLevel::info, "goodbye"); });

    app.get("/price", [&](sake::Context& ctx) { ctx.json({{"price", price}}); });

    // A stop does not wait long for this one: it is told.
    app.get("/pace", [&](sake::Context& ctx) -> sake::Task<> {
        const std::stop_token stopping = ctx.draining_token();
        while (per_second == 0 && !stopping.stop_requested()) co_await sake::sleep(50ms);
        ctx.text(per_second == 0 ? "the server stops" : "it was measured");
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
