// How timeout makes the time of a call shorter.
#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "sake/app/call_impl.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/config_impl.hpp"
#include "sake/middleware/timeout.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class CallTimeLimit final : public StepWork {
  public:
    static constexpr StepInfo info{"timeout", no_rules};

    explicit CallTimeLimit(Clock::duration limit)
        : limit_(std::min(std::chrono::ceil<std::chrono::milliseconds>(limit), longest_setting)) {
        if (limit == limit.zero()) throw std::invalid_argument("timeout: the limit must be positive");
    }

    void run(Context& ctx) override {
        Call& call = Call::of(ctx);
        if (call.runner != nullptr) return call.runner->limit_time(limit_);
        // The body is to come, and then the handler.
        call.time_limit = call.has_time_limit ? std::min(call.time_limit, limit_) : limit_;
        call.has_time_limit = true;
    }

  private:
    const std::chrono::milliseconds limit_;
};

SAKE_INLINE middleware::Step make_timeout(Clock::duration limit) {
    return StepMaker::make<CallTimeLimit>(limit);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
