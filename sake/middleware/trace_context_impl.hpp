// How trace_context gives a request its place in a trace.
#pragma once

#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/request_fields.hpp"
#include "sake/app/request_id.hpp"
#include "sake/app/trace_context_impl.hpp"
#include "sake/base/hash.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/middleware/id_source.hpp"
#include "sake/middleware/request_id_impl.hpp"
#include "sake/middleware/trace_context.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class TraceSteps final : public StepWork {
  public:
    static constexpr StepRule rules[] = {{"trace_context", "the second would begin another span"},
                                         {nullptr, nullptr}};
    static constexpr StepInfo info{"trace_context", rules};

    explicit TraceSteps(middleware::TraceContextOptions options) : options_(std::move(options)) {
        if (options_.response_field.empty()) return;
        check_own_field("trace_context: response_field", options_.response_field);
    }

    void run(Context& ctx) override {
        Call& call = Call::of(ctx);
        TraceContext& trace = call.state.get<TraceContext>();
        trace = {};
        if (!go_on(trace, call.request)) TraceWriter::begin(trace, ids_.next(), options_.sample_new);
        TraceWriter::set_span(trace, ids_.next().low);
        RequestId& id = call.state.get<RequestId>();
        if (id.text().empty()) IdWriter::write(id, trace.trace_id());
        if (!options_.response_field.empty()) ctx.set_header(options_.response_field, trace.traceparent());
    }

  private:
    bool go_on(TraceContext& trace, Request& request) const {
        if (!options_.trust_received) return false;
        const auto parent = single_field(request, "traceparent");
        if (!parent) return false;
        const auto state = list_field(request, "tracestate");
        return TraceWriter::go_on(trace, *parent, state.value_or(std::string_view()));
    }

    const middleware::TraceContextOptions options_;
    IdSource ids_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step trace_context(TraceContextOptions options) {
    return detail::StepMaker::make<detail::TraceSteps>(std::move(options));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
