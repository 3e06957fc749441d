// How the span of a request is made of its answer.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "sake/app/call_impl.hpp"
#include "sake/app/span.hpp"
#include "sake/async/sleep.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE const TraceContext* recorded_trace(const Answered& answered) noexcept {
    const TraceContext* const trace = Call::of(answered.ctx).state.find<TraceContext>();
    return trace != nullptr && trace->is_sampled() ? trace : nullptr;
}

SAKE_INLINE Span make_span(const Answered& answered, const TraceContext& trace) {
    using Cause = AnswerCause;
    // A client may invent any method, and names of spans are to be few.
    const bool is_known = method_from(answered.method) != Method::other;
    std::string name(is_known ? answered.method : std::string_view("HTTP"));
    const std::string_view route = answered.ctx.route();
    if (!route.empty()) name.append(" ").append(route);
    const auto start =
        wall_now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(answered.duration);
    const bool has_no_end = answered.cause == Cause::cut || answered.cause == Cause::client_closed;
    return {std::move(name), trace, start, answered.duration, answered.status >= 500 || has_no_end, answered};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
