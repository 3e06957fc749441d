// How a callable is called as a handler, whether it can be one, and what the compiler says if it cannot.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/handler_arguments.hpp"
#include "sake/async/task.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// How a handler is called: with the Context in front of its path parameters, or without.
template <class F, class Params>
struct HandlerCall;
template <class F, class... Params>
struct HandlerCall<F, std::tuple<Params...>> {
    static constexpr bool takes_context = std::invocable<F&, Context&, Params...>;
    static constexpr bool is_possible = takes_context || std::invocable<F&, Params...>;

    static decltype(auto) call(F& function, Context& ctx, Params&... params) {
        if constexpr (takes_context)
            return function(ctx, std::move(params)...);
        else
            return function(std::move(params)...);
    }
    static decltype(auto) apply(F& function, Context& ctx, std::tuple<Params...>& params) {
        if constexpr (sizeof...(Params) == 0)
            return call(function, ctx);
        else
            return std::apply([&](auto&... each) -> decltype(auto) { return call(function, ctx, each...); },
                              params);
    }
};
template <class F, class Params>
using HandlerResult = decltype(HandlerCall<F, Params>::apply(std::declval<F&>(), std::declval<Context&>(),
                                                             std::declval<Params&>()));

template <class T>
struct Awaited {
    using type = T;
};
template <class T>
struct Awaited<Task<T>> {
    using type = T;
};

// A nullptr converts to a string_view that nothing may read; it is JSON's null.
template <class T>
inline constexpr bool is_text =
    !std::is_same_v<T, Json> && !std::is_null_pointer_v<T> && std::is_convertible_v<T, std::string_view>;

/// Whether an answer can be made of what a handler returns.
template <class T>
consteval bool is_answer() {
    if constexpr (std::is_void_v<T> || is_text<T> || std::is_same_v<T, Json> || is_created<T>)
        return true;
    else if constexpr (HasShape<T>)
        return !std::is_pointer_v<T>;
    else
        return !std::is_pointer_v<T> && std::is_constructible_v<Json, const T&>;
}

/// Why a callable is not a handler. `none` stands for one that is.
enum class HandlerFault : std::uint8_t {
    none,
    not_a_function,
    of_member,
    generic,
    context_by_value,
    context_not_first,
    by_reference,
    plain_struct,
    other_type,
    path_after_body,
    two_bodies,
    other_signature,
    not_copied,
    returns_context,
    returns_task_of_task,
    returns_no_answer,
    reported,  // by the compiler itself: a Context is not copied, so a handler cannot return one
};

/// Stops the compiler with the words for the fault.
template <HandlerFault fault>
void refuse_handler() {
    using enum HandlerFault;
    static_assert(fault != not_a_function,
                  "a handler is a function or a lambda: write app.get(path, f), not app.get(path, f())");
    static_assert(fault != of_member,
                  "a member function has no object here: wrap it in a lambda, [&notes](sake::Context& ctx) { "
                  "notes.list(ctx); }");
    static_assert(fault != generic,
                  "a handler has one operator(), and a type for each parameter: write int id, not auto id");
    static_assert(fault != context_by_value,
                  "a handler takes the Context by reference: write sake::Context& ctx");
    static_assert(
        fault != context_not_first,
        "a handler takes sake::Context& as its first parameter, or not at all: move it to the front");
    static_assert(fault != by_reference,
                  "a handler takes its parameters by value or const reference: write std::string name, not "
                  "std::string& name");
    static_assert(fault != plain_struct,
                  "a handler does not know where to read this struct from: take sake::Body<T> (JSON), "
                  "sake::Query<T> or sake::FormBody<T>");
    static_assert(fault != other_type,
                  "a handler takes path parameters as a number, bool, std::string, std::string_view or enum "
                  "class: take one of these, and make your type of it in the handler");
    static_assert(fault != path_after_body,
                  "a handler takes the path parameters first: move sake::Body, sake::Query and "
                  "sake::FormBody behind them");
    static_assert(fault != two_bodies,
                  "a handler takes one sake::Query at most, and one sake::Body or sake::FormBody: make one "
                  "struct of the two");
    static_assert(fault != other_signature,
                  "a handler takes sake::Context&, then the path parameters, then sake::Body, sake::Query or "
                  "sake::FormBody; each of them can be left out");
    static_assert(fault != not_copied,
                  "this handler cannot be copied, because a capture cannot (a std::unique_ptr): move it, "
                  "app.get(path, std::move(handler))");
    static_assert(
        fault != returns_context,
        "ctx.json(...) and the like set the answer, and a handler does not return it: leave out the "
        "return");
    static_assert(fault != returns_task_of_task,
                  "a handler returns a Task of a Task: co_await the inner one, and return its result");
    static_assert(fault != returns_no_answer,
                  "a handler returns nothing, a text, a sake::Json, a plain struct, a type with nlohmann's "
                  "to_json, or a sake::Task of one of them: make one of these of what this one returns");
}

