// TcpListener: the other end of TcpStream::connect, for servers that do not speak HTTP.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/descriptor.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/io/accept.hpp"
#include "sake/io/address.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace v0 {

/// A listening socket, TCP or Unix. Moves only, also while somebody accepts; closes when it is destroyed, and
/// when its reactor ends. For one reactor's thread, on which it was made; one coroutine at a time may accept.
///
///     TcpListener listener("127.0.0.1:7000");
///     for (;;) {
///         TcpStream stream = co_await listener.accept();
///         spawn(serve, std::move(stream)).detach();
///     }
class TcpListener {
  public:
    /// Binds to "host:port", ":port", "[ipv6]:port" or "unix:/path", port 0 being any, and listens. Throws
    /// std::system_error that names the address, std::logic_error where no reactor runs.
    explicit TcpListener(std::string_view address, int backlog = 4096);

    /// Waits for a connection. One that dies before it is accepted is passed over, and without descriptors
    /// for it it tries again every 100 ms, so that a loop of accepts goes on whatever happens. Throws
    /// TimedOut and Cancelled, and std::system_error if the listener is closed meanwhile.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<TcpStream> accept(L limit = L::max()) {
        return accept_at(state_.share(), limit);
    }

    /// The bound port; 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  private:
    // What accepting shares.
    struct State final : detail::ReactorEndListener {
        State(Reactor& owner, detail::Listener bound) : reactor(owner), listener(std::move(bound)) {
            watch.emplace(reactor, listener.socket.get());
            reactor.tell_at_end(*this);
        }
        void close() noexcept {
            if (!watch) return;
            watch->dismiss_waiters();
            watch.reset();
            listener = detail::Listener();
        }
        void reactor_ends() noexcept override { close(); }

        Reactor& reactor;
        detail::Listener listener;
        std::optional<detail::Watch> watch;  // nothing once it is closed
    };
    using SharedState = std::shared_ptr<State>;

    [[nodiscard]] static Reactor& present_reactor();
    [[nodiscard]] static detail::Watch& still_open(State& state);
    // A template: see task.hpp.
    template <detail::Limit L>
    static Task<TcpStream> accept_at(SharedState state, L limit);

    detail::ClosingPtr<State> state_;
    std::uint16_t port_;
};

inline Reactor& TcpListener::present_reactor() {
    Reactor* const reactor = Reactor::current();
    if (reactor != nullptr) return *reactor;
    throw std::logic_error("a TcpListener needs a running reactor: make it in a coroutine");
}

inline TcpListener::TcpListener(std::string_view address, int backlog)
    : state_(std::make_shared<State>(present_reactor(), detail::listen_at(address, backlog))),
      port_(state_->listener.port) {}

inline detail::Watch& TcpListener::still_open(State& state) {
    if (!state.watch) detail::throw_system_error(ECANCELED, "the TcpListener was closed meanwhile");
    return *state.watch;
}

template <detail::Limit L>
Task<TcpStream> TcpListener::accept_at(SharedState state, L limit) {
    if (state == nullptr || !state->watch) throw std::logic_error("the TcpListener is closed");
    Reactor& reactor = state->reactor;
    const detail::TimePoint deadline = reactor.deadline_in(detail::to_clock(limit));
    if (reactor.turn_is_up()) co_await yield();
    for (;;) {
        detail::LimitedReadinessWait ready(still_open(*state), detail::readable, deadline);
        co_await ready;
        detail::Accepted next = detail::accept_one(still_open(*state));
        if (next.kind == detail::Accepted::Kind::accepted)
            co_return detail::make_stream(reactor, std::move(next.socket));
        if (next.kind != detail::Accepted::Kind::no_resources) continue;
        co_await sleep(std::chrono::milliseconds(100));
        if (reactor.present() >= deadline) throw TimedOut();
    }
}

}  // namespace v0
}  // namespace sake
