// Worker routes: the same handler on the reactor, where every other request waits for it, and on the worker
// pool.
//
//   g++ -std=c++20 -O2 -I../single_include worker.cpp -o worker -pthread && ./worker
//
//   curl 127.0.0.1:8080/spawn/fib/20      # 200 {"fib":6765,"in_worker_pool":false}
//   curl 127.0.0.1:8080/worker/fib/20     # 200 {"fib":6765,"in_worker_pool":true}
//   curl -i 127.0.0.1:8080/worker/fib/x   # 400 ..."status":400,"detail":"path parameter 'n' ...
//     # Server-Timing: total...
//   curl 127.0.0.1:8080/worker/throw      # 500 ..."title":"Internal Server Error"...
//     # stderr: sake: error: GET /worker/throw failed in GET /worker/throw (...): only this request
//   curl 127.0.0.1:8080/worker/exit       # 500 ..."title":"Internal Server Error"...
//     # stderr: sake: error: GET /worker/exit failed in GET /worker/exit (...): the handler ended its thread
//   curl 127.0.0.1:8080/stats             # 200 {"done":4,"rejected":0,"replaced":1,"running":0}
//
// The difference: while `wrk -c8 -d10s http://127.0.0.1:8080/spawn/fib/32` runs, "/" answers after many
// milliseconds and the log tells why; with /worker/fib/32 it answers at once, and every CPU works.

#include <pthread.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include "sake.hpp"

long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

void answer_fib(sake::Context& ctx, int n) {
    if (n < 0 || n > 45) throw sake::HttpError(422, "n must be 0 to 45");
    ctx.json({{"fib", fib(n)}, {"in_worker_pool", ctx.in_worker_pool()}});
}

// Middleware stays on the reactor. What it gives to after() runs when the worker has answered.
void measure(sake::Context& ctx) {
    ctx.after([begin = std::chrono::steady_clock::now()](sake::Context& answered) {
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
        answered.set_header("Server-Timing", "total;dur=" + std::to_string(took.count()));
    });
}

int main(int argc, char** argv) {
    sake::Engine app;
    app.use(measure);

    app.get("/", [] { return "light"; });
    app.get("/spawn/fib/:n", answer_fib);
    app.get("/worker/fib/:n", answer_fib).worker();

    // What goes wrong in a worker stays there.
    app.get("/worker/throw", [] { throw std::runtime_error("only this request"); }).worker();
    app.get("/worker/exit", [] { pthread_exit(nullptr); }).worker();

    app.get("/stats", [&] {
        const auto pool = app.stats().workers;
        return sake::Json{{"running", pool.running},
                          {"done", pool.done},
                          {"rejected", pool.rejected},
                          {"replaced", pool.replaced}};
    });

    return app.run(argc > 1 ? argv[1] : "127.0.0.1:8080");
}