template <class... Written>
consteval HandlerFault fault_of_written(std::type_identity<std::tuple<Written...>>) {
    constexpr bool has_context = (std::is_same_v<std::decay_t<Written>, Context> || ...);
    constexpr bool is_changed =
        ((std::is_lvalue_reference_v<Written> && !std::is_const_v<std::remove_reference_t<Written>> &&
          !std::is_same_v<std::decay_t<Written>, Context>) ||
         ...);
    if ((std::is_same_v<std::remove_const_t<Written>, Context> || ...)) return HandlerFault::context_by_value;
    if (is_changed) return HandlerFault::by_reference;
    return has_context ? HandlerFault::context_not_first : HandlerFault::other_signature;
}

/// Of a callable that cannot be called as handlers are.
template <class F>
consteval HandlerFault fault_of_call() {
    if constexpr (std::is_member_pointer_v<F>) {
        return HandlerFault::of_member;
    } else if constexpr (HasOneCallOperator<F>) {
        using Traits = CallableTraits<decltype(&F::operator())>;
        return fault_of_written(std::type_identity<typename Traits::Written>{});
    } else if constexpr (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>) {
        return fault_of_written(std::type_identity<typename CallableTraits<F>::Written>{});
    } else {
        return std::is_class_v<F> && !is_task<F> ? HandlerFault::generic : HandlerFault::not_a_function;
    }
}

template <class... Params>
consteval HandlerFault fault_of_params(std::type_identity<std::tuple<Params...>> params) {
    if ((SeenAggregate<Params> || ...)) return HandlerFault::plain_struct;
    if (!(HandlerParam<Params> && ...)) return HandlerFault::other_type;
    if (!has_path_params_first(params)) return HandlerFault::path_after_body;
    return takes_each_once(params) ? HandlerFault::none : HandlerFault::two_bodies;
}

template <class Result>
consteval HandlerFault fault_of_result() {
    using Value = std::remove_cvref_t<typename Awaited<Result>::type>;
    if constexpr (std::is_same_v<Result, Context>)
        return HandlerFault::reported;
    else if constexpr (std::is_same_v<Value, Context>)
        return HandlerFault::returns_context;
    else if constexpr (is_task<Value>)
        return HandlerFault::returns_task_of_task;
    else
        return is_answer<Value>() ? HandlerFault::none : HandlerFault::returns_no_answer;
}

/// What keeps an F, as it is handed over, from being a handler.
template <class F, class Params = HandlerParamsOf<F>>
consteval HandlerFault handler_fault() {
    using Callable = std::decay_t<F>;
    if constexpr (!HandlerCall<Callable, Params>::is_possible) {
        return fault_of_call<Callable>();
    } else if constexpr (constexpr auto fault = fault_of_params(std::type_identity<Params>{});
                         fault != HandlerFault::none) {
        return fault;
    } else if constexpr (!std::is_constructible_v<Callable, F>) {
        return HandlerFault::not_copied;
    } else {
        return fault_of_result<HandlerResult<Callable, Params>>();
    }
}

/// The promise of a function that awaits, takes a Context& and returns void. The language makes a coroutine
/// of it if there is such a promise, so this one is there, and stops the compiler.
template <class Function>
struct VoidPromise : TaskPromise<void> {
    static_assert(always_false<Function>,
                  "a handler that uses co_await returns a sake::Task<>: write -> sake::Task<> behind its "
                  "parameters");
    void get_return_object() const noexcept {}
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake

template <class... Rest>
struct std::coroutine_traits<void, sake::Context&, Rest...> {
    using promise_type = sake::detail::VoidPromise<void(Rest...)>;
};
template <class Object, class... Rest>
struct std::coroutine_traits<void, Object, sake::Context&, Rest...> {
    using promise_type = sake::detail::VoidPromise<Object>;
};
