// What the functions of H1BodySource do: the body of a request, read while its handler runs, over HTTP/1.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sake/app/body_bytes_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/http1/writer.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/h1_answer_stream.hpp"
#include "sake/server/h1_exchange.hpp"
#include "sake/server/h1_streams.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/transport.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline void H1BodySource::open(Shard& shard, Transport& transport) noexcept {
    attach(shard, transport);
    state_ = exchange_.reader.has_body_to_stream() ? State::open : State::ended;
    began_at_ = waited_to_ = ended_at_ = {};
}

inline bool H1BodySource::try_read(std::optional<std::string_view>& piece) {
    require_use("ctx.read: another task is reading this body");
    piece.reset();
    if (state_ == State::ended) return true;
    if (state_ != State::open) throw HttpError(refusal_status_, refusal_reason_);
    exchange_.runner.end_client_time();  // the handler has all its time anew
    return in_turn([&](Turn& turn) { return read(turn, piece); });
}

inline bool H1BodySource::read(Turn& turn, std::optional<std::string_view>& piece) {
    H1Reader& reader = exchange_.reader;
    BodyBytes& text = exchange_.call.request.body_storage;
    text.clear();
    for (;;) {
        const H1Reader::Progress progress = reader.read_piece(turn.input(), text);
        if (progress == H1Reader::Progress::refused) {
            refuse(State::refused, reader.refusal_status(), reader.refusal_reason());
        }
        if (progress == H1Reader::Progress::complete) {
            state_ = State::ended;
            ended_at_ = now();
        }
        if (!text.empty()) piece = text.view();
        if (!text.empty() || state_ == State::ended) return true;
        if (!receive(turn)) return false;
    }
}

// False if nothing more is here. A client that waits to be asked for the body is asked, unless the answer is
// on its way.
inline bool H1BodySource::receive(Turn& turn) {
    H1Reader& reader = exchange_.reader;
    Socket& socket = transport_->socket();
    if (is_lost_) return false;
    if (socket.can_receive()) {
        if (turn.receive(reader)) return true;
        lose();  // the end of the stream within the body
        return false;
    }
    if (reader.expects_continue() && !exchange_.answer.has_begun()) turn.append(http1::continue_response);
    reader.stop_expecting();
    if (turn.send() == Output::Result::failed) lose();
    return false;
}

inline void H1BodySource::refuse(State why, int status, std::string_view reason) {
    state_ = why;
    refusal_status_ = status;
    refusal_reason_ = reason;
    throw HttpError(status, refusal_reason_);
}

// Only the time in which the handler waits for the client counts.
inline TimePoint H1BodySource::wait_for_more(ClientWait& wait) {
    H1Reader& reader = exchange_.reader;
    if (began_at_ == TimePoint{}) began_at_ = waited_to_ = now();
    reader.body_rate().put_off(now() - waited_to_);
    const TimePoint due = Deadlines(*shard_).body_deadline(reader.body_rate(), began_at_, reader.streamed());
    return wake_when(transport_->has_unsent() ? writable : readable, wait, due);
}

inline void H1BodySource::give_up() { refuse(State::slow, 408, "the request did not arrive in time"); }

inline bool H1BodySource::finish(Turn& turn) {
    if (state_ != State::open) return state_ == State::ended;
    H1Reader& reader = exchange_.reader;
    BodyBytes& rest = exchange_.call.request.body_storage;
    for (;;) {
        rest.clear();
        const H1Reader::Progress progress = reader.read_piece(turn.input(), rest);
        if (progress != H1Reader::Progress::need_more) return progress == H1Reader::Progress::complete;
        const bool may_be_here =
            !reader.expects_continue() && !is_lost_ && transport_->socket().can_receive();
        if (!may_be_here || turn.receives++ > 0 || !turn.receive()) return false;
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
