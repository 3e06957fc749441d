// What the functions of H1AnswerStream do: an answer that leaves in pieces, over HTTP/1. And what both kinds
// of H1Stream share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/body_encoder.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/async/sys.hpp"
#include "sake/base/byte_buffer.hpp"
#include "sake/base/error.hpp"
#include "sake/http/message.hpp"
#include "sake/http1/chunked.hpp"
#include "sake/http1/writer.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/h1_exchange.hpp"
#include "sake/server/h1_streams.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/transport.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// --- Both kinds ---

inline void H1Stream::require_use(const char* what) const {
    if (exchange_.runner.end() != CallRunner::End::answered) throw Cancelled();
    if (waiting_ != nullptr) throw std::logic_error(what);
}

inline void H1Stream::lose() noexcept {
    is_lost_ = true;
    exchange_.runner.client_left();
}

inline TimePoint H1Stream::wake_when(Readiness direction, ClientWait& wait, TimePoint due) noexcept {
    waiting_ = &wait;
    exchange_.runner.begin_client_time();
    if (is_lost_) return TimePoint::max();  // a cancellation ends the wait
    Socket& socket = transport_->socket();
    const Readiness needed = socket.needed_for(direction);
    awaited_.emplace(needed);
    socket.watch().wait_for(needed, wait.signal());
    return due;
}

// Nothing would tell a socket that it may send on: it may already.
inline TimePoint H1Stream::wake_after_others(ClientWait& wait) noexcept {
    waiting_ = &wait;
    exchange_.runner.begin_client_time();
    if (is_lost_) return TimePoint::max();
    shard_->reactor.take_events_next();
    wait.signal().wake(shard_->reactor);
    return TimePoint::max();
}

inline void H1Stream::stop_waking() noexcept {
    waiting_ = nullptr;
    // A wait that was told of nothing must not take the place of the other stream.
    if (awaited_) transport_->socket().watch().give_up(*awaited_);
    awaited_.reset();
    exchange_.runner.end_client_time();
}

inline void H1Stream::close() noexcept {
    if (waiting_ == nullptr) return;
    ClientWait& left_behind = *waiting_;
    stop_waking();
    left_behind.call_has_ended();
}

inline TimePoint H1Stream::now() const noexcept { return shard_->reactor.now(); }

template <class Work>
auto H1Stream::in_turn(Work work) {
    Turn turn(*shard_, *transport_);
    try {
        const auto result = work(turn);
        const BodyEncoder* const encoder = exchange_.answer.encoder.get();
        const std::size_t of_encoder = encoder != nullptr ? encoder->memory() : 0;
        const std::size_t others = exchange_.reader.held_bytes() + exchange_.call.form_bytes + of_encoder;
        if (!turn.account_memory(others)) give_up_client();
        turn.end();
        return result;
    } catch (...) {
        exchange_.call.response.close = true;
        throw;
    }
}

// --- The answer ---

inline bool H1AnswerStream::write(std::string_view& bytes) {
    require_use("out.write: another task is writing this answer");
    if (state_ == State::complete) {
        bytes = {};
        return true;
    }
    if (state_ == State::broken) {
        throw std::logic_error(
            "out.write: an earlier write was given up in its middle, so the answer is cut here");
    }
    const bool stops = shard_->is_draining() && shard_->config.end_streams_at_stop;
    const bool begins_late = state_ == State::whole && stops;
    if (begins_late && farewell.empty()) throw HttpError(503, "the server is stopping");
    try {
        const bool is_sent = in_turn([&](Turn& turn) { return send(turn, bytes); });
        if (!is_sent) note_what_client_takes();
        // It was of events: a browser that gets a 503 never comes again. Now it is told when to.
        if (begins_late) exchange_.runner.end_early();
        return is_sent;
    } catch (...) {
        if (has_begun()) give_up_client();  // what was gathered is gone: the head, or a part of a chunk
        throw;
    }
}

inline bool H1AnswerStream::send(Turn& turn, std::string_view& bytes) {
    constexpr std::size_t most_encoded = 64 * 1024;  // then it is the turn of others
    const std::size_t size = bytes.size();
    for (;;) {
        Output::Result result = Output::Result::sent;
        if (is_lost_) return false;
        if (transport_->has_unsent()) {
            result = turn.send();
        } else if (state_ == State::whole) {
            append_head(turn);
            if (bytes.empty() || state_ == State::complete) result = turn.send();
        }
        if (result == Output::Result::sent && state_ == State::complete) bytes = {};
        if (result == Output::Result::sent && !bytes.empty()) result = send_chunk(turn, bytes);
        if (result == Output::Result::failed) lose();
        if (result != Output::Result::sent) return false;
        if (bytes.empty()) return true;
        if (encoder && size - bytes.size() >= most_encoded) return false;
    }
}

