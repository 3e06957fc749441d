// The reactor: the loop of one thread. It waits for descriptors, timers and posted work, and resumes what
// waits for them, mostly coroutines. Readiness is only marked while events are read. Coroutines run
// afterwards, so that closing a descriptor never meets a stale event.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/current_reactor.hpp"
#include "sake/async/fiber_set.hpp"
#include "sake/async/loop_timers.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/posted_work.hpp"
#include "sake/async/reactor_locals.hpp"
#include "sake/async/wait.hpp"
#include "sake/async/watch.hpp"
#include "sake/async/work_meter.hpp"
#include "sake/base/array.hpp"
#include "sake/base/duration_counts.hpp"
#include "sake/base/function.hpp"
#include "sake/base/log.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
/// The loop of one thread. `run_until_complete` and Engine make their own; programs seldom name one.
class Reactor {
  public:
    /// Throws std::system_error, or std::invalid_argument for a backend that this system does not have.
    explicit Reactor(PollerKind kind = PollerKind::automatic);
    /// Uses this poller, such as a SimulatedPoller.
    explicit Reactor(detail::OwningPtr<detail::Poller> poller);
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// Cancels all tasks that still run, and waits for their end.
    ~Reactor();

    /// The reactor whose loop runs on this thread, or nullptr.
    [[nodiscard]] static Reactor* current() noexcept { return detail::current_reactor(); }

    /// Runs `work` on the reactor's thread, soon, in the order of the calls. From any thread. An exception is
    /// logged. Work that is left when the reactor ends is dropped.
    void post(detail::UniqueFunction<void()> work);

    /// Finishes a wait of this reactor's thread, soon and in order. From any thread, and without allocating.
    /// The wait must not be cut short meanwhile: its `withdraw` refuses.
    void post(detail::Wait& wait) noexcept;

    /// Runs `call` on the reactor's thread, soon. From any thread and any handler of signals: it neither
    /// allocates nor locks. The call must stay until then, and the reactor until this has returned.
    void post(detail::PostedCall& call) noexcept;

    /// The time at the start of this turn of the loop; later if a coroutine was seen to block the loop.
    [[nodiscard]] detail::TimePoint now() const noexcept { return now_; }
    /// The exact present time.
    [[nodiscard]] detail::TimePoint present() const noexcept {
        if (has_virtual_time_) [[unlikely]]
            return poller_->now();
        return detail::Clock::now();  // saves a virtual call
    }
    /// The exact present time of day.
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept {
        return poller_->wall_now();
    }
    /// The moment `duration`, which must not be negative, from now; TimePoint::max() means never.
    [[nodiscard]] detail::TimePoint deadline_in(detail::Clock::duration duration) const noexcept {
        return detail::moment_after(present(), duration);
    }

    /// The backend in use: "epoll", "kqueue", "poll" or "simulated".
    [[nodiscard]] std::string_view poller_name() const noexcept { return poller_->name(); }

    /// Runs the loop until `done()` is true; it is asked after each turn. Throws std::logic_error if a loop
    /// runs on this thread already: in a coroutine, use co_await.
    template <class Done>
    void run_until(Done done);

    /// Cancels every fiber and turns the loop until none is left. One that swallows its cancellation and
    /// waits again is cancelled anew, a thousand times; then it is left as it is, never to go on, and logged.
    void cancel_all();

    /// The same for destructors: if the loop fails meanwhile, tasks are left as they are, and it is logged.
    void end_all() noexcept;

    /// Nothing that is ready or gets ready goes on any more, for the last moments of those who own it. Fibers
    /// wait for nothing any more, so that what they waited for may outlive the reactor.
    void abandon() noexcept;

    /// Cancels every fiber, once.
    void cancel_fibers() noexcept { fibers_.cancel(); }

    /// Destroys every fiber as it is, with all its frames: for a thread that ends, by pthread_exit, in the
    /// middle of one. What they waited for may not be used afterwards; the loop may.
    void destroy_fibers() noexcept;

