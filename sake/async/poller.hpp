// What the reactor asks of the operating system: which descriptors are ready, and what time it is. A backend
// is a handful of functions; the rest of Sake knows only this interface. Readiness is edge-triggered: it is
// reported once, and remembered by the Watch.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "sake/async/clock.hpp"
#include "sake/base/array.hpp"

namespace sake {
inline namespace SAKE_ABI {

class Reactor;

/// The backend of the reactor. `automatic` is the best that the system has: epoll, kqueue, else poll.
enum class PollerKind : std::uint8_t { automatic, epoll, kqueue, poll };

namespace detail {

class Watch;

/// Directions and states of a descriptor; bits.
enum Readiness : std::uint8_t {
    readable = 1,
    writable = 2,
    peer_ended = 4,  // the peer sends no more: what is left can be read, then the end
    broken = 8,      // the connection is gone in both directions
};

struct PollEvent {
    Watch* watch;
    std::uint8_t ready;  // Readiness bits
};

/// A backend. One thread uses it; errors of set-up throw std::system_error.
class Poller {
  public:
    Poller() = default;
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    virtual ~Poller() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// Reports both directions of `fd` from now on.
    virtual void add(int fd, Watch& watch) = 0;
    virtual void remove(int fd, Watch& watch) noexcept = 0;

    /// A coroutine begins to wait for `directions`. Only a backend that is not edge-triggered by itself needs
    /// it.
    virtual void rearm(int fd, Watch& watch, std::uint8_t directions) noexcept = 0;
    [[nodiscard]] virtual bool needs_rearm() const noexcept { return false; }

    /// What a wait has found: all that was ready, or one batch of it, and more may be had at once.
    enum class Found : std::uint8_t { all, some };

    /// Waits for at most `timeout` (negative: without end) and appends what became ready. A wait that a
    /// signal cuts short has looked all the same.
    virtual Found wait(std::chrono::milliseconds timeout, Array<PollEvent>& events) = 0;

    /// The time, and the time of day. Everything on the loop asks here, so that tests can simulate time.
    [[nodiscard]] virtual TimePoint now() const noexcept { return Clock::now(); }
    [[nodiscard]] virtual std::chrono::system_clock::time_point wall_now() const noexcept {
        return std::chrono::system_clock::now();
    }
    /// Whether time stands still while something is ready.
    [[nodiscard]] virtual bool has_virtual_time() const noexcept { return false; }

    /// Tells the poller which reactor uses it. Called once, before the first wait.
    virtual void attach(Reactor&) noexcept {}
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
