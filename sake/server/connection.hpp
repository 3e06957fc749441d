// One connection: a coroutine that reads like the protocol. `advance` does all that needs no waiting (read,
// parse, answer plain routes, send) and says what to wait for; `serve_connection` waits. Where the bytes go
// is in input.hpp and output.hpp, what they mean is in http/, who answers is in dispatch.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sake/async/readiness.hpp"
#include "sake/async/sleep.hpp"
#include "sake/async/task.hpp"
#include "sake/http/framing.hpp"
#include "sake/http/writer.hpp"
#include "sake/server/dispatch.hpp"
#include "sake/server/output.hpp"
#include "sake/server/server.hpp"

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
          socket_(std::move(socket)),
          watch_(server.reactor, socket_.get()),
          input_(server.input),
          output_(server.output),
          memory_(server.memory),
          peer_(peer) {
        ++server_.connection_count;
        insert_before(server_.connections);
    }

    ~Connection() {
        // A peer that does not read would keep megabytes of the answer in the kernel for minutes.
        if (output_.has_unsent()) sys::reset_on_close(socket_.get());
        --server_.connection_count;
        server_.room.set();
        server_.reactor.timers().cancel(*this);
        if (exchange_) server_.give_back(std::move(exchange_));
    }

    [[nodiscard]] Watch& watch() noexcept { return watch_; }

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
    void all_is_sent() noexcept;

    // Waiting and closing.
    Next receive();
    Next wait_to_read();
    Next wait_to_write();
    Next linger();
    [[nodiscard]] bool may_lose_answer() const noexcept;
    [[nodiscard]] std::chrono::milliseconds longest_pause() const noexcept;
    bool account_memory();
    void become(Phase phase) noexcept;
    void release_exchange() noexcept;
    void set_deadline(TimePoint deadline) { server_.reactor.timers().set(*this, deadline); }
    [[nodiscard]] TimePoint reading_deadline() const;
    /// How long these bytes may take at the minimum rate.
    [[nodiscard]] std::chrono::milliseconds minimum_time(std::uint64_t bytes) const noexcept {
        return std::chrono::milliseconds(bytes * 1000 /
                                         static_cast<std::uint64_t>(server_.config.minimum_rate));
    }
    static void deadline_passed(Timer& timer) noexcept;
    void peer_hung_up(std::uint8_t ready) noexcept override;

    [[nodiscard]] bool is_between_requests() const noexcept {
        return phase_ == Phase::idle && !output_.has_unsent();
    }
    [[nodiscard]] TimePoint now() const noexcept { return server_.reactor.now(); }

    Server& server_;
    Fiber& fiber_;
    FileDescriptor socket_;
    Watch watch_;  // after the socket, so that it goes first
    Input input_;
    Output output_;
    BudgetShare memory_;
    std::unique_ptr<Exchange> exchange_;  // none while idle
    TimePoint phase_start_ = server_.reactor.now();
    TimePoint write_start_;          // of the present answer that does not fit the socket
    std::uint64_t sent_before_ = 0;  // in total, before the answers that are being sent
    PeerAddress peer_;
    Phase phase_ = Phase::idle;
    bool has_served_ = false;  // a request, so that the connection may be shed while idle
    bool linger_ = false;      // the peer has more to send than is wanted
    bool was_slow_ = false;    // its request did not come in time
    bool is_writing_ = false;
    bool deadline_passed_ = false;
    bool is_dead_ = false;             // close without another word
    bool was_answered_early_ = false;  // the handler was cancelled, and the client has been told
};

// --- The loop ---

inline Connection::Next Connection::advance() {
    for (int receives = 0, answers = 0;;) {
        if (is_dead_) return Next::close;
        if (output_.has_unsent()) {
            if (output_.flush(watch_) == Output::Result::blocked) return wait_to_write();
            if (output_.has_unsent()) return Next::close;
            all_is_sent();
        }
        if (phase_ == Phase::lingering) return linger();
        if (phase_ == Phase::closing) {
            if (!send_gathered()) continue;
            if (!may_lose_answer()) return Next::close;
            if (!sys::shutdown_write(socket_.get()).ok()) return Next::close;
            input_.consume(input_.bytes().size());
            become(Phase::lingering);
            continue;
        }
        const Progress made = progress();
        if (made == Progress::handle) return Next::handle;
        if (made == Progress::again) {
            if (output_.gathered().size() >= server_.config.output_soft_limit) send_gathered();
            if (++answers < most_answers) continue;
            if (!send_gathered()) continue;
            input_.hold();
            return Next::yield;
        }
        if (!send_gathered()) continue;
        if (!watch_.is_readable()) return wait_to_read();
        if (receives++ == most_receives) {
            input_.hold();
            return Next::yield;
        }
        if (receive() == Next::close) return Next::close;
    }
}

