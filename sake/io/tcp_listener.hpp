// TcpListener: accepts connections, for servers that do not speak HTTP.
#pragma once

#include <cstdint>
#include <string_view>

#include "sake/async/clock.hpp"
#include "sake/async/descriptor.hpp"
#include "sake/async/task.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/tcp_stream.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A listening socket, TCP or Unix; for a name, one per address of the name. Movable, also while a coroutine
/// waits in accept(); not copyable. Closes when it is destroyed, and when its reactor ends. For the thread of
/// the reactor on which it was made. One coroutine at a time may wait in accept().
///
///     TcpListener listener("127.0.0.1:7000");
///     for (;;) {
///         TcpStream stream = co_await listener.accept();
///         spawn(serve, std::move(stream)).detach();
///     }
class TcpListener {
  public:
    /// Binds and listens: "host:port" at every address of the name, ":port", "[ipv6]:port" or "unix:/path".
    /// Port 0 means any free port. Throws std::system_error that names the address, std::logic_error if no
    /// reactor runs on this thread.
    explicit TcpListener(std::string_view address, int backlog = 4096);
    TcpListener(TcpListener&& other) noexcept;
    TcpListener& operator=(TcpListener&& other) noexcept;
    ~TcpListener();

    /// Waits for a connection. A connection that dies before it is accepted is skipped. Without free
    /// descriptors, it tries again every 100 ms, so a loop of accepts never has to handle this. Throws
    /// TimedOut, Cancelled, and std::system_error if the listener is closed meanwhile.
    template <detail::Limit L = detail::NoLimit>
    Task<TcpStream> accept(L limit = L::max()) {
        return accept_in(detail::to_clock(limit));
    }

    /// The bound port; 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  private:
    // What accepting shares.
    struct State;
    using SharedState = detail::CountedPtr<State>;

    [[nodiscard]] static Reactor& present_reactor();
    // Templates: see task.hpp.
    template <class Unused = void>
    Task<TcpStream> accept_in(detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<TcpStream> accept_at(SharedState state, detail::Clock::duration limit);

    detail::ClosingPtr<State> state_;
    std::uint16_t port_;
};

}  // namespace SAKE_ABI
}  // namespace sake
