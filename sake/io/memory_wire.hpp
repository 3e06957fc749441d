// MemoryWire: a connection without a socket. Two wires are peers: one receives what the other sends, with the
// same order of events as over a Unix socket. For tests of clients and servers, which then need neither ports
// nor the system. Both ends belong to one reactor's thread.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/io/wire.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Bytes in a ring of fixed size.
class ByteRing {
  public:
    explicit ByteRing(std::size_t capacity) : capacity_(capacity), bytes_(new char[capacity]) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t room() const noexcept { return capacity_ - size_; }
    void clear() noexcept { size_ = 0; }

    /// Takes as many of these as there is room for.
    std::size_t put(const char* data, std::size_t size) noexcept {
        size = std::min(size, room());
        if (size == 0) return 0;  // memcpy wants an address even for nothing
        const std::size_t end = (first_ + size_) % capacity_;
        const std::size_t before_wrap = std::min(size, capacity_ - end);
        std::memcpy(bytes_.get() + end, data, before_wrap);
        std::memcpy(bytes_.get(), data + before_wrap, size - before_wrap);
        size_ += size;
        return size;
    }
    /// Moves up to `size` bytes from the front to `out`.
    std::size_t take(char* out, std::size_t size) noexcept {
        size = std::min(size, size_);
        if (size == 0) return 0;
        const std::size_t before_wrap = std::min(size, capacity_ - first_);
        std::memcpy(out, bytes_.get() + first_, before_wrap);
        std::memcpy(out + before_wrap, bytes_.get(), size - before_wrap);
        first_ = (first_ + size) % capacity_;
        size_ -= size;
        return size;
    }

  private:
    std::size_t capacity_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    OwningPtr<char[]> bytes_;
};

/// One end. Its destructor closes it: the peer can still receive what was sent, unless this end leaves unread
/// input, which resets the connection. After a reset, unread bytes are dropped; the first call fails with
/// ECONNRESET, later ones report the end, or EPIPE.
class MemoryWire final : public Wire {
  public:
    /// As much as `capacity` bytes wait to be received. make_memory_wires gives it its peer.
    explicit MemoryWire(std::size_t capacity) : incoming_(capacity) {}
    ~MemoryWire() override {
        if (peer_ != nullptr) disconnect(incoming_.size() > 0 ? ECONNRESET : 0);
    }

    static void connect(MemoryWire& one, MemoryWire& other) noexcept {
        one.peer_ = &other;
        other.peer_ = &one;
    }

    void attach(Watch& watch) noexcept override {
        watch_ = &watch;
        notify();
    }

    SysResult receive(void* buffer, std::size_t size) noexcept override {
        if (error_ != 0) return {-1, std::exchange(error_, 0)};
        if (incoming_.size() == 0) return input_has_ended() ? SysResult{0, 0} : blocked(readable);
        const std::size_t taken = incoming_.take(static_cast<char*>(buffer), size);
        if (taken > 0 && peer_ != nullptr && std::exchange(peer_->wants_room_, false)) peer_->notify();
        return {static_cast<ssize_t>(taken), 0};
    }

    SysResult send(const iovec* pieces, std::size_t count) noexcept override {
        std::size_t sent = 0;
        std::size_t wanted = 0;
        if (const int error = take_output_error()) return {-1, error};
        for (const iovec* piece = pieces; piece != pieces + count; ++piece) {
            wanted += piece->iov_len;
            sent += peer_->incoming_.put(static_cast<const char*>(piece->iov_base), piece->iov_len);
        }
        return sent_of(sent, wanted);
    }

    SysResult send_file(int file, std::uint64_t& offset, std::size_t count) noexcept override {
        char bytes[16 * 1024];
        if (const int error = take_output_error()) return {-1, error};
        const std::size_t wanted = std::min(count, sizeof bytes);
        const std::size_t room = std::min(wanted, peer_->incoming_.room());
        if (room == 0) return sent_of(0, wanted);
        const SysResult read = sys::read_at(file, bytes, room, offset);
        if (!read.ok() || read.value == 0) return read;
        const std::size_t sent = peer_->incoming_.put(bytes, static_cast<std::size_t>(read.value));
        offset += sent;
        return sent_of(sent, sent);
    }

