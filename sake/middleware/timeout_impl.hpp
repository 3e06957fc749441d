// How timeout ends what takes too long.
#pragma once

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/call_impl.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/response.hpp"
#include "sake/async/combinators.hpp"
#include "sake/base/error.hpp"
#include "sake/base/log.hpp"
#include "sake/middleware/timeout.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void throw_bad_limit() { throw std::invalid_argument("timeout: the limit must be positive"); }

/// The answer of a call whose handlers have been cancelled since their time was up.
inline void answer_late(Call& call) {
    if (call.answerer != nullptr && call.answerer->has_begun()) throw TimedOut("the handler took too long");
    call.is_aborted = true;
    call.cause = AnswerCause::timeout;
    call.response.set_problem(504, "the request took too long");
    call.place.errors->report(call, LogLevel::warning, "the time that its route gives it is over",
                              " took too long");
}

}  // namespace detail

namespace middleware {

template <class Unused>
Task<> Deadline::operator()(Context& ctx) const {
    bool is_late = false;
    try {
        // A type that depends on Unused, or each program compiles sake::timeout.
        std::conditional_t<true, Task<>, Unused> rest = ctx.next();
        auto limited = sake::timeout(std::move(rest), limit_);
        co_await std::move(limited);
    } catch (const TimedOut&) {  // not one of the handler's own, which next() answers
        is_late = true;
    }
    if (is_late) detail::answer_late(detail::Call::of(ctx));
}

#if defined(SAKE_IMPLEMENTATION)
template Task<> Deadline::operator()<void>(Context& ctx) const;
#endif

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