// Sends what is gathered; false if some of it is unsent or the peer is gone, so that the loop has to look.
inline bool Connection::send_gathered() {
    const Output::Result result = output_.flush(watch_);
    if (result == Output::Result::failed) is_dead_ = true;
    if (result == Output::Result::sent) all_is_sent();
    return result == Output::Result::sent;
}

inline void Connection::all_is_sent() noexcept {
    is_writing_ = false;
    sent_before_ = output_.total_sent();
}

inline Connection::Next Connection::receive() {
    const Input::Received received = input_.receive(socket_.get());
    const SysResult& result = received.result;
    if (result.would_block()) {
        watch_.drained();
        return Next::read;
    }
    if (!result.ok() || result.value == 0) {
        // The end of the stream within a request: nobody waits for the answer to half a question.
        return Next::close;
    }
    if (!received.full) watch_.drained();
    return Next::read;
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
    using std::chrono::milliseconds;
    const Config& config = server_.config;
    switch (phase_) {
        case Phase::idle:
            if (server_.is_draining) return std::max(phase_start_, now()) + milliseconds(50);
            return phase_start_ + (has_served_ ? config.keep_alive_timeout : config.header_timeout);
        case Phase::head:
            return phase_start_ + (server_.is_draining ? std::min(config.header_timeout, milliseconds(1000))
                                                       : config.header_timeout);
        default: {
            // Each byte that has come buys the time it may take at the minimum rate.
            const auto bytes = exchange_->body_received();
            return phase_start_ + config.rate_grace + minimum_time(bytes);
        }
    }
}

inline Connection::Next Connection::wait_to_write() {
    if (phase_ == Phase::idle) release_exchange();
    if (!account_memory()) return Next::close;
    if (!is_writing_) {
        is_writing_ = true;
        write_start_ = now();
    }
    // Progress is due within the write timeout, and at the minimum rate on the whole.
    const Config& config = server_.config;
    const auto bought = minimum_time(output_.total_sent() - sent_before_);
    set_deadline(std::min(now() + config.write_timeout, write_start_ + config.rate_grace + bought));
    return Next::write;
}

inline void Connection::interrupted() {
    const bool timed_out = std::exchange(deadline_passed_, false);
    const bool in_request = phase_ == Phase::head || phase_ == Phase::body;
    const bool may_go_on = timed_out && !output_.has_unsent() && sys::has_unacknowledged(socket_.get());
    if (timed_out && in_request && !output_.has_unsent()) {
        was_slow_ = true;
        refuse(server_.is_draining ? 503 : 408, "the request did not arrive in time");
    } else if (may_go_on && phase_ == Phase::idle) {
        become(Phase::closing);
    } else {
        is_dead_ = !may_go_on || phase_ != Phase::lingering;
    }
}

/// Tells the server's budget what this connection holds while it waits. False if that is too much.
inline bool Connection::account_memory() {
    input_.hold();
    return memory_.resize(input_.held_bytes() + output_.held_bytes() +
                          (exchange_ ? exchange_->held_bytes() : 0));
}

inline void Connection::become(Phase phase) noexcept {
    phase_ = phase;
    phase_start_ = now();
}

inline void Connection::release_exchange() noexcept {
    if (exchange_) server_.give_back(std::move(exchange_));
}

// --- Reading a request ---

