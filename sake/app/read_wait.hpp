// ReadWait: what Context::read awaits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sake/app/call_handle.hpp"
#include "sake/app/client_wait.hpp"
#include "sake/async/timer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class [[nodiscard]] ReadWait final : public ClientWait {
  public:
    explicit ReadWait(const CallHandle& call) noexcept : call_(call) {}
    ReadWait(const ReadWait&) = delete;
    ReadWait& operator=(const ReadWait&) = delete;
    ~ReadWait();
    std::optional<std::string_view> await_resume();
    SAKE_INLINE void describe(std::string& out) const override;

  private:
    SAKE_INLINE bool try_now() override;
    SAKE_INLINE TimePoint wake_later() override;
    SAKE_INLINE void stop_waiting() noexcept override;
    SAKE_INLINE TimePoint be_late() override;

    const CallHandle call_;
    std::optional<std::string_view> piece_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
