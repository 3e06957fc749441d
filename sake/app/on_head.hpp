// Middleware for requests whose body is not here yet: it may answer before the body is requested, and it may
// add fields to the answer of a request that is refused while it is read.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/chain_impl.hpp"
#include "sake/app/response.hpp"
#include "sake/app/route.hpp"
#include "sake/base/maybe.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Runs one middleware before the body is here. False if it asked for the body: its changes to the answer are
/// undone, and it must run again with the body. Its exceptions pass. Middleware of Sake's own reads no body,
/// or reads it before it changes anything, so the answer is not copied for it.
inline bool run_without_body(Call& call, const Handler& middleware) {
    Maybe<Response> before;
    if (middleware.step() == nullptr) before.emplace(call.response);
    const After* const first_after = call.afters.first();
    call.body_state = BodyState::to_come;
    try {
        middleware.call(call);
    } catch (const BodyNeeded&) {
    } catch (...) {
        if (call.body_state != BodyState::asked_for) {
            call.body_state = BodyState::here;
            throw;
        }
    }
    // The middleware may have caught the exception that reports the missing body.
    if (std::exchange(call.body_state, BodyState::here) != BodyState::asked_for) return true;
    middleware.note_that_it_reads_the_body();
    if (before) call.response = std::move(*before);
    call.is_aborted = false;
    while (call.afters.first() != first_after) static_cast<void>(call.afters.take_front());
    return false;
}

/// The head is here and the body is still to come: runs the middleware at the front that is plain and does
/// not read the body. True if one of them has thrown or called abort(): that is the answer.
inline bool is_answered_on_head(Call& call) {
    const auto& chain = call.route->chain();
    try {
        while (!call.is_aborted && call.position + 1 < chain.size()) {
            const Handler& middleware = *chain[call.position];
            if (middleware.is_coroutine() || middleware.reads_body()) break;
            ++call.position;
            if (run_without_body(call, middleware)) continue;
            --call.position;
            break;
        }
    } catch (...) {
        answer_failure(call);
    }
    return call.is_aborted;
}

/// Whether all middleware has run, and a handler of the server itself follows that never reads the body.
inline bool needs_no_body(const Call& call) noexcept {
    const bool is_at_handler = call.position + 1 >= call.route->chain().size();
    return is_at_handler && !call.route->handler_reads_body && !call.route->suspends();
}

/// Makes the answer of a request that is refused while it is read, or whose time is up. Plain middleware that
/// the request has not passed yet may add fields to it, such as those of CORS, and so may functions of
/// Context::after. As on the way to a handler, middleware after one that aborts or throws does not run. The
/// position of the call in its chain stays, because a handler may still be running. `engine` has the
/// middleware of requests without a route.
inline void answer_refusal(Call& call, const Scope& engine, int status, std::string_view reason,
                           AnswerCause cause) {
    bool goes_on = !call.is_aborted;
    const auto decorate = [&](const Handler& middleware) {
        if (middleware.is_coroutine()) return;
        const BodyState before = std::exchange(call.body_state, BodyState::to_come);
        try {
            middleware.call(call);
            goes_on = !call.is_aborted;
        } catch (const BodyNeeded&) {
            // The middleware wants the body, which a refused request does not have.
        } catch (...) {
            goes_on = false;  // the refusal stands; it is not logged, so that clients cannot fill the log
        }
        call.body_state = before;
    };
    if (call.route == nullptr) {
        const Middleware* each = engine.middleware.first();
        for (; goes_on && each != nullptr; each = each->next) decorate(each->handler);
    } else {
        const auto& chain = call.route->chain();
        for (std::size_t i = call.position; goes_on && i + 1 < chain.size(); ++i) decorate(*chain[i]);
    }
    call.is_aborted = true;
    call.cause = cause;
    call.response.set_problem(status, reason);
    run_afters(call);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
