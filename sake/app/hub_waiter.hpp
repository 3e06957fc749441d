// HubWaiter: what waits for a message of a Hub.
#pragma once

#include <string>

#include "sake/async/wait.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A waiter in a group of hub_waiters.hpp.
class HubWaiter : public Wait, public ListNode {
  public:
    /// Whether it can stop waiting. Reads what other threads change before they wake the group.
    [[nodiscard]] virtual bool is_served() const noexcept = 0;
    void describe(std::string& out) const override { out += "a message of a Hub"; }

  protected:
    ~HubWaiter() = default;

  private:
    bool withdraw() noexcept override {
        unlink();
        return true;
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
