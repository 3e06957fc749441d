// TcpStream: a connection, over TCP or a Unix socket, that coroutines read and write. How one is made is in
// connect.hpp and tcp_listener.hpp.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/async/descriptor.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/function.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/socket.hpp"

namespace sake {
inline namespace SAKE_ABI {

class TcpStream;

namespace detail {

/// Bytes that have come and were not asked for yet. Taking from the front costs its share of one move of the
/// rest.
class UnreadBytes {
  public:
    [[nodiscard]] std::string_view view() const noexcept { return std::string_view(bytes_).substr(taken_); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - taken_; }
    void take(std::size_t size) {
        taken_ += size;
        if (2 * taken_ < bytes_.size()) return;
        bytes_.erase(0, taken_);
        taken_ = 0;
    }
    /// Room for more at the end; `keep` says how much of it was used.
    [[nodiscard]] std::span<char> extend(std::size_t room) {
        bytes_.resize(bytes_.size() + room);
        return {bytes_.data() + bytes_.size() - room, room};
    }
    void keep(std::size_t used, std::size_t room) { bytes_.resize(bytes_.size() - room + used); }

  private:
    std::string bytes_;
    std::size_t taken_ = 0;
};

/// A stream whose bytes travel by a wire, over a connected, non-blocking descriptor if the wire needs one.
[[nodiscard]] TcpStream make_stream(Reactor& reactor, FileDescriptor socket, OwningPtr<Wire> wire = nullptr);

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
    /// Connects to "host:port", "[ipv6]:port" or "unix:/path". A name is looked up without holding the loop;
    /// of the addresses that it has, the next is tried when one has failed or has kept silent for 250 ms,
    /// IPv6 and IPv4 taking turns (RFC 8305), and the first connection wins. Throws std::system_error or
    /// TimedOut that name the address.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string address, L limit = L::max());
    /// The same for a host, "::1" without brackets, and a port: whatever the host is, it is not a path of a
    /// Unix socket. For what comes from elsewhere.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] static Task<TcpStream> connect(std::string host, std::uint16_t port, L limit = L::max());

    /// Adopts a connected socket, such as one of another library: the stream owns `fd` from here on, and
    /// makes it non-blocking. Throws std::logic_error where no reactor runs on this thread; `fd` is closed
    /// then too.
    [[nodiscard]] static TcpStream adopt(int fd);

    /// Reads what there is, waiting until there is something, and gives how many bytes; 0 at the end.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<std::size_t> read(std::span<char> into, L limit = L::max()) {
        return read_into(state_.share(), into, limit);
    }

    /// Reads up to `delimiter` and gives what was before it; nothing if the peer has ended and sent nothing
    /// more, so that `while (auto line = co_await stream.read_until("\n"))` is the loop over all lines.
    /// Throws std::length_error if it does not come within `longest` bytes, std::system_error if the end
    /// comes before it.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<std::optional<std::string>> read_until(std::string delimiter,
                                                              std::size_t longest = 64 * 1024,
                                                              L limit = L::max()) {
        return read_to(state_.share(), std::move(delimiter), longest, limit);
    }

