// Carrier: takes the calls of worker routes to a pool of threads and brings back their answers.
// `Route::worker` fills in this interface, so that programs without worker routes do not compile the pool: a
// fifth of hello world's compile time.
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

/// A call on its way. Its coroutine awaits it once; then the call has its answer, or the exception of the
/// handler is thrown. If the coroutine ends earlier, the answer is dropped.
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

    /// Takes a call of a worker route. Null if the carrier is too busy: the answer is then 503.
    [[nodiscard]] virtual OwningPtr<CarriedCall> carry(Call& call) = 0;
    [[nodiscard]] virtual WorkerPool::Stats stats() const = 0;
    /// Shows running calls on this board from now on.
    virtual void show_on(WorkerBoard& board) = 0;
    /// The server is stopping: informs tasks that handlers have spawned.
    virtual void request_stop() noexcept = 0;
    /// Ends the carrier. Returns how many handlers do not return and are left running.
    virtual std::size_t stop(std::chrono::milliseconds patience) noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
