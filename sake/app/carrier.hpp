// Carrier: what takes the calls of worker routes to where they are served, a pool of threads, and brings back
// their answers. An interface that `Route::worker` fills in, so that programs without worker routes do not
// compile the way to the pool: a fifth of hello world's time.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <string>

#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Reactor;

namespace detail {

struct Call;
class WorkerBoard;

/// A call on its way, to be awaited once by the coroutine that looks after it; then the call has its answer,
/// and what the handler threw is thrown. If the coroutine leaves before that, the answer is dropped.
class CarriedCall : public Wait {
  public:
    virtual ~CarriedCall() = default;

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

/// For the reactor's thread.
class Carrier {
  public:
    Carrier() = default;
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;
    virtual ~Carrier() = default;

    /// Takes a call of a worker route. None if it is too busy: then the call is answered by 503.
    [[nodiscard]] virtual OwningPtr<CarriedCall> carry(Call& call) = 0;
    [[nodiscard]] virtual WorkerPool::Stats stats() const = 0;
    /// From now on, what runs is on this board.
    virtual void show_on(WorkerBoard& board) = 0;
    /// The server is stopping: tells what handlers have spawned.
    virtual void request_stop() noexcept = 0;
    /// Ends it. Returns how many handlers do not return, and are left behind.
    virtual std::size_t stop(std::chrono::milliseconds patience) noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
