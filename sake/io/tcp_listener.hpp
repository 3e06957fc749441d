// TcpListener: the other end of TcpStream::connect, for servers that do not speak HTTP.
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

/// A listening socket, TCP or Unix, or one for each address of a name. Moves only, also while somebody
/// accepts; closes when it is destroyed, and when its reactor ends. For one reactor's thread, on which it was
/// made; one coroutine at a time may accept.
///
///     TcpListener listener("127.0.0.1:7000");
///     for (;;) {
///         TcpStream stream = co_await listener.accept();
///         spawn(serve, std::move(stream)).detach();
///     }
class TcpListener {
  public:
    /// Binds to "host:port", ":port", "[ipv6]:port" or "unix:/path", port 0 being any, and listens, at every
    /// address that a name has. Throws std::system_error that names the address, std::logic_error where no
    /// reactor runs.
    explicit TcpListener(std::string_view address, int backlog = 4096);
    TcpListener(TcpListener&& other) noexcept;
    TcpListener& operator=(TcpListener&& other) noexcept;
    ~TcpListener();

    /// Waits for a connection. One that dies before it is accepted is passed over, and without descriptors
    /// for it it tries again every 100 ms, so that a loop of accepts goes on whatever happens. Throws
    /// TimedOut and Cancelled, and std::system_error if the listener is closed meanwhile.
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
