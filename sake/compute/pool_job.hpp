// What a worker pool runs, and the queue of those that wait.
#pragma once

#include <cstddef>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a pool runs. It is shared between the pool and whoever waits for it, or lent to the pool.
class PoolJob : public Counted {
  public:
    PoolJob() = default;
    PoolJob(const PoolJob&) = delete;
    PoolJob& operator=(const PoolJob&) = delete;
    virtual ~PoolJob() = default;

    /// Does the work, on a thread of the pool.
    virtual void run() = 0;
    /// Comes after `run`, when the pool has counted the job as done. `thread_ended` if the thread ended in
    /// the middle of it, by pthread_exit. The pool does not touch a lent job from then on.
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
