// The signals of the threads that the library makes: those of the thread that makes them, as with
// std::thread. A program that is started there inherits what is blocked, and must be able to be stopped.
#pragma once

#include <signal.h>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// While it lives, new threads block the signals that this thread blocks, and SIGPIPE: writing to a pipe or
/// socket without a reader then fails with EPIPE instead of ending the server.
class PipeSignalBlocked {
  public:
    PipeSignalBlocked() noexcept;
    PipeSignalBlocked(const PipeSignalBlocked&) = delete;
    PipeSignalBlocked& operator=(const PipeSignalBlocked&) = delete;
    ~PipeSignalBlocked();

  private:
    sigset_t previous_{};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