    /// Calls `work()` as the loop calls coroutines, so that it can spawn. Throws std::logic_error where a
    /// loop runs on this thread already.
    template <class F>
    void enter(F work);

    /// Calls `report` with what was at work, and for how long, after a coroutine held the loop for `longest`
    /// or more. Measured with a grain of some milliseconds. In virtual time nothing is reported.
    void watch_stalls(detail::Clock::duration longest,
                      detail::UniqueFunction<void(const void*, detail::Clock::duration)> report);
    /// Counts in `turns`, which must outlive the last turn, how long each turn from now on is busy: that
    /// long, whatever became ready had to wait.
    void count_turns(detail::DurationCounts& turns) noexcept {
        turns_ = &turns;
        last_events_ = present();
    }
    /// Sets the token that reports a graceful stop to the tasks of this loop; see this_task::stop_token.
    void tell_stop_by(std::stop_token token) noexcept { stop_token_ = std::move(token); }
    [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_token_; }

    /// Names what is at work from now on until the present coroutine waits.
    void set_work(const void* work) noexcept { meter_.set_work(work); }
    /// What was named last; null for what has no name.
    [[nodiscard]] const void* work() const noexcept { return meter_.work(); }
    /// Sets how messages name the work of a fiber, Fiber::work.
    void name_work(std::string_view (*name)(const void* work) noexcept) noexcept { meter_.name = name; }
    /// The name of what is at work now; "" if it has none. From any thread, and in a signal handler.
    [[nodiscard]] std::string_view present_work() const noexcept { return meter_.present_name(); }
    /// Which fibers wait, and for what: "2 tasks wait: GET / (main.cpp:12) for an event, ...".
    /// With `work`, only those whose work has a name.
    using Whose = detail::FiberSet::Whose;
    [[nodiscard]] std::string describe_waits(Whose whose = Whose::all) const;
    /// Looks whether what was at work has held the loop; after every coroutine, and where one starts others.
    void check_stall();

    class OutsideWork;
    /// How many of them live.
    [[nodiscard]] std::size_t outside_work() const noexcept { return outside_work_; }

    /// Where failures are logged that no caller receives: of detached tasks and posted work. Standard error
    /// by default.
    void set_log(LogSink log);

    /// The T of this reactor, for its thread. The first call makes it from the reactor. Use it in place of a
    /// global. It is destroyed after the last fiber.
    template <class T>
    [[nodiscard]] T& local();

    /// Tells `listener`, unless it goes before, that the reactor ends.
    void tell_at_end(detail::ReactorEndListener& listener) noexcept {
        listener.insert_before(end_listeners_);
    }

    // What follows is for the machinery: awaiters, sockets, and tests.

    void schedule(detail::Resumable& resumable) noexcept {
        if (!is_abandoned_) ready_.add(resumable);
    }
    /// Whether who goes on without waiting should let the others have a turn: every 64th time that anybody on
    /// this loop asks.
    [[nodiscard]] bool turn_is_up() noexcept { return ++went_on_ % 64 == 0; }
    /// The next turn takes events, whatever else is ready.
    void take_events_next() noexcept { put_off_until_ = {}; }
    /// The moment since which what the events of this turn tell has happened, as far as that can be known:
    /// they came while the thread was busy, or ended its wait.
    [[nodiscard]] detail::TimePoint events_since() const noexcept { return events_since_; }
    /// For what happens at a moment, such as the end of a sleep.
    [[nodiscard]] detail::TimerQueue& timers() noexcept { return timers_.moments; }
    /// For limits on what others do; see loop_timers.hpp.
    [[nodiscard]] detail::TimerQueue& deadlines() noexcept { return timers_.deadlines; }
    /// When the next of either is due; TimePoint::max() if none is.
    [[nodiscard]] detail::TimePoint next_timer() const noexcept { return timers_.next(); }
    [[nodiscard]] detail::Poller& poller() noexcept { return *poller_; }
    [[nodiscard]] bool poller_needs_rearm() const noexcept { return poller_needs_rearm_; }