inline Connection::Progress Connection::progress() {
    switch (phase_) {
        case Phase::idle:
            if (input_.bytes().empty()) return Progress::need_input;
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
    const Exchange::Progress read = exchange_->read(input_);
    if (read == Exchange::Progress::refused) {
        return refuse(exchange_->refusal_status(), exchange_->refusal_reason());
    }
    if (read == Exchange::Progress::need_more) {
        if (phase_ == Phase::idle && exchange_->has_begun()) become(Phase::head);
        if (phase_ == Phase::head && exchange_->is_reading_body()) {
            become(Phase::body);
            if (exchange_->expects_continue()) output_.gathered().append(http::continue_response);
        }
        if (!account_memory()) return refuse(503, no_memory);
        return Progress::need_input;
    }
    has_served_ = true;
    if (exchange_->route().suspends()) {
        // Before anything is awaited: others receive into the shared buffer meanwhile.
        exchange_->detach(input_);
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
    if (watch_.is_broken()) {
        is_dead_ = true;
        return Progress::again;
    }
    input_.hold();
    become(Phase::handler);
    fiber_.work = &exchange_->route();
    server_.reactor.set_work(fiber_.work);
    watch_.hangup_listener = this;
    set_deadline(now() + server_.config.request_timeout);
    return Progress::handle;
}

// --- Answering ---

inline void Connection::handler_threw(const std::exception_ptr& exception) {
    if (is_dead_) return;
    ContextAccess::place(exchange_->ctx).errors->answer(exchange_->ctx, exception);
}

inline void Connection::handler_ended() {
    watch_.hangup_listener = nullptr;
    fiber_.work = nullptr;
    static_cast<void>(fiber_.take_cancellation());
    if (std::exchange(was_answered_early_, false)) {
        is_dead_ = false;
        input_.consume(input_.bytes().size());
        release_exchange();
        return become(Phase::lingering);
    }
    if (!is_dead_) respond();
}

inline void Connection::respond() {
    Response& answer = ContextAccess::response(exchange_->ctx);
    const bool close = !exchange_->keeps_alive() || answer.close || server_.is_draining;
    append_response(answer, close);
    exchange_->finish(input_);
    become(close ? Phase::closing : Phase::idle);
    linger_ = close && (!input_.bytes().empty() || exchange_->expects_continue());
}

inline void Connection::append_response(Response& answer, bool close) {
    AnswerTerms terms;
    terms.close = close;
    terms.is_head_request = exchange_->is_head_request();
    terms.is_http_1_0 = exchange_->is_http_1_0();
    terms.date_line = server_.date_line();
    if (append_answer(output_.gathered(), answer, terms)) return;
    if (output_.flush_with(watch_, std::move(answer.body)) == Output::Result::failed) is_dead_ = true;
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
            was_answered_early_ = send_gathered() && sys::shutdown_write(socket_.get()).ok();
        } catch (...) {
            // No memory for an answer: the client sees the connection close.
            output_.gathered().clear();
        }
        ContextAccess::request_stop(exchange_->ctx);
    }
    // A handler is cancelled once; that the client goes away now is no news to it.
    watch_.hangup_listener = nullptr;
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
                    connection.exchange_->route().pattern());
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
    watch_.hangup_listener = nullptr;
    is_dead_ = true;
    ContextAccess::request_stop(exchange_->ctx);
    fiber_.cancel();
}

// Input that is unread when a socket closes, or that comes later, resets the connection, and takes with it
// what the peer has not received yet (RFC 9112 section 9.6).
inline bool Connection::may_lose_answer() const noexcept {
    return linger_ || sys::is_ready(socket_.get(), POLLIN) || sys::has_unacknowledged(socket_.get());
}

inline Connection::Next Connection::linger() {
    const std::chrono::seconds longest(was_slow_ ? 1 : 30);
    if (now() - phase_start_ >= longest) return Next::close;
    for (int receives = 0; watch_.is_readable(); ++receives) {
        if (receives == most_receives) return Next::yield;
        if (receive() == Next::close) return Next::close;
        input_.consume(input_.bytes().size());
    }
    account_memory();
    set_deadline(std::min(now() + longest_pause(), phase_start_ + longest));
    return Next::read;
}

// How long a client that has received its last answer may be silent before it is taken to have read it.
inline std::chrono::milliseconds Connection::longest_pause() const noexcept {
    return std::chrono::milliseconds(server_.is_draining ? 200 : server_.is_full() ? 1000 : 5000);
}

inline void Connection::begin_drain() noexcept {
    try {
        if (is_between_requests() || phase_ == Phase::head) set_deadline(reading_deadline());
        if (phase_ == Phase::lingering) set_deadline(now() + longest_pause());
    } catch (const std::bad_alloc&) {
        abandon(503, {});  // no memory for a shorter deadline: it ends now
    }
}

/// Serves a connection until it closes.
inline Root serve_connection(Reactor&, Server& server, FileDescriptor socket, PeerAddress peer) {
    try {
        Fiber& fiber = co_await current_fiber();
        Connection connection(server, std::move(socket), peer, fiber);
        for (;;) {
            const Connection::Next next = connection.advance();
            if (next == Connection::Next::close) break;
            if (next == Connection::Next::handle) {
                std::exception_ptr thrown;
                try {
                    co_await connection.handler();
                } catch (...) {
                    thrown = caught_exception();
                }
                if (thrown) connection.handler_threw(thrown);
                connection.handler_ended();
                continue;
            }
            if (next == Connection::Next::yield) {
                co_await yield();
                continue;
            }
            bool is_ready = false;
            if (next == Connection::Next::read) {
                is_ready = co_await wait_readable(connection.watch());
            } else {
                is_ready = co_await wait_writable(connection.watch());
            }
            if (!is_ready) connection.interrupted();
        }
    } catch (const Cancelled&) {
    } catch (const std::exception& error) {
        // No memory, or no room in the poller: this connection is lost, and nothing else.
        server.output.clear();
        log_quietly(server.config.log, LogLevel::error, "a connection was lost: ", error.what());
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
