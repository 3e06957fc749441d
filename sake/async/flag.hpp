// Flag: coroutines wait for it until it is set. For Sake itself; programs use an Event (app/event.hpp).
#pragma once

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Coroutines that wait for it continue when it is set. For the thread of one reactor. It must outlive its
/// waiters.
class Flag {
    class FlagWait;

  public:
    Flag() = default;
    Flag(const Flag&) = delete;
    Flag& operator=(const Flag&) = delete;

    /// Resumes all waiters. Until `reset`, later waits return at once.
    void set() noexcept;
    void reset() noexcept { is_set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return is_set_; }

    /// Waits until the flag is set. Throws Cancelled.
    Operation<FlagWait, Flag&> wait() noexcept;

  private:
    ListNode waiters_;
    bool is_set_ = false;
};

class [[nodiscard]] Flag::FlagWait final : public Wait, public ListNode {
  public:
    explicit FlagWait(Flag& flag) noexcept : flag_(flag) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (flag_.is_set_) return give_way(coroutine);
        if (!suspend(coroutine)) return false;
        insert_before(flag_.waiters_);
        return true;
    }
    void await_resume() const { throw_if_cancelled(); }
    void describe(std::string& out) const override { out += "an event"; }

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
    Flag& flag_;
};

inline void Flag::set() noexcept {
    is_set_ = true;
    while (waiters_.is_linked()) {
        auto& waiter = static_cast<FlagWait&>(*waiters_.next());
        waiter.unlink();
        waiter.finish();
    }
}

inline auto Flag::wait() noexcept -> Operation<FlagWait, Flag&> { return Operation<FlagWait, Flag&>(*this); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
