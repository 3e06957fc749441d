// One connection: a coroutine that reads like the protocol. `advance` does all that needs no waiting (read,
// parse, answer plain routes, send) and says what to wait for; serve_connection.hpp waits. Where the bytes go
// is in transport.hpp, for how long in patience.hpp, what they mean in http/, who answers in dispatch.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "sake/async/task.hpp"
#include "sake/http/framing.hpp"
#include "sake/http/writer.hpp"
#include "sake/server/dispatch.hpp"
#include "sake/server/patience.hpp"
#include "sake/server/server.hpp"
#include "sake/server/transport.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

class Connection final : public ListNode, private HangupListener, private Timer {
  public:
    /// What the connection needs before it can go on.
    enum class Next : std::uint8_t { read, write, handle, yield, close };

    Connection(Server& server, FileDescriptor socket, const PeerAddress& peer, Fiber& fiber)
        : Timer(&deadline_passed),
          server_(server),
          fiber_(fiber),
          transport_(server, std::move(socket)),
          peer_(peer) {
        ++server_.connection_count;
        insert_before(server_.connections);
    }

    ~Connection() {
        --server_.connection_count;
        server_.room.set();
        server_.reactor.timers().cancel(*this);
        if (exchange_) server_.give_back(std::move(exchange_));
    }

    [[nodiscard]] Watch& watch() noexcept { return transport_.watch(); }

    /// Goes on as far as it gets without waiting.
    Next advance();

    /// A wait was cut short, by the deadline or by the server.
    void interrupted();

    /// The handler of the request at hand, which `advance` wants to run.
    [[nodiscard]] Task<> handler() { return run_rest(exchange_->ctx); }
    void handler_threw(const std::exception_ptr& exception);
    void handler_ended();

    /// The server stops: an idle connection gets a moment for a request that is on its way, then closes.
    void begin_drain() noexcept;

    /// Between two requests, or done with all of them, since the time it gives; nothing if it is busy, or has
    /// not had its first request yet.
    [[nodiscard]] std::optional<TimePoint> idle_since() const noexcept {
        if (phase_ == Phase::lingering && !is_dead_) return phase_start_;
        if (!is_between_requests() || !has_served_ || is_dead_) return std::nullopt;
        return phase_start_;
    }

    /// Answers with `status` if a handler is at work, and ends, at once.
    void abandon(int status, std::string_view detail) noexcept;

  private:
    // A peer that sends without pause gets this many buffers read, and this many requests answered, before
    // the others have their turn.
    static constexpr int most_receives = 8;
    static constexpr int most_answers = 256;
    static constexpr std::string_view no_memory = "the server has no memory to spare for this request";

    enum class Phase : std::uint8_t { idle, head, body, ready, handler, closing, lingering };
    enum class Progress : std::uint8_t { need_input, again, handle };

    // Reading a request.
    Progress progress();
    Progress read_request();
    Progress start_handler();

    // Answering.
    void respond();
    void append_response(Response& answer, bool close);
    Progress refuse(int status, std::string_view detail);
    bool send_gathered();

    // Waiting and closing.
    Next wait_to_read();
    Next wait_to_write();
    Next linger();
    bool account_memory() { return transport_.account_memory(exchange_ ? exchange_->held_bytes() : 0); }
    void become(Phase phase) noexcept {
        phase_ = phase;
        phase_start_ = now();
    }
    void release_exchange() noexcept {
        if (exchange_) server_.give_back(std::move(exchange_));
    }
    void set_deadline(TimePoint deadline) { server_.reactor.timers().set(*this, deadline); }
    [[nodiscard]] TimePoint reading_deadline() const;
    [[nodiscard]] TimePoint lingering_deadline() const {
        return Patience(server_).lingering_deadline(phase_start_, was_slow_);
    }
    static void deadline_passed(Timer& timer) noexcept;
    void peer_hung_up(std::uint8_t ready) noexcept override;

    [[nodiscard]] bool is_between_requests() const noexcept {
        return phase_ == Phase::idle && !transport_.has_unsent();
    }
    [[nodiscard]] TimePoint now() const noexcept { return server_.reactor.now(); }

    Server& server_;
    Fiber& fiber_;
    Transport transport_;
    std::unique_ptr<Exchange> exchange_;  // none while idle
    TimePoint phase_start_ = server_.reactor.now();
    PeerAddress peer_;
    Phase phase_ = Phase::idle;
    bool has_served_ = false;  // a request, so that the connection may be shed while idle
    bool linger_ = false;      // the peer has more to send than is wanted
    bool was_slow_ = false;    // its request did not come in time
    bool deadline_passed_ = false;
    bool is_dead_ = false;             // close without another word
    bool was_answered_early_ = false;  // the handler was cancelled, and the client has been told
};

// --- The loop ---

inline Connection::Next Connection::advance() {
    for (int receives = 0, answers = 0;;) {
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
            if (transport_.gathered().size() >= server_.config.output_soft_limit) send_gathered();
            if (++answers < most_answers) continue;
            if (!send_gathered()) continue;
            transport_.input().hold();
            return Next::yield;
        }
        if (!send_gathered()) continue;
        if (!watch().is_readable()) return wait_to_read();
        if (receives++ == most_receives) {
            transport_.input().hold();
            return Next::yield;
        }
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
        if (has_served_ && std::exchange(server_.wants_room, false)) return Next::close;
    }
    set_deadline(reading_deadline());
    return Next::read;
}

inline TimePoint Connection::reading_deadline() const {
    const Patience patience(server_);
    if (phase_ == Phase::idle) return patience.request_deadline(phase_start_, !has_served_);
    if (phase_ == Phase::head) return patience.head_deadline(phase_start_);
    return patience.body_deadline(phase_start_, exchange_->body_received());
}

