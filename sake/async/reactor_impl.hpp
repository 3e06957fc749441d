// Definitions of reactor.hpp: the loop, its end, and what watches do with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "sake/async/make_poller.hpp"
#include "sake/async/poller.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/reactor_locals.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void report_failure(const char* what, const std::exception_ptr& exception) noexcept {
    if (const Reactor* const reactor = Reactor::current()) return log_failure(reactor->log_, what, exception);
    const LogSink to_stderr = log_to_stderr;
    log_failure(to_stderr, what, exception);
}

SAKE_INLINE Watch::Watch(Reactor& reactor, int fd, std::uint8_t ready)
    : reactor_(&reactor), fd_(fd), ready_(ready) {
    if (!has_descriptor()) return;
    reactor.poller().add(fd, *this);
    ++reactor.watches_;
}

SAKE_INLINE Watch::~Watch() { end(); }

SAKE_INLINE void Watch::end() noexcept {
    if (!has_descriptor()) return;
    reactor_->poller().remove(fd_, *this);
    --reactor_->watches_;
    fd_ = no_descriptor;
}

SAKE_INLINE void Watch::wait_for(Readiness direction, Resumable& who) noexcept {
    (direction == readable ? reader_ : writer_) = &who;
    if (reactor_->poller_needs_rearm() && has_descriptor()) {
        reactor_->poller().rearm(fd_, *this, direction);
    }
}

SAKE_INLINE void Watch::became_ready(std::uint8_t ready) noexcept {
    reactor_->events_since_ = reactor_->present();
    reactor_->mark({this, ready});
}

}  // namespace detail

SAKE_INLINE Reactor::Reactor(PollerKind kind) : Reactor(detail::make_poller(kind)) {}

SAKE_INLINE Reactor::Reactor(detail::OwningPtr<detail::Poller> poller)
    : poller_(std::move(poller)),
      poller_needs_rearm_(poller_->needs_rearm()),
      has_virtual_time_(poller_->has_virtual_time()),
      posted_watch_(*this, posted_.fd()),
      log_(log_to_stderr) {
    poller_->attach(*this);
    events_.reserve(512);
}

// Work that was posted too late to run is dropped: nobody waits for it any more.
SAKE_INLINE Reactor::~Reactor() {
    // Within its own loop, where a coroutine calls exit(): that one cannot be waited for.
    if (current() == this) abandon();
    end_all();
    abandon();  // listeners may be ready, and are destroyed one after the other
    while (end_listeners_.is_linked()) {
        auto& listener = static_cast<detail::ReactorEndListener&>(*end_listeners_.next());
        listener.unlink();
        listener.reactor_ends();
    }
    locals_.clear();
    posted_.drop();
}

SAKE_INLINE void Reactor::post(detail::UniqueFunction<void()> work) { posted_.add(std::move(work)); }

SAKE_INLINE void Reactor::post(detail::Wait& wait) noexcept { posted_.add(wait); }

SAKE_INLINE void Reactor::post(detail::PostedCall& call) noexcept { posted_.add(call); }

SAKE_INLINE void Reactor::watch_stalls(
    detail::Clock::duration longest,
    detail::UniqueFunction<void(const void*, detail::Clock::duration)> report) {
    if (!has_virtual_time_) meter_.watch(longest, std::move(report));
}

SAKE_INLINE std::string Reactor::describe_waits(Whose whose) const {
    return fibers_.describe_waits(whose, meter_.name);
}

SAKE_INLINE void Reactor::set_log(LogSink log) { log_ = std::move(log); }

SAKE_INLINE void Reactor::end_all() noexcept {
    try {
        cancel_all();
    } catch (const std::exception& error) {
        log_quietly(log_, LogLevel::error, "tasks were left unfinished: ", error.what());
        abandon();
    }
}

SAKE_INLINE void Reactor::abandon() noexcept {
    is_abandoned_ = true;
    ready_.clear();
    fibers_.abandon();
    ready_.clear();
}

// The frames give back what they hold, and some of it ends the wait of others, whose turn to go has come or
// will.
SAKE_INLINE void Reactor::destroy_fibers() noexcept {
    timers_.clear();
    abandon();
    posted_.drop_waits(true);
    fibers_.destroy();
    posted_.drop_waits(false);
    is_abandoned_ = false;
}

