// Handlers: any callable that takes a Context&, the path parameters, both or nothing, made uniform. It may be
// plain or a coroutine, and may return a value to send.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/arguments.hpp"
#include "sake/app/bind.hpp"
#include "sake/app/context.hpp"
#include "sake/app/signature.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The types of the arguments of a callable that is not overloaded or generic, without references and const.
template <class F>
struct CallableTraits {
    using Arguments = std::tuple<>;
};
template <class R, class... Args>
struct CallableTraits<R (*)(Args...)> {
    using Arguments = std::tuple<std::decay_t<Args>...>;
};
template <class R, class... Args>
struct CallableTraits<R (*)(Args...) noexcept> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...)> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) const> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) noexcept> : CallableTraits<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct CallableTraits<R (C::*)(Args...) const noexcept> : CallableTraits<R (*)(Args...)> {};

/// What is left of the arguments for the path parameters: all but a Context in front. None if it stands
/// elsewhere, so that this is what the compiler complains of.
template <class Arguments>
struct ParamsOf {
    using type = Arguments;
};
template <class... Arguments>
    requires(std::is_same_v<Arguments, Context> || ...)
struct ParamsOf<std::tuple<Arguments...>> {
    using type = std::tuple<>;
};
template <class... Rest>
struct ParamsOf<std::tuple<Context, Rest...>> {
    using type = std::tuple<Rest...>;
};

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
    using type = typename ParamsOf<typename CallableTraits<decltype(&F::operator())>::Arguments>::type;
};
template <class F>
    requires(!std::invocable<F&, Context&> && std::is_pointer_v<F>)
struct HandlerParams<F> {
    using type = typename ParamsOf<typename CallableTraits<F>::Arguments>::type;
};

template <class F>
using HandlerParamsOf = typename HandlerParams<std::decay_t<F>>::type;

template <class... Params>
consteval std::size_t count_path_params() {
    static_assert((!SeenAggregate<Params> && ...),
                  "a handler takes a struct as sake::Body<T>, sake::Query<T> or sake::FormBody<T>");
    return (std::size_t{!Argument<Params>::is_typed} + ... + 0);
}
/// How many of the arguments are path parameters.
template <class Params>
inline constexpr std::size_t path_param_count = 0;
template <class... Params>
inline constexpr std::size_t path_param_count<std::tuple<Params...>> = count_path_params<Params...>();
template <class F>
inline constexpr std::size_t handler_param_count = path_param_count<HandlerParamsOf<F>>;

template <class Param>
consteval std::size_t count_of(bool is_of_query) {
    if constexpr (Argument<Param>::is_typed)
        return std::size_t{(Argument<Param>::place == SignaturePlace::query) == is_of_query};
    else
        return 0;
}
/// Whether there is one query at most, and one body or form.
template <class... Params>
consteval bool takes_each_once(std::type_identity<std::tuple<Params...>>) {
    return (count_of<Params>(true) + ... + 0) <= 1 && (count_of<Params>(false) + ... + 0) <= 1;
}

/// Whether the path parameters come first.
template <class... Params>
consteval bool has_path_params_first(std::type_identity<std::tuple<Params...>>) {
    bool was_typed = false;
    bool is_good = true;
    ((was_typed = was_typed || Argument<Params>::is_typed,
      is_good = is_good && (!was_typed || Argument<Params>::is_typed)),
     ...);
    return is_good;
}

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

/// Sends what a handler returned: text as text, anything else as JSON.
template <class T>
void answer_with(Context& ctx, T&& value) {
    if constexpr (is_text<std::remove_cvref_t<T>>) {
        ctx.text(std::forward<T>(value));
    } else if constexpr (is_created<std::remove_cvref_t<T>>) {
        if (!value.location.empty()) ctx.set_header("Location", value.location);
        ctx.status(201);
        answer_with(ctx, std::move(value.value));
    } else {
        ctx.json(std::as_const(value));
    }
}

/// What a handler is given: the view of its call, and the parameters of the path by position.
Context& context_of(Call& call) noexcept;
std::string_view path_param(Call& call, std::size_t index);

/// The name of a path parameter of the call's route by position, for messages. Defined with Route.
std::string_view param_name(const Call& call, std::size_t index) noexcept;

