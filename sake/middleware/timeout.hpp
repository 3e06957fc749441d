// timeout: a time limit for the handlers of a route, shorter than Config::request_timeout.
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

/// Limits the time of what follows, a coroutine handler or one in a worker, in whole milliseconds. After it
/// the answer is 504, as with Config::request_timeout, and the handler is cancelled. Time in which the
/// handler waits for its client counts, and a streamed answer that has begun is cut. It never makes a limit
/// longer. A plain handler blocks the loop and cannot be cancelled. Throws std::invalid_argument unless the
/// limit is positive.
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
