// How an H1Connection waits for its client, and how it closes: because a deadline has passed, or because the
// server asks it to.
#pragma once

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/base/maybe.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/h1_calls.hpp"
#include "sake/server/h1_connection.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// --- Waiting and closing ---

inline H1Connection::Next H1Connection::wait_to_read(Turn& turn) {
    if (state_ == State::idle) {
        release_exchange();
        account_memory(turn);
    }
    set_deadline(reading_deadline());
    return Next::read;
}

inline TimePoint H1Connection::reading_deadline() {
    const Deadlines deadlines(shard_);
    if (state_ == State::idle) return deadlines.request_deadline(state_since_, !has_served_);
    if (state_ == State::head) return deadlines.head_deadline(state_since_);
    H1Reader& reader = exchange_->reader;
    return deadlines.body_deadline(reader.body_rate(), state_since_, reader.body_received());
}

inline H1Connection::Next H1Connection::wait_to_write(Turn& turn) {
    if (state_ == State::idle) release_exchange();
    if (!account_memory(turn)) return Next::close;
    UnsentOutput& unsent = transport_.unsent();
    set_deadline(Deadlines(shard_).answer_deadline(unsent.rate, unsent.since, unsent.sent));
    static_cast<void>(transport_.socket().taken_by_peer());  // from here on
    return Next::write;
}

inline bool H1Connection::client_takes_on() noexcept {
    if (!transport_.has_unsent()) return false;
    try {
        const TimePoint due =
            Deadlines(shard_).prolonged_answer(transport_.unsent().rate, transport_.socket().taken_by_peer());
        if (due == TimePoint{}) return false;
        set_deadline(due);
        return true;
    } catch (const std::bad_alloc&) {
        return false;  // no memory for another deadline
    }
}

inline void H1Connection::ran_out_of_time(Turn& turn) {
    const bool in_request = state_ == State::head || state_ == State::body;
    Socket& socket = transport_.socket();
    if (is_between_requests() && watch().is_readable()) return;  // a request that came in this very turn
    const bool may_go_on = !transport_.has_unsent() && socket.unacknowledged() > 0;
    if (in_request && !transport_.has_unsent() && exchange_ && exchange_->call.is_aborted) {
        answer_without_body(turn);  // its middleware has answered, and a small body was waited for
    } else if (in_request && !transport_.has_unsent()) {
        was_slow_ = true;
        refuse(turn, shard_.is_draining() ? 503 : 408, "the request did not arrive in time",
               shard_.is_draining() ? AnswerCause::stop : AnswerCause::timeout);
    } else if (may_go_on && state_ == State::idle) {
        become(State::closing);
    } else {
        if (!may_go_on || state_ != State::lingering) state_ = State::dead;
        // A client that has received some of it since the last look receives the rest from the kernel.
        if (may_go_on && !socket.peer_goes_on() && has_lingered()) transport_.give_up_output();
    }
}

inline H1Connection::Next H1Connection::linger(Turn& turn) {
    if (has_lingered()) return Next::close;
    for (int receives = 0; transport_.socket().can_receive(); ++receives) {
        if (receives == Turn::most_receives) return Next::yield;
        if (!turn.receive()) return Next::close;
        turn.drop_input();
    }
    account_memory(turn);
    set_deadline(lingering_deadline());
    return Next::read;
}

inline void H1Connection::deadline_passed(Timer& timer) noexcept {
    auto& connection = static_cast<H1Connection&>(timer);
    if (!connection.is_waiting()) return;  // a handler runs, which has a deadline of its own
    if (connection.client_takes_on()) return;
    connection.deadline_passed_ = true;
    connection.cut_short();
}

// --- What the server asks for ---

inline SessionPhase H1Connection::phase() const noexcept {
    switch (state_) {
        case State::idle:
            return transport_.has_unsent() ? SessionPhase::writing : SessionPhase::idle;
        case State::head:
        case State::body:
            return SessionPhase::reading;
        case State::ready:
        case State::cut_off:
            return SessionPhase::handling;
        case State::handling:
            return exchange_->answer.has_begun() ? SessionPhase::streaming : SessionPhase::handling;
        default:
            return SessionPhase::closing;
    }
}

inline void H1Connection::begin_drain() noexcept {
    try {
        if (state_ == State::head) become(State::head);  // it has a moment from now on
        const bool reads = state_ == State::head && !transport_.has_unsent();
        if (is_between_requests() || reads) set_deadline(reading_deadline());
        if (state_ == State::lingering) set_deadline(lingering_deadline());
        const bool streams = state_ == State::handling && exchange_->answer.has_begun();
        if (streams && shard_.config.end_streams_at_stop) exchange_->runner.end_early();
    } catch (const std::bad_alloc&) {
        abandon(503, {});  // no memory for a shorter deadline: it ends now
    }
}

inline Maybe<TimePoint> H1Connection::idle_since() const noexcept {
    if (state_ == State::lingering && !is_read_slowly()) return state_since_;
    if (!is_between_requests() || !has_served_ || !is_waiting()) return {};
    return state_since_;
}

inline void H1Connection::make_room() noexcept {
    if (state_ == State::lingering) return drop();
    if (transport_.socket().has_input()) return;  // it is idle no more
    become(State::closing);
    cut_short();
}

inline void H1Connection::abandon(int status, std::string_view detail) noexcept {
    const bool is_unanswered = state_ == State::handling && !exchange_->answer.has_begun();
    if (is_unanswered) answer_early(status, detail, AnswerCause::stop);
    if (state_ != State::cut_off) return drop();
    watch().hangup_listener =
        nullptr;  // a handler is cancelled once; that its client leaves now does not matter
    exchange_->runner.drop();
}

inline void H1Connection::drop() noexcept {
    watch().hangup_listener = nullptr;
    state_ = State::dead;
    cut_short();
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
