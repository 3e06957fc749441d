// Running a request through its middleware to its handler, and turning what they throw into answers: the one
// error path for plain functions and coroutines.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "sake/app/carrier.hpp"
#include "sake/app/context.hpp"
#include "sake/app/route.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Makes answers of exceptions. HttpError is an answer that the program chose; anything else is a failure,
/// whose text goes to the log and never to the client.
class ErrorAnswers {
  public:
    ErrorAnswers(const Handler& on_error, const LogSink& log) noexcept : on_error_(&on_error), log_(&log) {}

    void answer(Context& ctx, const std::exception_ptr& exception) const {
        ContextAccess::error(ctx) = exception;
        set_default_answer(ctx, exception);
        if (!*on_error_) return;
        try {
            on_error_->call(ctx);
        } catch (...) {
            set_default_answer(ctx, std::current_exception());
        }
    }

  private:
    void set_default_answer(Context& ctx, const std::exception_ptr& exception) const {
        Response& response = ContextAccess::response(ctx);
        try {
            std::rethrow_exception(exception);
        } catch (const HttpError& error) {
            response.set_problem(error.status(), error.detail());
        } catch (const Cancelled&) {
            response.set_problem(503, "the request was cancelled");
        } catch (const std::bad_alloc&) {
            report(ctx, "out of memory");
            response.set_problem(503, "out of memory");
        } catch (const std::exception& error) {
            report(ctx, error.what());
            response.set_problem(500, {});
        } catch (...) {
            report(ctx, "an exception that is no std::exception");
            response.set_problem(500, {});
        }
    }

    void report(Context& ctx, std::string_view what) const {
        const Route* const route = ContextAccess::route(ctx);
        std::string line(ctx.method());
        line.append(" ").append(ctx.target()).append(" failed: ");
        append_escaped(line, what);  // a text that may hold a client's bytes, for any sink
        if (route != nullptr) line.append(" in ").append(route->description());
        log_quietly(*log_, LogLevel::error, line, {});
    }

    const Handler* on_error_;
    const LogSink* log_;
};

/// What a program gives to Engine::on_error, as a plain handler.
template <class F>
Handler make_error_handler(F&& function) {
    using Callable = std::decay_t<F>;
    if constexpr (std::invocable<Callable&, Context&, std::exception_ptr>) {
        static_assert(
            std::is_void_v<std::invoke_result_t<Callable&, Context&, std::exception_ptr>>,
            "on_error: the handler must return void; it is no coroutine and sets its answer in ctx");
        return Handler(
            [owned = Callable(std::forward<F>(function))](Context& ctx) mutable { owned(ctx, ctx.error()); });
    } else if constexpr (std::invocable<Callable&, Context&, const std::exception&>) {
        static_assert(
            std::is_void_v<std::invoke_result_t<Callable&, Context&, const std::exception&>>,
            "on_error: the handler must return void; it is no coroutine and sets its answer in ctx");
        return Handler([owned = Callable(std::forward<F>(function))](Context& ctx) mutable {
            try {
                std::rethrow_exception(ctx.error());
            } catch (const std::exception& error) {
                owned(ctx, error);
            } catch (...) {
                // Not a std::exception: the answer that is set already stands.
            }
        });
    } else {
        Handler handler(std::forward<F>(function));
        if (handler.is_coroutine())
            throw std::invalid_argument("on_error: the handler must not be a coroutine");
        return handler;
    }
}

/// The next handler of the chain; nullptr at its end or after abort().
inline const Handler* take_next(Context& ctx) noexcept {
    const auto& chain = ContextAccess::route(ctx)->chain();
    std::size_t& position = ContextAccess::position(ctx);
    if (ctx.is_aborted() || position == chain.size()) return nullptr;
    return chain[position++];
}

/// The pool that is to run the handler just taken: that of a worker route, if there is a pool. Never
/// middleware.
inline Workers* workers_for(Context& ctx) noexcept {
    const Route& route = *ContextAccess::route(ctx);
    const bool is_handler = ContextAccess::position(ctx) == route.chain().size();
    return is_handler && route.is_worker() ? ContextAccess::place(ctx).workers : nullptr;
}

/// Runs a chain in which nothing is a coroutine.
inline void run_plain(Context& ctx) {
    try {
        while (const Handler* handler = take_next(ctx)) handler->call(ctx);
    } catch (...) {
        ContextAccess::place(ctx).errors->answer(ctx, caught_exception());
    }
}

/// Runs what is left of the chain. Middleware that has awaited next() finds nothing left when it returns; if
/// it has not, the rest runs then. What a handler throws is answered here, so that the middleware outside
/// sees the answer, as it does when the handler runs in a worker. Only a cancellation goes through to the
/// connection.
inline Task<> run_rest(Context& ctx) {
    try {
        while (const Handler* handler = take_next(ctx)) {
            if (Workers* const workers = workers_for(ctx)) {
                const std::unique_ptr<WorkerCall> call = workers->call(ctx);
                if (!call) continue;
                WorkerCall& answer = *call;  // GCC 12 copies what is awaited and has no name
                co_await answer;
            } else if (handler->is_coroutine()) {
                Task<> call = handler->call_coroutine(ctx);
                co_await std::move(call);
            } else {
                handler->call(ctx);
            }
        }
    } catch (const Cancelled&) {
        ctx.abort();
        throw;
    } catch (...) {
        const std::exception_ptr caught = caught_exception();
        ctx.abort();
        ContextAccess::place(ctx).errors->answer(ctx, caught);
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
