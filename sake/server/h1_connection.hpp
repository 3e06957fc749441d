// H1Connection: a session that speaks HTTP/1. `advance` does all that needs no waiting (read, parse, answer
// plain routes, send) and says what to wait for. Where the bytes are is in turn.hpp and transport.hpp, for
// how long it waits in deadlines.hpp, what the bytes mean in h1_reader.hpp, and how a handler runs that is a
// coroutine in app/call_runner.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/chain.hpp"
#include "sake/app/on_head.hpp"
#include "sake/base/log.hpp"
#include "sake/base/peer_address.hpp"
#include "sake/http1/writer.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/h1_answerer.hpp"
#include "sake/server/h1_exchange.hpp"
#include "sake/server/session.hpp"
#include "sake/server/shard.hpp"
#include "sake/server/transport.hpp"
#include "sake/server/turn.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// No coroutine, so that an idle one costs little: the reactor resumes the object itself, and only a handler
/// that is a coroutine has a fiber. Owns itself: `serve` makes it, and it deletes itself when it closes.
///
///   state       what happens                                         goes on to
///   idle        between two requests; nothing of the next is here    head, body, ready, closing,
///                                                                    idle (answered)
///   head        a head has begun                                     body, ready, idle (answered), closing
///   body        a body is being received                             ready, idle (answered), closing
///   ready       the request is complete, and its handler, which is   handling
///               a coroutine, waits until the answers before it left
///   handling    that handler runs                                    idle (answered), closing, cut_off
///   cut_off     the client has its answer (504, 503), and the        lingering
///               handler, which was cancelled, has yet to end
///   closing     the last answer is being sent                        lingering, or deleted
///   lingering   nothing more is sent; input is read and dropped,     deleted
///               so that the client can read the last answer
///   dead        closes at its next turn; a handler ends first        deleted
///
/// Any state goes on to dead when the connection breaks, is dropped, runs out of time or of memory.
class H1Connection final : private Resumable, public Session, private CallRunner::Owner, private Timer {
  public:
    /// Serves what comes through the socket, or through the wire over it, until it closes. Throws what a lack
    /// of memory or of room in the poller throws.
    static void serve(Shard& shard, FileDescriptor socket, const PeerAddress& peer,
                      std::unique_ptr<Wire> wire = nullptr) {
        (new H1Connection(shard, std::move(socket), peer, std::move(wire)))->resume();
    }

    [[nodiscard]] bool is_busy() const noexcept override {
        return !is_between_requests() && state_ != State::lingering && state_ != State::dead;
    }
    void begin_drain() noexcept override;
    [[nodiscard]] std::optional<TimePoint> idle_since() const noexcept override;
    [[nodiscard]] bool is_read_slowly() const noexcept override {
        return transport_.socket().unacknowledged() > 0;
    }
    void make_room() noexcept override;
    void abandon(int status, std::string_view detail) noexcept override;
    void drop() noexcept override;
    void end_if_free() noexcept override {
        if (!has_handler()) delete this;
    }

  private:
    enum class State : std::uint8_t { idle, head, body, ready, handling, cut_off, closing, lingering, dead };
    /// What the connection needs before it can go on.
    enum class Next : std::uint8_t { read, write, handle, yield, close };
    enum class Progress : std::uint8_t { need_input, again, handle };

    H1Connection(Shard& shard, FileDescriptor socket, const PeerAddress& peer, std::unique_ptr<Wire> wire)
        : Timer(&deadline_passed),
          shard_(shard),
          transport_(shard.reactor, shard.memory, std::move(socket), std::move(wire)),
          state_since_(shard.reactor.now()),
          peer_(peer) {
        shard_.sessions.add(*this);
    }
    ~H1Connection() override {
        shard_.sessions.remove(*this);
        shard_.room.set();
        shard_.reactor.deadlines().cancel(*this);
        release_exchange();
    }

    // Turns.
    void resume() override;
    void go_on(Turn& turn);
    void wait_for(Next next);
    void cut_short() noexcept;
    void lose(const std::exception_ptr& why) noexcept;
    Next advance(Turn& turn);

