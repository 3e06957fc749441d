// TcpListener: the other end of TcpStream::connect, for servers that do not speak HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/descriptor.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/io/accept.hpp"
#include "sake/io/address.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace v0 {

/// A listening socket, TCP or Unix. Closes when it goes. For one reactor's thread, on which it was made; one
/// coroutine at a time may accept, which it must outlive.
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
    /// TimedOut and Cancelled.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<TcpStream> accept(L limit = L::max());

    /// The bound port; 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port; }

  private:
    [[nodiscard]] static Reactor& present_reactor();

    detail::Listener listener_;
    std::unique_ptr<detail::Watch> watch_;
};

inline Reactor& TcpListener::present_reactor() {
    Reactor* const reactor = Reactor::current();
    if (reactor != nullptr) return *reactor;
    throw std::logic_error("a TcpListener needs a running reactor: make it in a coroutine");
}

inline TcpListener::TcpListener(std::string_view address, int backlog)
    : listener_(detail::listen_at(address, backlog)),
      watch_(std::make_unique<detail::Watch>(present_reactor(), listener_.socket.get())) {}

template <detail::Limit L>
Task<TcpStream> TcpListener::accept(L limit) {
    Reactor& reactor = watch_->reactor();
    const detail::TimePoint deadline = reactor.deadline_in(detail::to_clock(limit));
    if (reactor.turn_is_up()) co_await yield();
    for (;;) {
        detail::LimitedReadinessWait ready(*watch_, detail::readable, deadline);
        co_await ready;
        detail::Accepted next = detail::accept_one(*watch_);
        if (next.kind == detail::Accepted::Kind::accepted)
            co_return detail::make_stream(watch_->reactor(), std::move(next.socket));
        if (next.kind != detail::Accepted::Kind::no_resources) continue;
        if (reactor.present() >= deadline) throw TimedOut();
        co_await sleep(std::chrono::milliseconds(100));
    }
}

}  // namespace v0
}  // namespace sake
