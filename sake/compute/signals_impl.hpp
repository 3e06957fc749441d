// Definitions of signals.hpp: SIGPIPE is blocked for a while.
#pragma once

#include <pthread.h>
#include <signal.h>

#include "sake/compute/signals.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE PipeSignalBlocked::PipeSignalBlocked() noexcept {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, &previous_);
}

SAKE_INLINE PipeSignalBlocked::~PipeSignalBlocked() { ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