    // Reading a request.
    Progress progress(Turn& turn);
    Progress read_request(Turn& turn);
    bool decides_on_head(Turn& turn);
    void answer_without_body(Turn& turn);
    Progress start_handler(Turn& turn);

    // Handlers that are coroutines.
    void call_ended() noexcept override;
    void call_cut_off(CallRunner::End why) noexcept override;
    void peer_hung_up(std::uint8_t ready) noexcept override;
    void conclude(Turn& turn);
    void answer_early(int status, std::string_view detail, AnswerCause cause) noexcept;

    // Answering.
    void respond(Turn& turn);
    Progress refuse(Turn& turn, int status, std::string_view detail, AnswerCause cause);
    Progress refuse_for_memory(Turn& turn) {
        return refuse(turn, 503, "the server has no memory to spare for this request", AnswerCause::overload);
    }
    void answer(Turn& turn, bool close) {
        if (!send_answer(shard_, turn, *exchange_, close)) state_ = State::dead;
    }
    bool send_gathered(Turn& turn);

    // Waiting and closing.
    void ran_out_of_time(Turn& turn);
    Next wait_to_read(Turn& turn);
    Next wait_to_write(Turn& turn);
    Next linger(Turn& turn);
    static void deadline_passed(Timer& timer) noexcept;

    void become(State state) noexcept {
        state_ = state;
        state_since_ = now();
    }
    // The first head is due as a whole since the client came, a later one since its first byte.
    void begin_head() noexcept {
        if (has_served_ || shard_.is_draining()) return become(State::head);
        state_ = State::head;
    }
    [[nodiscard]] bool has_lingered() const noexcept {
        return now() - state_since_ >= Deadlines(shard_).longest_lingering(was_slow_);
    }
    void set_deadline(TimePoint deadline) { shard_.reactor.deadlines().set(*this, deadline); }
    [[nodiscard]] TimePoint reading_deadline();
    [[nodiscard]] TimePoint lingering_deadline() const {
        return Deadlines(shard_).lingering_deadline(state_since_, was_slow_);
    }
    bool is_asked_for_room() noexcept {
        if (state_ != State::idle || !has_served_) return false;
        return std::exchange(shard_.wants_room, false);
    }

    [[gnu::always_inline]] bool account_memory(Turn& turn) {
        return turn.account_memory(exchange_ ? exchange_->reader.held_bytes() : 0);
    }
    void take_exchange() {
        if (!exchange_) exchange_ = shard_.take_exchange(peer_);
    }
    void release_exchange() noexcept {
        if (exchange_) shard_.give_back(std::move(exchange_));
    }

    [[nodiscard]] bool has_handler() const noexcept { return exchange_ && exchange_->runner.is_running(); }
    [[nodiscard]] bool is_between_requests() const noexcept {
        return state_ == State::idle && !transport_.has_unsent();
    }
    [[nodiscard]] TimePoint now() const noexcept { return shard_.reactor.now(); }
    [[nodiscard]] Watch& watch() noexcept { return transport_.socket().watch(); }

    Shard& shard_;
    Transport transport_;
    std::unique_ptr<H1Exchange> exchange_;  // none while idle
    TimePoint state_since_;
    PeerAddress peer_;
    State state_ = State::idle;
    bool has_served_ = false;       // a request, so that the connection may be shed while idle
    bool has_unread_ = false;       // the client has more to send than is wanted, so the close lingers
    bool was_slow_ = false;         // its request did not come in time
    bool deadline_passed_ = false;  // seen by the next turn
};

// --- Turns ---

inline void H1Connection::resume() {
    Turn turn(shard_, transport_);
    go_on(turn);
}

