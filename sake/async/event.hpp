// Event: a flag that coroutines wait for.
#pragma once

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace v0 {

/// Coroutines that await it go on when it is set. For one reactor's thread; it must outlive its waiters.
class Event {
    class EventWait;

  public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    /// Resumes everybody who waits; who comes later does not wait, until reset.
    void set() noexcept;
    void reset() noexcept { is_set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return is_set_; }

    /// Waits until the event is set. Throws Cancelled.
    [[nodiscard]] detail::Operation<EventWait, Event&> wait() noexcept;

  private:
    detail::ListNode waiters_;
    bool is_set_ = false;
};

class [[nodiscard]] Event::EventWait final : public detail::Wait, public detail::ListNode {
  public:
    explicit EventWait(Event& event) noexcept : event_(event) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (event_.is_set_) return give_way(coroutine);
        if (!suspend(coroutine)) return false;
        insert_before(event_.waiters_);
        return true;
    }
    void await_resume() const { throw_if_cancelled(); }
    void describe(std::string& out) const override { out += "an event"; }

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
    Event& event_;
};

inline void Event::set() noexcept {
    is_set_ = true;
    while (waiters_.is_linked()) {
        auto& waiter = static_cast<EventWait&>(*waiters_.next());
        waiter.unlink();
        waiter.finish();
    }
}

inline auto Event::wait() noexcept -> detail::Operation<EventWait, Event&> {
    return detail::Operation<EventWait, Event&>(*this);
}

}  // namespace v0
}  // namespace sake
