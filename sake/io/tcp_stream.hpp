// TcpStream: a connection that coroutines read and write, over TCP or a Unix socket. connect.hpp and
// tcp_listener.hpp make one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/descriptor.hpp"
#include "sake/async/file_descriptor.hpp"
#include "sake/async/task.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

class TcpStream;

namespace detail {

class Socket;
class Wire;

/// A stream whose bytes travel by a wire, over a connected, non-blocking descriptor if the wire needs one.
[[nodiscard]] TcpStream make_stream(Reactor& reactor, FileDescriptor socket, OwningPtr<Wire> wire);

/// The same of a socket whose bytes travel as they are.
[[nodiscard]] TcpStream make_stream(Reactor& reactor, FileDescriptor socket);

/// What a stream is made of, for another owner of its connection. Throws std::logic_error if it is closed.
struct StreamParts;
[[nodiscard]] StreamParts take_apart(TcpStream stream);

}  // namespace detail

/// A connection. Movable, also while coroutines read or write; not copyable. Closes when it is destroyed, and
/// when its reactor ends. For the thread of the reactor on which it was made. One coroutine may read and one
/// may write at a time. Every operation accepts a time limit as its last argument. It throws
/// std::system_error when the connection fails or is closed meanwhile, TimedOut after the limit, and
/// Cancelled.
///
///     auto stream = co_await TcpStream::connect("localhost:6379", 5s);
///     co_await stream.write_all("PING\r\n");
///     const auto line = co_await stream.read_until("\r\n", 1024, 5s);
class TcpStream {
  public:
    TcpStream(TcpStream&& other) noexcept;
    TcpStream& operator=(TcpStream&& other) noexcept;
    ~TcpStream();

