// The signals of the threads that the library makes: those of the thread that makes them, as with
// std::thread. A program that is started there inherits what is blocked, and must be able to be stopped.
#pragma once

#include <signal.h>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// While it lives, threads that are started block what this thread blocks, and SIGPIPE: a pipe or a socket
/// whose reader has gone fails with EPIPE there, and does not end a server.
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