inline Connection::Next Connection::wait_to_write() {
    if (phase_ == Phase::idle) release_exchange();
    if (!account_memory()) return Next::close;
    set_deadline(Patience(server_).answer_deadline(transport_.blocked_since(), transport_.sent_of_it()));
    return Next::write;
}

inline void Connection::interrupted() {
    const bool timed_out = std::exchange(deadline_passed_, false);
    const bool in_request = phase_ == Phase::head || phase_ == Phase::body;
    const bool may_go_on = timed_out && !transport_.has_unsent() && transport_.has_unacknowledged();
    if (timed_out && in_request && !transport_.has_unsent()) {
        was_slow_ = true;
        refuse(server_.is_draining ? 503 : 408, "the request did not arrive in time");
    } else if (may_go_on && phase_ == Phase::idle) {
        become(Phase::closing);
    } else {
        is_dead_ = !may_go_on || phase_ != Phase::lingering;
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
    if (!exchange_) exchange_ = server_.take_exchange(peer_);
    const Exchange::Progress read = exchange_->read(transport_.input());
    if (read == Exchange::Progress::refused) {
        return refuse(exchange_->refusal_status(), exchange_->refusal_reason());
    }
    if (read == Exchange::Progress::need_more) {
        if (phase_ == Phase::idle && exchange_->has_begun()) become(Phase::head);
        if (phase_ == Phase::head && exchange_->is_reading_body()) {
            become(Phase::body);
            if (exchange_->expects_continue()) transport_.gathered().append(http::continue_response);
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
    server_.reactor.set_work(&exchange_->route());
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
    transport_.input().hold();
    become(Phase::handler);
    fiber_.work = &exchange_->route();
    server_.reactor.set_work(fiber_.work);
    watch().hangup_listener = this;
    set_deadline(now() + server_.config.request_timeout);
    return Progress::handle;
}

// --- Answering ---

inline void Connection::handler_threw(const std::exception_ptr& exception) {
    if (is_dead_) return;
    ContextAccess::place(exchange_->ctx).errors->answer(exchange_->ctx, exception);
}

inline void Connection::handler_ended() {
    watch().hangup_listener = nullptr;
    fiber_.work = nullptr;
    static_cast<void>(fiber_.take_cancellation());
    if (std::exchange(was_answered_early_, false)) {
        is_dead_ = false;
        transport_.drop_input();
        release_exchange();
        return become(Phase::lingering);
    }
    if (!is_dead_) respond();
}

inline void Connection::respond() {
    Response& answer = ContextAccess::response(exchange_->ctx);
    const bool close = !exchange_->keeps_alive() || answer.close || server_.is_draining;
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
    terms.date_line = server_.date_line();
    if (append_answer(transport_.gathered(), answer, terms)) return;
    if (transport_.send_with(std::move(answer.body)) == Output::Result::failed) is_dead_ = true;
}

/// Answers a request that cannot be served and ends the connection: what follows it has no certain meaning.
inline Connection::Progress Connection::refuse(int status, std::string_view detail) {
    if (!exchange_) exchange_ = server_.take_exchange(peer_);
    Response answer;
    answer.set_problem(status, detail);
    append_response(answer, true);
    release_exchange();
    become(Phase::closing);
    linger_ = true;
    return Progress::again;
}

inline void Connection::abandon(int status, std::string_view detail) noexcept {
    if (phase_ == Phase::handler && !is_dead_) {
        try {
            Response answer;
            answer.set_problem(status, detail);
            append_response(answer, true);
            // The handler still holds the connection, so this is the only try; the socket was empty before.
            was_answered_early_ = send_gathered() && transport_.end_output();
        } catch (...) {
            // No memory for an answer: the client sees the connection close.
            transport_.gathered().clear();
        }
        ContextAccess::request_stop(exchange_->ctx);
    }
    // A handler is cancelled once; that the client goes away now is no news to it.
    watch().hangup_listener = nullptr;
    is_dead_ = true;
    fiber_.cancel();
}

// --- Deadlines, hang-ups, closing ---

inline void Connection::deadline_passed(Timer& timer) noexcept {
    auto& connection = static_cast<Connection&>(timer);
    if (connection.phase_ == Phase::handler) {
        // A handler that outlives its cancellation is cancelled anew, so that it does not stay for ever.
        if (connection.is_dead_) return connection.fiber_.cancel();
        log_quietly(connection.server_.config.log, LogLevel::warning, "a request took too long in ",
                    connection.exchange_->route().description());
        connection.abandon(504, "the request took too long");
    } else if (connection.fiber_.is_suspended()) {
        connection.deadline_passed_ = true;
        connection.fiber_.cancel();
    }
}

inline void Connection::peer_hung_up(std::uint8_t ready) noexcept {
    const bool only_input_ended = (ready & broken) == 0;
    // A client that ends its input together with its request still reads; one that does so later has gone.
    if (only_input_ended && now() - phase_start_ <= server_.config.half_close_window) return;
    watch().hangup_listener = nullptr;
    is_dead_ = true;
    ContextAccess::request_stop(exchange_->ctx);
    fiber_.cancel();
}

inline Connection::Next Connection::linger() {
    if (now() - phase_start_ >= Patience::longest_lingering(was_slow_)) return Next::close;
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
        if (is_between_requests() || phase_ == Phase::head) set_deadline(reading_deadline());
        if (phase_ == Phase::lingering) set_deadline(lingering_deadline());
    } catch (const std::bad_alloc&) {
        abandon(503, {});  // no memory for a shorter deadline: it ends now
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
