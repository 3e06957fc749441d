// Port: a reactor as other threads see it. It may outlive the reactor; items that arrive later are dropped.
#pragma once

#include <mutex>
#include <utility>

#include "sake/async/posted_work.hpp"
#include "sake/async/reactor.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An item that can be sent to a port, by one thread at a time until it has arrived.
class PortItem : public Counted {
  public:
    PortItem() = default;
    PortItem(const PortItem&) = delete;
    PortItem& operator=(const PortItem&) = delete;
    virtual ~PortItem() = default;
    /// On the reactor's thread.
    virtual void arrive() noexcept = 0;
    CountedPtr<PortItem> next;  // of those on their way
};

class Port final : public Counted, public PostedCall {
  public:
    /// That of this reactor, which has one.
    [[nodiscard]] static const CountedPtr<Port>& of(Reactor& reactor);

    explicit Port(Reactor& reactor) noexcept : reactor_(&reactor) {}
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    /// From any thread; on that of the reactor, it arrives at once. One post for any number of items. The
    /// lock is held during the post, so that the reactor is not destroyed before the post is over.
    void bring(CountedPtr<PortItem> item) noexcept {
        {
            const std::lock_guard lock(mutex_);
            if (reactor_ == nullptr) return;
            item->next = std::move(first_);
            first_ = std::move(item);
            if (std::exchange(is_posted_, true)) return;
            if (Reactor::current() != reactor_) return reactor_->post(*this);
        }
        run();
    }
    void run() noexcept override {
        CountedPtr<PortItem> item;
        {
            const std::lock_guard lock(mutex_);
            item = std::move(first_);
            is_posted_ = false;
        }
        while (item != nullptr) {
            CountedPtr<PortItem> after_it = std::move(item->next);
            item->arrive();
            item = std::move(after_it);
        }
    }

    /// The reactor ends.
    void end() noexcept {
        const std::lock_guard lock(mutex_);
        reactor_ = nullptr;
        while (first_ != nullptr) {
            CountedPtr<PortItem> after_it = std::move(first_->next);
            first_ = std::move(after_it);
        }
    }
    [[nodiscard]] bool has_ended() const noexcept {
        const std::lock_guard lock(mutex_);
        return reactor_ == nullptr;
    }

  private:
    mutable std::mutex mutex_;
    Reactor* reactor_;
    CountedPtr<PortItem> first_;
    bool is_posted_ = false;
};

/// Kept by the reactor: Reactor::local.
struct PortOfReactor {
    explicit PortOfReactor(Reactor& reactor) : port(new Port(reactor)) {}
    PortOfReactor(const PortOfReactor&) = delete;
    PortOfReactor& operator=(const PortOfReactor&) = delete;
    ~PortOfReactor() { port->end(); }
    CountedPtr<Port> port;
};

inline const CountedPtr<Port>& Port::of(Reactor& reactor) { return reactor.local<PortOfReactor>().port; }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
