// The backend for Linux: epoll, edge-triggered, so that a descriptor is registered once and never modified.
#pragma once

#include <array>

#include "sake/async/poller.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/array.hpp"
#include "sake/base/platform.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if SAKE_HAS_EPOLL

class EpollPoller final : public Poller {
  public:
    EpollPoller()
        : epoll_(sys::own_or_throw(sys::retry([] { return ::epoll_create1(EPOLL_CLOEXEC); }),
                                   "epoll_create1")) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

    void add(int fd, Watch& watch) override {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.ptr = &watch;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw_system_error(errno, "epoll_ctl");
    }

    void remove(int fd, Watch&) noexcept override {
        epoll_event unused{};  // Linux before 2.6.9 wanted one
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
    }

    void rearm(int, Watch&, std::uint8_t) noexcept override {}

    Found wait(std::chrono::milliseconds timeout, Array<PollEvent>& events) override {
        const SysResult found = sys::retry_without_waiting(timeout, [this](std::chrono::milliseconds limit) {
            return ::epoll_wait(epoll_.get(), buffer_.data(), static_cast<int>(buffer_.size()),
                                static_cast<int>(limit.count()));
        });
        if (!found.ok()) throw_system_error(found.error, "epoll_wait");
        const auto count = static_cast<std::size_t>(found.value);
        for (std::size_t i = 0; i < count; ++i) {
            const epoll_event& event = buffer_[i];
            events.push_back({static_cast<Watch*>(event.data.ptr), translate(event.events)});
        }
        return count == buffer_.size() ? Found::some : Found::all;
    }

  private:
    static std::uint8_t translate(std::uint32_t flags) noexcept {
        unsigned ready = 0;
        if ((flags & EPOLLIN) != 0) ready |= readable;
        if ((flags & EPOLLOUT) != 0) ready |= writable;
        if ((flags & EPOLLRDHUP) != 0) ready |= readable | peer_ended;
        if ((flags & (EPOLLERR | EPOLLHUP)) != 0) ready |= readable | writable | broken;
        return static_cast<std::uint8_t>(ready);
    }

    FileDescriptor epoll_;
    std::array<epoll_event, 256> buffer_;
};

#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
