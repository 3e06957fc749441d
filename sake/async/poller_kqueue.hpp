// The backend for macOS and the BSDs: kqueue with EV_CLEAR, which is edge-triggered as epoll is.
#pragma once

#include <array>

#include "sake/async/poller.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/array.hpp"
#include "sake/base/platform.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if SAKE_HAS_KQUEUE

class KqueuePoller final : public Poller {
  public:
    KqueuePoller() : kqueue_(sys::own_or_throw(sys::retry([] { return ::kqueue(); }), "kqueue")) {
        sys::set_close_on_exec(kqueue_.get());
    }

    [[nodiscard]] std::string_view name() const noexcept override { return "kqueue"; }

    void add(int fd, Watch& watch) override {
        if (change(fd, EV_ADD | EV_CLEAR, &watch) != 0) throw_system_error(errno, "kevent");
    }

    void remove(int fd, Watch& watch) noexcept override { change(fd, EV_DELETE, &watch); }

    void rearm(int, Watch&, std::uint8_t) noexcept override {}

    Found wait(std::chrono::milliseconds timeout, Array<PollEvent>& events) override {
        const SysResult found =
            sys::retry_without_waiting(timeout, [this](std::chrono::milliseconds longest) {
                timespec limit{};
                limit.tv_sec = static_cast<decltype(limit.tv_sec)>(longest.count() / 1000);
                limit.tv_nsec = static_cast<decltype(limit.tv_nsec)>(longest.count() % 1000 * 1'000'000);
                return ::kevent(kqueue_.get(), nullptr, 0, buffer_.data(), static_cast<int>(buffer_.size()),
                                longest.count() < 0 ? nullptr : &limit);
            });
        if (!found.ok()) throw_system_error(found.error, "kevent");
        const auto count = static_cast<std::size_t>(found.value);
        for (std::size_t i = 0; i < count; ++i) {
            const struct kevent& event = buffer_[i];
            events.push_back({static_cast<Watch*>(event.udata), translate(event)});
        }
        // A descriptor may have two events, which need not come in one call.
        return 2 * count >= buffer_.size() ? Found::some : Found::all;
    }

  private:
    int change(int fd, unsigned flags, Watch* watch) noexcept {
        std::array<struct kevent, 2> changes{};
        EV_SET(&changes[0], static_cast<uintptr_t>(fd), EVFILT_READ, static_cast<unsigned short>(flags), 0, 0,
               watch);
        EV_SET(&changes[1], static_cast<uintptr_t>(fd), EVFILT_WRITE, static_cast<unsigned short>(flags), 0,
               0, watch);
        return ::kevent(kqueue_.get(), changes.data(), 2, nullptr, 0, nullptr);
    }

    static std::uint8_t translate(const struct kevent& event) noexcept {
        const bool ended = (event.flags & EV_EOF) != 0;
        if (event.filter == EVFILT_READ) {
            if (ended && event.fflags != 0) return readable | writable | broken;
            return ended ? readable | peer_ended : readable;
        }
        // Without an error it is the end of what can be written, after our own shutdown too.
        return ended && event.fflags != 0 ? readable | writable | broken : writable;
    }

    FileDescriptor kqueue_;
    std::array<struct kevent, 256> buffer_;
};

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
