// The threads that everything in the process shares that computes: parallel, stream, background. They are
// started by the first call that has work for them, and joined at the end of the process.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <limits>

#include "sake/compute/worker_pool.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Stops a pool at the end of the process, and waits for what it does for some seconds: work that called exit
/// itself may be what the rest waits for. The child of a fork has none of its threads.
class StopAtExit {
  public:
    explicit StopAtExit(WorkerPool& pool) noexcept : pool_(pool), process_(::getpid()) {}
    StopAtExit(const StopAtExit&) = delete;
    StopAtExit& operator=(const StopAtExit&) = delete;
    ~StopAtExit() {
        if (::getpid() == process_) pool_.stop(std::chrono::seconds(10));
    }

  private:
    WorkerPool& pool_;
    pid_t process_;
};

/// The pool of the process: one thread per usable CPU, since the threads of loops, which call `background`,
/// should be free for other things. It is never destroyed, as destructors of statics may still ask for it;
/// after its stop it takes no work. Its queue is bounded by those who use it: a loop by its turns, a call of
/// `parallel` by the size of the pool.
inline WorkerPool& process_pool() {
    static WorkerPool& pool = *new WorkerPool(0, std::numeric_limits<std::size_t>::max() / 2);
    static const StopAtExit at_exit(pool);
    return pool;
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
