// How a TraceContext is set, and written as a field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/app/trace_context.hpp"
#include "sake/base/hash.hpp"
#include "sake/http/trace_fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct TraceWriter {
    /// Goes on with the trace that a traceparent and a tracestate name; the span that sent it is the parent.
    /// False if they name none: what is malformed counts as absent.
    static bool go_on(TraceContext& trace, std::string_view traceparent, std::string_view tracestate) {
        const auto parent = TraceParent::parse(traceparent);
        if (!parent) return false;
        parent->trace_id.copy(trace.trace_id_.data(), trace.trace_id_.size());
        parent->span_id.copy(trace.parent_id_.data(), trace.parent_id_.size());
        trace.flags_ = parent->flags & TraceContext::sampled;
        if (TraceState::is_valid(tracestate)) trace.tracestate_ = tracestate;
        return true;
    }
    static void begin(TraceContext& trace, Hash128 id, bool is_sampled) noexcept {
        write_hex(id, trace.trace_id_.data());
        trace.flags_ = is_sampled ? TraceContext::sampled : 0;
    }
    static void set_span(TraceContext& trace, std::uint64_t id) noexcept {
        write_hex(id, trace.span_id_.data());
    }

    /// The same trace on the other side of a worker; `parent_id` is "" or that of the caller. False if a text
    /// is malformed.
    static bool restore(TraceContext& trace, std::string_view traceparent, std::string_view tracestate,
                        std::string_view parent_id) {
        const bool has_parent = parent_id.size() == trace.parent_id_.size() && is_trace_part(parent_id);
        if (!has_parent && !parent_id.empty()) return false;
        if (!tracestate.empty() && !TraceState::is_valid(tracestate)) return false;
        if (!go_on(trace, traceparent, tracestate)) return false;
        trace.span_id_ = trace.parent_id_;
        trace.parent_id_ = {};
        parent_id.copy(trace.parent_id_.data(), trace.parent_id_.size());
        return true;
    }
};

}  // namespace detail

SAKE_INLINE std::string TraceContext::traceparent() const {
    if (trace_id().empty()) return {};
    std::string text = "00-";
    text.append(trace_id()).append("-").append(span_id()).append(is_sampled() ? "-01" : "-00");
    return text;
}

}  // namespace SAKE_ABI
}  // namespace sake
