// How large bodies may be where middleware says so.
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

/// Answers 413 to a body of more bytes, decoded: on the head if that announces them, else when the first byte
/// too many comes. It makes limits tighter: Config::max_body and Route::max_body still apply. Throws
/// std::invalid_argument for a number below 0.
template <std::integral Number>
[[nodiscard]] Step body_limit(Number bytes) {
    return detail::make_body_limit(detail::written_number(bytes));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
