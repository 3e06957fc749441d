// How an H1Connection answers its calls: of handlers that are coroutines also how they end, by themselves or
// cut off.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/app/answered.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/on_head.hpp"
#include "sake/app/upgrade.hpp"
#include "sake/base/log.hpp"
#include "sake/server/h1_answer_stream.hpp"
#include "sake/server/h1_answerer.hpp"
#include "sake/server/h1_body_source.hpp"
#include "sake/server/h1_connection.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// --- Handlers that are coroutines ---

inline void H1Connection::call_ended() noexcept {
    Turn turn(shard_, transport_);
    try {
        conclude(turn);
    } catch (...) {
        lose(caught_exception());
    }
    go_on(turn);
}

inline void H1Connection::conclude(Turn& turn) {
    watch().hangup_listener = nullptr;
    H1Exchange& exchange = *exchange_;
    exchange.close_streams();
    was_slow_ = was_slow_ || exchange.body.was_slow();
    if (state_ == State::cut_off) {
        turn.drop_input();
        release_exchange();
        return become(State::lingering);
    }
    if (state_ == State::dead) return cut_stream();
    const bool leaves_body = !exchange.body.finish(turn);
    if (leaves_body) exchange.call.response.close = true;
    if (exchange.answer.has_begun()) {
        end_stream(turn);
    } else if (!all_has_left(turn)) {
        state_ = State::dead;
    } else {
        exchange.runner.answer_failure();
        respond(turn);
    }
    has_unread_ = has_unread_ || leaves_body;
}

/// Whether an answer can be gathered. Not behind a "100 Continue" that is held up, since the client does not
/// even read the answers before it.
inline bool H1Connection::all_has_left(Turn& turn) {
    return !transport_.has_unsent() || turn.send() == Output::Result::sent;
}

/// The handlers have ended whose answer has begun to leave.
inline void H1Connection::end_stream(Turn& turn) {
    H1AnswerStream& stream = exchange_->answer;
    if (!stream.end(turn)) {
        state_ = State::dead;
        return cut_stream();
    }
    const bool is_stopped = shard_.is_draining() && exchange_->runner.has_ended_early();
    if (is_stopped) exchange_->call.cause = AnswerCause::stop;
    tell_of_stream();
    if (is_stopped && transport_.has_unsent()) {
        UnsentOutput& unsent = transport_.unsent();
        unsent.rate.demand_by(now() + std::chrono::seconds(1), unsent.sent);
    }
    finish_request(turn, stream.closes() || exchange_->call.response.close || shard_.is_draining());
}

inline void H1Connection::tell_of_stream() noexcept {
    if (shard_.observers.empty()) return;
    const H1AnswerStream& stream = exchange_->answer;
    exchange_->call.response.status = stream.has_begun() ? stream.status() : no_answer;
    note_answer(shard_, *exchange_, stream.sent());
}

/// An answer that has begun has no end, or the client has left before it was made. Where the end would be
/// that of the connection, only a reset tells the answer from a whole one.
inline void H1Connection::cut_stream() noexcept {
    H1AnswerStream& stream = exchange_->answer;
    const bool has_left = exchange_->runner.end() == CallRunner::End::client_left;
    if (!stream.has_begun() && !has_left) return;
    exchange_->call.cause = stream.cause_of_cut();
    tell_of_stream();
    if (stream.has_begun() && stream.ends_with_connection()) transport_.give_up_output();
}

/// The client has left before its handler could begin.
inline void H1Connection::leave_unhandled() noexcept {
    state_ = State::dead;
    exchange_->answer.open(shard_, transport_);
    exchange_->call.cause = AnswerCause::client_closed;
    tell_of_stream();
}

