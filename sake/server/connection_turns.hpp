// The turns of a connection: how it waits, how it runs a handler that is a coroutine, and what cuts either
// short.
#pragma once

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "sake/async/task.hpp"
#include "sake/base/log.hpp"
#include "sake/server/connection.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

inline void Connection::resume() {
    transport_.begin_turn();
    go_on();
}

/// Goes on until it waits for something, which then resumes it. When it closes, it goes.
inline void Connection::go_on() {
    try {
        if (std::exchange(deadline_passed_, false) && !is_dead_) ran_out_of_time();
        for (Turn turn;;) {
            const Next next = advance(turn);
            if (next == Next::close) break;
            if (next != Next::handle) return wait_for(next);
            if (!run_handler()) return;
            if (++turn.answers >= most_answers && send_gathered()) return wait_for(Next::yield);
        }
    } catch (...) {
        lose(caught_exception());
    }
    delete this;
}

inline void Connection::wait_for(Next next) {
    transport_.end_turn();
    begin_waiting();
    if (next == Next::yield) {
        server().reactor.take_events_next();
        return wake(server().reactor);
    }
    watch().wait_for(next == Next::read ? readable : writable, *this);
}

/// Ends what it waits for; its deadline, or `is_dead_`, says why.
inline void Connection::cut_short() noexcept {
    if (handler_ != nullptr) return handler_->cancel();
    watch().give_up(readable);
    watch().give_up(writable);
    wake(server().reactor);
}

/// For want of memory: this connection is lost, and nothing else.
inline void Connection::lose(const std::exception_ptr& why) noexcept {
    is_dead_ = true;
    server().output.clear();
    report_failure("a connection was lost: ", why);
}

// --- Handlers that are coroutines ---

/// Starts the handler of the request at hand. True if it has ended already; if not, its end is what resumes
/// the connection.
inline bool Connection::run_handler() {
    transport_.end_turn();
    is_starting_ = true;
    try {
        const Root root = handle(server().reactor, *this, exchange_->ctx);
        handler_ = &root.fiber();
        handler_->work = &exchange_->route();
        server().reactor.adopt(*handler_);
        root.start();
    } catch (const std::bad_alloc&) {
        handler_ended(caught_exception());
    }
    is_starting_ = false;
    return handler_ == nullptr;
}

inline Root Connection::handle(Reactor&, Connection& connection, Context& ctx) {
    std::exception_ptr thrown;
    try {
        Task<> rest = run_rest(ctx);
        co_await std::move(rest);
    } catch (...) {
        thrown = caught_exception();
    }
    connection.handler_ended(thrown);
}

inline void Connection::handler_ended(const std::exception_ptr& thrown) {
    handler_ = nullptr;
    watch().hangup_listener = nullptr;
    transport_.begin_turn();
    try {
        conclude(thrown);
    } catch (...) {
        lose(caught_exception());
    }
    if (!is_starting_) go_on();
}

// --- Ending early ---

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
    drop();
}

inline void Connection::drop() noexcept {
    // A handler is cancelled once; that the client goes away now is no news to it.
    watch().hangup_listener = nullptr;
    is_dead_ = true;
    cut_short();
}

/// The client has gone, or it took too long.
inline void Connection::end_handler() noexcept {
    if (std::exchange(has_hung_up_, false)) {
        ContextAccess::request_stop(exchange_->ctx);
        drop();
    } else if (!is_dead_) {
        log_quietly(server().config.log, LogLevel::warning, "a request took too long in ",
                    exchange_->route().description());
        abandon(504, "the request took too long");
    } else {
        cut_short();
    }
    // A handler that outlives its cancellation is cancelled anew, so that it does not stay for ever.
    set_deadline(now() + server().config.request_timeout);
}

inline void Connection::deadline_passed(Timer& timer) noexcept {
    auto& connection = static_cast<Connection&>(timer);
    if (connection.phase_ == Phase::handler) {
        connection.end_handler();
    } else if (connection.is_waiting()) {
        connection.deadline_passed_ = true;
        connection.cut_short();
    }
}

inline void Connection::peer_hung_up(std::uint8_t ready) noexcept {
    const bool only_input_ended = (ready & broken) == 0;
    // A client that ends its input together with its request still reads; one that does so later has gone.
    const Clock::duration later =
        std::max(server().reactor.events_since() - phase_start_, Clock::duration::zero());
    if (only_input_ended && later < server().config.half_close_window) return;
    // The timers come next. Not here, among the events, since a program may be told by its stop token.
    watch().hangup_listener = nullptr;
    has_hung_up_ = true;
    set_deadline(now());
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
