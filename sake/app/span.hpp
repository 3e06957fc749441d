// Span: the work on one request, in the terms of tracing systems (OpenTelemetry, semantic conventions 1.44).
#pragma once

#include <chrono>
#include <string>

#include "sake/app/answered.hpp"
#include "sake/app/trace_context.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What Engine::on_span receives for a request. Valid during the call. Its span kind is "server".
struct Span {
    std::string name;                             // "GET /users/:id", or the method alone if no route matched
    const TraceContext& trace;                    // trace_id(), span_id(), parent_id(), tracestate()
    std::chrono::system_clock::time_point start;  // when the first byte of the request arrived
    std::chrono::nanoseconds duration{};          // until the answer left; of a stream, until its end
    bool is_error = false;                        // 5xx, a cut answer, or a client that left before its end
    const Answered& answered;  // attributes: method, route, status, bytes, cause, and ctx for the rest
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
