// What a piece of Sake's own middleware says of itself, so that an order which cannot work is said at
// start-up.
#pragma once

#include <concepts>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Middleware that may not stand behind another one.
struct StepRule {
    const char* other;   // what it may not stand behind, by its name
    const char* reason;  // what would go wrong
};

/// The list of rules ends with one that has no name.
struct StepInfo {
    const char* name;  // of the function in sake::middleware
    const StepRule* rules;
};

inline constexpr StepRule no_rules[] = {{nullptr, nullptr}};

template <class F>
concept TellsItsOrder = requires(const F& middleware) {
    { middleware.info() } noexcept -> std::same_as<const StepInfo&>;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
