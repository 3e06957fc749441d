// Waiting until a watched descriptor can be read or written.
#pragma once

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Awaits one direction of a Watch. Gives false if the fiber was cancelled, so that protocol code can end
/// without an exception. At most one coroutine waits per direction.
class [[nodiscard]] ReadinessWait final : public Wait {
  public:
    ReadinessWait(Watch& watch, Readiness direction) noexcept : watch_(watch), direction_(direction) {}

    [[nodiscard]] bool await_ready() const noexcept { return (watch_.ready_ & direction_) != 0; }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        waiter() = this;
        Reactor& owner = watch_.reactor();
        if (owner.poller_needs_rearm()) owner.poller().rearm(watch_.fd(), watch_, direction_);
        return true;
    }

    [[nodiscard]] bool await_resume() const noexcept { return !was_cancelled(); }

  private:
    Wait*& waiter() noexcept { return direction_ == readable ? watch_.reader_ : watch_.writer_; }
    bool withdraw() noexcept override {
        waiter() = nullptr;
        return true;
    }

    Watch& watch_;
    Readiness direction_;
};

inline ReadinessWait wait_readable(Watch& watch) noexcept { return {watch, readable}; }
inline ReadinessWait wait_writable(Watch& watch) noexcept { return {watch, writable}; }

}  // namespace detail
}  // namespace v0
}  // namespace sake
