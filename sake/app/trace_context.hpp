// TraceContext: the position of a request in a trace through several programs (W3C Trace Context).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

namespace detail {
struct TraceWriter;
}

/// The trace of a request: ctx.state<sake::TraceContext>() returns it behind trace_context().
class TraceContext {
  public:
    /// 32 hex digits; "" if trace_context() has not run.
    [[nodiscard]] std::string_view trace_id() const noexcept { return text(trace_id_); }
    /// 16 hex digits: the id of this request's span.
    [[nodiscard]] std::string_view span_id() const noexcept { return text(span_id_); }
    /// The id of the span that sent this request; "" if the trace begins here.
    [[nodiscard]] std::string_view parent_id() const noexcept { return text(parent_id_); }
    /// Whether the trace is recorded (the sampled flag).
    [[nodiscard]] bool is_sampled() const noexcept { return (flags_ & sampled) != 0; }
    /// Data of tracing systems, to be passed on; "" if there is none.
    [[nodiscard]] std::string_view tracestate() const noexcept { return tracestate_; }

    /// The traceparent field for requests that are sent on behalf of this one.
    [[nodiscard]] std::string traceparent() const;
    /// Sets both fields on an outgoing request: `trace.add_to(request)` for an http::Request.
    template <class Request>
    void add_to(Request& request) const {
        if (trace_id().empty()) return;
        request.header("traceparent", traceparent());
        if (!tracestate().empty()) request.header("tracestate", tracestate());
    }

  private:
    friend struct detail::TraceWriter;
    static constexpr std::uint8_t sampled = 1;

    // Digits; a first one that is NUL stands for no id.
    template <std::size_t size>
    static std::string_view text(const std::array<char, size>& id) noexcept {
        return id[0] == '\0' ? std::string_view() : std::string_view(id.data(), size);
    }

    std::array<char, 32> trace_id_{};
    std::array<char, 16> span_id_{};
    std::array<char, 16> parent_id_{};
    std::uint8_t flags_ = 0;
    std::string tracestate_;
};

}  // namespace SAKE_ABI
}  // namespace sake
