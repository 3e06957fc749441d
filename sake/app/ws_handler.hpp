// Handlers of Engine::ws: a coroutine that takes a Context& or not, a WebSocket&, then path parameters and a
// Query, as with other handlers.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/handler.hpp"
#include "sake/app/handler_arguments.hpp"
#include "sake/async/task.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What is left of the arguments for the path parameters.
template <class Arguments>
struct WsParamsOf {
    using type = std::tuple<>;
};
template <class... Rest>
struct WsParamsOf<std::tuple<WebSocket, Rest...>> {
    using type = std::tuple<Rest...>;
};
template <class... Rest>
struct WsParamsOf<std::tuple<Context, WebSocket, Rest...>> {
    using type = std::tuple<Rest...>;
};
template <class F>
struct WsParams {
    using type = std::tuple<>;
};
template <HasOneCallOperator F>
struct WsParams<F> {
    using type = typename WsParamsOf<typename CallableTraits<decltype(&F::operator())>::Arguments>::type;
};
template <class R, class... Args>
struct WsParams<R (*)(Args...)> {
    using type = typename WsParamsOf<std::tuple<std::decay_t<Args>...>>::type;
};

/// For the check of a pattern: a function with the same parameters from the path.
template <class Params>
struct WsPatternOf;
template <class... Params>
struct WsPatternOf<std::tuple<Params...>> {
    using type = void (*)(Context&, Params...);
};
template <class F>
using WsPattern = typename WsPatternOf<typename WsParams<std::decay_t<F>>::type>::type;

/// How such a handler is called.
template <class F, class Params>
struct WsCall;
template <class F, class... Params>
struct WsCall<F, std::tuple<Params...>> {
    static constexpr bool takes_context = std::invocable<F&, Context&, WebSocket&, Params...>;
    static constexpr bool has_body =
        ((path_param_count<std::tuple<Params>> + count_of<Params>(true) == 0) || ...);
    static constexpr bool is_possible =
        !has_body && (takes_context || std::invocable<F&, WebSocket&, Params...>);

    static auto call(F& function, [[maybe_unused]] Call* call, WebSocket& ws, Params&... params) {
        if constexpr (takes_context)
            return function(context_of(*call), ws, std::move(params)...);
        else
            return function(ws, std::move(params)...);
    }
};

/// A handler of the program, owned, behind function pointers.
class WsHandler {
  public:
    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, WsHandler>)
    explicit WsHandler(F&& function) {
        using Callable = std::decay_t<F>;
        using Params = typename WsParams<Callable>::type;
        constexpr bool fits = WsCall<Callable, Params>::is_possible;
        constexpr bool is_coroutine = returns_task<Callable, Params>();
        static_assert(
            fits,
            "a WebSocket handler takes sake::WebSocket&, with a sake::Context& in front of it or not, "
            "then the path parameters, then a sake::Query: read all else in ctx or from the messages");
        static_assert(
            is_coroutine || !fits,
            "a WebSocket handler is a coroutine: write [](sake::WebSocket& ws) -> sake::Task<> {...}, "
            "and co_await ws.receive() in it");
        if constexpr (fits && is_coroutine) set<Callable, Params>(std::forward<F>(function));
    }

    [[nodiscard]] std::size_t param_count() const noexcept { return param_count_; }
    /// Whether it needs the request while it runs.
    [[nodiscard]] bool needs_call() const noexcept { return needs_call_; }
    /// Takes the arguments in vain, before the answer: what does not convert is a refusal.
    void check_arguments(Call& call) const {
        if (check_ != nullptr) check_(call);
    }
    /// The call is null if it is not needed.
    Task<> run(Call* call, WebSocket& ws) const { return run_(callable_.get(), call, ws); }

  private:
    template <class Callable, class Params>
    static consteval bool returns_task() {
        if constexpr (WsCall<Callable, Params>::is_possible)
            return std::is_same_v<decltype(invoke<Callable, Params>(
                                      nullptr, nullptr, std::declval<WebSocket&>(), std::declval<Params&>())),
                                  Task<>>;
        else
            return false;
    }

    template <class Callable, class Params, class F>
    void set(F&& function) {
        callable_ = Owned(new Callable(std::forward<F>(function)),
                          [](void* callable) { delete static_cast<Callable*>(callable); });
        param_count_ = path_param_count<Params>;
        needs_call_ = WsCall<Callable, Params>::takes_context || std::tuple_size_v<Params> != 0;
        if constexpr (std::tuple_size_v<Params> == 0) {
            run_ = [](void* callable, Call* call, WebSocket& ws) {
                Params none;
                return invoke<Callable>(callable, call, ws, none);
            };
        } else {
            check_ = [](Call& call) { static_cast<void>(take_params<Params>(call)); };
            run_ = &run_with_params<Callable, Params>;
        }
    }

    template <class Callable, class Params>
    static auto invoke(void* callable, Call* call, WebSocket& ws, Params& params) {
        return std::apply(
            [&](auto&... each) {
                return WsCall<Callable, Params>::call(*static_cast<Callable*>(callable), call, ws, each...);
            },
            params);
    }
    // The arguments live in this frame, since the handler may take them by reference.
    template <class Callable, class Params>
    static Task<> run_with_params(void* callable, Call* call, WebSocket& ws) {
        Params params = take_params<Params>(*call);
        co_await invoke<Callable>(callable, call, ws, params);
    }

    Owned callable_;
    void (*check_)(Call&) = nullptr;
    Task<> (*run_)(void*, Call*, WebSocket&) = nullptr;
    std::size_t param_count_ = 0;
    bool needs_call_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
