// Waiting until a watched descriptor can be read or written.
#pragma once

#include <stdexcept>
#include <string>

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// For messages about who waits.
inline void describe_readiness(const Watch& watch, Readiness direction, std::string& out) {
    out += direction == readable ? "input from " : "room to write to ";
    out += watch.has_descriptor() ? "a descriptor" : "a wire";
}

/// Awaits one direction of a Watch. Gives false if the fiber was cancelled, so that a loop can end without an
/// exception. At most one coroutine waits per direction.
class [[nodiscard]] ReadinessWait final : public Wait {
  public:
    ReadinessWait(Watch& watch, Readiness direction) noexcept : watch_(watch), direction_(direction) {}

    [[nodiscard]] bool await_ready() const noexcept { return watch_.is_ready(direction_); }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        watch_.wait_for(direction_, *this);
        return true;
    }

    [[nodiscard]] bool await_resume() const noexcept { return !was_cancelled(); }
    void describe(std::string& out) const override { describe_readiness(watch_, direction_, out); }

  private:
    bool withdraw() noexcept override {
        watch_.give_up(direction_);
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

    [[nodiscard]] bool await_ready() const noexcept { return watch_.is_ready(direction_); }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (watch_.waiter(direction_) != nullptr)
            throw std::logic_error("two coroutines wait for the same end of a descriptor");
        Reactor& owner = watch_.reactor();
        if (deadline_ != TimePoint::max()) owner.deadlines().set(*this, deadline_);
        if (!suspend(coroutine)) {
            owner.deadlines().cancel(*this);
            return false;
        }
        watch_.wait_for(direction_, *this);
        return true;
    }

    void await_resume() {
        if (is_set()) reactor().deadlines().cancel(*this);
        throw_if_cancelled();
        if (has_timed_out_) throw TimedOut();
    }
    void describe(std::string& out) const override { describe_readiness(watch_, direction_, out); }

  private:
    static void pass(Timer& timer) noexcept {
        auto& self = static_cast<LimitedReadinessWait&>(timer);
        if (!self.is_waiting()) return;  // it is ready, in this very turn
        self.watch_.give_up(self.direction_);
        self.has_timed_out_ = true;
        self.finish();
    }
    bool withdraw() noexcept override {
        watch_.give_up(direction_);
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
}  // namespace SAKE_ABI
}  // namespace sake