/// Goes on until it waits for something, which then resumes it. When it closes, it deletes itself.
inline void H1Connection::go_on(Turn& turn) {
    try {
        if (std::exchange(deadline_passed_, false) && state_ != State::dead) ran_out_of_time(turn);
        for (;;) {
            const Next next = advance(turn);
            if (next == Next::close) break;
            turn.end();
            if (next != Next::handle) return wait_for(next);
            if (!exchange_->runner.start(*this, shard_.config.request_timeout)) return;
            turn.begin();
            conclude(turn);
            if (++turn.answers < Turn::most_answers || !send_gathered(turn)) continue;
            turn.end();
            return wait_for(Next::yield);
        }
    } catch (...) {
        lose(caught_exception());
    }
    turn.drop();
    delete this;
}

inline void H1Connection::wait_for(Next next) {
    begin_waiting();
    if (next == Next::yield) {
        shard_.reactor.take_events_next();
        return wake(shard_.reactor);
    }
    const Readiness direction = next == Next::read ? readable : writable;
    watch().wait_for(transport_.socket().needed_for(direction), *this);
}

/// Ends what it waits for; its state, or its deadline, says why.
inline void H1Connection::cut_short() noexcept {
    if (has_handler()) return exchange_->runner.drop();
    watch().give_up(readable);
    watch().give_up(writable);
    wake(shard_.reactor);
}

/// For want of memory: this connection is lost, and nothing else.
inline void H1Connection::lose(const std::exception_ptr& why) noexcept {
    state_ = State::dead;
    report_failure("a connection was lost: ", why);
}

/// Goes on as far as it gets without waiting.
inline H1Connection::Next H1Connection::advance(Turn& turn) {
    for (;;) {
        if (state_ == State::dead) return Next::close;
        if (transport_.has_unsent()) {
            const Output::Result sent = turn.send();
            if (sent == Output::Result::blocked) return wait_to_write(turn);
            if (sent == Output::Result::failed) return Next::close;
            if (sent == Output::Result::paused) {
                return wait_to_write(turn) == Next::write ? Next::yield : Next::close;
            }
        }
        if (state_ == State::lingering) return linger(turn);
        if (state_ == State::closing) {
            if (!send_gathered(turn)) continue;
            if (!has_unread_ && !transport_.may_lose_output()) return Next::close;
            if (!transport_.socket().end_output().ok()) return Next::close;
            turn.drop_input();
            become(State::lingering);
            continue;
        }
        const Progress made = progress(turn);
        if (made == Progress::handle) return Next::handle;
        if (made == Progress::again) {
            if (turn.gathered().size() >= shard_.config.output_soft_limit) send_gathered(turn);
            if (++turn.answers < Turn::most_answers) continue;
            if (!send_gathered(turn)) continue;
            return Next::yield;
        }
        if (!send_gathered(turn)) continue;
        if (!transport_.socket().can_receive()) {
            if (!is_asked_for_room()) return wait_to_read(turn);
            become(State::closing);
            continue;
        }
        if (turn.receives++ >= Turn::most_receives) return Next::yield;
        // The end of the stream within a request: nobody waits for the answer to half a question.
        if (!turn.receive()) return Next::close;
    }
}

// --- Reading a request ---

inline H1Connection::Progress H1Connection::progress(Turn& turn) {
    switch (state_) {
        case State::idle:
            if (turn.input().bytes().empty()) return Progress::need_input;
            [[fallthrough]];
        case State::head:
        case State::body:
            return read_request(turn);
        case State::ready:
            return start_handler(turn);
        default:
            return Progress::need_input;
    }
}

inline H1Connection::Progress H1Connection::read_request(Turn& turn) {
    take_exchange();
    H1Reader& reader = exchange_->reader;
    if (state_ == State::idle) exchange_->begun = now();
    const H1Reader::Progress read = reader.read(turn.input());
    if (read == H1Reader::Progress::refused) {
        return refuse(turn, reader.refusal_status(), reader.refusal_reason(), AnswerCause::refused);
    }
    if (read == H1Reader::Progress::need_more) {
        if (state_ == State::idle && reader.has_begun()) begin_head();
        if (state_ == State::head && reader.is_reading_body()) {
            become(State::body);
            if (decides_on_head(turn)) return Progress::again;
            if (reader.expects_continue()) turn.gathered().append(http1::continue_response);
        }
        if (!account_memory(turn)) return refuse_for_memory(turn);
        return Progress::need_input;
    }
    has_served_ = true;
    Call& call = exchange_->call;
    if (call.route->suspends()) {
        // Before anything is awaited: others receive into the shared buffer meanwhile.
        reader.detach(turn.input());
        if (!account_memory(turn)) return refuse_for_memory(turn);
        become(State::ready);
        return start_handler(turn);
    }
    shard_.reactor.set_work(call.route);
    run_plain(call);
    respond(turn);
    return Progress::again;
}

