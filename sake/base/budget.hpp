// The memory that all connections together may hold while they wait for their peers or for handlers.
#pragma once

#include <chrono>
#include <cstddef>

#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// How much there is for all, and how much is taken.
class Budget {
  public:
    Budget(std::size_t limit, const LogSink& log) noexcept : limit_(limit), log_(log) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    /// Whether so much more fits. What one connection holds alone is bounded by other limits.
    [[nodiscard]] bool has_room(std::size_t size) const noexcept {
        return used_ == 0 || (size <= limit_ && used_ <= limit_ - size);
    }
    /// Whether so much more leaves half of it free: for what can be done without.
    [[nodiscard]] bool has_room_to_spare(std::size_t size) const noexcept {
        const std::size_t half = limit_ / 2;
        return size <= half && used_ <= half - size;
    }

  private:
    friend class BudgetShare;
    void tell_of_want() noexcept;

    std::size_t limit_;
    const LogSink& log_;
    PacedWarning warning_;
    std::size_t used_ = 0;
};

/// What one connection holds of a budget; given back when it goes.
class BudgetShare {
  public:
    explicit BudgetShare(Budget& budget) noexcept : budget_(budget) {}
    BudgetShare(const BudgetShare&) = delete;
    BudgetShare& operator=(const BudgetShare&) = delete;
    ~BudgetShare() { budget_.used_ -= size_; }

    /// Takes or gives back, so that the share is `size` bytes. Returns false, and leaves it as it was, if it
    /// would grow beyond what there is for all. What one connection holds alone is bounded by other limits.
    [[gnu::always_inline]] bool resize(std::size_t size) noexcept {
        const std::size_t others = budget_.used_ - size_;
        const bool fits = others == 0 || others + size <= budget_.limit_;
        if (size > size_ && !fits) {
            budget_.tell_of_want();
            return false;
        }
        budget_.used_ = others + size;
        size_ = size;
        return true;
    }
    /// The same for a part of it, which was `part` bytes so far.
    bool resize_part(std::size_t& part, std::size_t size) noexcept {
        if (!resize(size_ - part + size)) return false;
        part = size;
        return true;
    }

  private:
    Budget& budget_;
    std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
