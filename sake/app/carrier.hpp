// Where worker routes run, as the rest of the server sees it. Behind an interface that `Route::worker` fills
// in, so that programs without worker routes do not compile the way to the pool: a fifth of hello world's
// time.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <string>

#include "sake/async/wait.hpp"
#include "sake/base/budget.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace v0 {

class Context;
class Reactor;
struct Config;

namespace detail {

class RouteTable;

/// A request that a worker serves, to be awaited once by the coroutine that looks after it; then its context
/// has the answer, and what the handler threw is thrown. Who leaves it before does not get an answer any
/// more.
class WorkerCall : public Wait {
  public:
    virtual ~WorkerCall() = default;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        begin(coroutine.promise().fiber->reactor());
        if (suspend(coroutine)) return true;
        withdraw();
        return false;
    }
    void await_resume() { end(); }
    void describe(std::string& out) const override { out += "a worker"; }

  private:
    virtual void begin(Reactor& loop) = 0;
    virtual void end() = 0;
};

/// The workers of one run of an engine.
class Workers {
  public:
    Workers() = default;
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    virtual ~Workers() = default;

    /// Gives the request, of a worker route, to the pool. None if that is too busy: then it is answered by
    /// 503.
    virtual std::unique_ptr<WorkerCall> call(Context& ctx) = 0;
    [[nodiscard]] virtual WorkerPool::Stats stats() const = 0;
    /// The server is stopping: tells what handlers have spawned.
    virtual void request_stop() noexcept = 0;
    /// Ends the pool. Returns how many jobs do not return, and are left behind.
    virtual std::size_t stop(std::chrono::milliseconds patience) noexcept = 0;
};

using MakeWorkers = std::unique_ptr<Workers> (*)(Reactor&, const Config&,
                                                 const std::shared_ptr<const RouteTable>&, Budget&);

}  // namespace detail
}  // namespace v0
}  // namespace sake
