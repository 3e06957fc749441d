// The time, waiting for time to pass, and letting other coroutines run.
#pragma once

#include <chrono>

#include "sake/async/reactor.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class [[nodiscard]] SleepWait final : public Wait, private Timer {
  public:
    explicit SleepWait(Clock::duration duration) noexcept : Timer(&pass), duration_(duration) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        Reactor& owner = coroutine.promise().fiber->reactor();
        if (duration_ <= Clock::duration::zero()) {  // as `yield` does
            if (!suspend(coroutine)) return false;
            owner.take_events_next();
            finish();
            return true;
        }
        owner.timers().set(*this, owner.deadline_in(duration_));
        if (suspend(coroutine)) return true;
        owner.timers().cancel(*this);
        return false;
    }

    void await_resume() const { throw_if_cancelled(); }
    void describe(std::string& out) const override { out += "the end of a sleep"; }

  private:
    static void pass(Timer& timer) noexcept { static_cast<SleepWait&>(timer).finish(); }
    bool withdraw() noexcept override {
        reactor().timers().cancel(*this);
        return true;
    }

    Clock::duration duration_;
};

class [[nodiscard("nothing happens until it is awaited: co_await it")]] YieldWait final : public Wait {
  public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        if (!suspend(coroutine)) return false;
        reactor().take_events_next();
        finish();
        return true;
    }
    void await_resume() const { throw_if_cancelled(); }
    void describe(std::string& out) const override { out += "its turn"; }

  private:
    bool withdraw() noexcept override { return false; }
};

/// For a task that can go on without a wait: see Wait::may_go_on.
class [[nodiscard]] TurnWait final : public Wait {
  public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
        return give_way(coroutine);
    }
    void await_resume() const { throw_if_cancelled(); }
    void describe(std::string& out) const override { out += "its turn"; }

  private:
    bool withdraw() noexcept override { return false; }
};

inline TurnWait its_turn() noexcept { return {}; }

}  // namespace detail

/// The present time, to measure durations: the clock of the loop on this thread, which is virtual under a
/// TestClient; the system's clock without a loop.
[[nodiscard]] inline std::chrono::steady_clock::time_point now() noexcept {
    const Reactor* const reactor = Reactor::current();
    return reactor != nullptr ? reactor->present() : detail::Clock::now();
}
/// The present time of day, from the same clock.
[[nodiscard]] inline std::chrono::system_clock::time_point wall_now() noexcept {
    const Reactor* const reactor = Reactor::current();
    return reactor != nullptr ? reactor->wall_now() : std::chrono::system_clock::now();
}

/// Waits at least `duration` without blocking the thread, with a precision of a millisecond. A duration that
/// is not positive acts as `yield`. A duration beyond the range of the clock never ends. Throws Cancelled.
template <class Rep, class Period>
detail::Operation<detail::SleepWait, detail::Clock::duration> sleep(
    std::chrono::duration<Rep, Period> duration) noexcept {
    return detail::Operation<detail::SleepWait, detail::Clock::duration>(detail::to_clock(duration));
}

template <detail::Unitless T>
[[nodiscard]] auto sleep(T) noexcept {
    detail::refuse_number<T>();
    return sleep(detail::Clock::duration());
}

/// Lets everything else that is ready run first. For long loops on the reactor. Throws Cancelled.
inline detail::YieldWait yield() noexcept { return {}; }

}  // namespace SAKE_ABI
}  // namespace sake
