// Span: the work on a request, as systems that show traces want it (OpenTelemetry, semantic
// conventions 1.44).
#pragma once

#include <chrono>
#include <string>

#include "sake/app/answered.hpp"
#include "sake/app/trace_context.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What Engine::on_span is told of a request. Valid during the call; its kind is "server".
struct Span {
    std::string name;                             // "GET /users/:id", or the method where no route matched
    const TraceContext& trace;                    // trace_id(), span_id(), parent_id(), tracestate()
    std::chrono::system_clock::time_point start;  // when the first byte of the request came
    std::chrono::nanoseconds duration{};          // until the answer left, of a stream until its end
    bool is_error = false;                        // the status is 5xx, or the answer has no end
    const Answered& answered;  // the attributes: method, route, status, bytes, cause, and ctx for the rest
};

namespace detail {

/// The trace of a request if it is recorded, else nullptr.
const TraceContext* recorded_trace(const Answered& answered) noexcept;
Span make_span(const Answered& answered, const TraceContext& trace);

/// What Engine::on_span gives to on_answered.
template <class F>
struct SpanObserver {
    void operator()(const Answered& answered) {
        const TraceContext* const trace = recorded_trace(answered);
        if (trace == nullptr) return;
        const Span span = make_span(answered, *trace);
        function(span);
    }
    F function;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
