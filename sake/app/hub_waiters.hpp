// How waiters learn of a new message of a Hub. A publisher does not wake each waiter: it wakes a group, which
// is all waiters for one topic on one reactor. That needs one post for any number of messages and waiters,
// and the reactor does the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "sake/app/hub_waiter.hpp"
#include "sake/async/port.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The waiters for a topic on one reactor. A waiter enters the group, and then checks whether it is served. A
/// publisher publishes, and then checks whether the group waits. All four steps have one total order, so one
/// side sees the other.
class HubGroup final : public PortItem {
  public:
    explicit HubGroup(CountedPtr<Port> port) noexcept : port_(std::move(port)) {}

    [[nodiscard]] const CountedPtr<Port>& port() const noexcept { return port_; }

    /// On the reactor's thread: suspended, and not served when it looked.
    void enter(HubWaiter& waiter) noexcept {
        waiter.insert_before(waiters_);
        State idle = State::idle;
        state_.compare_exchange_strong(idle, State::waiting);
        if (!waiter.is_served()) return;
        waiter.unlink();
        waiter.go_on();
    }
    /// From any thread: true for the one publisher that has to pass the group to the port.
    [[nodiscard]] bool must_be_woken() noexcept {
        State waiting = State::waiting;
        return state_.compare_exchange_strong(waiting, State::woken);
    }
    /// Wakes those that are served.
    void arrive() noexcept override {
        state_ = State::waiting;
        for (ListNode* each = waiters_.next(); each != &waiters_;) {
            auto& waiter = static_cast<HubWaiter&>(*each);
            each = each->next();
            if (!waiter.is_served()) continue;
            waiter.unlink();
            waiter.go_on();
        }
        if (waiters_.is_linked()) return;
        State waiting = State::waiting;  // unless a publisher wakes it just now, in vain
        state_.compare_exchange_strong(waiting, State::idle);
    }

  private:
    enum class State : std::uint8_t {
        idle,     // it has no waiters
        waiting,  // it may have some
        woken,    // it is on its way to the port: other publishers need do nothing
    };

    CountedPtr<Port> port_;
    std::atomic<State> state_ = State::idle;
    ListNode waiters_;  // the reactor's thread alone
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
