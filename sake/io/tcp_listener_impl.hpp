// Definitions of tcp_listener.hpp: how a listener waits at all of its sockets.
#pragma once

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/async/timer.hpp"
#include "sake/async/wait.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_list.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/accept.hpp"
#include "sake/io/listener.hpp"
#include "sake/io/tcp_listener.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The watches over the sockets of one address, of which any may have a connection to accept.
class ListeningWatches {
  public:
    ListeningWatches(Reactor& reactor, const Listeners& listeners) : reactor_(reactor) {
        for (const Listener* each = listeners.first(); each != nullptr; each = each->next) {
            sockets_.push_back(new Listened{Watch(reactor, each->socket.get())});
        }
    }

    ListeningWatches(const ListeningWatches&) = delete;
    ListeningWatches& operator=(const ListeningWatches&) = delete;

    [[nodiscard]] Reactor& reactor() const noexcept { return reactor_; }
    [[nodiscard]] bool is_open() const noexcept { return !sockets_.empty(); }
    /// Wakes who waits.
    void close() noexcept {
        for_each([](Watch& watch) { watch.dismiss_waiters(); });
        sockets_.clear();
    }
    /// The next that may have a connection, in turns; none if none has.
    [[nodiscard]] Watch* next_ready() noexcept {
        if (sockets_.empty()) return nullptr;
        sockets_.push_back(sockets_.take_front().release());
        Listened* each = sockets_.first();
        while (each != nullptr && !each->watch.is_readable()) each = each->next;
        return each != nullptr ? &each->watch : nullptr;
    }
    [[nodiscard]] bool is_awaited() const noexcept { return is_awaited_; }
    void wait_for(Resumable& who) noexcept {
        is_awaited_ = true;
        for_each([&](Watch& watch) { watch.wait_for(readable, who); });
    }
    void give_up() noexcept {
        is_awaited_ = false;
        for_each([](Watch& watch) { watch.give_up(readable); });
    }

  private:
    struct Listened {
        Watch watch;
        Listened* next = nullptr;
    };
    template <class F>
    void for_each(F act) noexcept {
        for (Listened* each = sockets_.first(); each != nullptr; each = each->next) act(each->watch);
    }

    Reactor& reactor_;
    OwningList<Listened> sockets_;
    bool is_awaited_ = false;
};

/// Awaits a connection at any of them, or throws TimedOut, Cancelled, or std::logic_error if another
/// coroutine waits already.
class [[nodiscard]] ConnectionWait final : public Wait, private Timer {
  public:
    ConnectionWait(ListeningWatches& watches, TimePoint deadline) noexcept
        : Timer(&pass), watches_(watches), deadline_(deadline) {}

    [[nodiscard]] bool await_ready() noexcept {
        ready_ = watches_.next_ready();
        return ready_ != nullptr;
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (watches_.is_awaited()) throw std::logic_error("two coroutines accept from the same listener");
        TimerQueue& timers = watches_.reactor().deadlines();
        if (deadline_ != TimePoint::max()) timers.set(*this, deadline_);
        if (!suspend(coroutine)) {
            timers.cancel(*this);
            return false;
        }
        watches_.wait_for(*this);
        return true;
    }
    Watch* await_resume() {
        if (ready_ != nullptr) return ready_;
        if (!was_cancelled()) watches_.give_up();  // those that did not wake it
        if (is_set()) reactor().deadlines().cancel(*this);
        throw_if_cancelled();
        if (has_timed_out_) throw TimedOut();
        return watches_.next_ready();
    }
    void describe(std::string& out) const override { out += "a connection"; }

  private:
    static void pass(Timer& timer) noexcept {
        auto& self = static_cast<ConnectionWait&>(timer);
        if (!self.is_waiting()) return;  // one is ready, in this very turn
        self.has_timed_out_ = true;
        self.finish();
    }
    bool withdraw() noexcept override {
        watches_.give_up();
        return true;
    }

    ListeningWatches& watches_;
    Watch* ready_ = nullptr;
    bool has_timed_out_ = false;
    TimePoint deadline_;
};

}  // namespace detail

struct TcpListener::State final : detail::Counted, detail::ReactorEndListener {
    State(Reactor& reactor, detail::Listeners& bound) : watches(reactor, bound) {
        listeners.append(bound);
        reactor.tell_at_end(*this);
    }
    void close() noexcept {
        watches.close();
        listeners.clear();
    }
    void reactor_ends() noexcept override { close(); }

    detail::Listeners listeners;
    detail::ListeningWatches watches;
};

SAKE_INLINE Reactor& TcpListener::present_reactor() {
    Reactor* const reactor = Reactor::current();
    if (reactor != nullptr) return *reactor;
    throw std::logic_error("a TcpListener needs a running reactor: make it in a coroutine");
}

SAKE_INLINE TcpListener::TcpListener(std::string_view address, int backlog)
    : state_([&] {
          Reactor& reactor = present_reactor();
          detail::Listeners bound;
          detail::listen_at(bound, address, backlog);
          return new State(reactor, bound);
      }()),
      port_(state_->listeners.first()->port) {}

template <class Unused>
Task<TcpStream> TcpListener::accept_at(SharedState state, detail::Clock::duration limit) {
    if (state == nullptr || !state->watches.is_open()) throw std::logic_error("the TcpListener is closed");
    Reactor& reactor = state->watches.reactor();
    const detail::TimePoint deadline = reactor.deadline_in(limit);
    co_await detail::its_turn();
    for (;;) {
        detail::Watch* ready = nullptr;
        if (state->watches.is_open()) {
            detail::ConnectionWait connection(state->watches, deadline);
            ready = co_await connection;
        }
        if (!state->watches.is_open())
            detail::throw_system_error(ECANCELED, "the TcpListener was closed meanwhile");
        if (ready == nullptr) continue;
        detail::Accepted next = detail::accept_one(*ready);
        if (next.kind == detail::Accepted::Kind::accepted)
            co_return detail::make_stream(reactor, std::move(next.socket));
        if (next.kind != detail::Accepted::Kind::no_resources) continue;
        if (reactor.present() >= deadline) throw TimedOut();
        co_await sleep(std::chrono::milliseconds(100));
    }
}

SAKE_INLINE TcpListener::TcpListener(TcpListener&& other) noexcept = default;
SAKE_INLINE TcpListener& TcpListener::operator=(TcpListener&& other) noexcept = default;
SAKE_INLINE TcpListener::~TcpListener() = default;

template <class Unused>
Task<TcpStream> TcpListener::accept_in(detail::Clock::duration limit) const {
    return accept_at(state_.share(), limit);
}

#if defined(SAKE_IMPLEMENTATION)
template Task<TcpStream> TcpListener::accept_in<void>(detail::Clock::duration) const;
#endif

}  // namespace SAKE_ABI
}  // namespace sake
