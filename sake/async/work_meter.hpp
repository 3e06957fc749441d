// WorkMeter: what is at work on a loop, and whether it holds the loop for too long.
#pragma once

#include <string>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class WorkMeter {
  public:
    using Report = UniqueFunction<void(const void* work, Clock::duration held)>;

    /// Calls `report` where work takes `longest` or more. Measured with a grain of some milliseconds.
    void watch(Clock::duration longest, Report report) {
        longest_ = longest;
        report_ = std::move(report);
    }
    void set_work(const void* work) noexcept { work_ = work; }
    [[nodiscard]] const void* work() const noexcept { return work_; }

    /// Work begins at this moment, which saves asking the clock.
    void begin(TimePoint moment) noexcept { begun_ = moment; }
    /// Some work has ended, and other begins. Returns whether so much time has passed that it could be seen.
    bool note_end() {
        if (!report_) return false;
        const TimePoint present = coarse_now();
        const auto held = present - std::exchange(begun_, present);
        if (held <= Clock::duration::zero()) return false;  // the coarse clock may lag behind
        if (held >= longest_) report_(work_, held);
        return true;
    }

    /// Makes the name of some work, for messages.
    std::string (*name)(const void* work) = nullptr;

  private:
    const void* work_ = nullptr;
    TimePoint begun_;
    Clock::duration longest_{};
    Report report_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
