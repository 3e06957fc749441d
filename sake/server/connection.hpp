// One connection, as the protocol reads: `advance` does all that needs no waiting (read, parse, answer plain
// routes, send) and says what to wait for; connection_turns.hpp waits and runs handlers. Where the bytes go
// is in transport.hpp, for how long in patience.hpp, what they mean in http/, who answers in dispatch.hpp.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "sake/app/chain.hpp"
#include "sake/async/task.hpp"
#include "sake/http1/framing.hpp"
#include "sake/http1/writer.hpp"
#include "sake/server/deadlines.hpp"
#include "sake/server/server.hpp"
#include "sake/server/transport.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// It is no coroutine, so that an idle one costs little: the reactor resumes the object itself, and only a
/// handler that is a coroutine has a fiber, which the connection waits for. It belongs to itself.
class Connection final : public ListNode, private Resumable, private HangupListener, private Timer {
  public:
    /// Serves what comes through `socket` until it closes. Throws what a lack of memory or of room in the
    /// poller throws.
    static void serve(Server& server, FileDescriptor socket, const PeerAddress& peer) {
        (new Connection(server, std::move(socket), peer))->resume();
    }

    /// The server stops: an idle connection gets a moment for a request that is on its way, then closes.
    void begin_drain() noexcept;

    /// Between two requests, or done with all of them, since the time it gives; nothing if it is busy, or has
    /// not had its first request yet.
    [[nodiscard]] std::optional<TimePoint> idle_since() const noexcept {
        if (phase_ == Phase::lingering && !is_dead_ && transport_.unacknowledged() == 0) return phase_start_;
        if (!is_between_requests() || !has_served_ || is_dead_ || !is_waiting()) return std::nullopt;
        return phase_start_;
    }

    /// Makes room for somebody else, as soon as its peer has received its last answer; to be called while it
    /// is idle.
    void give_way() noexcept {
        if (phase_ == Phase::lingering) return drop();
        become(Phase::closing);
        cut_short();
    }

    /// Whether its peer has yet to receive some of its answers.
    [[nodiscard]] bool is_read_slowly() const noexcept { return transport_.unacknowledged() > 0; }

    /// Answers with `status` if a handler is at work, and ends, at once.
    void abandon(int status, std::string_view detail) noexcept;

    /// Ends at its next turn, without another word; a handler that is at work is cancelled and ends first.
    void drop() noexcept;
    /// For when the reactor is abandoned: ends now, unless a handler has it.
    void end_if_free() noexcept {
        if (handler_ == nullptr) delete this;
    }

  private:
    /// What the connection needs before it can go on.
    enum class Next : std::uint8_t { read, write, handle, yield, close };

    Connection(Server& server, FileDescriptor socket, const PeerAddress& peer)
        : Timer(&deadline_passed),
          transport_(server, std::move(socket)),
          phase_start_(server.reactor.now()),
          peer_(peer) {
        ++server.connection_count;
        insert_before(server.connections);
    }
    ~Connection() {
        --server().connection_count;
        server().room.set();
        server().reactor.timers().cancel(*this);
        release_exchange();
    }

    // Turns.
    void resume() override;
    void go_on();
    void wait_for(Next next);
    void cut_short() noexcept;
    void lose(const std::exception_ptr& why) noexcept;
    bool run_handler();
    static Root handle(Reactor&, Connection& connection, Context& ctx);
    void handler_ended(const std::exception_ptr& thrown);
    void end_handler() noexcept;

    // A peer that sends without pause gets this many buffers read, and this many requests answered, before
    // the others have their turn.
    static constexpr int most_receives = 8;
    static constexpr int most_answers = 256;
    struct Turn {
        int receives = 0;
        int answers = 0;
    };

    /// Goes on as far as it gets without waiting.
    Next advance(Turn& turn);
    static constexpr std::string_view no_memory = "the server has no memory to spare for this request";

    enum class Phase : std::uint8_t { idle, head, body, ready, handler, closing, lingering };
    enum class Progress : std::uint8_t { need_input, again, handle };

    // Reading a request.
    Progress progress();
    Progress read_request();
    Progress start_handler();

    // Answering.
    void conclude(const std::exception_ptr& thrown);
    void respond();
    void append_response(Response& answer, bool close);
    Progress refuse(int status, std::string_view detail);
    bool send_gathered();

