// BodyWriter: the body of an answer as a handler writes it, in pieces.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/answerer.hpp"
#include "sake/app/call.hpp"
#include "sake/app/client_wait.hpp"
#include "sake/app/route.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What is to be written, and for which call.
struct PieceOf {
    PieceOf(CallHandle of, std::string_view text) noexcept : call(std::move(of)), bytes(text) {}
    CallHandle call;
    std::string_view bytes;
};

class WriteWait;

}  // namespace detail

/// What Context::stream returns: a view of the call, for as long as its handler runs. It may be copied. A
/// write after that throws std::logic_error.
class BodyWriter {
  public:
    /// Sends these bytes, and waits while the client is slow to take them. The first write sends the head of
    /// the answer before them. Nothing for no bytes. One at a time: a second one that begins meanwhile throws
    /// std::logic_error. Throws Cancelled when the client leaves or is too slow.
    [[nodiscard]] detail::Operation<detail::WriteWait, detail::PieceOf> write(
        std::string_view bytes) noexcept;

  private:
    friend class Context;
    explicit BodyWriter(detail::Call& call) : call_(call) {}

    detail::CallHandle call_;
};

namespace detail {

inline void Call::require_unsent(const char* setter) const {
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
        const RunningScope scope(call, Running::after);
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
    if (call.running == Running::after) {
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
}

class [[nodiscard]] WriteWait final : public ClientWait {
  public:
    explicit WriteWait(const PieceOf& piece) noexcept
        : call_(piece.call), bytes_(piece.bytes), size_(bytes_.size()) {}
    void await_resume() { throw_failure(); }
    void describe(std::string& out) const override { out += "a client to take an answer"; }

  private:
    bool try_now() override {
        if (bytes_.empty() && !is_held_up_) return true;
        Call& call = call_.running();
        prepare_stream(call);
        is_held_up_ = !call.answerer->write(bytes_);
        return !is_held_up_;
    }
    TimePoint wake_later() override { return call_.running().answerer->wait_for_room(*this); }
    void stop_waiting() noexcept override {
        if (Call* const call = call_.get()) call->answerer->stop_waiting();
    }
    void give_up_rest() noexcept override {
        Call* const call = call_.get();
        if (call == nullptr || bytes_.empty()) return;
        if (bytes_.size() < size_ || call->answerer->owes()) call->answerer->break_off();
    }
    TimePoint be_late() override { return call_.running().answerer->prolong_or_give_up(); }

    const CallHandle call_;
    std::string_view bytes_;  // what is left
    const std::size_t size_;  // of all of them
    bool is_held_up_ = false;
};

}  // namespace detail

inline auto BodyWriter::write(std::string_view bytes) noexcept
    -> detail::Operation<detail::WriteWait, detail::PieceOf> {
    return detail::Operation<detail::WriteWait, detail::PieceOf>(detail::PieceOf(call_, bytes));
}

}  // namespace SAKE_ABI
}  // namespace sake
