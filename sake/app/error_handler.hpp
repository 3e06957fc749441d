// What a program gives to Engine::on_error, made into a handler.
#pragma once

#include <concepts>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/handler.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a program gives to Engine::on_error, as a plain handler.
template <class F>
Handler make_error_handler(F&& function) {
    using Callable = std::decay_t<F>;
    if constexpr (std::invocable<Callable&, Context&, std::exception_ptr>) {
        static_assert(std::is_void_v<std::invoke_result_t<Callable&, Context&, std::exception_ptr>>,
                      "on_error: the handler must return void; it is plain, and sets its answer in ctx");
        return Handler(
            [owned = Callable(std::forward<F>(function))](Context& ctx) mutable { owned(ctx, ctx.error()); });
    } else if constexpr (std::invocable<Callable&, Context&, const std::exception&>) {
        static_assert(std::is_void_v<std::invoke_result_t<Callable&, Context&, const std::exception&>>,
                      "on_error: the handler must return void; it is plain, and sets its answer in ctx");
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
        static_assert(handler_param_count<F> == 0,
                      "on_error: the handler takes (Context&), (Context&, const std::exception&) or "
                      "(Context&, std::exception_ptr), and no path parameters");
        Handler handler(std::forward<F>(function));
        if (handler.is_coroutine())
            throw std::invalid_argument("on_error: the handler must not be a coroutine");
        return handler;
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
