// HubWaiter: what waits for a message of a Hub.
#pragma once

#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A waiter in a group of hub_waiters.hpp, up to `go_on`.
class HubWaiter : public ListNode {
  public:
    /// Whether it can stop waiting. Reads what other threads change before they wake the group.
    [[nodiscard]] virtual bool is_served() const noexcept = 0;
    /// It is served.
    virtual void go_on() noexcept = 0;

  protected:
    ~HubWaiter() = default;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
