// CallHandle: a call for those that may outlive it.
#pragma once

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;

/// Where those that may outlive a call look for it: nullptr once its handlers have ended.
struct CallSpot : Counted {
    explicit CallSpot(Call& its_call) noexcept : call(&its_call) {}
    Call* call;
};

/// A call for something that may outlive it, such as a task: a Call is recycled, and freed with its
/// connection.
class CallHandle {
  public:
    explicit CallHandle(Call& call);
    /// nullptr from when its handlers have ended.
    [[nodiscard]] Call* get() const noexcept { return spot_->call; }
    /// Throws std::logic_error from then on.
    [[nodiscard]] Call& running() const;

    static constexpr const char* has_ended = "the handler has ended, and with it the request and its answer";

  private:
    CountedPtr<CallSpot> spot_;
};

/// For a coroutine that begins now. A task that the handler has left behind may come so late that the call is
/// between two requests: then it throws std::logic_error. Nothing tells it from a coroutine of the next one.
[[nodiscard]] CallHandle handle_of_running(Call& call);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
