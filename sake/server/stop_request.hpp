// StopRequest: how a wish to stop reaches the run of an engine, from any thread and from a handler of
// signals.
#pragma once

#include <atomic>
#include <cerrno>
#include <thread>

#include "sake/server/run.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Takes no lock: a handler of signals may have interrupted whoever holds it.
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
    /// True if there was one that no run has heard.
    [[nodiscard]] bool take() noexcept { return is_made_.exchange(false); }
    /// From now on it stops this run, also if it was made before.
    void tell(Run& run) noexcept {
        run_ = &run;
        if (is_made_) run.stop();
    }
    /// The run is about to go.
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