// One chunk, or the rest of one that has begun. What the socket does not take of it stays where it is, in the
// bytes of the write. Only a small rest is copied: then all of the bytes are on their way.
inline Output::Result H1AnswerStream::send_chunk(Turn& turn, std::string_view& bytes) {
    if (encoder) [[unlikely]]
        return send_encoded(turn, bytes);
    constexpr std::size_t largest = std::size_t{1024} * 1024;  // each costs the client a wake-up
    constexpr std::size_t worth_copying = 16 * 1024;
    const std::size_t most_kept = std::clamp<std::size_t>(shard_->config.output_soft_limit, 1, 64 * 1024);
    const std::string_view end = is_chunked_ ? http1::chunk_end : std::string_view();
    const std::string_view piece = bytes.substr(0, owes() ? owed_ : largest);
    if (is_chunked_ && !owes()) turn.gathered().append(http1::ChunkLine(piece.size()).view());
    std::string_view left = piece;
    Output::Result result = Output::Result::sent;
    if (piece.size() > std::min(worth_copying, most_kept)) {
        result = turn.send_with(left, end, most_kept);
    } else {
        turn.gathered().append(piece).append(end);
        left = {};
        result = turn.send();
    }
    owed_ = left.size();
    sent_ += piece.size() - left.size();
    bytes.remove_prefix(piece.size() - left.size());
    return result;
}

// A little at a time, and what that becomes is copied: so nothing of it is ever owed.
inline Output::Result H1AnswerStream::send_encoded(Turn& turn, std::string_view& bytes) {
    constexpr std::size_t largest = 16 * 1024;
    const std::string_view piece = bytes.substr(0, largest);
    const bool is_last = piece.size() == bytes.size();
    append_piece(turn, piece, is_last ? BodyEncoder::Behind::pause : BodyEncoder::Behind::more);
    bytes.remove_prefix(piece.size());
    return turn.send();
}

inline void H1AnswerStream::append_head(Turn& turn) {
    transport_->socket().count_taken_anew();
    Call& call = exchange_.call;
    Response& response = call.response;
    if (encoder) response.headers.set("Content-Encoding", encoder->coding());
    const H1Reader& reader = exchange_.reader;
    is_chunked_ = !reader.is_http_1_0();
    closes_ = !is_chunked_ || !reader.keeps_alive() || response.close || shard_->is_draining();
    http1::ResponseHead head;
    head.status = response.status;
    head.content_type = response.content_type();
    head.body = is_chunked_ ? http1::BodyLine::chunked : http1::BodyLine::none;
    head.date_line = shard_->date_line();
    if (closes_) head.connection = http1::ConnectionLine::close;
    http1::append_response_head(turn.gathered(), head, response.headers);
    state_ = State::begun;
    status_ = response.status;
    exchange_.runner.lift_time_limit();
    if (call.request.known_method != Method::head) return;
    state_ = State::complete;
    exchange_.runner.end_early();
}

// Only the time in which the handler waits for the client counts, and all bytes that the client has taken.
inline TimePoint H1AnswerStream::wait_for_room(ClientWait& wait) {
    TimePoint due = TimePoint::max();
    if (transport_->has_unsent()) {
        if (began_at_ == TimePoint{}) began_at_ = waited_to_ = now();
        rate_.put_off(now() - waited_to_);
        waited_to_ = now();
        const std::uint64_t unsent = transport_->unsent().bytes();
        taken_ = std::max(taken_, sent_ - std::min(sent_, unsent));
        due = Deadlines(*shard_).answer_deadline(rate_, began_at_, taken_);
    } else if (encoder && transport_->socket().watch().is_writable()) {
        return wake_after_others(wait);
    }
    return wake_when(writable, wait, due);
}

inline void H1AnswerStream::note_what_client_takes() noexcept {
    taken_in_time_ += transport_->socket().taken_by_peer();
}

inline TimePoint H1AnswerStream::prolong_or_give_up() noexcept {
    note_what_client_takes();
    const TimePoint due =
        Deadlines(*shard_).prolonged_answer(rate_, std::exchange(taken_in_time_, std::uint64_t{0}));
    if (due == TimePoint{}) give_up_client();
    return due;
}

inline const Config& H1AnswerStream::config() const noexcept { return shard_->config; }

inline bool H1AnswerStream::end(Turn& turn) {
    const CallRunner& runner = exchange_.runner;
    const bool is_whole = !is_lost_ && state_ != State::broken && !owes() &&
                          exchange_.call.cause != AnswerCause::cut &&
                          (!runner.has_failed() || runner.has_ended_early());
    if (!is_whole) return false;
    if (state_ == State::complete) return true;
    if (runner.has_ended_early() && !farewell.empty()) {
        append_piece(turn, farewell, BodyEncoder::Behind::more);
    }
    if (encoder) append_piece(turn, {}, BodyEncoder::Behind::end);
    if (is_chunked_) turn.append(http1::last_chunk);
    return true;
}

inline AnswerCause H1AnswerStream::cause_of_cut() const noexcept {
    const bool is_gone = is_lost_ || exchange_.runner.end() == CallRunner::End::client_left;
    const bool has_left = is_gone && !was_given_up() && !exchange_.body.was_given_up();
    return has_left ? AnswerCause::client_closed : AnswerCause::cut;
}

inline void H1AnswerStream::append_piece(Turn& turn, std::string_view piece, BodyEncoder::Behind behind) {
    if (!encoder) return append_bytes(turn, piece);
    ByteBuffer encoded;
    encoder->encode(piece, behind, encoded);
    if (!encoded.empty()) append_bytes(turn, encoded.view());
}

inline void H1AnswerStream::append_bytes(Turn& turn, std::string_view bytes) {
    sent_ += bytes.size();
    if (!is_chunked_) return turn.append(bytes);
    std::string chunk;
    http1::append_chunk(chunk, bytes);
    turn.append(chunk);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
