// Socket: the descriptor of a connection, its watch, and its wire if it is not a plain socket. Client and
// server send and receive through it; for a plain connection this costs no virtual call. Small, because every
// idle connection of a server has one.
#pragma once

#include <poll.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sake/async/sys.hpp"
#include "sake/async/watch.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/wire.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Calls never wait; what they return is what the system call of their name would. Closes at its end.
class Socket {
  public:
    /// Takes over a connected, non-blocking descriptor, or a wire that needs none. Throws std::system_error
    /// if the reactor cannot watch it.
    Socket(Reactor& reactor, FileDescriptor descriptor, OwningPtr<Wire> wire = nullptr)
        : descriptor_(std::move(descriptor)), watch_(reactor, descriptor_.get()), wire_(std::move(wire)) {
        if (wire_ != nullptr) wire_->attach(watch_);
    }

    /// What it was made of, for another that is made when this has gone; until then nothing else may be
    /// called but its destructor.
    [[nodiscard]] FileDescriptor release_descriptor() noexcept { return std::move(descriptor_); }
    [[nodiscard]] OwningPtr<Wire> release_wire() noexcept { return std::move(wire_); }

    /// Closes before its end, for an owner that outlives the reactor. Nothing more can be sent or received.
    void close() noexcept {
        wire_.reset();
        watch_.end();
        descriptor_ = FileDescriptor();
    }
    [[nodiscard]] bool is_closed() const noexcept { return fd() < 0 && wire_ == nullptr; }

    /// -1 if there is none.
    [[nodiscard]] int fd() const noexcept { return watch_.fd(); }
    [[nodiscard]] Watch& watch() noexcept { return watch_; }
    [[nodiscard]] const Watch& watch() const noexcept { return watch_; }

    SysResult receive(void* buffer, std::size_t size) noexcept {
        return wire_ == nullptr ? sys::receive(fd(), buffer, size) : wire_->receive(buffer, size);
    }
    // Every answer leaves by it: GCC would call it, since WebSockets send by it as well.
    [[gnu::always_inline]] SysResult send(const void* data, std::size_t size) noexcept {
        if (wire_ == nullptr) return sys::send(fd(), data, size);
        // A send does not write through the pointer; iovec is only not const because readv shares it.
        const iovec piece{const_cast<void*>(data), size};
        return wire_->send(&piece, 1);
    }
    /// The flags are 0 or sys::more_follows, which is for plain connections.
    SysResult send(iovec* pieces, std::size_t count, int flags = 0) noexcept {
        return wire_ == nullptr ? sys::send_vectors(fd(), pieces, count, flags) : wire_->send(pieces, count);
    }
    /// Sends up to `count` bytes of a file from `offset` on, which it moves. 0 if the file has no more.
    SysResult send_file(int file, std::uint64_t& offset, std::size_t count) noexcept {
        return wire_ == nullptr ? sys::send_file(fd(), file, offset, count)
                                : wire_->send_file(file, offset, count);
    }

    /// After EAGAIN in this direction: marks the watch, and returns the direction to wait for before the next
    /// try. They differ only if a wire says so.
    Readiness blocked(Readiness direction) noexcept {
        const Readiness needed = wire_ == nullptr ? direction : wire_->needs();
        if (needed == readable) {
            watch_.drained();
        } else {
            watch_.filled();
        }
        return needed;
    }

    /// The direction to wait for before the next try in this one: the other, if `blocked` has marked that.
    [[nodiscard]] Readiness needed_for(Readiness direction) const noexcept {
        if (wire_ == nullptr || !watch_.is_ready(direction)) return direction;
        return direction == readable ? writable : readable;
    }
    /// Whether a receive that did not fill its buffer has taken all that there was.
    [[nodiscard]] bool is_drained_by_short_receive() const noexcept { return wire_ == nullptr; }
    /// Whether it is worth trying to receive.
    [[nodiscard]] bool can_receive() const noexcept { return watch_.is_readable() || has_pending(); }

    /// Whether a wire holds input that no event will tell of: then reading must not wait.
    [[nodiscard]] bool has_pending() const noexcept { return wire_ != nullptr && wire_->has_pending(); }
    /// Whether there is input, its end, or an error, right now.
    [[nodiscard]] bool has_input() const noexcept {
        return wire_ == nullptr ? sys::is_ready(fd(), POLLIN) : wire_->has_input();
    }

    /// How many bytes of what was sent the peer has yet to receive.
    [[nodiscard]] std::uint32_t unacknowledged() const noexcept {
        return wire_ == nullptr ? sys::unacknowledged(fd()) : wire_->unacknowledged();
    }
    /// How much less that is than when this was asked last; 0 if it is not less.
    [[nodiscard]] std::uint32_t taken_by_peer() noexcept {
        const std::uint32_t now = unacknowledged();
        const std::uint32_t last = std::exchange(last_unacknowledged_, now);
        return now < last ? last - now : 0;
    }
    /// As if it had been asked when all was received.
    void count_taken_anew() noexcept { last_unacknowledged_ = 0; }
    [[nodiscard]] bool peer_goes_on() noexcept { return taken_by_peer() > 0; }

    /// Nothing more is sent: the peer sees the end.
    SysResult end_output() noexcept {
        return wire_ == nullptr ? sys::shutdown_write(fd()) : wire_->end_output();
    }
    /// Its close, which must come next, drops what was not sent, and the peer sees a reset.
    void reset_on_close() noexcept {
        if (wire_ == nullptr) {
            sys::reset_on_close(fd());
        } else {
            wire_->reset();
        }
    }

    /// The protocol that both sides agreed on while they connected (ALPN); empty for none.
    [[nodiscard]] std::string_view protocol() const noexcept {
        return wire_ == nullptr ? std::string_view() : wire_->protocol();
    }

  private:
    // Destroyed from the last to the first: the descriptor closes when nothing uses it any more.
    FileDescriptor descriptor_;
    std::uint32_t last_unacknowledged_ = 0xffffffff;  // in what would be a gap
    Watch watch_;
    OwningPtr<Wire> wire_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
