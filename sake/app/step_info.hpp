// What Sake's own middleware declares about itself, so that an order which cannot work is reported at
// start-up.
#pragma once

#include <concepts>
#include <cstdint>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Middleware that must not stand behind another one, or not on the same route with it.
struct StepRule {
    enum class Kind : std::uint8_t { not_behind, not_with };
    const char* other;   // by its name
    const char* reason;  // what would go wrong
    Kind kind = Kind::not_behind;
};

/// The list of rules ends with one without a name.
struct StepInfo {
    const char* name;  // of the function in sake::middleware
    const StepRule* rules;
    const char* only_on_engine = nullptr;  // what would go wrong on a group or route; nullptr if nothing
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
