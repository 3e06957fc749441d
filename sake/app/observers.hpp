// What a program gave to Engine::on_answered, and the one place that tells it.
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include "sake/app/answered.hpp"
#include "sake/async/wait.hpp"
#include "sake/base/error.hpp"
#include "sake/base/function.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Observers {
  public:
    template <class F>
    void add(F&& observer) {
        list_.emplace_back(std::forward<F>(observer));
    }
    [[nodiscard]] bool empty() const noexcept { return list_.empty(); }

    /// Tells all, in the order in which they were added. What one throws is logged, and the answer leaves all
    /// the same.
    void tell(const Answered& answered) const noexcept {
        for (auto& each : list_) {
            try {
                each(answered);
            } catch (...) {
                report_failure("on_answered failed: ", std::current_exception());
            }
        }
    }

  private:
    mutable std::vector<UniqueFunction<void(const Answered&)>> list_;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
