// How waiters learn of a new message of a Hub. A publisher does not wake each waiter: it wakes a group, which
// is all waiters for one topic on one reactor. That needs one post for any number of messages and waiters,
// and the reactor does the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "sake/app/hub_waiter.hpp"
#include "sake/async/posted_work.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class HubPort;

/// The waiters for a topic on one reactor. A waiter enters the group, and then checks whether it is served. A
/// publisher publishes, and then checks whether the group waits. All four steps have one total order, so one
/// side sees the other.
class HubGroup : public Counted {
  public:
    explicit HubGroup(CountedPtr<HubPort> port) noexcept : port_(std::move(port)) {}
    HubGroup(const HubGroup&) = delete;
    HubGroup& operator=(const HubGroup&) = delete;

    [[nodiscard]] const CountedPtr<HubPort>& port() const noexcept { return port_; }

    /// On the reactor's thread: suspended, and not served when it looked.
    void enter(HubWaiter& waiter) noexcept {
        waiter.insert_before(waiters_);
        State idle = State::idle;
        state_.compare_exchange_strong(idle, State::waiting);
        if (!waiter.is_served()) return;
        waiter.unlink();
        waiter.finish();
    }
    /// From any thread: true for the one publisher that has to pass the group to the port.
    [[nodiscard]] bool must_be_woken() noexcept {
        State waiting = State::waiting;
        return state_.compare_exchange_strong(waiting, State::woken);
    }
    /// On the reactor's thread: the group has come through the port.
    void wake() noexcept {
        state_ = State::waiting;
        for (ListNode* each = waiters_.next(); each != &waiters_;) {
            auto& waiter = static_cast<HubWaiter&>(*each);
            each = each->next();
            if (!waiter.is_served()) continue;
            waiter.unlink();
            waiter.finish();
        }
        if (waiters_.is_linked()) return;
        State waiting = State::waiting;  // unless a publisher wakes it just now, in vain
        state_.compare_exchange_strong(waiting, State::idle);
    }

    CountedPtr<HubGroup> next;  // of those on their way to a port; theirs alone while woken

  private:
    enum class State : std::uint8_t {
        idle,     // it has no waiters
        waiting,  // it may have some
        woken,    // it is on its way to the port: other publishers need do nothing
    };

    CountedPtr<HubPort> port_;
    std::atomic<State> state_ = State::idle;
    ListNode waiters_;  // the reactor's thread alone
};

/// A reactor as hubs know it. The reactor may have ended.
class HubPort final : public Counted, public PostedCall {
  public:
    explicit HubPort(Reactor& reactor) noexcept : reactor_(&reactor) {}
    HubPort(const HubPort&) = delete;
    HubPort& operator=(const HubPort&) = delete;

    /// From any thread. The lock is held during the post, so that the reactor is not destroyed before the
    /// post is over.
    void bring(CountedPtr<HubGroup> group) noexcept {
        {
            const std::lock_guard lock(mutex_);
            if (reactor_ == nullptr) return;
            group->next = std::move(first_);
            first_ = std::move(group);
            if (std::exchange(is_posted_, true)) return;
            if (Reactor::current() != reactor_) return reactor_->post(*this);
        }
        run();
    }
    void run() noexcept override {
        CountedPtr<HubGroup> group;
        {
            const std::lock_guard lock(mutex_);
            group = std::move(first_);
            is_posted_ = false;
        }
        while (group != nullptr) {
            CountedPtr<HubGroup> after_it = std::move(group->next);
            group->wake();
            group = std::move(after_it);
        }
    }

    /// The reactor ends, and with it all waits there.
    void end() noexcept {
        const std::lock_guard lock(mutex_);
        reactor_ = nullptr;
        while (first_ != nullptr) first_ = std::exchange(first_->next, nullptr);
    }
    [[nodiscard]] bool has_ended() const noexcept {
        const std::lock_guard lock(mutex_);
        return reactor_ == nullptr;
    }

  private:
    mutable std::mutex mutex_;
    Reactor* reactor_;
    CountedPtr<HubGroup> first_;
    bool is_posted_ = false;
};

/// The port of a reactor, which has one for all hubs: Reactor::local.
struct HubPortOfReactor {
    explicit HubPortOfReactor(Reactor& reactor) : port(new HubPort(reactor)) {}
    HubPortOfReactor(const HubPortOfReactor&) = delete;
    HubPortOfReactor& operator=(const HubPortOfReactor&) = delete;
    ~HubPortOfReactor() { port->end(); }
    CountedPtr<HubPort> port;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