/// An argument of a handler, by its type or from the path.
template <class Param>
Param take_param(Call& call, std::size_t index) {
    if constexpr (Argument<Param>::is_typed)
        return Argument<Param>::take(call);
    else
        return convert_text<Param>(path_param(call, index), "path parameter", param_name(call, index));
}

/// The arguments of a handler.
template <class... Params, std::size_t... Index>
std::tuple<Params...> take_params(Call& call, std::type_identity<std::tuple<Params...>>,
                                  std::index_sequence<Index...>) {
    // Braces, because only they fix the order in which the parameters are converted.
    return std::tuple<Params...>{take_param<Params>(call, Index)...};
}

template <class Params>
Params take_params(Call& call) {
    return take_params(call, std::type_identity<Params>{},
                       std::make_index_sequence<std::tuple_size_v<Params>>{});
}

/// What a handler's types say, as a table.
template <class Params, class Value>
struct SignatureOf {
    static constexpr Signature value{};
};
template <class T>
consteval const Shape* shape_or_any() {
    if constexpr (HasShape<T>)
        return &ShapeOf<T>::value;
    else
        return &any_shape;
}
template <class Param>
consteval SignaturePart part_of_param() {
    if constexpr (Argument<Param>::is_typed)
        return {Argument<Param>::place, shape_or_any<typename Argument<Param>::Content>()};
    else if constexpr (JsonText<Param>)
        return {SignaturePlace::path, &text_shape};
    else
        return {SignaturePlace::path, &ShapeOf<Param>::value};
}
template <class Value>
consteval SignaturePart part_of_answer() {
    if constexpr (is_text<Value>)
        return {SignaturePlace::answer, &text_shape};
    else if constexpr (is_created<Value>)
        return {SignaturePlace::answer, part_of_answer<decltype(Value::value)>().shape, 201};
    else
        return {SignaturePlace::answer, shape_or_any<Value>()};
}
template <class... Params, class Value>
    requires(sizeof...(Params) > 0 && std::is_void_v<Value>)
struct SignatureOf<std::tuple<Params...>, Value> {
    static constexpr std::array<SignaturePart, sizeof...(Params)> parts{part_of_param<Params>()...};
    static constexpr Signature value{parts.data(), parts.size()};
};
template <class... Params, class Value>
    requires(!std::is_void_v<Value>)
struct SignatureOf<std::tuple<Params...>, Value> {
    static constexpr std::array<SignaturePart, sizeof...(Params) + 1> parts{part_of_param<Params>()...,
                                                                            part_of_answer<Value>()};
    static constexpr Signature value{parts.data(), parts.size()};
};

/// A handler of the server itself: a function for an object that outlives it, or is destroyed with it. One of
/// the first two is set.
struct ServerHandler {
    void* object;
    void (*plain)(void*, Call&) = nullptr;
    Task<> (*coroutine)(void*, Call&) = nullptr;
    void (*destroy)(void*) = [](void*) {};
};

/// An object of any type, or none.
class Owned {
  public:
    Owned() = default;
    Owned(void* object, void (*destroy)(void*)) noexcept : object_(object), destroy_(destroy) {}
    Owned(Owned&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), destroy_(other.destroy_) {}
    Owned& operator=(Owned&& other) noexcept {
        std::swap(object_, other.object_);
        std::swap(destroy_, other.destroy_);
        return *this;
    }
    ~Owned() {
        if (object_ != nullptr) destroy_(object_);
    }
    [[nodiscard]] void* get() const noexcept { return object_; }

  private:
    void* object_ = nullptr;
    void (*destroy_)(void*) = nullptr;
};

