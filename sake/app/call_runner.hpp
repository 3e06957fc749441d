// CallRunner: runs the handlers of one call where they are coroutines: their fiber, their deadline, and how
// they ended. An HTTP/1 connection has one, whatever speaks several calls at a time has one for each.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/errors.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/task.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class CallRunner : private Timer {
  public:
    /// How the handlers of the last call ended: by themselves, or cut off, and why. A call that is cut off is
    /// over for the client, while its handler may take a while to end.
    enum class End : std::uint8_t { answered, timed_out, client_left, dropped };

    /// Is told, on the reactor's thread.
    class Owner {
      public:
        Owner() = default;
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        /// The time is up, or the client has left: the handler is being cancelled, and `call_ended` follows.
        virtual void call_cut_off(End why) noexcept = 0;
        /// The handlers have ended, later than within `start`.
        virtual void call_ended() noexcept = 0;

      protected:
        ~Owner() = default;
    };

    CallRunner(Reactor& reactor, Call& call) noexcept : Timer(&due), reactor_(reactor), call_(call) {}
    CallRunner(const CallRunner&) = delete;
    CallRunner& operator=(const CallRunner&) = delete;
    ~CallRunner() { reactor_.deadlines().cancel(*this); }

    [[nodiscard]] bool is_running() const noexcept { return fiber_ != nullptr; }
    [[nodiscard]] End end() const noexcept { return end_; }

    /// Runs the handlers until they end or wait. True if they have ended; if not, the owner is told when they
    /// do.
    bool start(Owner& owner, std::chrono::milliseconds time_limit) {
        end_ = End::answered;
        time_ = Time::limited;
        owner_ = nullptr;
        failure_ = nullptr;
        limit_ = time_limit;
        last_limit_ = call_.has_time_limit ? call_.time_limit : never;
        last_ = end_of(last_limit_);
        call_.runner = this;
        try {
            reactor_.deadlines().set(*this, std::min(last_, reactor_.now() + limit_));
            const Root root = run(reactor_, *this);
            fiber_ = &root.fiber();
            fiber_->work = call_.route;
            reactor_.adopt(*fiber_);
            root.start();
        } catch (const std::bad_alloc&) {
            reactor_.deadlines().cancel(*this);
            call_.runner = nullptr;
            failure_ = caught_exception();
        }
        owner_ = &owner;
        return !is_running();
    }

    /// The limit that has passed, for the owner whose call is timed out: "10 s of Config::request_timeout".
    [[nodiscard]] std::string passed_limit() const {
        const bool is_of_step = last_ <= reactor_.now();
        const std::int64_t time = (is_of_step ? last_limit_ : limit_).count();
        const bool is_whole = time % 1000 == 0;
        return std::to_string(is_whole ? time / 1000 : time) + (is_whole ? " s of " : " ms of ") +
               (is_of_step ? "middleware::timeout" : "Config::request_timeout");
    }

    /// Whether the handlers have ended by an exception that passed all of them: a cancellation.
    [[nodiscard]] bool has_failed() const noexcept { return failure_ != nullptr; }
    /// Whether `end_early` has ended them.
    [[nodiscard]] bool has_ended_early() const noexcept {
        return time_ == Time::ends_early && end_ == End::answered;
    }

    /// For the owner, when the handlers have ended: what they threw becomes the answer, unless they were cut
    /// off.
    void answer_failure() {
        const std::exception_ptr failure = std::exchange(failure_, nullptr);
        if (!failure || end_ != End::answered) return;
        call_.place.errors->answer(call_, failure);
        run_afters(call_);
    }

    /// The client disconnected. Its handler is told by the timers that come next, and not from here, among
    /// the events, since telling may run code of the program.
    void client_left() noexcept {
        if (end_ != End::answered) return;
        has_left_ = true;
        set_due(Time::is_up, std::chrono::milliseconds(0));
    }

    /// Cancels the handlers: nobody waits for their answer any more. Idempotent.
    void drop() noexcept { cut_off(End::dropped); }

    /// The answer needs no more of the handlers: they are cancelled, and what they have made of it stands.
    void end_early() noexcept {
        if (time_ >= Time::ends_early || !is_running()) return;
        set_due(Time::ends_early, limit_);
        call_.request_stop();
        fiber_->cancel();
    }

    // The time limit is for the handlers alone. While they wait for their client, and when their answer has
    // begun to leave, the pace of the transfer governs.

    void begin_client_time() noexcept {
        if (time_ == Time::limited) set_due(Time::limited, never);
    }
    void end_client_time() noexcept {
        if (time_ == Time::limited) set_due(Time::limited, limit_);
    }
    void lift_time_limit() noexcept {
        if (time_ == Time::limited) set_due(Time::unlimited, never);
    }

    /// The handlers have so much time from now on, whether they wait for their client or not, and whether
    /// their answer has begun to leave or not. Never makes a limit longer.
    void limit_time(std::chrono::milliseconds limit) noexcept {
        if (const TimePoint last = end_of(limit); last < last_) {
            last_ = last;
            last_limit_ = limit;
        }
        if (time_ < Time::ends_early && last_ < deadline()) reactor_.deadlines().set(*this, last_);
    }

  private:
    /// What the timer is for.
    enum class Time : std::uint8_t {
        limited,     // the handlers have so much time
        unlimited,   // they may take as long as they like, up to last_
        ends_early,  // they are being cancelled, but their answer stands
        is_up        // they are being cancelled, and are cancelled anew if that does not help
    };
    static constexpr std::chrono::milliseconds never = std::chrono::milliseconds::max();

    static Root run(Reactor&, CallRunner& runner);

    // The timer is set as long as the handlers run, so this allocates nothing.
    void set_due(Time time, std::chrono::milliseconds in) noexcept {
        time_ = time;
        const TimePoint due = end_of(in);
        reactor_.deadlines().set(*this, time < Time::ends_early ? std::min(due, last_) : due);
    }
    [[nodiscard]] TimePoint end_of(std::chrono::milliseconds time) const noexcept {
        return time == never ? TimePoint::max() : reactor_.now() + time;
    }

    void cut_off(End why) noexcept {
        if (end_ == End::answered) {
            end_ = why;
            call_.request_stop();
        }
        if (!is_running()) return;
        if (time_ != Time::is_up) set_due(Time::is_up, limit_);
        fiber_->cancel();
    }

    // A handler that outlives its cancellation is cancelled anew, so that it does not stay without end.
    static void due(Timer& timer) noexcept {
        auto& runner = static_cast<CallRunner&>(timer);
        runner.set_due(Time::is_up, runner.limit_);
        const bool is_first = runner.end_ == End::answered;
        const End why = std::exchange(runner.has_left_, false) ? End::client_left : End::timed_out;
        if (is_first) runner.owner_->call_cut_off(why);
        runner.cut_off(why);
    }

    Reactor& reactor_;
    Call& call_;
    Owner* owner_ = nullptr;  // from when it has to be told
    Fiber* fiber_ = nullptr;  // while the handlers run
    std::exception_ptr failure_;
    std::chrono::milliseconds limit_{};
    TimePoint last_{};  // when a limit of middleware ends
    std::chrono::milliseconds last_limit_{};
    End end_ = End::answered;
    Time time_ = Time::limited;
    bool has_left_ = false;  // the client, and nobody was told yet
};

// As the last it tells the owner, which may recycle or destroy the runner.
inline Root CallRunner::run(Reactor&, CallRunner& runner) {
    try {
        Task<> rest = run_rest(runner.call_);
        co_await std::move(rest);
        if (runner.end_ == End::answered) run_afters(runner.call_);
    } catch (...) {
        runner.failure_ = caught_exception();
    }
    runner.fiber_ = nullptr;
    runner.call_.runner = nullptr;
    runner.has_left_ = false;
    runner.reactor_.deadlines().cancel(runner);
    if (runner.owner_ != nullptr) runner.owner_->call_ended();
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
