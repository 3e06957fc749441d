// The jobs of a worker pool, and the queue in which they wait.
#pragma once

#include <cstddef>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A job. The pool shares it with the code that waits for it, or borrows it.
class PoolJob : public Counted {
  public:
    PoolJob() = default;
    PoolJob(const PoolJob&) = delete;
    PoolJob& operator=(const PoolJob&) = delete;
    virtual ~PoolJob() = default;

    /// Does the work, on a thread of the pool.
    virtual void run() = 0;
    /// Called after `run`, when the pool has counted the job as done. `thread_ended`: the job ended its
    /// thread by pthread_exit. From then on the pool does not touch a borrowed job.
    virtual void finished(bool /*thread_ended*/) noexcept {}

  private:
    friend class PoolQueue;
    friend class PoolState;
    // All under the pool's lock.
    PoolJob* next_ = nullptr;
    CountedPtr<PoolJob> own_;  // the pool's share while the job is queued; none of a lent one
    bool is_running_ = false;
    bool is_stuck_ = false;
};

/// Jobs in order. They link themselves, so that nothing here needs memory.
class PoolQueue {
  public:
    PoolQueue() = default;
    PoolQueue(const PoolQueue&) = delete;
    PoolQueue& operator=(const PoolQueue&) = delete;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(PoolJob& job) noexcept;
    /// The first; nullptr if there is none.
    [[nodiscard]] PoolJob* pop() noexcept;
    /// False if it is not here.
    [[nodiscard]] bool remove(PoolJob& job) noexcept;
    void swap(PoolQueue& other) noexcept;

  private:
    PoolJob* first_ = nullptr;
    PoolJob* last_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
