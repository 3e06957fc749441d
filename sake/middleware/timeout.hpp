// A time limit for the handlers of a route, shorter than that of all requests.
#pragma once

#include <chrono>

#include "sake/async/clock.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

middleware::Step make_timeout(Clock::duration limit);

}  // namespace detail

namespace middleware {

/// Gives what follows, a handler that is a coroutine or one in a worker, so much time to make its answer, in
/// whole milliseconds. Then the answer is 504, as by Config::request_timeout, and the handler is cancelled.
/// The time in which it waits for its client counts, and an answer in pieces that has begun to leave is cut
/// off. It never makes a limit longer. A plain handler holds the loop, and cannot be cancelled. Throws
/// std::invalid_argument unless the limit is positive.
///
///     app.get("/report", make_report).use(sake::middleware::timeout(2s));
template <class Rep, class Period>
[[nodiscard]] Step timeout(std::chrono::duration<Rep, Period> limit) {
    return detail::make_timeout(detail::to_clock(limit));
}
template <detail::Unitless T>
[[nodiscard]] Step timeout(T) {
    detail::refuse_number<T>();
    return detail::make_timeout({});
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
