// What a worker pool runs, and the queue of those that wait.
#pragma once

#include <cstddef>
#include <utility>

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

    void push(PoolJob& job) noexcept {
        job.next_ = nullptr;
        (first_ == nullptr ? first_ : last_->next_) = &job;
        last_ = &job;
        ++size_;
    }
    /// The first; nullptr if there is none.
    [[nodiscard]] PoolJob* pop() noexcept {
        PoolJob* const job = first_;
        if (job != nullptr) static_cast<void>(remove(*job));
        return job;
    }
    /// False if it is not here.
    [[nodiscard]] bool remove(PoolJob& job) noexcept {
        PoolJob* before = nullptr;
        PoolJob* each = first_;
        while (each != nullptr && each != &job) before = std::exchange(each, each->next_);
        if (each == nullptr) return false;
        (before == nullptr ? first_ : before->next_) = job.next_;
        if (last_ == &job) last_ = before;
        --size_;
        return true;
    }
    void swap(PoolQueue& other) noexcept {
        std::swap(first_, other.first_);
        std::swap(last_, other.last_);
        std::swap(size_, other.size_);
    }

  private:
    PoolJob* first_ = nullptr;
    PoolJob* last_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