    // Waiting and closing.
    void ran_out_of_time();
    Next wait_to_read();
    Next wait_to_write();
    Next linger();
    bool account_memory() { return transport_.account_memory(exchange_ ? exchange_->held_bytes() : 0); }
    void become(Phase phase) noexcept {
        phase_ = phase;
        phase_start_ = now();
    }
    // The first head is due as a whole since the client came, a later one since its first byte.
    void begin_head() noexcept {
        if (has_served_ || server().is_draining) return become(Phase::head);
        phase_ = Phase::head;
    }
    [[nodiscard]] bool has_lingered() const noexcept {
        return now() - phase_start_ >= Patience(server()).longest_lingering(was_slow_);
    }
    void release_exchange() noexcept {
        if (exchange_) server().give_back(std::move(exchange_));
    }
    void set_deadline(TimePoint deadline) { server().reactor.timers().set(*this, deadline); }
    [[nodiscard]] TimePoint reading_deadline();
    bool is_asked_to_give_way() noexcept {
        if (phase_ != Phase::idle || !has_served_) return false;
        return std::exchange(server().wants_room, false);
    }
    [[nodiscard]] TimePoint lingering_deadline() const {
        return Patience(server()).lingering_deadline(phase_start_, was_slow_);
    }
    static void deadline_passed(Timer& timer) noexcept;
    void peer_hung_up(std::uint8_t ready) noexcept override;

    [[nodiscard]] bool is_between_requests() const noexcept {
        return phase_ == Phase::idle && !transport_.has_unsent();
    }
    [[nodiscard]] TimePoint now() const noexcept { return server().reactor.now(); }
    [[nodiscard]] Server& server() const noexcept { return transport_.server(); }
    [[nodiscard]] Watch& watch() noexcept { return transport_.watch(); }

    Transport transport_;
    std::unique_ptr<Exchange> exchange_;  // none while idle
    Fiber* handler_ = nullptr;            // while one is at work that is a coroutine
    TimePoint phase_start_;
    PeerAddress peer_;
    Phase phase_ = Phase::idle;
    bool has_served_ = false;  // a request, so that the connection may be shed while idle
    bool linger_ = false;      // the peer has more to send than is wanted
    bool was_slow_ = false;    // its request did not come in time
    bool deadline_passed_ = false;
    bool is_starting_ = false;         // its handler, which may end meanwhile
    bool has_hung_up_ = false;         // its client, while a handler was at work
    bool is_dead_ = false;             // close without another word
    bool was_answered_early_ = false;  // the handler was cancelled, and the client has been told
};

// --- The loop ---

inline Connection::Next Connection::advance(Turn& turn) {
    for (;;) {
        if (is_dead_) return Next::close;
        if (transport_.has_unsent()) {
            const Output::Result sent = transport_.send();
            if (sent == Output::Result::blocked) return wait_to_write();
            if (sent == Output::Result::failed) return Next::close;
        }
        if (phase_ == Phase::lingering) return linger();
        if (phase_ == Phase::closing) {
            if (!send_gathered()) continue;
            if (!linger_ && !transport_.may_lose_output()) return Next::close;
            if (!transport_.end_output()) return Next::close;
            transport_.drop_input();
            become(Phase::lingering);
            continue;
        }
        const Progress made = progress();
        if (made == Progress::handle) return Next::handle;
        if (made == Progress::again) {
            if (transport_.gathered().size() >= server().config.output_soft_limit) send_gathered();
            if (++turn.answers < most_answers) continue;
            if (!send_gathered()) continue;
            return Next::yield;
        }
        if (!send_gathered()) continue;
        if (!watch().is_readable()) {
            if (!is_asked_to_give_way()) return wait_to_read();
            become(Phase::closing);
            continue;
        }
        if (turn.receives++ >= most_receives) return Next::yield;
        // The end of the stream within a request: nobody waits for the answer to half a question.
        if (!transport_.receive()) return Next::close;
    }
}

// Sends what is gathered; false if some of it is unsent or the peer is gone, so that the loop has to look.
inline bool Connection::send_gathered() {
    const Output::Result result = transport_.send();
    if (result == Output::Result::failed) is_dead_ = true;
    return result == Output::Result::sent;
}

inline Connection::Next Connection::wait_to_read() {
    if (phase_ == Phase::idle) {
        release_exchange();
        account_memory();
    }
    set_deadline(reading_deadline());
    return Next::read;
}

inline TimePoint Connection::reading_deadline() {
    const Patience patience(server());
    if (phase_ == Phase::idle) return patience.request_deadline(phase_start_, !has_served_);
    if (phase_ == Phase::head) return patience.head_deadline(phase_start_);
    return patience.body_deadline(exchange_->body_pace(), phase_start_, exchange_->body_received());
}

inline Connection::Next Connection::wait_to_write() {
    if (phase_ == Phase::idle) release_exchange();
    if (!account_memory()) return Next::close;
    const Patience patience(server());
    set_deadline(
        patience.answer_deadline(transport_.pace(), transport_.blocked_since(), transport_.sent_of_it()));
    return Next::write;
}

inline void Connection::ran_out_of_time() {
    const bool in_request = phase_ == Phase::head || phase_ == Phase::body;
    const bool may_go_on = !transport_.has_unsent() && transport_.unacknowledged() > 0;
    if (in_request && !transport_.has_unsent()) {
        was_slow_ = true;
        refuse(server().is_draining ? 503 : 408, "the request did not arrive in time");
    } else if (may_go_on && phase_ == Phase::idle) {
        become(Phase::closing);
    } else {
        is_dead_ = !may_go_on || phase_ != Phase::lingering;
        // Who has received some of it since the last look receives the rest from the kernel.
        if (may_go_on && !transport_.peer_goes_on() && has_lingered()) transport_.give_up_output();
    }
}