SAKE_INLINE void Reactor::cancel_all() {
    constexpr int patience = 1000;
    for (int round = 0; has_fibers() && !is_abandoned_; ++round) {
        if (round == patience) {
            log_quietly(log_, LogLevel::error,
                        "a task was left unfinished: ", "it catches every Cancelled and goes on: rethrow it");
            return abandon();
        }
        cancel_fibers();
        const Running running(*this);
        turn();
    }
}

SAKE_INLINE void Reactor::turn() {
    if (!may_put_off_events()) take_events();
    // The byte of a post may come after its work was run: the pipe is emptied then too, or it stays readable.
    if (posted_watch_.is_readable() || !posted_.is_empty()) run_posted();
    resume_ready();
    timers_.expire(asked_at_, [this] { return ready_.empty() && posted_.is_empty(); });
}

// Coroutines that hand things to each other have turns of a microsecond, to which a look at the kernel would
// add another: it can wait a little. In virtual time it cannot, since no turn takes any.
SAKE_INLINE bool Reactor::may_put_off_events() noexcept {
    if (ready_.empty()) return false;
    now_ = present();
    return now_ < put_off_until_ && !has_virtual_time_;
}

// All of them, a batch at a time. What becomes ready meanwhile is reported last, so there is an end to it
// when each watch could have been reported for both directions.
[[gnu::always_inline]] inline void Reactor::take_events() {
    using Found = detail::Poller::Found;
    constexpr std::chrono::milliseconds at_once(0);
    constexpr std::chrono::milliseconds a_real_wait(1);
    constexpr std::chrono::microseconds a_little(20);
    events_.clear();
    const bool may_wait = ready_.empty();
    asked_at_ = may_wait ? present() : now_;
    if (turns_ != nullptr) [[unlikely]]
        turns_->add(asked_at_ - last_events_);
    Found found = poller_->wait(may_wait ? timers_.time_to_next(asked_at_) : at_once, events_);
    const detail::TimePoint ended = present();
    events_since_ = may_wait && ended - asked_at_ > a_real_wait ? ended : last_events_;
    now_ = last_events_ = ended;
    put_off_until_ = ended + a_little;
    for (const detail::PollEvent& event : events_) mark(event);
    for (std::size_t taken = 0; found == Found::some && taken <= 2 * watches_;) {
        taken += events_.size();
        events_.clear();
        found = poller_->wait(at_once, events_);
        for (const detail::PollEvent& event : events_) mark(event);
    }
}

SAKE_INLINE void Reactor::mark(const detail::PollEvent& event) noexcept {
    detail::Watch& watch = *event.watch;
    const unsigned is_new = event.ready & ~unsigned{watch.ready_};
    watch.ready_ = static_cast<std::uint8_t>(watch.ready_ | event.ready);
    if (watch.reader_ != nullptr && watch.is_readable()) std::exchange(watch.reader_, nullptr)->wake(*this);
    if (watch.writer_ != nullptr && watch.is_writable()) std::exchange(watch.writer_, nullptr)->wake(*this);
    if (watch.hangup_listener != nullptr && (is_new & (detail::peer_ended | detail::broken)) != 0) {
        watch.hangup_listener->peer_hung_up(watch.ready_);
    }
}

SAKE_INLINE void Reactor::resume_ready() {
    // Only what is ready now: who yields in turn waits for the next turn, so events are not starved.
    detail::Resumable* ready = ready_.take();
    meter_.begin(now_);
    while (ready != nullptr) {
        detail::Resumable* const next = ready->next_ready;
        meter_.set_work(nullptr);
        ready->resume();
        check_stall();
        ready = next;
    }
    meter_.set_work(nullptr);
}

// The next call of this turn must not be late because of this one.
SAKE_INLINE void Reactor::check_stall() {
    if (meter_.note_end()) now_ = present();
}

SAKE_INLINE void Reactor::run_posted() {
    posted_watch_.drained();
    if (poller_needs_rearm_) poller_->rearm(posted_watch_.fd(), posted_watch_, detail::readable);
    posted_.run(*this);
    now_ = present();
}

}  // namespace SAKE_ABI
}  // namespace sake
