// Watch: a descriptor that a reactor watches, or a wire in memory: its known readiness, and its waiters.
#pragma once

#include <cstdint>
#include <utility>

#include "sake/async/poller.hpp"
#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Learns that a peer has disconnected while nothing reads or writes.
class HangupListener {
  public:
    HangupListener() = default;
    HangupListener(const HangupListener&) = delete;
    HangupListener& operator=(const HangupListener&) = delete;
    /// Called from the reactor's loop with the Readiness bits of the descriptor; must not run user code.
    virtual void peer_hung_up(std::uint8_t ready) noexcept = 0;

  protected:
    ~HangupListener() = default;
};

/// A descriptor that the reactor watches, with its known readiness. Does not own the descriptor. A watch
/// without a descriptor is for a wire in memory, whose other end calls `became_ready`.
class Watch {
  public:
    static constexpr int no_descriptor = -1;

    /// `ready` is what it is worth trying before the first event. A descriptor that others use as well begins
    /// with nothing: the first event tells.
    explicit Watch(Reactor& reactor, int fd = no_descriptor, std::uint8_t ready = readable | writable);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();
    /// Stops watching, for an owner that outlives the reactor. Afterwards only the known readiness may be
    /// asked.
    void end() noexcept;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] bool has_descriptor() const noexcept { return fd_ != no_descriptor; }
    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }

    /// Whether trying is worthwhile: true until a call found nothing, then until the next event.
    [[nodiscard]] bool is_readable() const noexcept { return (ready_ & readable) != 0; }
    [[nodiscard]] bool is_writable() const noexcept { return (ready_ & writable) != 0; }
    [[nodiscard]] bool peer_has_ended() const noexcept { return (ready_ & (peer_ended | broken)) != 0; }
    [[nodiscard]] bool is_broken() const noexcept { return (ready_ & broken) != 0; }

    /// A read found nothing more. The end of a stream brings no further event, so reading stays possible
    /// after it.
    void drained() noexcept {
        if (!peer_has_ended()) ready_ = static_cast<std::uint8_t>(ready_ & ~unsigned{readable});
    }
    /// A write found no room.
    void filled() noexcept {
        if (!is_broken()) ready_ = static_cast<std::uint8_t>(ready_ & ~unsigned{writable});
    }

    /// Reports readiness as a poller would: `readable` together with `peer_ended`, both directions together
    /// with `broken`. Waiters are resumed in the next turn of the loop; the hangup_listener is told at once.
    /// For the reactor's thread, from inside the loop or between two runs of it.
    void became_ready(std::uint8_t ready) noexcept;

    /// Whether it is worth trying in this direction.
    [[nodiscard]] bool is_ready(Readiness direction) const noexcept { return (ready_ & direction) != 0; }

    /// Wakes `who` when this direction is ready. One waiter per direction.
    void wait_for(Readiness direction, Resumable& who) noexcept;
    [[nodiscard]] Resumable* waiter(Readiness direction) const noexcept {
        return direction == readable ? reader_ : writer_;
    }
    /// Whether anything waits, in either direction.
    [[nodiscard]] bool is_awaited() const noexcept { return reader_ != nullptr || writer_ != nullptr; }
    /// Removes the waiter; it is not woken any more.
    void give_up(Readiness direction) noexcept { (direction == readable ? reader_ : writer_) = nullptr; }

    /// Wakes all waiters before the watch is destroyed, since nothing else would. A waiter that continues
    /// must not use it.
    void dismiss_waiters() noexcept {
        if (reader_ != nullptr) std::exchange(reader_, nullptr)->wake(*reactor_);
        if (writer_ != nullptr) std::exchange(writer_, nullptr)->wake(*reactor_);
    }

    HangupListener* hangup_listener = nullptr;

  private:
    friend class sake::Reactor;
    Reactor* reactor_;
    Resumable* reader_ = nullptr;
    Resumable* writer_ = nullptr;
    int fd_;
    std::uint8_t ready_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
