// Virtual time, for tests: a poller whose clock stands still while anything can happen, and else jumps to the
// next timer. Descriptors and other threads are real, and the loop waits for them in real time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "sake/async/make_poller.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/array.hpp"
#include "sake/base/function.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Thrown out of the loop when nothing can happen any more. The text says which tasks wait, and for what.
class Deadlock : public std::logic_error {
  public:
    using std::logic_error::logic_error;
};

/// The start of virtual time, and how long, in real time, it stands still for the world outside.
struct SimulationOptions {
    std::chrono::system_clock::time_point wall_start = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    /// For threads, while any Reactor::OutsideWork lives.
    std::chrono::milliseconds thread_patience = std::chrono::seconds(60);
    /// For descriptors that are awaited and stay silent.
    std::chrono::milliseconds descriptor_patience = std::chrono::seconds(5);
    /// For posts of threads without OutsideWork, before a Deadlock is thrown.
    std::chrono::milliseconds grace{100};
};

/// Belongs to one Reactor, and is for its thread:
///
///     OwningPtr<SimulatedPoller> owned(new SimulatedPoller);
///     SimulatedPoller& time = *owned;
///     Reactor reactor(std::move(owned));
///     time.advance(30s);
///
/// However the loop is run, everything that is ready runs first. Then, while there is Reactor::OutsideWork or
/// an awaited descriptor, the loop waits in real time and the clock stands still. Then the clock jumps to the
/// next timer. Without any timer, the loop throws Deadlock. A task that yields until some moment has come
/// never ends, since it is always ready.
class SimulatedPoller final : public Poller {
  public:
    explicit SimulatedPoller(SimulationOptions options = {}, PollerKind real = PollerKind::automatic)
        : options_(options), real_(make_poller(real)) {}

    /// Turns the loop until exactly so much time has passed. Everything that is due on the way, the last
    /// moment included, happens in its order. Throws std::logic_error inside a coroutine: `co_await sleep`
    /// instead; std::invalid_argument if the time is negative.
    template <class Rep, class Period>
    void advance(std::chrono::duration<Rep, Period> time) {
        if (time < time.zero()) throw std::invalid_argument("advance: the duration must not be negative");
        run_to(moment_after(now_, to_clock(time)));
    }
    /// Turns the loop until nothing more can happen at this moment of virtual time.
    void run_until_idle() { run_to(now_); }

    [[nodiscard]] TimePoint now() const noexcept override { return now_; }
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept override {
        return options_.wall_start +
               std::chrono::duration_cast<std::chrono::system_clock::duration>(now_ - start);
    }
    [[nodiscard]] bool has_virtual_time() const noexcept override { return true; }
    [[nodiscard]] std::string_view name() const noexcept override { return "simulated"; }
    void attach(Reactor& reactor) noexcept override { reactor_ = &reactor; }

    void add(int fd, Watch& watch) override {
        watches_.push_back(&watch);
        try {
            real_->add(fd, watch);
        } catch (...) {
            watches_.pop_back();
            throw;
        }
    }
    void remove(int fd, Watch& watch) noexcept override {
        real_->remove(fd, watch);
        watches_.erase(std::find(watches_.begin(), watches_.end(), &watch));
    }
    void rearm(int fd, Watch& watch, std::uint8_t directions) noexcept override {
        ++waits_begun_;
        real_->rearm(fd, watch, directions);
    }
    [[nodiscard]] bool needs_rearm() const noexcept override { return true; }

    Found wait(std::chrono::milliseconds timeout, Array<PollEvent>& events) override {
        Found found = real_->wait(std::chrono::milliseconds(0), events);
        if (events.empty() && timeout.count() != 0) found = wait_or_jump(events);
        if (!events.empty()) given_up_on_ = none;
        return found;
    }

  private:
    // Not zero, which means "not yet" to the reactor.
    static constexpr TimePoint start{std::chrono::hours(24)};

    void run_to(TimePoint horizon) {
        // The horizon before it is that of an advance that runs already: then the reactor throws.
        const AtExit done([this, before = horizon_]() noexcept { horizon_ = before; });
        horizon_ = horizon;
        has_arrived_ = false;
        reactor_->run_until([this] { return has_arrived_; });
    }

    // Nothing is ready.
    Found wait_or_jump(Array<PollEvent>& events) {
        const TimePoint next = std::min(reactor_->next_timer(), horizon_);
        const bool can_jump = next != TimePoint::max();
        if (depends_on_others()) {
            if (!can_jump) return real_->wait(std::chrono::milliseconds(-1), events);
            const Found found = wait_for_others(events);
            if (!events.empty()) return found;
        }
        if (can_jump) {
            jump(next);
            return Found::all;
        }
        const Found found = wait_in_real_time(options_.grace, events);
        if (events.empty()) {
            throw Deadlock("deadlock: nothing can happen any more; " + reactor_->describe_waits());
        }
        return found;
    }

    [[nodiscard]] bool depends_on_others() const noexcept {
        return reactor_->outside_work() != 0 ||
               std::any_of(watches_.begin(), watches_.end(), [](Watch* each) { return each->is_awaited(); });
    }

    // On other threads, and at descriptors.
    struct Others {
        std::size_t work = 0;
        std::size_t waits_begun = 0;
        bool operator==(const Others&) const = default;
    };
    static constexpr Others none{0, static_cast<std::size_t>(-1)};

    // In vain only once, until something comes or there is more to wait for.
    Found wait_for_others(Array<PollEvent>& events) {
        const Others others{reactor_->outside_work(), waits_begun_};
        if (given_up_on_ == others) return Found::all;
        const Found found = wait_in_real_time(
            others.work != 0 ? options_.thread_patience : options_.descriptor_patience, events);
        if (events.empty()) given_up_on_ = others;
        return found;
    }

    // At the horizon, once what is due there has run.
    void jump(TimePoint next) noexcept {
        has_arrived_ = now_ == horizon_;
        now_ = next;
    }

    // Again after a signal, which cuts a wait of the poller short.
    Found wait_in_real_time(std::chrono::milliseconds longest, Array<PollEvent>& events) {
        const TimePoint until = moment_after(Clock::now(), to_clock(longest));
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
            if (left.count() <= 0) return Found::all;
            const Found found =
                real_->wait(std::min<std::chrono::milliseconds>(left, std::chrono::hours(1)), events);
            if (!events.empty()) return found;
        }
    }

    const SimulationOptions options_;
    OwningPtr<Poller> real_;
    Array<Watch*> watches_;  // of descriptors
    Reactor* reactor_ = nullptr;
    TimePoint now_ = start;
    TimePoint horizon_ = TimePoint::max();  // of run_to: time goes no further
    bool has_arrived_ = false;
    std::size_t waits_begun_ = 0;  // for descriptors
    Others given_up_on_ = none;    // those that kept silent
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