    /// Connects to "host:port", "[ipv6]:port" or "unix:/path". Looks names up without blocking the loop. If a
    /// name has several addresses, the next one is tried after a failure or 250 ms, IPv6 and IPv4 in turns
    /// (RFC 8305); the first connection wins. Throws std::system_error or TimedOut that names the address.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string address, L limit = L::max()) {
        return connect_to(std::move(address), detail::to_clock(limit));
    }
    /// The same for a host and a port; IPv6 addresses have no brackets: "::1". The host is never read as the
    /// path of a Unix socket. Use it for hosts from outside the program.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string host, std::uint16_t port, L limit = L::max()) {
        return connect_to_host(std::move(host), port, detail::to_clock(limit));
    }

    /// Adopts a connected socket, for example one of another library. The stream then owns `fd` and makes it
    /// non-blocking. Throws std::logic_error if no reactor runs on this thread; `fd` is closed in that case
    /// too.
    [[nodiscard]] static TcpStream adopt(int fd);

    /// Waits for bytes and reads those that are there. Returns their number; 0 at the end of the stream.
    template <detail::Limit L = detail::NoLimit>
    Task<std::size_t> read(std::span<char> into, L limit = L::max()) {
        return read_into(into, detail::to_clock(limit));
    }

    /// Reads up to `delimiter` and returns the bytes before it. Returns std::nullopt if the peer has ended
    /// the stream and no bytes are left, so that `while (auto line = co_await stream.read_until("\n"))` loops
    /// over all lines. Throws std::length_error if the delimiter does not come within `longest` bytes,
    /// std::system_error if the stream ends before it.
    template <detail::Limit L = detail::NoLimit>
    Task<std::optional<std::string>> read_until(std::string delimiter, std::size_t longest = 64 * 1024,
                                                L limit = L::max()) {
        return read_to(std::move(delimiter), longest, detail::to_clock(limit));
    }

    /// Reads exactly this many bytes. Throws std::system_error if the stream ends before that.
    template <detail::Limit L = detail::NoLimit>
    Task<std::string> read_exactly(std::size_t size, L limit = L::max()) {
        return read_size(size, detail::to_clock(limit));
    }

    /// For parsers: the bytes that have arrived and were not read yet. Valid until the next read.
    [[nodiscard]] std::string_view unread() const;
    /// Waits for more unread bytes and returns how many arrived; 0 at the end of the stream.
    template <detail::Limit L = detail::NoLimit>
    Task<std::size_t> read_more(L limit = L::max()) {
        return read_behind(detail::to_clock(limit));
    }
    /// Marks the first `size` unread bytes as read.
    void skip(std::size_t size);

    /// Writes all bytes, and waits while the peer is slow. `bytes` must stay valid until then.
    template <detail::Limit L = detail::NoLimit>
    Task<> write_all(std::string_view bytes, L limit = L::max()) {
        return write(bytes, detail::to_clock(limit));
    }

    /// Ends the sending direction; the peer sees the end of the stream. Reading goes on.
    void shutdown_write();

    /// Closes the connection. Coroutines that read or write resume with std::system_error.
    void close() noexcept;
    /// Closes with a reset: unsent bytes are dropped, and the peer learns at once that nothing is read any
    /// more.
    void abort() noexcept;
    [[nodiscard]] bool is_open() const noexcept;

    /// Whether the connection is open and no unread bytes have arrived, as an idle connection should be.
    [[nodiscard]] bool is_quiet() const noexcept;

    /// The peer's address: "127.0.0.1", "2001:db8::1" or "unix".
    [[nodiscard]] std::string peer_address() const;
    /// The descriptor, which stays the stream's. Throws std::logic_error if the stream is closed.
    [[nodiscard]] int fd() const;

  private:
    // Shared with operations in progress.
    struct State;
    using SharedState = detail::CountedPtr<State>;

    class Reading;
    friend TcpStream detail::make_stream(Reactor&, detail::FileDescriptor, detail::OwningPtr<detail::Wire>);
    friend detail::StreamParts detail::take_apart(TcpStream);
    explicit TcpStream(State* state) noexcept;

    [[nodiscard]] static State& open_state(State* state);
    [[nodiscard]] State& open_state() const;
    [[nodiscard]] static detail::Socket& still_open(State& state);
    [[nodiscard]] static detail::TimePoint deadline_in(State& state, detail::Clock::duration limit);
    // Templates, as all coroutines here: see task.hpp. What is not static hands what is shared to its
    // namesake.
    template <class Unused = void>
    static Task<TcpStream> connect_to(std::string address, detail::Clock::duration limit);
    template <class Unused = void>
    static Task<TcpStream> connect_to_host(std::string host, std::uint16_t port,
                                           detail::Clock::duration limit);
    template <class Unused = void>
    Task<std::size_t> read_into(std::span<char> into, detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<std::size_t> read_into(SharedState shared, std::span<char> into,
                                       detail::Clock::duration limit);
    template <class Unused = void>
    Task<std::optional<std::string>> read_to(std::string delimiter, std::size_t longest,
                                             detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<std::optional<std::string>> read_to(SharedState shared, std::string delimiter,
                                                    std::size_t longest, detail::Clock::duration limit);
    template <class Unused = void>
    Task<std::string> read_size(std::size_t size, detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<std::string> read_size(SharedState shared, std::size_t size, detail::Clock::duration limit);
    template <class Unused = void>
    Task<std::size_t> read_behind(detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<std::size_t> read_behind(SharedState shared, detail::Clock::duration limit);
    template <class Unused = void>
    Task<> write(std::string_view bytes, detail::Clock::duration limit) const;
    template <class Unused = void>
    static Task<> write(SharedState shared, std::string_view bytes, detail::Clock::duration limit);
    template <class Unused = void>
    static Task<std::size_t> receive(State& state, std::span<char> into, detail::TimePoint deadline);
    template <class Unused = void>
    static Task<std::size_t> receive_more(State& state, detail::TimePoint deadline);

    detail::ClosingPtr<State> state_;
};

}  // namespace SAKE_ABI
}  // namespace sake
