// What a program gives to Engine::on_error, made into a handler.
#pragma once

#include <concepts>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/handler.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

template <class F>
inline constexpr bool takes_exception_ptr = std::invocable<F&, Context&, std::exception_ptr>;
template <class F>
inline constexpr bool takes_exception =
    !takes_exception_ptr<F> && std::invocable<F&, Context&, const std::exception&>;
/// As other handlers do.
template <class F>
inline constexpr bool takes_no_error =
    !takes_exception_ptr<F> && !takes_exception<F> && HandlerCall<F, std::tuple<>>::is_possible;

/// Whether it sets its answer, or returns one as other handlers do, and does not wait.
template <class F>
consteval bool answers_at_once() {
    if constexpr (takes_exception_ptr<F>)
        return std::is_void_v<std::invoke_result_t<F&, Context&, std::exception_ptr>>;
    else if constexpr (takes_exception<F>)
        return std::is_void_v<std::invoke_result_t<F&, Context&, const std::exception&>>;
    else if constexpr (takes_no_error<F>)
        return !is_task<HandlerResult<F, std::tuple<>>>;
    else
        return false;
}

/// What a program gives to Engine::on_error, as a plain handler.
template <class Callable>
Handler made_error_handler(Callable function) {
    if constexpr (takes_exception_ptr<Callable>) {
        return Handler([owned = std::move(function)](Context& ctx) mutable { owned(ctx, ctx.error()); });
    } else if constexpr (takes_exception<Callable>) {
        return Handler([owned = std::move(function)](Context& ctx) mutable {
            try {
                std::rethrow_exception(ctx.error());
            } catch (const std::exception& error) {
                owned(ctx, error);
            } catch (...) {
                // Not a std::exception: the answer that is set already stands.
            }
        });
    } else {
        return Handler(std::move(function));
    }
}

template <class F>
Handler make_error_handler(F&& function) {
    using Callable = std::decay_t<F>;
    constexpr bool fits =
        takes_exception_ptr<Callable> || takes_exception<Callable> || takes_no_error<Callable>;
    constexpr bool is_plain = answers_at_once<Callable>();
    static_assert(fits,
                  "on_error: the handler takes (sake::Context&), (sake::Context&, const std::exception&) or "
                  "(sake::Context&, std::exception_ptr): write one of these");
    static_assert(
        is_plain || !fits,
        "on_error: the handler must not be a coroutine or return a value: set the answer by ctx.json(...)");
    if constexpr (is_plain) return made_error_handler<Callable>(std::forward<F>(function));
    return {};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
