// How the word of a new message of a Hub comes to the loops of those who wait for it: a publisher wakes a
// group, all who wait for one topic on one reactor, and not each of them. That needs one post for any number
// of messages and waiters, and the reactor does the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "sake/async/posted_work.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Who waits in a group.
class HubWaiter : public Wait, public ListNode {
  public:
    /// Whether it need not wait any more. Looks at what other threads change before they wake the group.
    [[nodiscard]] virtual bool is_served() const noexcept = 0;
    void describe(std::string& out) const override { out += "a message of a Hub"; }

  protected:
    ~HubWaiter() = default;

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
};

class HubPort;

/// Who waits for a topic on one reactor. A waiter enters, and then looks whether it is served; a publisher
/// publishes, and then looks whether the group waits: in the one order of all that they do, one of them sees
/// the other.
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
    /// From any thread: true for the one publisher who has to bring the word to the port.
    [[nodiscard]] bool must_be_woken() noexcept {
        State waiting = State::waiting;
        return state_.compare_exchange_strong(waiting, State::woken);
    }
    /// On the reactor's thread: the word has come.
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
        State waiting = State::waiting;  // unless somebody wakes it just now, in vain
        state_.compare_exchange_strong(waiting, State::idle);
    }

    CountedPtr<HubGroup> next;  // of those on their way to a port; theirs alone while woken

  private:
    enum class State : std::uint8_t {
        idle,     // nobody waits
        waiting,  // somebody may
        woken,    // the word is on its way: no other publisher need bring it
    };

    CountedPtr<HubPort> port_;
    std::atomic<State> state_ = State::idle;
    ListNode waiters_;  // the reactor's thread alone
};

/// A reactor as hubs know it, which may have ended.
class HubPort final : public Counted, public PostedCall {
  public:
    explicit HubPort(Reactor& reactor) noexcept : reactor_(&reactor) {}
    HubPort(const HubPort&) = delete;
    HubPort& operator=(const HubPort&) = delete;

    /// From any thread. The lock is held during the post, so that the reactor does not go before it is over.
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

    /// The reactor ends: nobody waits there any more.
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
}  // namespace v0
}  // namespace sake
