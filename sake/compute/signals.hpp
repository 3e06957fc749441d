// Signals are for the threads of the program, not for those that the library makes.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

namespace sake {
inline namespace v0 {
namespace detail {

/// While it lives, threads that are started block all signals but those of faults of their own.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
            ::sigdelset(&all, fault);
        }
        ::pthread_sigmask(SIG_SETMASK, &all, &previous_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

  private:
    sigset_t previous_{};
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
