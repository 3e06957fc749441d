// CallHandle: a reference to a call that stays safe when the call has ended.
#pragma once

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct Call;

/// Where holders of a handle find the call: nullptr once its handlers have ended.
struct CallSpot : Counted {
    explicit CallSpot(Call& its_call) noexcept : call(&its_call) {}
    Call* call;
};

/// A call for objects that may outlive it, such as a task. A Call is recycled, and freed with its connection.
class CallHandle {
  public:
    explicit CallHandle(Call& call);
    /// The call; nullptr once its handlers have ended.
    [[nodiscard]] Call* get() const noexcept { return spot_->call; }
    /// The call. Throws std::logic_error once its handlers have ended.
    [[nodiscard]] Call& running() const;

    static constexpr const char* has_ended = "the handler has ended, and with it the request and its answer";

  private:
    CountedPtr<CallSpot> spot_;
};

/// For a coroutine that begins now. A task that the handler left behind may begin when the call is between
/// two requests: then it throws std::logic_error. If the next request has begun, it cannot be told from a
/// coroutine of that request.
[[nodiscard]] CallHandle handle_of_running(Call& call);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
