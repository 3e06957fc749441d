// Mailbox: how the threads of a pool reach a reactor.
#pragma once

#include <mutex>
#include <new>
#include <utility>

#include "sake/async/reactor.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Where workers leave results for a reactor that may have ended.
class Mailbox : public Counted {
  public:
    explicit Mailbox(Reactor& reactor) noexcept : reactor_(&reactor) {}

    void post(UniqueFunction<void()> work) {
        const std::lock_guard lock(mutex_);
        if (reactor_ != nullptr) reactor_->post(std::move(work));
    }
    /// Has the reactor look around.
    void wake() noexcept {
        try {
            post([] {});
        } catch (const std::bad_alloc&) {
            // It looks when something else wakes it.
        }
    }
    void close() noexcept {
        const std::lock_guard lock(mutex_);
        reactor_ = nullptr;
    }

  private:
    std::mutex mutex_;
    Reactor* reactor_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
