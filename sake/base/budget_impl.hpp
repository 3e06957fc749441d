// Definitions of budget.hpp: the warning of a budget that is used up.
#pragma once

#include <chrono>

#include "sake/base/budget.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void Budget::tell_of_want() noexcept {
    if (!warning_.take_turn(std::chrono::steady_clock::now(), std::chrono::seconds(10))) return;
    log_quietly(log_, LogLevel::warning, "requests are refused or cut off for the moment: ",
                "all connections together hold Config::max_buffered bytes");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
