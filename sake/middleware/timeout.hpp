// A time limit for the handlers of a route, shorter than that of all requests.
#pragma once

#include <chrono>

#include "sake/app/context.hpp"
#include "sake/async/clock.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {
[[noreturn]] void throw_bad_limit();
}

namespace middleware {

/// What timeout() returns: middleware that is a coroutine.
class Deadline {
  public:
    template <class Unused = void>
    [[nodiscard]] Task<> operator()(Context& ctx) const;

  private:
    template <class Rep, class Period>
    friend Deadline timeout(std::chrono::duration<Rep, Period> limit);
    explicit Deadline(detail::Clock::duration limit) noexcept : limit_(limit) {}
    detail::Clock::duration limit_;
};

/// Gives what follows, a handler that is a coroutine or one in a worker, so much time to make its answer.
/// Then it is cancelled as by Config::request_timeout, and the answer is 504, or it is cut off if it has
/// begun to leave. The time in which a handler waits for its client counts. A plain handler holds the loop,
/// and cannot be cancelled. Throws std::invalid_argument unless the limit is positive.
///
///     app.get("/report", make_report).use(sake::middleware::timeout(2s));
template <class Rep, class Period>
[[nodiscard]] Deadline timeout(std::chrono::duration<Rep, Period> limit) {
    const detail::Clock::duration time = detail::to_clock(limit);
    if (time == time.zero()) detail::throw_bad_limit();
    return Deadline(time);
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
