// How an answer in pieces begins, and how WriteWait writes one.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/body_writer.hpp"
#include "sake/app/call.hpp"
#include "sake/app/client_wait_impl.hpp"
#include "sake/async/timer.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE void Call::require_unsent(const char* setter) const {
    if (!answerer->has_begun()) return;
    throw std::logic_error(std::string(setter) +
                           ": the head of this answer has been sent: set it before the "
                           "first write, or in a function given to ctx.after");
}

inline void require_body_of(int status) {
    if (has_body(status)) return;
    throw std::logic_error("ctx.stream: an answer with status " + std::to_string(status) + " has no body");
}

/// Before the head of a streamed answer leaves: runs what Context::after was given. What that throws is
/// thrown on, as if the handler had thrown it, since the answer can still become an error.
inline void prepare_stream(Call& call) {
    if (call.answerer->has_begun()) return;
    while (!call.afters.empty()) {
        const auto after = call.afters.take_front();
        const RunningScope scope(call, Running::before_stream);
        after->run(call.context);
    }
    require_body_of(call.response.status);
    if (call.response.body.empty()) return;
    throw std::logic_error("ctx.stream: the answer has been given a whole body since");
}

/// Sends the head of a streamed answer now, before the first write. What the client does not take at once
/// leaves with the first write.
inline void send_head(Call& call) {
    prepare_stream(call);
    std::string_view no_bytes;
    static_cast<void>(call.answerer->write(no_bytes));
}

/// Makes the call's answer one that is streamed.
inline void begin_stream(Call& call, std::string_view content_type) {
    if (call.place.in_worker_pool) {
        throw std::logic_error(
            "ctx.stream: a worker route answers as a whole; stream from a route without worker(), "
            "and compute in it by co_await sake::background(...)");
    }
    if (call.running == Running::after || call.running == Running::before_stream) {
        throw std::logic_error("ctx.stream: a function given to ctx.after cannot stream: the answer is made");
    }
    if (call.running == Running::on_error) {
        throw std::logic_error("ctx.stream: on_error cannot stream: it changes an answer that is whole");
    }
    if (call.answerer == nullptr || call.running == Running::plain) {
        throw std::logic_error(
            "ctx.stream: the handler must be a coroutine, one that returns sake::Task<>, "
            "since writing waits for the client");
    }
    if (call.answerer->has_begun()) throw std::logic_error("ctx.stream: the answer has begun already");
    require_body_of(call.response.status);
    call.response.set_type(content_type);
    call.response.body.clear();
    call.answerer->farewell.clear();  // of an event stream that did not begin
}

SAKE_INLINE WriteWait::~WriteWait() = default;

SAKE_INLINE void WriteWait::await_resume() { throw_failure(); }

SAKE_INLINE bool WriteWait::try_write() {
    if (bytes_.empty() && !is_held_up_) return true;
    Call& call = call_.running();
    prepare_stream(call);
    is_held_up_ = !call.answerer->write(bytes_);
    return !is_held_up_;
}
SAKE_INLINE TimePoint WriteWait::listen_for_room() { return call_.running().answerer->wait_for_room(*this); }
SAKE_INLINE void WriteWait::leave() noexcept {
    if (Call* const call = call_.get()) call->answerer->stop_waiting();
}
SAKE_INLINE void WriteWait::break_off() noexcept {
    Call* const call = call_.get();
    if (call == nullptr || bytes_.empty()) return;
    if (bytes_.size() < size_ || call->answerer->owes()) call->answerer->break_off();
}
SAKE_INLINE TimePoint WriteWait::prolong() { return call_.running().answerer->prolong_or_give_up(); }

}  // namespace detail

SAKE_INLINE auto BodyWriter::write(std::string_view bytes) noexcept
    -> detail::Operation<detail::WriteWait, detail::PieceOf> {
    return detail::Operation<detail::WriteWait, detail::PieceOf>(detail::PieceOf(call_, bytes));
}

}  // namespace SAKE_ABI
}  // namespace sake
