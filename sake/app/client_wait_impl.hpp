// How a ClientWait tries, listens, and ends.
#pragma once

#include <exception>
#include <utility>

#include "sake/app/client_wait.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/timer.hpp"
#include "sake/base/error.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void ClientWait::call_has_ended() noexcept {
    is_listening_ = false;
    reactor().deadlines().cancel(*this);
    give_up_rest();
    failure_ = failure_of("the handler has ended, and with it the request and its answer");
    finish();
}

SAKE_INLINE void ClientWait::throw_failure() {
    throw_if_cancelled();
    if (failure_) std::rethrow_exception(failure_);
}

SAKE_INLINE void ClientWait::go_on() noexcept {
    unlisten();
    if (attempt()) return finish();
    listen();
}

SAKE_INLINE bool ClientWait::attempt() noexcept {
    try {
        return try_now();
    } catch (...) {
        failure_ = caught_exception();
        return true;
    }
}

SAKE_INLINE void ClientWait::listen() noexcept {
    try {
        signal_.expect();
        is_listening_ = true;
        const TimePoint due = wake_later();
        if (due != TimePoint::max()) reactor().deadlines().set(*this, due);
    } catch (...) {
        end_by_failure();
    }
}

SAKE_INLINE void ClientWait::end_by_failure() noexcept {
    failure_ = caught_exception();
    static_cast<void>(withdraw());
    finish();
}

SAKE_INLINE void ClientWait::unlisten() noexcept {
    if (!std::exchange(is_listening_, false)) return;
    reactor().deadlines().cancel(*this);
    stop_waiting();
}

SAKE_INLINE void ClientWait::give_up() noexcept {
    if (is_listening_) give_up_rest();
    unlisten();
}

SAKE_INLINE void ClientWait::time_is_up(Timer& timer) noexcept {
    auto& wait = static_cast<ClientWait&>(timer);
    try {
        const TimePoint due = wait.be_late();
        if (due != TimePoint{}) wait.reactor().deadlines().set(wait, due);
    } catch (...) {
        wait.end_by_failure();
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
