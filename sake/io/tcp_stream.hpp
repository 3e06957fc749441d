// TcpStream: a connection, over TCP or a Unix socket, that coroutines read and write. How one is made is in
// connect.hpp and tcp_listener.hpp.
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

/// A connection. Moves only, also while others read or write; closes when it is destroyed, and when its
/// reactor ends. For one reactor's thread, on which it was made; at a time one coroutine may read and one may
/// write. Every operation throws std::system_error when the connection fails, or is closed meanwhile,
/// TimedOut after the limit that it may be given as its last argument, and Cancelled.
///
///     auto stream = co_await TcpStream::connect("localhost:6379", 5s);
///     co_await stream.write_all("PING\r\n");
///     const auto line = co_await stream.read_until("\r\n", 1024, 5s);
class TcpStream {
  public:
    TcpStream(TcpStream&& other) noexcept;
    TcpStream& operator=(TcpStream&& other) noexcept;
    ~TcpStream();

    /// Connects to "host:port", "[ipv6]:port" or "unix:/path". A name is looked up without holding the loop;
    /// of the addresses that it has, the next is tried when one has failed or has kept silent for 250 ms,
    /// IPv6 and IPv4 taking turns (RFC 8305), and the first connection wins. Throws std::system_error or
    /// TimedOut that name the address.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string address, L limit = L::max()) {
        return connect_to(std::move(address), detail::to_clock(limit));
    }
    /// The same for a host, "::1" without brackets, and a port: whatever the host is, it is not a path of a
    /// Unix socket. For what comes from elsewhere.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string host, std::uint16_t port, L limit = L::max()) {
        return connect_to_host(std::move(host), port, detail::to_clock(limit));
    }

    /// Adopts a connected socket, such as one of another library: the stream owns `fd` from here on, and
    /// makes it non-blocking. Throws std::logic_error where no reactor runs on this thread; `fd` is closed
    /// then too.
    [[nodiscard]] static TcpStream adopt(int fd);

    /// Reads what there is, waiting until there is something, and gives how many bytes; 0 at the end.
    template <detail::Limit L = detail::NoLimit>
    Task<std::size_t> read(std::span<char> into, L limit = L::max()) {
        return read_into(into, detail::to_clock(limit));
    }

    /// Reads up to `delimiter` and gives what was before it; nothing if the peer has ended and sent nothing
    /// more, so that `while (auto line = co_await stream.read_until("\n"))` is the loop over all lines.
    /// Throws std::length_error if it does not come within `longest` bytes, std::system_error if the end
    /// comes before it.
    template <detail::Limit L = detail::NoLimit>
    Task<std::optional<std::string>> read_until(std::string delimiter, std::size_t longest = 64 * 1024,
                                                L limit = L::max()) {
        return read_to(std::move(delimiter), longest, detail::to_clock(limit));
    }

    /// Reads exactly so many bytes. Throws std::system_error if the end comes before.
    template <detail::Limit L = detail::NoLimit>
    Task<std::string> read_exactly(std::size_t size, L limit = L::max()) {
        return read_size(size, detail::to_clock(limit));
    }

    /// For parsers: what has come and was not read yet, valid until the next read.
    [[nodiscard]] std::string_view unread() const;
    /// Waits for more behind it, and gives how many bytes came; 0 at the end.
    template <detail::Limit L = detail::NoLimit>
    Task<std::size_t> read_more(L limit = L::max()) {
        return read_behind(detail::to_clock(limit));
    }
    /// Takes the first `size` bytes of what is unread for read.
    void skip(std::size_t size);

    /// Writes all of it, waiting whenever the peer is slow. `bytes` must stay where they are meanwhile.
    template <detail::Limit L = detail::NoLimit>
    Task<> write_all(std::string_view bytes, L limit = L::max()) {
        return write(bytes, detail::to_clock(limit));
    }

    /// Tells the peer that nothing more is written; what it sends can still be read.
    void shutdown_write();

    /// Whoever reads or writes is resumed with std::system_error.
    void close() noexcept;
    /// Closes with a reset: what was not sent is dropped, and the peer learns at once that nobody reads any
    /// more.
    void abort() noexcept;
    [[nodiscard]] bool is_open() const noexcept;

    /// Whether it is as a connection that rests should be: open, and nothing has come that was not read.
    [[nodiscard]] bool is_quiet() const noexcept;

    /// "127.0.0.1", "2001:db8::1" or "unix".
    [[nodiscard]] std::string peer_address() const;
    [[nodiscard]] int fd() const;

  private:
    // What operations in progress share.
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