    [[nodiscard]] Readiness needs() const noexcept override { return needs_; }
    [[nodiscard]] bool has_pending() const noexcept override { return incoming_.size() > 0; }
    [[nodiscard]] bool has_input() const noexcept override {
        return incoming_.size() > 0 || error_ != 0 || input_has_ended();
    }
    [[nodiscard]] std::uint32_t unacknowledged() const noexcept override {
        const bool is_known = peer_ == nullptr || acknowledges_at_once_;
        return is_known ? 0 : static_cast<std::uint32_t>(peer_->incoming_.size());
    }
    /// Whether what it sends counts as received as soon as there is room for it, as over TCP; else when the
    /// peer takes it, as over a Unix socket.
    void acknowledge_at_once(bool on) noexcept { acknowledges_at_once_ = on; }

    /// An end that ends both ways closes for both, but its own watch is not told: the caller knows.
    SysResult end_output() noexcept override {
        if (was_reset_) return {-1, ENOTCONN};
        if (!std::exchange(output_ended_, true) && peer_ != nullptr) peer_->notify();
        return {0, 0};
    }
    void reset() noexcept override {
        if (peer_ != nullptr) disconnect(ECONNRESET);
        incoming_.clear();
        error_ = 0;
        was_reset_ = true;
    }

    [[nodiscard]] std::string_view protocol() const noexcept override { return {}; }

  private:
    [[nodiscard]] bool input_has_ended() const noexcept { return peer_ == nullptr || peer_->output_ended_; }
    [[nodiscard]] bool is_over() const noexcept {
        return peer_ == nullptr || (output_ended_ && peer_->output_ended_);
    }

    SysResult blocked(Readiness direction) noexcept {
        needs_ = direction;
        return {-1, EAGAIN};
    }

    /// The errno of a send that cannot be; 0 if it can.
    int take_output_error() noexcept {
        if (error_ != 0) return std::exchange(error_, 0);
        return output_ended_ || peer_ == nullptr ? EPIPE : 0;
    }

    SysResult sent_of(std::size_t sent, std::size_t wanted) noexcept {
        wants_room_ = sent < wanted;
        if (sent == 0 && wanted > 0) return blocked(writable);
        if (sent > 0) peer_->notify();
        return {static_cast<ssize_t>(sent), 0};
    }

    /// Marks the watch with all that holds now, as an edge-triggered event does.
    void notify() noexcept {
        if (watch_ == nullptr) return;
        unsigned ready = 0;
        if (has_input()) ready |= readable;
        if (is_over() || peer_->incoming_.room() > 0) ready |= writable;
        if (input_has_ended()) ready |= peer_ended;
        if (is_over()) ready |= broken;
        watch_->became_ready(static_cast<std::uint8_t>(ready));
    }

    /// Parts the two; the other one learns of it, with an errno after a reset.
    void disconnect(int error) noexcept {
        MemoryWire& other = *std::exchange(peer_, nullptr);
        other.peer_ = nullptr;
        other.error_ = error;
        other.was_reset_ = error != 0;
        if (error != 0) other.incoming_.clear();
        other.notify();
    }

    ByteRing incoming_;
    MemoryWire* peer_ = nullptr;  // until either of the two closes
    Watch* watch_ = nullptr;
    int error_ = 0;              // of the next call
    bool output_ended_ = false;  // by this end
    bool wants_room_ = false;    // the last send did not take all
    bool was_reset_ = false;     // by either end
    bool acknowledges_at_once_ = false;
    Readiness needs_ = readable;
};

/// About what a socket holds. With a few bytes, every send falls short.
inline constexpr std::size_t memory_wire_capacity = 64 * 1024;

/// Both ends of a connection, with room for so many bytes each way, at least one.
[[nodiscard]] inline std::pair<OwningPtr<MemoryWire>, OwningPtr<MemoryWire>> make_memory_wires(
    std::size_t capacity = memory_wire_capacity) {
    capacity = std::max<std::size_t>(capacity, 1);
    OwningPtr<MemoryWire> one(new MemoryWire(capacity));
    OwningPtr<MemoryWire> other(new MemoryWire(capacity));
    MemoryWire::connect(*one, *other);
    return {std::move(one), std::move(other)};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
