// Definitions of channel_gate.hpp: who goes through, and who is woken.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <utility>

#include "sake/async/channel_gate.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE std::size_t ChannelGate::enter() noexcept {
    const std::size_t entered = cell(size_);
    ++size_;
    wake_who_may_go();
    return entered;
}

SAKE_INLINE std::size_t ChannelGate::leave() noexcept {
    const std::size_t left = first_;
    if (++first_ == cells_) first_ = 0;
    --size_;
    wake_who_may_go();
    return left;
}

SAKE_INLINE void ChannelGate::wake_who_may_go() noexcept {
    const auto first_of = [](Line& line) -> ChannelWaiter& {
        return static_cast<ChannelWaiter&>(*line.waiters.next());
    };
    while (senders.waiters.is_linked() && may_send()) first_of(senders).wake(senders, !is_closed_);
    while (receivers.waiters.is_linked() && may_receive()) first_of(receivers).wake(receivers, size_ > 0);
}

SAKE_INLINE void ChannelWaiter::wake(ChannelGate::Line& line, bool has_claim) noexcept {
    unlink();
    is_awake_ = true;
    has_claim_ = has_claim;
    if (has_claim) ++line.claims;
    if (thread_ != nullptr) {
        thread_->notify_one();
    } else if (Reactor::current() == &coroutine_->reactor()) {
        coroutine_->finish();
    } else {
        coroutine_->reactor().post(*coroutine_);
    }
}

SAKE_INLINE ChannelWait::~ChannelWait() {
    if (!is_suspended_) return;
    const std::lock_guard lock(mutex_);
    give_up();
}

SAKE_INLINE void ChannelWait::end() {
    if (!is_suspended_) return throw_if_cancelled();
    is_suspended_ = false;
    if (was_cancelled() || take_late_cancellation()) {
        give_up();
        throw Cancelled();
    }
    waiter_.leave(line_);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
