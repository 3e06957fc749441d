// What a Call does besides holding what it is made of.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <stop_token>
#include <string_view>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/call_limits.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/request_impl.hpp"
#include "sake/app/response_impl.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE Call::~Call() { end_handles(); }

SAKE_INLINE void Call::throw_no_body() {
    if (body_state >= BodyState::streamed) {
        throw std::logic_error(
            "ctx.body: the route has stream_body(), so its body is read in pieces, by co_await "
            "ctx.read()");
    }
    body_state = BodyState::asked_for;
    throw BodyNeeded();
}
SAKE_INLINE void Call::request_stop() noexcept {
    stop_requested = true;
    stop_source.request_stop();
}

SAKE_INLINE void Call::end_handles() noexcept {
    if (!handle) return;
    handle->call = nullptr;
    handle.reset();
}

SAKE_INLINE void Call::clear() noexcept {
    state.clear();
    request.clear();
    response.clear();
    route = nullptr;
    position = 0;
    body_limit = no_body_limit;
    is_aborted = false;
    stop_requested = false;
    has_time_limit = false;
    cause = AnswerCause::handler;
    error = nullptr;
    remote_address.clear();
    if (stop_source.stop_possible()) stop_source = std::stop_source(std::nostopstate);
    afters.clear();
}

SAKE_INLINE Context& context_of(Call& call) noexcept { return call.context; }
SAKE_INLINE std::string_view path_param(Call& call, std::size_t index) { return call.request.param(index); }

SAKE_INLINE CallHandle::CallHandle(Call& call) {
    if (!call.handle) call.handle = CountedPtr<CallSpot>(new CallSpot(call));
    spot_ = call.handle;
}
SAKE_INLINE Call& CallHandle::running() const {
    if (spot_->call == nullptr) throw std::logic_error(has_ended);
    return *spot_->call;
}

SAKE_INLINE CallHandle handle_of_running(Call& call) {
    const bool is_running = call.answerer != nullptr || call.place.in_worker_pool;
    if (!is_running) throw std::logic_error(CallHandle::has_ended);
    return CallHandle(call);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
