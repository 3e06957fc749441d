// The backend for every POSIX system: poll(). It is level-triggered, so a direction that was reported is
// masked until somebody waits for it again. Each wait costs O(descriptors).
#pragma once

#include <poll.h>

#include <utility>

#include "sake/async/poller.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/array.hpp"
#include "sake/base/cast.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class PollPoller final : public Poller {
  public:
    [[nodiscard]] std::string_view name() const noexcept override { return "poll"; }

    void add(int fd, Watch& watch) override {
        const auto number = static_cast<std::size_t>(fd);
        if (index_.size() <= number) index_.resize(number + 1, absent);
        watches_.reserve(polled_.size() +
                         1);  // so that what follows either happens or throws at its first step
        polled_.push_back({fd, POLLIN | POLLOUT | hang_up, 0});
        watches_.push_back(&watch);
        index_[number] = polled_.size() - 1;
        next_ = polled_.size();
    }

    void remove(int fd, Watch&) noexcept override {
        const std::size_t position = std::exchange(index_[static_cast<std::size_t>(fd)], absent);
        if (position + 1 != polled_.size()) {
            polled_[position] = polled_.back();
            watches_[position] = watches_.back();
            index_[static_cast<std::size_t>(descriptor(polled_[position]))] = position;
        }
        polled_.pop_back();
        watches_.pop_back();
        next_ = polled_.size();
    }

    void rearm(int fd, Watch&, std::uint8_t directions) noexcept override {
        pollfd& polled = polled_[index_[static_cast<std::size_t>(fd)]];
        polled.fd = fd;
        unsigned events = static_cast<unsigned short>(polled.events);
        if ((directions & readable) != 0) events |= POLLIN;
        if ((directions & writable) != 0) events |= POLLOUT;
        polled.events = static_cast<short>(events);
    }

    [[nodiscard]] bool needs_rearm() const noexcept override { return true; }

    // What does not fit is handed out by the next call, which need not ask the system again. Where that call
    // does not come at once, poll, which is level-triggered, reports it anew.
    Found wait(std::chrono::milliseconds timeout, Array<PollEvent>& events) override {
        if (next_ == polled_.size()) {
            const SysResult found =
                sys::retry_without_waiting(timeout, [this](std::chrono::milliseconds limit) {
                    return ::poll(polled_.data(), cast_to<nfds_t>(polled_.size()),
                                  static_cast<int>(limit.count()));
                });
            if (!found.ok()) throw_system_error(found.error, "poll");
            if (found.value == 0) return Found::all;
            next_ = 0;
        }
        for (; next_ != polled_.size() && events.size() < events.capacity(); ++next_) {
            if (polled_[next_].revents == 0) continue;
            events.push_back({watches_[next_], report(polled_[next_])});
        }
        return next_ != polled_.size() ? Found::some : Found::all;
    }

  private:
#if defined(POLLRDHUP)
    static constexpr short hang_up = POLLRDHUP;
#else
    static constexpr short hang_up = 0;
#endif

    static constexpr std::size_t absent = static_cast<std::size_t>(-1);

    // A broken descriptor cannot be masked by its events, so its number is made negative, which poll skips.
    static int descriptor(const pollfd& polled) noexcept { return polled.fd >= 0 ? polled.fd : ~polled.fd; }

    static std::uint8_t report(pollfd& polled) noexcept {
        const unsigned flags = static_cast<unsigned short>(polled.revents);
        unsigned ready = 0;
        if ((flags & POLLIN) != 0) ready |= readable;
        if ((flags & POLLOUT) != 0) ready |= writable;
        if ((flags & static_cast<unsigned short>(hang_up)) != 0) ready |= readable | peer_ended;
        if ((flags & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
            ready |= readable | writable | broken;
            polled.fd = ~polled.fd;
        }
        polled.events = static_cast<short>(static_cast<unsigned short>(polled.events) & ~flags);
        return static_cast<std::uint8_t>(ready);
    }

    Array<pollfd> polled_;
    std::size_t next_ = 0;      // the position to look at next; behind the last if all were
    Array<Watch*> watches_;     // parallel to polled_
    Array<std::size_t> index_;  // the position of each descriptor, by its number
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
