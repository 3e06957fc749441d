// WorkMeter: what is at work on a loop, and whether it holds the loop for too long.
#pragma once

#include <atomic>
#include <string_view>
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
    void set_work(const void* work) noexcept { work_.store(work, std::memory_order_relaxed); }
    /// From any thread.
    [[nodiscard]] const void* work() const noexcept { return work_.load(std::memory_order_relaxed); }

    /// Work begins at this moment, which saves asking the clock.
    void begin(TimePoint moment) noexcept { begun_ = moment; }
    /// Some work has ended, and other begins. Returns whether so much time has passed that it could be seen.
    bool note_end() {
        if (!report_) return false;
        const TimePoint present = coarse_now();
        const auto held = present - std::exchange(begun_, present);
        if (held <= Clock::duration::zero()) return false;  // the coarse clock may lag behind
        if (held >= longest_) report_(work(), held);
        return true;
    }

    /// The name of some work, for messages. It lasts as long as the work does.
    using Name = std::string_view (*)(const void* work) noexcept;
    Name name = nullptr;
    [[nodiscard]] std::string_view present_name() const noexcept {
        const void* const present = work();
        return present != nullptr && name != nullptr ? name(present) : std::string_view();
    }

  private:
    std::atomic<const void*> work_ = nullptr;
    TimePoint begun_;
    Clock::duration longest_{};
    Report report_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