inline void H1Connection::call_cut_off(CallRunner::End why) noexcept {
    watch().hangup_listener = nullptr;
    if (why == CallRunner::End::client_left) {
        state_ = State::dead;
    } else if (exchange_->answer.has_begun()) {
        if (exchange_->call.stop_requested) {
            log_quietly(shard_.config.log, LogLevel::warning, "a handler did not end when it was cancelled: ",
                        exchange_->call.route->description());
        } else {
            log_passed_limit("a streamed answer took too long in ");
        }
        state_ = State::dead;
        // The client need not wait for a handler that takes a while to end.
        if (!exchange_->answer.ends_with_connection()) static_cast<void>(transport_.socket().end_output());
    } else {
        log_passed_limit("a request took too long in ");
        answer_early(504, "the request took too long", AnswerCause::timeout);
    }
}

/// Says where the time went, and which limit it passed.
inline void H1Connection::log_passed_limit(std::string_view what) noexcept {
    try {
        const std::string where = exchange_->call.route->description() + ": it took longer than the " +
                                  exchange_->runner.passed_limit();
        log_quietly(shard_.config.log, LogLevel::warning, what, where);
    } catch (...) {
        // No memory for the line.
    }
}

inline void H1Connection::peer_hung_up(std::uint8_t ready) noexcept {
    const bool only_input_ended = (ready & broken) == 0;
    const H1BodySource& body = exchange_->body;
    if (only_input_ended && body.is_open()) return;  // the rest of the body may be here
    // A client that ends its input together with its request still reads; one that does so later has left.
    const TimePoint whole_since = std::max(state_since_, body.ended_at());
    const Clock::duration later =
        std::max(shard_.reactor.events_since() - whole_since, Clock::duration::zero());
    if (only_input_ended && later < shard_.config.half_close_window) return;
    watch().hangup_listener = nullptr;
    exchange_->runner.client_left();
}

/// Answers in place of the handler, which still has the request, so this is the only try; everything before
/// it has left.
inline void H1Connection::answer_early(int status, std::string_view detail, AnswerCause cause) noexcept {
    state_ = State::dead;
    try {
        Turn turn(shard_, transport_);
        if (!all_has_left(turn)) return;
        answer_refusal(exchange_->call, shard_.routes.root(), status, detail, cause);
        answer(turn, true);
        const bool is_sent = turn.send() == Output::Result::sent;
        const bool is_told = transport_.socket().end_output().ok();  // also if only a part could be sent
        if (is_sent && is_told) state_ = State::cut_off;
    } catch (...) {
        // No memory for an answer: the client sees the connection close.
    }
}

// --- Answering ---

inline void H1Connection::respond(Turn& turn) {
    if (exchange_->call.response.status == switching_protocols) [[unlikely]]
        return upgrade(turn);
    const bool wants_close = exchange_->call.response.close || shard_.is_draining();
    const bool close = wants_close || !exchange_->reader.keeps_alive();
    answer(turn, close);
    finish_request(turn, close);
}

/// The request has its answer.
inline void H1Connection::finish_request(Turn& turn, bool close) {
    H1Reader& reader = exchange_->reader;
    const bool has_body_to_come = reader.expects_continue();
    reader.finish(turn.input());
    if (state_ == State::dead) return;
    become(close ? State::closing : State::idle);
    has_unread_ = close && (!turn.input().bytes().empty() || has_body_to_come);
}

/// Answers a request that cannot be served and ends the connection: what follows it has no certain meaning.
inline H1Connection::Progress H1Connection::refuse(Turn& turn, int status, std::string_view detail,
                                                   AnswerCause cause) {
    take_exchange();
    exchange_->reader.take_what_is_known(turn.input().bytes());
    answer_refusal(exchange_->call, shard_.routes.root(), status, detail, cause);
    answer(turn, true);
    release_exchange();
    if (state_ != State::dead) become(State::closing);
    has_unread_ = true;
    return Progress::again;
}

// Sends what is gathered; false if some of it is unsent or the connection is broken, so that the loop has to
// look.
inline bool H1Connection::send_gathered(Turn& turn) {
    const Output::Result result = turn.send();
    if (result == Output::Result::failed) state_ = State::dead;
    return result == Output::Result::sent;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