    /// Reads exactly so many bytes. Throws std::system_error if the end comes before.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<std::string> read_exactly(std::size_t size, L limit = L::max()) {
        return read_size(state_.share(), size, limit);
    }

    /// For parsers: what has come and was not read yet, valid until the next read.
    [[nodiscard]] std::string_view unread() const { return open_state().unread.view(); }
    /// Waits for more behind it, and gives how many bytes came; 0 at the end.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<std::size_t> read_more(L limit = L::max()) {
        return read_behind(state_.share(), limit);
    }
    /// Takes the first `size` bytes of what is unread for read.
    void skip(std::size_t size) { open_state().unread.take(size); }

    /// Writes all of it, waiting whenever the peer is slow. `bytes` must stay where they are meanwhile.
    template <detail::Limit L = detail::NoLimit>
    [[nodiscard]] Task<> write_all(std::string_view bytes, L limit = L::max()) {
        return write(state_.share(), bytes, limit);
    }

    /// Tells the peer that nothing more is written; what it sends can still be read.
    void shutdown_write();

    /// Whoever reads or writes is resumed with std::system_error.
    void close() noexcept { state_.reset(); }
    /// Closes with a reset: what was not sent is dropped, and the peer learns at once that nobody reads any
    /// more.
    void abort() noexcept {
        if (is_open()) state_->socket->reset_on_close();
        close();
    }
    [[nodiscard]] bool is_open() const noexcept { return state_ && state_->socket; }

    /// Whether it is as a connection that rests should be: open, and nothing has come that was not read.
    [[nodiscard]] bool is_quiet() const noexcept;

    /// "127.0.0.1", "2001:db8::1" or "unix".
    [[nodiscard]] std::string peer_address() const;
    [[nodiscard]] int fd() const { return open_state().socket->fd(); }

  private:
    // A read that fills its room is followed by one with much, one that is small by one with little.
    static constexpr std::size_t least_room = 4096;
    static constexpr std::size_t much_room = 64 * 1024;

    // What does not move, since the poller knows where the watch is, and operations in progress share.
    struct State final : detail::Counted, detail::ReactorEndListener {
        State(Reactor& reactor, detail::FileDescriptor descriptor, detail::OwningPtr<detail::Wire> wire) {
            socket.reset(new detail::Socket(reactor, std::move(descriptor), std::move(wire)));
            reactor.tell_at_end(*this);
        }
        void close() noexcept {
            if (!socket) return;
            socket->watch().dismiss_waiters();
            socket.reset();
        }
        void reactor_ends() noexcept override { close(); }

        detail::OwningPtr<detail::Socket> socket;  // nothing once it is closed
        detail::UnreadBytes unread;
        std::size_t room = least_room;
        bool is_being_read = false;
    };
    using SharedState = detail::CountedPtr<State>;

    // In every read, since what is unread belongs to one at a time.
    class Reading {
      public:
        explicit Reading(State& state) : state_(state) {
            if (state.is_being_read) throw std::logic_error("two coroutines read one TcpStream at a time");
            state.is_being_read = true;
        }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
        ~Reading() { state_.is_being_read = false; }

      private:
        State& state_;
    };

    friend TcpStream detail::make_stream(Reactor&, detail::FileDescriptor, detail::OwningPtr<detail::Wire>);
    explicit TcpStream(State* state) noexcept : state_(state) {}

    [[nodiscard]] static State& open_state(State* state);
    [[nodiscard]] State& open_state() const { return open_state(state_.share().get()); }
    [[nodiscard]] static detail::Socket& still_open(State& state);
    template <detail::Limit L>
    [[nodiscard]] static detail::TimePoint deadline_in(State& state, L limit) {
        return state.socket->watch().reactor().deadline_in(detail::to_clock(limit));
    }
    // Templates, as all coroutines here: see task.hpp.
    template <detail::Limit L>
    static Task<std::size_t> read_into(SharedState shared, std::span<char> into, L limit);
    template <detail::Limit L>
    static Task<std::optional<std::string>> read_to(SharedState shared, std::string delimiter,
                                                    std::size_t longest, L limit);
    template <detail::Limit L>
    static Task<std::string> read_size(SharedState shared, std::size_t size, L limit);
    template <detail::Limit L>
    static Task<std::size_t> read_behind(SharedState shared, L limit);
    template <detail::Limit L>
    static Task<> write(SharedState shared, std::string_view bytes, L limit);
    template <class Unused = void>
    static Task<std::size_t> receive(State& state, std::span<char> into, detail::TimePoint deadline);
    template <class Unused = void>
    static Task<std::size_t> receive_more(State& state, detail::TimePoint deadline);

    detail::ClosingPtr<State> state_;
};

inline TcpStream TcpStream::adopt(int fd) {
    detail::FileDescriptor socket(fd);
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr)
        throw std::logic_error("a TcpStream needs a running reactor: make it in a coroutine");
    detail::sys::set_nonblocking_cloexec(fd);
    return detail::make_stream(*reactor, std::move(socket));
}

inline TcpStream detail::make_stream(Reactor& reactor, FileDescriptor socket, detail::OwningPtr<Wire> wire) {
    return TcpStream(new TcpStream::State(reactor, std::move(socket), std::move(wire)));
}

inline TcpStream::State& TcpStream::open_state(State* state) {
    if (state == nullptr || !state->socket) throw std::logic_error("the TcpStream is closed");
    return *state;
}

// After a wait.
inline detail::Socket& TcpStream::still_open(State& state) {
    if (!state.socket) detail::throw_system_error(ECANCELED, "the TcpStream was closed meanwhile");
    return *state.socket;
}

inline void TcpStream::shutdown_write() {
    const detail::SysResult result = open_state().socket->end_output();
    if (!result.ok()) detail::throw_system_error(result.error, "shutdown");
}

inline bool TcpStream::is_quiet() const noexcept {
    return is_open() && !state_->is_being_read && state_->unread.size() == 0 && !state_->socket->has_input();
}

inline std::string TcpStream::peer_address() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* const peer = reinterpret_cast<sockaddr*>(&address);
    if (fd() >= 0 && ::getpeername(fd(), peer, &size) != 0) detail::throw_system_error(errno, "getpeername");
    return detail::PeerAddress(address).to_string();
}