// --- Reading a request ---

inline Connection::Progress Connection::progress() {
    switch (phase_) {
        case Phase::idle:
            if (transport_.input().bytes().empty()) return Progress::need_input;
            [[fallthrough]];
        case Phase::head:
        case Phase::body:
            return read_request();
        case Phase::ready:
            return start_handler();
        default:
            return Progress::need_input;
    }
}

inline Connection::Progress Connection::read_request() {
    if (!exchange_) exchange_ = server().take_exchange(peer_);
    const Exchange::Progress read = exchange_->read(transport_.input());
    if (read == Exchange::Progress::refused) {
        return refuse(exchange_->refusal_status(), exchange_->refusal_reason());
    }
    if (read == Exchange::Progress::need_more) {
        if (phase_ == Phase::idle && exchange_->has_begun()) begin_head();
        if (phase_ == Phase::head && exchange_->is_reading_body()) {
            become(Phase::body);
            if (exchange_->expects_continue()) transport_.gathered().append(http1::continue_response);
        }
        if (!account_memory()) return refuse(503, no_memory);
        return Progress::need_input;
    }
    has_served_ = true;
    if (exchange_->route().suspends()) {
        // Before anything is awaited: others receive into the shared buffer meanwhile.
        exchange_->detach(transport_.input());
        if (!account_memory()) return refuse(503, no_memory);
        become(Phase::ready);
        return start_handler();
    }
    server().reactor.set_work(&exchange_->route());
    run_plain(exchange_->ctx);
    respond();
    return Progress::again;
}

// A coroutine may run for long, so what is gathered leaves first.
inline Connection::Progress Connection::start_handler() {
    if (!send_gathered()) return Progress::again;
    if (watch().is_broken()) {
        is_dead_ = true;
        return Progress::again;
    }
    become(Phase::handler);
    server().reactor.set_work(&exchange_->route());
    watch().hangup_listener = this;
    set_deadline(now() + server().config.request_timeout);
    return Progress::handle;
}

// --- Answering ---

inline void Connection::conclude(const std::exception_ptr& thrown) {
    if (std::exchange(was_answered_early_, false)) {
        is_dead_ = false;
        transport_.drop_input();
        release_exchange();
        return become(Phase::lingering);
    }
    if (is_dead_) return;
    if (thrown) ContextAccess::place(exchange_->ctx).errors->answer(exchange_->ctx, thrown);
    respond();
}

inline void Connection::respond() {
    Response& answer = ContextAccess::response(exchange_->ctx);
    const bool close = !exchange_->keeps_alive() || answer.close || server().is_draining;
    append_response(answer, close);
    exchange_->finish(transport_.input());
    become(close ? Phase::closing : Phase::idle);
    linger_ = close && (!transport_.input().bytes().empty() || exchange_->expects_continue());
}

inline void Connection::append_response(Response& answer, bool close) {
    AnswerTerms terms;
    terms.close = close;
    terms.is_head_request = exchange_->is_head_request();
    terms.is_http_1_0 = exchange_->is_http_1_0();
    terms.date_line = server().date_line();
    if (append_answer(transport_.gathered(), answer, terms)) return;
    if (transport_.send_with(std::move(answer.body)) == Output::Result::failed) is_dead_ = true;
}

/// Answers a request that cannot be served and ends the connection: what follows it has no certain meaning.
inline Connection::Progress Connection::refuse(int status, std::string_view detail) {
    if (!exchange_) exchange_ = server().take_exchange(peer_);
    exchange_->guess_method(transport_.input().bytes());
    Response answer;
    answer.set_problem(status, detail);
    append_response(answer, true);
    release_exchange();
    become(Phase::closing);
    linger_ = true;
    return Progress::again;
}

// --- Closing ---

inline Connection::Next Connection::linger() {
    if (has_lingered()) return Next::close;
    for (int receives = 0; watch().is_readable(); ++receives) {
        if (receives == most_receives) return Next::yield;
        if (!transport_.receive()) return Next::close;
        transport_.drop_input();
    }
    account_memory();
    set_deadline(lingering_deadline());
    return Next::read;
}

inline void Connection::begin_drain() noexcept {
    try {
        if (phase_ == Phase::head) become(Phase::head);  // it has a moment from now on
        const bool reads = phase_ == Phase::head && !transport_.has_unsent();
        if (is_between_requests() || reads) set_deadline(reading_deadline());
        if (phase_ == Phase::lingering) set_deadline(lingering_deadline());
    } catch (const std::bad_alloc&) {
        abandon(503, {});  // no memory for a shorter deadline: it ends now
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
