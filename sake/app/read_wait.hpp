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
    void describe(std::string& out) const override { out += "more of a request's body"; }

  private:
    bool try_now() override { return try_read(); }
    TimePoint wake_later() override { return listen_for_more(); }
    void stop_waiting() noexcept override { leave(); }
    TimePoint be_late() override { return give_up_body(); }

    // What the virtual functions do. They stay in the class, so that its vtable is where it is used.
    bool try_read();
    TimePoint listen_for_more();
    void leave() noexcept;
    TimePoint give_up_body();

    const CallHandle call_;
    std::optional<std::string_view> piece_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
