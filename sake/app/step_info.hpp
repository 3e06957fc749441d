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

/// A friend of what sake::middleware returns, which has an info_.
struct StepAccess {
    template <class F>
    static constexpr bool has_info = requires(const F& middleware) {
        { *middleware.info_ } -> std::same_as<const StepInfo&>;
    };
    template <class F>
    static const StepInfo* info(const F& middleware) noexcept {
        return middleware.info_;
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
