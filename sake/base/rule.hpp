// Rules for the members of a type, as constant data beside it: what a client may send beyond what the types
// say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class RuleKind : std::uint8_t { length, integer_range, number_range, items };

struct Rule {
    RuleKind kind;
    std::size_t member;  // its index in the type
    std::int64_t least = 0;
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
