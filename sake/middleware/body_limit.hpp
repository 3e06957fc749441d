// body_limit: limits the size of bodies for a route or a group.
#pragma once

#include <concepts>
#include <cstdint>

#include "sake/app/config.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

middleware::Step make_body_limit(std::int64_t bytes);

}  // namespace detail

namespace middleware {

/// Answers 413 to a body of more than `bytes` bytes, decoded: as soon as the head announces more, or when the
/// first excess byte arrives. It only makes limits smaller: Config::max_body and Route::max_body still apply.
/// Throws std::invalid_argument for a negative number.
template <std::integral Number>
[[nodiscard]] Step body_limit(Number bytes) {
    return detail::make_body_limit(detail::written_number(bytes));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
