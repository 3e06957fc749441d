// cast_to: for types that are one and the same on some systems and not on others.
#pragma once

#include <type_traits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A static_cast where there is something to cast; users' -Wuseless-cast would tell of the others.
template <class To, class From>
constexpr To cast_to(From value) noexcept {
    if constexpr (std::is_same_v<To, From>)
        return value;
    else
        return static_cast<To>(value);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
