// What middleware does for a request whose body is not here: it may answer before the body is asked for, and
// it adds its fields to the answer of a request that is refused while it is read.
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

/// Runs one middleware before the body is here. False if it asked for the body: then all that it did to the
/// answer is undone, and it is to run again with the body. What it throws passes. Middleware of Sake's own
/// reads no body, or reads it before it changes anything, so the answer is not copied for it.
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
    // A middleware may have caught what told it that the body is not here.
    if (std::exchange(call.body_state, BodyState::here) != BodyState::asked_for) return true;
    middleware.note_that_it_reads_the_body();
    if (before) call.response = std::move(*before);
    call.is_aborted = false;
    while (call.afters.first() != first_after) static_cast<void>(call.afters.take_front());
    return false;
}

/// The head is here, and the body is to come: runs the middleware in front that is plain and does not read
/// the body. True if that is the answer: one of them has thrown or called abort().
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

/// Whether all middleware has run, and the handler of the server itself that follows never reads the body.
inline bool needs_no_body(const Call& call) noexcept {
    const bool is_at_handler = call.position + 1 >= call.route->chain().size();
    return is_at_handler && !call.route->handler_reads_body && !call.route->suspends();
}

/// A request is refused while it is read, or its time is up. The answer is that error; but the plain
/// middleware that it has not passed yet may add fields to it, such as those of CORS, and so may what
/// Context::after was given. As on the way to a handler, what follows one that aborts or throws is not run.
/// Where the call is in its chain stays as it is: a handler may be on its way still. `engine` has the
/// middleware of a request without a route.
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
            // It is not for this request, which has no body.
        } catch (...) {
            goes_on = false;  // the refusal stands, and a client does not fill the log with what it causes
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
