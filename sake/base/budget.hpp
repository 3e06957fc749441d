// The memory that all connections together may hold while they wait for peers or handlers.
#pragma once

#include <chrono>
#include <cstddef>

#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The limit, and how much of it is in use.
class Budget {
  public:
    Budget(std::size_t limit, const LogSink& log) noexcept : limit_(limit), log_(log) {}
    Budget(const Budget&) = delete;
    Budget& operator=(const Budget&) = delete;

    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    /// Whether this many more bytes fit. Other limits bound what one connection holds.
    [[nodiscard]] bool has_room(std::size_t size) const noexcept {
        return used_ == 0 || (size <= limit_ && used_ <= limit_ - size);
    }
    /// Whether half of the limit stays free with this many more bytes: for optional uses of memory.
    [[nodiscard]] bool has_room_to_spare(std::size_t size) const noexcept {
        const std::size_t half = limit_ / 2;
        return size <= half && used_ <= half - size;
    }
    /// Grows or shrinks a share to `size` bytes. Returns false and changes nothing if the limit would be
    /// exceeded. Other limits bound what one connection holds.
    [[gnu::always_inline]] bool resize(std::size_t& share, std::size_t size) noexcept {
        const std::size_t others = used_ - share;
        const bool fits = others == 0 || others + size <= limit_;
        if (size > share && !fits) {
            tell_of_want();
            return false;
        }
        used_ = others + size;
        share = size;
        return true;
    }

  private:
    void tell_of_want() noexcept;

    std::size_t limit_;
    const LogSink& log_;
    PacedWarning warning_;
    std::size_t used_ = 0;
};

/// The share of one connection in a budget; returned in the destructor.
class BudgetShare {
  public:
    explicit BudgetShare(Budget& budget) noexcept : budget_(budget) {}
    BudgetShare(const BudgetShare&) = delete;
    BudgetShare& operator=(const BudgetShare&) = delete;
    ~BudgetShare() { resize(0); }

    /// See Budget::resize.
    [[gnu::always_inline]] bool resize(std::size_t size) noexcept { return budget_.resize(size_, size); }
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
