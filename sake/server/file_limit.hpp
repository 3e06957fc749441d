// FileLimit: raises the limit of open files while an engine runs. The limit belongs to the process, as
// signals do, so this is state of the process; it exists only while an engine needs it.
#pragma once

#include <sys/resource.h>

#include <mutex>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// While an instance exists that needs it, the soft limit of open files is the hard limit. The last one
/// restores it, unless the program has changed it meanwhile.
class FileLimit {
  public:
    explicit FileLimit(bool raise) noexcept : is_raised_(raise) {
        if (!is_raised_) return;
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        if (state.users++ != 0) return;
        rlimit limit{};
        if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
        state.before = state.raised = limit.rlim_cur;
        if (limit.rlim_cur >= limit.rlim_max) return;
        limit.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) state.raised = limit.rlim_cur;
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;
    ~FileLimit() {
        if (!is_raised_) return;
        State& state = shared();
        const std::lock_guard lock(state.mutex);
        if (--state.users != 0 || state.raised == state.before) return;
        rlimit limit{};
        if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != state.raised) return;
        limit.rlim_cur = state.before;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    }

  private:
    struct State {
        std::mutex mutex;
        int users = 0;
        rlim_t before = 0;
        rlim_t raised = 0;
    };
    static State& shared() noexcept {
        static State state;
        return state;
    }

    const bool is_raised_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
