// Definitions of tcp_stream.hpp: what a stream has, and how it is read and written.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/reactor.hpp"
#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/sys.hpp"
#include "sake/async/task.hpp"
#include "sake/base/closing_ptr.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/io/net_error.hpp"
#include "sake/io/socket.hpp"
#include "sake/io/tcp_stream.hpp"
#include "sake/io/wire.hpp"

namespace sake {
inline namespace SAKE_ABI {
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

struct StreamParts {
    FileDescriptor socket;
    OwningPtr<Wire> wire;
    std::string unread;
};

}  // namespace detail

// What does not move, since the poller knows where the watch is, and operations in progress share.
struct TcpStream::State final : detail::Counted, detail::ReactorEndListener {
    // A read that fills its room is followed by one with much, one that is small by one with little.
    static constexpr std::size_t least_room = 4096;
    static constexpr std::size_t much_room = 64 * 1024;

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

// In every read, since what is unread belongs to one at a time.
class TcpStream::Reading {
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

SAKE_INLINE TcpStream::TcpStream(State* state) noexcept : state_(state) {}
SAKE_INLINE TcpStream::TcpStream(TcpStream&& other) noexcept = default;
SAKE_INLINE TcpStream& TcpStream::operator=(TcpStream&& other) noexcept = default;
SAKE_INLINE TcpStream::~TcpStream() = default;

SAKE_INLINE std::string_view TcpStream::unread() const { return open_state().unread.view(); }
SAKE_INLINE void TcpStream::skip(std::size_t size) { open_state().unread.take(size); }
SAKE_INLINE void TcpStream::close() noexcept { state_.reset(); }
SAKE_INLINE void TcpStream::abort() noexcept {
    if (is_open()) state_->socket->reset_on_close();
    close();
}
SAKE_INLINE bool TcpStream::is_open() const noexcept { return state_ && state_->socket; }
SAKE_INLINE int TcpStream::fd() const { return open_state().socket->fd(); }
SAKE_INLINE TcpStream::State& TcpStream::open_state() const { return open_state(state_.share().get()); }
SAKE_INLINE detail::TimePoint TcpStream::deadline_in(State& state, detail::Clock::duration limit) {
    return state.socket->watch().reactor().deadline_in(limit);
}

SAKE_INLINE TcpStream TcpStream::adopt(int fd) {
    detail::FileDescriptor socket(fd);
    Reactor* const reactor = Reactor::current();
    if (reactor == nullptr)
        throw std::logic_error("a TcpStream needs a running reactor: make it in a coroutine");
    detail::sys::set_nonblocking_cloexec(fd);
    return detail::make_stream(*reactor, std::move(socket));
}

SAKE_INLINE TcpStream detail::make_stream(Reactor& reactor, FileDescriptor socket) {
    return make_stream(reactor, std::move(socket), nullptr);
}

SAKE_INLINE TcpStream detail::make_stream(Reactor& reactor, FileDescriptor socket, OwningPtr<Wire> wire) {
    return TcpStream(new TcpStream::State(reactor, std::move(socket), std::move(wire)));
}

SAKE_INLINE detail::StreamParts detail::take_apart(TcpStream stream) {
    TcpStream::State& state = stream.open_state();
    return {state.socket->release_descriptor(), state.socket->release_wire(),
            std::string(state.unread.view())};
}

SAKE_INLINE TcpStream::State& TcpStream::open_state(State* state) {
    if (state == nullptr || !state->socket) throw std::logic_error("the TcpStream is closed");
    return *state;
}

// After a wait.
SAKE_INLINE detail::Socket& TcpStream::still_open(State& state) {
    if (!state.socket) detail::throw_system_error(ECANCELED, "the TcpStream was closed meanwhile");
    return *state.socket;
}

SAKE_INLINE void TcpStream::shutdown_write() {
    const detail::SysResult result = open_state().socket->end_output();
    if (!result.ok()) detail::throw_system_error(result.error, "shutdown");
}

SAKE_INLINE bool TcpStream::is_quiet() const noexcept {
    return is_open() && !state_->is_being_read && state_->unread.size() == 0 && !state_->socket->has_input();
}

SAKE_INLINE std::string TcpStream::peer_address() const {
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
    if (received == room.size()) state.room = State::much_room;
    if (received < State::least_room) state.room = State::least_room;
    co_return received;
}

template <class Unused>
Task<std::size_t> TcpStream::read_behind(SharedState shared, detail::Clock::duration limit) {
    State& state = open_state(shared.get());
    const Reading reading(state);
    co_return co_await receive_more(state, deadline_in(state, limit));
}

template <class Unused>
Task<std::size_t> TcpStream::read_into(SharedState shared, std::span<char> into,
                                       detail::Clock::duration limit) {
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

template <class Unused>
Task<std::optional<std::string>> TcpStream::read_to(SharedState shared, std::string delimiter,
                                                    std::size_t longest, detail::Clock::duration limit) {
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
            throw std::length_error("read_until: no delimiter within the allowed length");
        }
        if (is_there) {
            std::string text(unread.view().substr(0, found));
            unread.take(found + delimiter.size());
            co_return text;
        }
        const std::size_t received = co_await receive_more(state, deadline);
        if (received > 0) continue;
        if (unread.size() == 0) co_return std::nullopt;
        detail::throw_ended("the delimiter did not arrive");
    }
}

template <class Unused>
Task<std::string> TcpStream::read_size(SharedState shared, std::size_t size, detail::Clock::duration limit) {
    State& state = open_state(shared.get());
    const detail::TimePoint deadline = deadline_in(state, limit);
    const Reading reading(state);
    detail::UnreadBytes& unread = state.unread;
    co_await detail::its_turn();
    static_cast<void>(still_open(state));
    while (unread.size() < size) {
        const std::size_t received = co_await receive_more(state, deadline);
        if (received == 0) detail::throw_ended("not all bytes arrived");
    }
    std::string bytes(unread.view().substr(0, size));
    unread.take(size);
    co_return bytes;
}

template <class Unused>
Task<> TcpStream::write(SharedState shared, std::string_view bytes, detail::Clock::duration limit) {
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

template <class Unused>
Task<std::size_t> TcpStream::read_into(std::span<char> into, detail::Clock::duration limit) const {
    return read_into(state_.share(), into, limit);
}

template <class Unused>
Task<std::optional<std::string>> TcpStream::read_to(std::string delimiter, std::size_t longest,
                                                    detail::Clock::duration limit) const {
    return read_to(state_.share(), std::move(delimiter), longest, limit);
}

template <class Unused>
Task<std::string> TcpStream::read_size(std::size_t size, detail::Clock::duration limit) const {
    return read_size(state_.share(), size, limit);
}

template <class Unused>
Task<std::size_t> TcpStream::read_behind(detail::Clock::duration limit) const {
    return read_behind(state_.share(), limit);
}

template <class Unused>
Task<> TcpStream::write(std::string_view bytes, detail::Clock::duration limit) const {
    return write(state_.share(), bytes, limit);
}

#if defined(SAKE_IMPLEMENTATION)
template Task<std::size_t> TcpStream::read_into<void>(std::span<char>, detail::Clock::duration) const;
template Task<std::optional<std::string>> TcpStream::read_to<void>(std::string, std::size_t,
                                                                   detail::Clock::duration) const;
template Task<std::string> TcpStream::read_size<void>(std::size_t, detail::Clock::duration) const;
template Task<std::size_t> TcpStream::read_behind<void>(detail::Clock::duration) const;
template Task<> TcpStream::write<void>(std::string_view, detail::Clock::duration) const;
#endif

}  // namespace SAKE_ABI
}  // namespace sake
