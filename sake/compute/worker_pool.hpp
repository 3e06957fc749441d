// WorkerPool: threads that run jobs from one bounded queue. A job that fails, ends its thread or never
// returns does not take the pool down.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <utility>

#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/compute/pool_job.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class PoolState;

}  // namespace detail

/// A fixed number of threads and a queue with a limit. `submit` may be called from any thread.
class WorkerPool {
  public:
    /// Figures since the pool was made; `queued`, `running` and `stuck` are of this moment.
    struct Stats {
        int queued = 0;
        int running = 0;
        int stuck = 0;  // of those that run, nobody waits for these any more
        std::uint64_t done = 0;
        std::uint64_t rejected = 0;  // the queue was full
        std::uint64_t replaced = 0;  // threads that a job ended
    };

    /// Starts `size` threads, 0 meaning one per usable CPU; as many jobs as `queue_limit` wait besides those
    /// that run. The largest value of its type means no limit. Throws std::invalid_argument if one of them is
    /// negative, std::system_error if a thread cannot be made.
    explicit WorkerPool(int size = 0) : WorkerPool(size, QueueLimit{256}) {}
    template <std::integral Number>
    WorkerPool(int size, Number queue_limit)
        : WorkerPool(size, QueueLimit{detail::limit_of<int>(0, queue_limit, "WorkerPool: queue_limit")}) {}
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    /// Runs what is queued to its end, unless the pool was stopped, then ends the threads. In a job of the
    /// pool it does not wait, which would be for itself: then the threads go on by themselves until all is
    /// done.
    ~WorkerPool();

    /// Runs `f()` on a thread of the pool, soon and in order. Returns false, at once, if the queue is full or
    /// the pool is stopped. What `f` throws goes to the log.
    template <class F>
    bool submit(F f) {
        struct Call final : detail::PoolJob {
            explicit Call(F callable) : function(std::move(callable)) {}
            void run() override { static_cast<void>(function()); }
            F function;
        };
        return submit_job(detail::CountedPtr<detail::PoolJob>(new Call(std::move(f))));
    }

    [[nodiscard]] int size() const noexcept { return size_; }
    [[nodiscard]] Stats stats() const;

    /// Takes nothing more, drops what is queued, and waits until `patience` is over for what runs. A thread
    /// that is not done by then is left to itself, and what its job uses must live on. Returns how many are
    /// left. Throws std::invalid_argument if `patience` is negative, std::logic_error in a job of the pool.
    int stop(std::chrono::milliseconds patience);

    // What follows is for carriers, which look after a job that they have submitted.

    bool submit_job(detail::CountedPtr<detail::PoolJob> job);
    /// The same for a job that lives elsewhere, until `finished` has begun or it was withdrawn. Not for a
    /// pool that may be stopped.
    bool lend_job(detail::PoolJob& job);
    /// Whether a job would be taken now; counts a rejection if not.
    [[nodiscard]] bool has_room();
    /// Takes the job off the queue. False if it has begun: it goes on.
    bool withdraw(detail::PoolJob& job);
    /// Nobody waits for the job any more: it does not run, or is counted as stuck until it ends.
    void abandon(detail::PoolJob& job);

  private:
    struct QueueLimit {
        int jobs;
    };
    WorkerPool(int size, QueueLimit limit);

    int size_;
    detail::CountedPtr<detail::PoolState> state_;
};

namespace detail {

/// The threads that everything in the process shares that computes, parallel, stream and background: one per
/// usable CPU, since the threads of loops, which call `background`, should be free for other things. They are
/// started by the first call that has work for them. The pool is never destroyed, as destructors of statics
/// may still compute. Its queue is bounded by those who use it: a loop by its turns, a call of `parallel` by
/// the size of the pool.
WorkerPool& process_pool();

}  // namespace detail

}  // namespace SAKE_ABI
}  // namespace sake
