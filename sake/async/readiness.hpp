// Waiting until a watched descriptor can be read or written.
#pragma once

#include <stdexcept>

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Awaits one direction of a Watch, or none: then the others have a turn. Gives false if the fiber was
/// cancelled, so that protocol code can end without an exception. At most one coroutine waits per direction.
class [[nodiscard]] ReadinessWait final : public Wait {
  public:
    ReadinessWait(Watch& watch, Readiness direction) noexcept : watch_(watch), direction_(direction) {}

    [[nodiscard]] bool await_ready() const noexcept { return (watch_.ready_ & direction_) != 0; }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        if (direction_ == no_direction) {
            finish();
            return true;
        }
        waiter() = this;
        Reactor& owner = watch_.reactor();
        if (owner.poller_needs_rearm()) owner.poller().rearm(watch_.fd(), watch_, direction_);
        return true;
    }

    [[nodiscard]] bool await_resume() const noexcept { return !was_cancelled(); }

  private:
    Wait*& waiter() noexcept { return direction_ == readable ? watch_.reader_ : watch_.writer_; }
    bool withdraw() noexcept override {
        if (direction_ == no_direction) return false;
        waiter() = nullptr;
        return true;
    }

    Watch& watch_;
    Readiness direction_;
};

/// The same with a deadline, for code that wants exceptions: TimedOut, Cancelled, and std::logic_error if
/// somebody waits for the same direction already.
class [[nodiscard]] LimitedReadinessWait final : public Wait, private Timer {
  public:
    LimitedReadinessWait(Watch& watch, Readiness direction, TimePoint deadline) noexcept
        : Timer(&pass), watch_(watch), direction_(direction), deadline_(deadline) {}

    [[nodiscard]] bool await_ready() const noexcept { return (watch_.ready_ & direction_) != 0; }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (waiter() != nullptr)
            throw std::logic_error("two coroutines wait for the same end of a descriptor");
        Reactor& owner = watch_.reactor();
        if (deadline_ != TimePoint::max()) owner.timers().set(*this, deadline_);
        if (!suspend(coroutine)) {
            owner.timers().cancel(*this);
            return false;
        }
        waiter() = this;
        if (owner.poller_needs_rearm()) owner.poller().rearm(watch_.fd(), watch_, direction_);
        return true;
    }

    void await_resume() {
        if (is_set()) reactor().timers().cancel(*this);
        throw_if_cancelled();
        if (has_timed_out_) throw TimedOut();
    }

  private:
    Wait*& waiter() noexcept { return direction_ == readable ? watch_.reader_ : watch_.writer_; }
    static void pass(Timer& timer) noexcept {
        auto& self = static_cast<LimitedReadinessWait&>(timer);
        if (self.waiter() != &self) return;  // it is ready, in this very turn
        self.waiter() = nullptr;
        self.has_timed_out_ = true;
        self.finish();
    }
    bool withdraw() noexcept override {
        waiter() = nullptr;
        return true;
    }

    Watch& watch_;
    Readiness direction_;
    bool has_timed_out_ = false;
    TimePoint deadline_;
};

inline ReadinessWait wait_readable(Watch& watch) noexcept { return {watch, readable}; }
inline ReadinessWait wait_writable(Watch& watch) noexcept { return {watch, writable}; }

}  // namespace detail
}  // namespace v0
}  // namespace sake