/// Middleware may answer now that the head is here. A body that is small is read all the same, so that the
/// connection goes on.
inline bool H1Connection::decides_on_head(Turn& turn) {
    const H1Reader& reader = exchange_->reader;
    Call& call = exchange_->call;
    shard_.reactor.set_work(call.route);
    if (is_answered_on_head(call)) {
        if (!reader.is_worth_refusing()) return false;
    } else if (!reader.expects_continue() || !needs_no_body(call)) {
        return false;
    }
    answer_without_body(turn);
    return true;
}

inline void H1Connection::answer_without_body(Turn& turn) {
    run_plain(exchange_->call);
    exchange_->call.response.close = true;
    respond(turn);
    has_unread_ = true;
}

// A coroutine may run for long, so what is gathered leaves first.
inline H1Connection::Progress H1Connection::start_handler(Turn& turn) {
    if (!send_gathered(turn)) return Progress::again;
    if (watch().is_broken()) {
        state_ = State::dead;
        return Progress::again;
    }
    become(State::handling);
    shard_.reactor.set_work(exchange_->call.route);
    watch().hangup_listener = this;
    return Progress::handle;
}

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
    if (state_ == State::cut_off) {
        turn.drop_input();
        release_exchange();
        return become(State::lingering);
    }
    if (state_ == State::dead) return;
    exchange_->runner.answer_failure();
    respond(turn);
}

inline void H1Connection::call_cut_off(CallRunner::End why) noexcept {
    watch().hangup_listener = nullptr;
    if (why == CallRunner::End::client_left) {
        state_ = State::dead;
    } else {
        log_quietly(shard_.config.log, LogLevel::warning, "a request took too long in ",
                    exchange_->call.route->description());
        answer_early(504, "the request took too long", AnswerCause::timeout);
    }
}

inline void H1Connection::peer_hung_up(std::uint8_t ready) noexcept {
    const bool only_input_ended = (ready & broken) == 0;
    // A client that ends its input together with its request still reads; one that does so later has left.
    const Clock::duration later =
        std::max(shard_.reactor.events_since() - state_since_, Clock::duration::zero());
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
    H1Reader& reader = exchange_->reader;
    Response& response = exchange_->call.response;
    const bool close = !reader.keeps_alive() || response.close || shard_.is_draining();
    answer(turn, close);
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
    return Next::write;
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
    connection.deadline_passed_ = true;
    connection.cut_short();
}

// --- What the server asks for ---

inline void H1Connection::begin_drain() noexcept {
    try {
        if (state_ == State::head) become(State::head);  // it has a moment from now on
        const bool reads = state_ == State::head && !transport_.has_unsent();
        if (is_between_requests() || reads) set_deadline(reading_deadline());
        if (state_ == State::lingering) set_deadline(lingering_deadline());
    } catch (const std::bad_alloc&) {
        abandon(503, {});  // no memory for a shorter deadline: it ends now
    }
}

inline std::optional<TimePoint> H1Connection::idle_since() const noexcept {
    if (state_ == State::lingering && !is_read_slowly()) return state_since_;
    if (!is_between_requests() || !has_served_ || !is_waiting()) return std::nullopt;
    return state_since_;
}

inline void H1Connection::make_room() noexcept {
    if (state_ == State::lingering) return drop();
    if (transport_.socket().has_input()) return;  // it is idle no more
    become(State::closing);
    cut_short();
}

inline void H1Connection::abandon(int status, std::string_view detail) noexcept {
    if (state_ == State::handling) answer_early(status, detail, AnswerCause::stop);
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
}  // namespace v0
}  // namespace sake
