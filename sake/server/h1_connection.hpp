// H1Connection: a session that speaks HTTP/1. `advance` does all that needs no waiting (read, parse, answer
// plain routes, send) and says what to wait for. How it answers is in h1_calls.hpp, how it waits and closes
// in h1_waiting.hpp. Where the bytes are is in turn.hpp and transport.hpp, what they mean in h1_reader.hpp,
// and how a handler runs that is a coroutine in app/call_runner.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "sake/app/answered.hpp"
#include "sake/app/call_runner.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/on_head.hpp"
#include "sake/base/log.hpp"
#include "sake/base/maybe.hpp"
#include "sake/base/owning_ptr.hpp"
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
inline namespace SAKE_ABI {
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
///   handling    that handler runs, and may stream; see               idle (answered), closing, cut_off,
///               h1_streams.hpp                                       dead (a streamed answer is cut)
///   cut_off     the client has its answer (504, 503), and the        lingering
///               handler, which was cancelled, has yet to end
///   closing     the last answer is being sent                        lingering, or deleted
///   lingering   nothing more is sent; input is read and dropped,     deleted
///               so that the client can read the last answer
///   dead        closes at its next turn; a handler ends first        deleted
///   upgraded    its answer is 101; see h1_upgrade.hpp                deleted
///
/// Any state goes on to dead when the connection breaks, is dropped, runs out of time or of memory.
class H1Connection final : private Resumable, public Session, private CallRunner::Owner, private Timer {
  public:
    /// Serves what comes through the socket, or through the wire over it, until it closes. Throws what a lack
    /// of memory or of room in the poller throws.
    static void serve(Shard& shard, FileDescriptor socket, const PeerAddress& peer,
                      OwningPtr<Wire> wire = nullptr) {
        (new H1Connection(shard, std::move(socket), peer, std::move(wire)))->resume();
    }

    [[nodiscard]] bool is_busy() const noexcept override {
        return !is_between_requests() && state_ != State::lingering && state_ != State::dead;
    }
    [[nodiscard]] SessionPhase phase() const noexcept override;
    void begin_drain() noexcept override;
    [[nodiscard]] Maybe<TimePoint> idle_since() const noexcept override;
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
    enum class State : std::uint8_t {
        idle,
        head,
        body,
        ready,
        handling,
        cut_off,
        closing,
        lingering,
        dead,
        upgraded
    };
    /// What the connection needs before it can go on.
    enum class Next : std::uint8_t { read, write, handle, yield, close };
    enum class Progress : std::uint8_t { need_input, again, handle };

    H1Connection(Shard& shard, FileDescriptor socket, const PeerAddress& peer, OwningPtr<Wire> wire)
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
    void log_passed_limit(std::string_view what) noexcept;
    void peer_hung_up(std::uint8_t ready) noexcept override;
    void conclude(Turn& turn);
    bool all_has_left(Turn& turn);
    void end_stream(Turn& turn);
    void cut_stream() noexcept;
    void tell_of_stream() noexcept;
    void leave_unhandled() noexcept;
    void answer_early(int status, std::string_view detail, AnswerCause cause) noexcept;

    // Answering.
    void respond(Turn& turn);
    void finish_request(Turn& turn, bool close);
    Progress refuse(Turn& turn, int status, std::string_view detail, AnswerCause cause);
    Progress refuse_for_memory(Turn& turn) {
        return refuse(turn, 503, "the server has no memory to spare for this request", AnswerCause::overload);
    }
    void answer(Turn& turn, bool close) {
        if (!send_answer(shard_, turn, *exchange_, close)) state_ = State::dead;
    }
    bool send_gathered(Turn& turn);
    void upgrade(Turn& turn);
    void hand_over(Turn& turn);

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
    /// The client has taken some of its answer since it was waited for, and has more time for the rest.
    [[nodiscard]] bool client_takes_on() noexcept;
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
    OwningPtr<H1Exchange> exchange_;  // none while idle
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
        if (std::exchange(deadline_passed_, false) && state_ < State::dead) ran_out_of_time(turn);
        for (;;) {
            const Next next = advance(turn);
            if (next == Next::close) {
                if (state_ == State::upgraded) [[unlikely]]
                    return hand_over(turn);
                break;
            }
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
        if (state_ >= State::dead) return Next::close;
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
        const bool received = state_ == State::body ? turn.receive(exchange_->reader) : turn.receive();
        if (!received) return Next::close;
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
        leave_unhandled();
        return Progress::again;
    }
    become(State::handling);
    exchange_->open_streams(shard_, transport_);
    shard_.reactor.set_work(exchange_->call.route);
    watch().hangup_listener = this;
    return Progress::handle;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
