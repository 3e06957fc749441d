// What the async toolbox costs: memory per waiting task, tasks spawned and finished, hand-offs through a
// channel, and ten thousand requests at once through the HTTP client. toolbox.go does the same with
// goroutines; toolbox.py compares them.

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "sake.hpp"

using namespace std::chrono_literals;
using sake::Channel;
using sake::Task;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::size_t heap_in_use() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

Task<> wait_for_ever() { co_await sake::sleep(1000h); }
Task<int> give(int value) { co_return value; }

Task<> bytes_per_task() {
    constexpr std::size_t count = 100'000;
    const std::size_t before = heap_in_use();
    for (std::size_t i = 0; i < count; ++i) sake::spawn(wait_for_ever()).detach();
    co_await sake::yield();
    co_await sake::yield();
    std::printf("bytes per waiting task: %zu\n", (heap_in_use() - before) / count);
}

Task<> tasks_per_second() {
    constexpr int batches = 1000;
    constexpr int batch = 1000;
    long sum = 0;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < batches; ++i) {
        std::vector<sake::TaskHandle<int>> handles;
        handles.reserve(batch);
        for (int j = 0; j < batch; ++j) handles.push_back(sake::spawn(give(j)));
        for (auto& handle : handles) sum += co_await handle;
    }
    std::printf("tasks per second: %.0f\n", batches * batch / seconds_since(start));
    if (sum != 499'500L * batches) std::puts("wrong");
}

Task<> handoffs_per_second(int capacity) {
    constexpr int count = 3'000'000;
    Channel<int> channel(capacity);
    const auto send_all = [&]() -> Task<> {
        for (int i = 0; i < count; ++i) co_await channel.send(i);
        channel.close();
    };
    const auto start = std::chrono::steady_clock::now();
    auto sending = sake::spawn(send_all());
    long received = 0;
    while (auto item = co_await channel.receive()) ++received;
    co_await sending;
    std::printf("hand-offs per second, capacity %d: %.0f\n", capacity,
                static_cast<double>(received) / seconds_since(start));
}

// The server is another process, as each end of ten thousand connections takes a descriptor.
Task<> ten_thousand_requests(std::string url) {
    sake::http::Client client(
        {.max_connections_per_origin = 10'000, .max_idle_connections = 10'000, .response_timeout = 60s});
    const auto get = [&]() -> Task<int> {
        const auto response = co_await client.get(url);
        co_return response.status;
    };
    std::vector<Task<int>> all;
    for (int i = 0; i < 10'000; ++i) all.push_back(get());
    const auto start = std::chrono::steady_clock::now();
    const auto statuses = co_await sake::when_all(std::move(all));
    int good = 0;
    for (const int status : statuses) good += status == 200 ? 1 : 0;
    std::printf("10000 requests at once, each held for 1 s: %d answered in %.1f s\n", good,
                seconds_since(start));
}

}  // namespace

int main() {
    static_cast<void>(sake::detail::sys::raise_open_file_limit());
    sake::Engine app({.handle_signals = false, .announce = false});
    app.get("/", [](sake::Context& ctx) -> Task<> {
        co_await sake::sleep(1s);
        ctx.text("late");
    });
    app.listen("127.0.0.1:0");
    const pid_t server = ::fork();
    if (server == 0) return app.run();

    sake::run_until_complete(bytes_per_task());
    sake::run_until_complete(tasks_per_second());
    for (const int capacity : {1, 16, 256}) sake::run_until_complete(handoffs_per_second(capacity));
    sake::run_until_complete(ten_thousand_requests("http://127.0.0.1:" + std::to_string(app.port()) + "/"));
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
}