    /// Takes a fiber into the set of those that `cancel_all` waits for; it leaves the set when it ends.
    void adopt(detail::Fiber& fiber) noexcept { fibers_.adopt(fiber); }
    [[nodiscard]] bool has_fibers() const noexcept { return !fibers_.empty(); }
    /// Has code of other modules of the program find this loop; see current_reactor.hpp.
    void serve_modules(const detail::ReactorSlots& modules) { slots_.add(modules); }

  private:
    class Running;
    friend class detail::Watch;
    friend void detail::report_failure(const char* what, const std::exception_ptr& exception) noexcept;

    void turn();
    [[nodiscard]] bool may_put_off_events() noexcept;
    void take_events();
    void mark(const detail::PollEvent& event) noexcept;
    void resume_ready();
    void run_posted();

    detail::OwningPtr<detail::Poller> poller_;
    bool poller_needs_rearm_;
    bool has_virtual_time_;
    std::size_t watches_ = 0;  // of descriptors
    detail::PostedWork posted_;
    detail::Watch posted_watch_;
    detail::Array<detail::PollEvent> events_;
    detail::LoopTimers timers_;
    detail::TimePoint now_ = present();
    detail::TimePoint asked_at_{};     // all that had become ready by then is known
    detail::TimePoint last_events_{};  // when they were last taken
    detail::TimePoint events_since_{};
    detail::TimePoint put_off_until_{};
    detail::ReadyList ready_;
    unsigned went_on_ = 0;
    std::size_t outside_work_ = 0;
    bool is_abandoned_ = false;  // nothing goes on, or not now: destroy_fibers is at it
    detail::FiberSet fibers_;
    detail::ReactorSlots slots_;
    detail::ReactorLocals locals_;
    detail::ListNode end_listeners_;

    detail::DurationCounts* turns_ = nullptr;
    std::stop_token stop_token_;
    LogSink log_;
    detail::WorkMeter meter_;
};

namespace detail {

inline void schedule(Reactor& reactor, Resumable& resumable) noexcept { reactor.schedule(resumable); }

inline bool turn_is_up(Reactor& reactor) noexcept { return reactor.turn_is_up(); }

inline void note_work(Reactor& reactor, const void* work) noexcept { reactor.set_work(work); }

}  // namespace detail

/// Says that another thread is at work and will post to the reactor. Virtual time stands still as long as one
/// lives. Made and destroyed on the reactor's thread.
class Reactor::OutsideWork {
  public:
    explicit OutsideWork(Reactor& reactor) noexcept : reactor_(reactor) { ++reactor_.outside_work_; }
    OutsideWork(const OutsideWork&) = delete;
    OutsideWork& operator=(const OutsideWork&) = delete;
    ~OutsideWork() { --reactor_.outside_work_; }

  private:
    Reactor& reactor_;
};

/// Marks this thread as running the reactor, for as long as the object lives.
class Reactor::Running {
  public:
    explicit Running(Reactor& reactor) noexcept
        : reactor_(reactor), previous_(std::exchange(detail::current_reactor(), &reactor)) {
        reactor_.slots_.set(&reactor_);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        detail::current_reactor() = previous_;
        reactor_.slots_.set(previous_);
    }

  private:
    Reactor& reactor_;
    Reactor* previous_;
};

template <class Done>
void Reactor::run_until(Done done) {
    if (current() != nullptr) throw std::logic_error("this thread already runs a reactor: co_await instead");
    const Running running(*this);
    now_ = present();
    while (!done()) turn();
}

template <class T>
T& Reactor::local() {
    return locals_.get<T>(*this);
}

template <class F>
void Reactor::enter(F work) {
    if (current() != nullptr) throw std::logic_error("this thread already runs a reactor");
    const Running running(*this);
    now_ = present();
    work();
}

}  // namespace SAKE_ABI
}  // namespace sake