template <class Unused>
Task<std::size_t> TcpStream::receive(State& state, std::span<char> into, detail::TimePoint deadline) {
    // A peer that never lets us wait must not keep the others from their turn.
    co_await detail::its_turn();
    for (detail::Readiness needed = detail::readable;;) {
        detail::LimitedReadinessWait ready(still_open(state).watch(), needed, deadline);
        if (!state.socket->has_pending()) co_await ready;
        detail::Socket& own = still_open(state);
        const detail::SysResult result = own.receive(into.data(), into.size());
        if (result.ok()) co_return static_cast<std::size_t>(result.value);
        if (!result.would_block()) detail::throw_system_error(result.error, "read");
        needed = own.blocked(detail::readable);
    }
}

// Appends to what is unread.
template <class Unused>
Task<std::size_t> TcpStream::receive_more(State& state, detail::TimePoint deadline) {
    const std::span<char> room = state.unread.extend(std::max(state.room, state.unread.size()));
    std::size_t received = 0;
    const detail::AtExit cut([&] { state.unread.keep(received, room.size()); });
    received = co_await receive(state, room, deadline);
    if (received == room.size()) state.room = much_room;
    if (received < least_room) state.room = least_room;
    co_return received;
}

template <detail::Limit L>
Task<std::size_t> TcpStream::read_behind(SharedState shared, L limit) {
    State& state = open_state(shared.get());
    const Reading reading(state);
    co_return co_await receive_more(state, deadline_in(state, limit));
}

template <detail::Limit L>
Task<std::size_t> TcpStream::read_into(SharedState shared, std::span<char> into, L limit) {
    State& state = open_state(shared.get());
    const Reading reading(state);
    detail::UnreadBytes& unread = state.unread;
    if (unread.size() > 0 || into.empty()) {
        co_await detail::its_turn();
        static_cast<void>(still_open(state));
        const std::size_t size = std::min(unread.size(), into.size());
        std::memcpy(into.data(), unread.view().data(), size);
        unread.take(size);
        co_return size;
    }
    co_return co_await receive(state, into, deadline_in(state, limit));
}

template <detail::Limit L>
Task<std::optional<std::string>> TcpStream::read_to(SharedState shared, std::string delimiter,
                                                    std::size_t longest, L limit) {
    if (delimiter.empty()) throw std::invalid_argument("read_until: the delimiter is empty");
    State& state = open_state(shared.get());
    const detail::TimePoint deadline = deadline_in(state, limit);
    const Reading reading(state);
    detail::UnreadBytes& unread = state.unread;
    co_await detail::its_turn();
    static_cast<void>(still_open(state));
    for (std::size_t searched = 0;;) {
        const std::size_t found = unread.view().find(delimiter, searched);
        const bool is_there = found != std::string_view::npos;
        // So long the text is at least: its end may be the beginning of the delimiter.
        searched = is_there ? found : unread.size() - std::min(unread.size(), delimiter.size() - 1);
        if (searched > longest) {
            throw std::length_error("read_until: no delimiter within the longest text allowed");
        }
        if (is_there) {
            std::string text(unread.view().substr(0, found));
            unread.take(found + delimiter.size());
            co_return text;
        }
        const std::size_t received = co_await receive_more(state, deadline);
        if (received > 0) continue;
        if (unread.size() == 0) co_return std::nullopt;
        detail::throw_ended("the peer ended before the delimiter");
    }
}

template <detail::Limit L>
Task<std::string> TcpStream::read_size(SharedState shared, std::size_t size, L limit) {
    State& state = open_state(shared.get());
    const detail::TimePoint deadline = deadline_in(state, limit);
    const Reading reading(state);
    detail::UnreadBytes& unread = state.unread;
    co_await detail::its_turn();
    static_cast<void>(still_open(state));
    while (unread.size() < size) {
        const std::size_t received = co_await receive_more(state, deadline);
        if (received == 0) detail::throw_ended("the peer ended before all had come");
    }
    std::string bytes(unread.view().substr(0, size));
    unread.take(size);
    co_return bytes;
}

template <detail::Limit L>
Task<> TcpStream::write(SharedState shared, std::string_view bytes, L limit) {
    State& state = open_state(shared.get());
    const detail::TimePoint deadline = deadline_in(state, limit);
    co_await detail::its_turn();
    for (detail::Readiness needed = detail::writable; !bytes.empty();) {
        detail::LimitedReadinessWait ready(still_open(state).watch(), needed, deadline);
        co_await ready;
        detail::Socket& own = still_open(state);
        const detail::SysResult result = own.send(bytes.data(), bytes.size());
        if (result.ok()) {
            bytes.remove_prefix(static_cast<std::size_t>(result.value));
        } else if (result.would_block()) {
            needed = own.blocked(detail::writable);
        } else {
            detail::throw_system_error(result.error, "write");
        }
    }
}

}  // namespace SAKE_ABI
}  // namespace sake
