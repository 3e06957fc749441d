// What a worker pool runs.
#pragma once

#include <memory>

namespace sake {
inline namespace v0 {
namespace detail {

/// What a pool runs. It is shared between the pool and whoever waits for it.
class PoolJob {
  public:
    PoolJob() = default;
    PoolJob(const PoolJob&) = delete;
    PoolJob& operator=(const PoolJob&) = delete;
    virtual ~PoolJob() = default;

    /// Does the work, on a thread of the pool.
    virtual void run() = 0;
    /// Comes after `run`, when the pool has counted the job as done. `thread_ended` if the thread ended in
    /// the middle of it, by pthread_exit.
    virtual void finished(bool /*thread_ended*/) noexcept {}

  private:
    friend class PoolState;
    bool is_running_ = false;  // both under the pool's lock
    bool is_stuck_ = false;
};

/// For a job that lives elsewhere, until `finished` has begun or it was withdrawn: the pool does not touch it
/// afterwards. Not for a pool that may be stopped.
inline std::shared_ptr<PoolJob> unowned(PoolJob& job) noexcept {
    return std::shared_ptr<PoolJob>(std::shared_ptr<void>(), &job);
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