/// A callable of the user, owned, behind one function pointer.
class Handler {
  public:
    Handler() = default;

    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, Handler> && !std::is_same_v<std::decay_t<F>, ServerHandler>)
    explicit Handler(F&& function) {
        using Callable = std::decay_t<F>;
        using Params = HandlerParamsOf<F>;
        constexpr bool fits = HandlerCall<Callable, Params>::is_possible;
        static_assert(
            fits,
            "a Sake handler takes sake::Context& first or not at all, then nothing or the path "
            "parameters as types that can be parsed, then sake::Body, sake::Query or sake::FormBody");
        if constexpr (fits) {
            using Result = HandlerResult<Callable, Params>;
            using Value = std::remove_cvref_t<typename Awaited<Result>::type>;
            static_assert(
                !std::is_same_v<Value, Context>,
                "ctx.json(...) and the like set the answer: call it without returning what it returns");
            static_assert(
                is_answer<Value>() || std::is_same_v<Value, Context>,
                "a Sake handler returns void, a string or something with a JSON form (sake::Json, a struct "
                "that is an aggregate, a type with nlohmann's to_json), or a sake::Task of one of them");
            static_assert(has_path_params_first(std::type_identity<Params>{}),
                          "a Sake handler takes its path parameters first, then sake::Body, sake::Query and "
                          "sake::FormBody");
            static_assert(
                takes_each_once(std::type_identity<Params>{}),
                "a Sake handler takes one sake::Query at most, and one sake::Body or sake::FormBody");
            callable_ = own<Callable>(std::forward<F>(function));
            param_count_ = path_param_count<Params>;
            if constexpr (is_answer<Value>()) {
                signature_ = &SignatureOf<Params, Value>::value;
                set_call<Callable, Params, Result>();
            }
        }
    }

    explicit Handler(const ServerHandler& function) noexcept
        : callable_(function.object, function.destroy),
          plain_(function.plain),
          coroutine_(function.coroutine) {}

    [[nodiscard]] bool is_coroutine() const noexcept { return coroutine_ != nullptr; }
    [[nodiscard]] std::size_t param_count() const noexcept { return param_count_; }
    explicit operator bool() const noexcept { return callable_.get() != nullptr; }
    /// What its types say of its route.
    [[nodiscard]] const Signature& signature() const noexcept { return *signature_; }

    /// Whether it has asked for a body that was still to come: from then on it runs with the body.
    [[nodiscard]] bool reads_body() const noexcept { return reads_body_; }
    void note_that_it_reads_the_body() const noexcept { reads_body_ = true; }

    /// Runs a handler that is not a coroutine.
    void call(Call& call) const { plain_(callable_.get(), call); }
    /// Runs a handler that is one.
    [[nodiscard]] Task<> call_coroutine(Call& call) const { return coroutine_(callable_.get(), call); }

  private:
    template <class Callable, class F = Callable>
    static Owned own(F&& function) {
        return {new Callable(std::forward<F>(function)),
                [](void* callable) { delete static_cast<Callable*>(callable); }};
    }

    template <class Callable, class Params>
    static decltype(auto) invoke(void* callable, Call& call, Params& params) {
        return HandlerCall<Callable, Params>::apply(*static_cast<Callable*>(callable), context_of(call),
                                                    params);
    }

    template <class Callable, class Params, class Result>
    void set_call() noexcept {
        if constexpr (std::is_same_v<Result, Task<>> && std::tuple_size_v<Params> == 0) {
            coroutine_ = [](void* callable, Call& call) {
                Params none;
                return invoke<Callable>(callable, call, none);
            };
        } else if constexpr (is_task<Result>) {
            coroutine_ = &invoke_coroutine<Callable, Params, Result>;
        } else {
            plain_ = [](void* callable, Call& call) {
                Params params = take_params<Params>(call);
                if constexpr (std::is_void_v<Result>)
                    invoke<Callable>(callable, call, params);
                else
                    answer_with(context_of(call), invoke<Callable>(callable, call, params));
            };
        }
    }

    // The arguments live in this frame, since the handler may take them by reference.
    template <class Callable, class Params, class Result>
    static Task<> invoke_coroutine(void* callable, Call& call) {
        Params params = take_params<Params>(call);
        if constexpr (std::is_same_v<Result, Task<>>) {
            co_await invoke<Callable>(callable, call, params);
        } else {
            auto value = co_await invoke<Callable>(callable, call, params);
            answer_with(context_of(call), std::move(value));
        }
    }

    Owned callable_;
    void (*plain_)(void*, Call&) = nullptr;
    Task<> (*coroutine_)(void*, Call&) = nullptr;
    const Signature* signature_ = &no_signature;
    std::size_t param_count_ = 0;
    mutable bool reads_body_ = false;
};

/// A handler that stands in front of others, of routes with other parameters.
template <class F>
Handler make_middleware(F&& function) {
    constexpr bool fits = std::tuple_size_v<HandlerParamsOf<F>> == 0;
    static_assert(
        fits,
        "middleware takes sake::Context& and nothing else: read the path by ctx.param(name), and the rest "
        "by ctx.bind<T>(), ctx.query<T>() and ctx.form<T>()");
    if constexpr (fits) return Handler(std::forward<F>(function));
    return {};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
