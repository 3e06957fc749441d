// The limit of open files, raised while an engine runs. It belongs to the process, as the signals do, so this
// is state of the process as well; it lasts as long as an engine that wants it runs.
#pragma once

#include <sys/resource.h>

#include <mutex>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// While one lives that wants it, the soft limit of open files is the hard one. The last to go restores it,
/// unless the program has changed it meanwhile.
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
