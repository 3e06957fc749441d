// Runs a call through its middleware to its handler: a loop of plain calls if nothing in it is a coroutine,
// else a task. Exceptions are answered by errors.hpp.
#pragma once

#include <exception>
#include <utility>

#include "sake/app/call.hpp"
#include "sake/app/carrier.hpp"
#include "sake/app/chain.hpp"
#include "sake/app/errors.hpp"
#include "sake/app/handler.hpp"
#include "sake/app/route.hpp"
#include "sake/async/task.hpp"
#include "sake/base/error.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The next handler of the chain; nullptr at the end or after abort().
inline const Handler* take_next(Call& call) noexcept {
    const auto& chain = call.route->chain();
    if (call.is_aborted || call.position == chain.size()) return nullptr;
    return chain[call.position++];
}

/// The carrier for the handler just taken; null for middleware and for handlers that run here.
inline Carrier* carrier_of(const Call& call) noexcept {
    const bool is_handler = call.position == call.route->chain().size();
    return is_handler && call.route->is_worker() ? call.place.carrier : nullptr;
}

/// Makes the handler's exception the answer, and skips the rest of the chain.
inline void answer_failure(Call& call) {
    const std::exception_ptr caught = caught_exception();
    call.is_aborted = true;
    call.place.errors->answer(call, caught);
}

/// The answer is complete: runs the functions of Context::after, the last first.
inline void run_afters(Call& call) {
    while (!call.afters.empty()) {
        const auto after = call.afters.take_front();
        const RunningScope scope(call, Running::after);
        try {
            after->run(call.context);
        } catch (...) {
            answer_failure(call);
        }
    }
}

/// Runs a chain in which nothing is a coroutine.
inline void run_plain(Call& call) {
    try {
        while (const Handler* handler = take_next(call)) handler->call(call);
    } catch (...) {
        answer_failure(call);
    }
    if (!call.afters.empty()) run_afters(call);
}

SAKE_INLINE Task<> run_rest(Call& call) {
    try {
        while (const Handler* handler = take_next(call)) {
            if (Carrier* const carrier = carrier_of(call)) {
                const OwningPtr<CarriedCall> carried = carrier->carry(call);
                if (!carried) continue;
                CarriedCall& answer = *carried;  // GCC 12 copies what is awaited and has no name
                co_await answer;
            } else if (handler->is_coroutine()) {
                Task<> running = handler->call_coroutine(call);
                co_await std::move(running);
            } else {
                const RunningScope scope(call, Running::plain);
                handler->call(call);
            }
        }
    } catch (const Cancelled&) {
        call.is_aborted = true;
        throw;
    } catch (...) {
        answer_failure(call);
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
