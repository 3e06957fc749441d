// WorkerPool: threads that run jobs from one bounded queue. The pool survives jobs that fail, end their
// thread or never return.
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

/// A fixed number of threads and a bounded queue. `submit` may be called from any thread.
class WorkerPool {
  public:
    /// Figures since the pool was made; `queued`, `running` and `stuck` are of this moment.
    struct Stats {
        int queued = 0;
        int running = 0;
        int stuck = 0;  // running jobs that their callers have given up
        std::uint64_t done = 0;
        std::uint64_t rejected = 0;  // because the queue was full
        std::uint64_t replaced = 0;  // threads that a job ended, for example by pthread_exit
    };

    /// Starts `size` threads; 0 means one per usable CPU. Up to `queue_limit` jobs wait besides those that
    /// run. The largest value of its type means "no limit". Throws std::invalid_argument if a number is
    /// negative, std::system_error if a thread cannot be started.
    explicit WorkerPool(int size = 0) : WorkerPool(size, QueueLimit{256}) {}
    template <std::integral Number>
    WorkerPool(int size, Number queue_limit)
        : WorkerPool(size, QueueLimit{detail::limit_of<int>(0, queue_limit, "WorkerPool: queue_limit")}) {}
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    /// Runs the queued jobs to their end, unless the pool was stopped, then ends the threads. When a job of
    /// the pool itself destroys it, the destructor does not wait; the threads continue by themselves until
    /// all jobs are done.
    ~WorkerPool();

    /// Runs `f()` on a thread of the pool, in the order of the calls. Returns false at once if the queue is
    /// full or the pool is stopped. An exception from `f` is logged.
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
    /// From any thread.
    [[nodiscard]] Stats stats() const;

    /// Accepts no further jobs, drops the queued ones, and waits for the running ones, at most for
    /// `patience`. A thread that is not done by then is left running; objects that its job uses must stay
    /// alive. Returns the number of such threads. Throws std::invalid_argument if `patience` is negative,
    /// std::logic_error in a job of the pool.
    int stop(std::chrono::milliseconds patience);

    // What follows is for carriers, which look after the jobs that they submit.

    bool submit_job(detail::CountedPtr<detail::PoolJob> job);
    /// The same for a job that the caller owns, until `finished` has begun or the job was withdrawn. Not for
    /// a pool that may be stopped.
    bool lend_job(detail::PoolJob& job);
    /// Whether the pool would accept a job now. Counts a rejection if not.
    [[nodiscard]] bool has_room();
    /// Removes the job from the queue. False if it has begun; it then runs on.
    bool withdraw(detail::PoolJob& job);
    /// Gives a job up: it does not run, or counts as stuck until it ends.
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
