// Handlers: any callable that takes a Context&, made uniform. It may be plain or a coroutine, may return a
// value to send, and may take the path parameters as further arguments.
#pragma once

#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// The types of the arguments of a callable that is not overloaded or generic, the first left out; none for
/// what takes no argument at all, which Handler refuses in plain words.
template <class F>
struct CallableTraits {
    using Params = std::tuple<>;
};
template <class R, class First, class... Rest>
struct CallableTraits<R (*)(First, Rest...)> {
    using Params = std::tuple<std::decay_t<Rest>...>;
};
template <class R, class First, class... Rest>
struct CallableTraits<R (*)(First, Rest...) noexcept> : CallableTraits<R (*)(First, Rest...)> {};
template <class C, class R, class First, class... Rest>
struct CallableTraits<R (C::*)(First, Rest...)> : CallableTraits<R (*)(First, Rest...)> {};
template <class C, class R, class First, class... Rest>
struct CallableTraits<R (C::*)(First, Rest...) const> : CallableTraits<R (*)(First, Rest...)> {};
template <class C, class R, class First, class... Rest>
struct CallableTraits<R (C::*)(First, Rest...) noexcept> : CallableTraits<R (*)(First, Rest...)> {};
template <class C, class R, class First, class... Rest>
struct CallableTraits<R (C::*)(First, Rest...) const noexcept> : CallableTraits<R (*)(First, Rest...)> {};

template <class F>
concept HasOneCallOperator = requires { &F::operator(); };

/// The types of the path parameters that a handler takes as arguments, as a tuple.
template <class F>
struct HandlerParams {
    using type = std::tuple<>;
};
template <class F>
    requires(!std::invocable<F&, Context&> && HasOneCallOperator<F>)
struct HandlerParams<F> {
    using type = typename CallableTraits<decltype(&F::operator())>::Params;
};
template <class F>
    requires(!std::invocable<F&, Context&> && std::is_pointer_v<F>)
struct HandlerParams<F> {
    using type = typename CallableTraits<F>::Params;
};

template <class F>
using HandlerParamsOf = typename HandlerParams<std::decay_t<F>>::type;
template <class F>
inline constexpr std::size_t handler_param_count = std::tuple_size_v<HandlerParamsOf<F>>;

template <class F, class... Params>
constexpr bool is_invocable_with(std::type_identity<std::tuple<Params...>>) {
    return std::invocable<F&, Context&, Params...>;
}
template <class F, class... Params>
std::invoke_result_t<F&, Context&, Params...> handler_result(std::type_identity<std::tuple<Params...>>);

template <class T>
struct Awaited {
    using type = T;
};
template <class T>
struct Awaited<Task<T>> {
    using type = T;
};

template <class T>
inline constexpr bool is_answer =
    std::is_void_v<T> || std::is_same_v<T, Json> || std::is_convertible_v<T, std::string_view>;

/// Sends what a handler returned.
template <class T>
void answer_with(Context& ctx, const T& value) {
    if constexpr (std::is_same_v<T, Json>)
        ctx.json(value);
    else
        ctx.text(value);
}

/// The name of a parameter by position, for messages. Defined with Route.
std::string_view param_name(const Context& ctx, std::size_t index) noexcept;

/// The arguments of a handler, taken from the path.
template <class... Params, std::size_t... Index>
std::tuple<Params...> take_params(Context& ctx, std::type_identity<std::tuple<Params...>>,
                                  std::index_sequence<Index...>) {
    // Braces, because only they fix the order in which the parameters are converted.
    return std::tuple<Params...>{ContextAccess::param<Params>(ctx, Index, param_name(ctx, Index))...};
}

template <class Params>
Params take_params(Context& ctx) {
    return take_params(ctx, std::type_identity<Params>{},
                       std::make_index_sequence<std::tuple_size_v<Params>>{});
}

/// Calls a handler with its arguments, which must outlive the call, and the coroutine if it is one.
template <class F, class Params>
decltype(auto) call_with(F& function, Context& ctx, Params& params) {
    return std::apply([&](auto&... each) -> decltype(auto) { return function(ctx, std::move(each)...); },
                      params);
}

/// A callable of the user, owned, behind one function pointer.
class Handler {
  public:
    Handler() = default;

    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, Handler>)
    explicit Handler(F&& function) {
        using Callable = std::decay_t<F>;
        using Params = HandlerParamsOf<F>;
        constexpr bool fits = is_invocable_with<Callable>(std::type_identity<Params>{});
        static_assert(
            fits,
            "a Sake handler takes sake::Context& first, and then nothing or the path parameters as types "
            "that can be parsed");
        if constexpr (fits) {
            using Result = decltype(handler_result<Callable>(std::type_identity<Params>{}));
            using Value = std::remove_cvref_t<typename Awaited<Result>::type>;
            static_assert(
                is_answer<Value>,
                "a Sake handler returns void, a string or sake::Json, or a sake::Task of one of them");
            callable_ = Owned(new Callable(std::forward<F>(function)),
                              [](void* callable) { delete static_cast<Callable*>(callable); });
            param_count_ = std::tuple_size_v<Params>;
            if constexpr (is_answer<Value>) set_call<Callable, Params, Result>();
        }
    }

    [[nodiscard]] bool is_coroutine() const noexcept { return coroutine_ != nullptr; }
    [[nodiscard]] std::size_t param_count() const noexcept { return param_count_; }
    explicit operator bool() const noexcept { return callable_ != nullptr; }

    /// Runs a handler that is not a coroutine.
    void call(Context& ctx) const { plain_(callable_.get(), ctx); }
    /// Runs a handler that is one.
    [[nodiscard]] Task<> call_coroutine(Context& ctx) const { return coroutine_(callable_.get(), ctx); }

  private:
    using Owned = std::unique_ptr<void, void (*)(void*)>;

    template <class Callable, class Params>
    static decltype(auto) invoke(void* callable, Context& ctx) {
        Params params = take_params<Params>(ctx);
        return call_with(*static_cast<Callable*>(callable), ctx, params);
    }

    template <class Callable, class Params, class Result>
    void set_call() noexcept {
        if constexpr (std::is_same_v<Result, Task<>> && std::tuple_size_v<Params> == 0) {
            coroutine_ = [](void* callable, Context& ctx) {
                return (*static_cast<Callable*>(callable))(ctx);
            };
        } else if constexpr (is_task<Result>) {
            coroutine_ = &invoke_coroutine<Callable, Params, Result>;
        } else if constexpr (std::is_void_v<Result>) {
            plain_ = [](void* callable, Context& ctx) { invoke<Callable, Params>(callable, ctx); };
        } else {
            plain_ = [](void* callable, Context& ctx) {
                answer_with<std::remove_cvref_t<Result>>(ctx, invoke<Callable, Params>(callable, ctx));
            };
        }
    }

    // The arguments live in this frame, since the handler may take them by reference.
    template <class Callable, class Params, class Result>
    static Task<> invoke_coroutine(void* callable, Context& ctx) {
        Params params = take_params<Params>(ctx);
        if constexpr (std::is_same_v<Result, Task<>>) {
            co_await call_with(*static_cast<Callable*>(callable), ctx, params);
        } else {
            auto value = co_await call_with(*static_cast<Callable*>(callable), ctx, params);
            answer_with(ctx, value);
        }
    }

    Owned callable_{nullptr, nullptr};
    void (*plain_)(void*, Context&) = nullptr;
    Task<> (*coroutine_)(void*, Context&) = nullptr;
    std::size_t param_count_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace sake
