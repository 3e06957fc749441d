// StopRequest: passes a request to stop to the run of an engine, from any thread and from signal handlers.
#pragma once

#include <atomic>
#include <cerrno>
#include <thread>

#include "sake/server/run.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Uses no lock: a signal handler may have interrupted the holder of it.
class StopRequest {
  public:
    void request() noexcept {
        const int saved_errno = errno;
        is_made_ = true;
        ++requests_at_work_;
        if (Run* const run = run_) run->stop();
        --requests_at_work_;
        errno = saved_errno;
    }
    /// True if a stop was requested that no run has seen yet.
    [[nodiscard]] bool take() noexcept { return is_made_.exchange(false); }
    /// From now on a request stops this run; also one made before.
    void tell(Run& run) noexcept {
        run_ = &run;
        if (is_made_) run.stop();
    }
    /// The run is about to end.
    void forget_run() noexcept {
        run_ = nullptr;
        while (requests_at_work_ != 0) std::this_thread::yield();  // those of other threads
    }

  private:
    std::atomic<bool> is_made_ = false;
    std::atomic<Run*> run_ = nullptr;
    std::atomic<int> requests_at_work_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
