// Handlers: any callable that takes a Context&, path parameters, what it reads by type, or nothing. It may be
// plain or a coroutine, and may return a value to send.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/context.hpp"
#include "sake/app/handler_arguments.hpp"
#include "sake/app/handler_check.hpp"
#include "sake/app/signature.hpp"
#include "sake/app/step_info.hpp"
#include "sake/async/task.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

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
    std::size_t param_count = 0;
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

/// What is found out while serving, from any thread.
class Noted {
  public:
    Noted() = default;
    Noted(Noted&& other) noexcept : is_noted_(other.is_noted()) {}
    Noted& operator=(Noted&& other) noexcept {
        is_noted_.store(other.is_noted(), std::memory_order_relaxed);
        return *this;
    }
    ~Noted() = default;
    void note() noexcept { is_noted_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool is_noted() const noexcept { return is_noted_.load(std::memory_order_relaxed); }

  private:
    std::atomic<bool> is_noted_{false};
};

/// A callable of the user, owned, behind one function pointer.
class Handler {
  public:
    Handler() = default;

    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, Handler> && !std::is_same_v<std::decay_t<F>, ServerHandler>)
    explicit Handler(F&& function) {
        constexpr HandlerFault fault = handler_fault<F>();
        if constexpr (fault == HandlerFault::none)
            set<std::decay_t<F>, HandlerParamsOf<F>>(std::forward<F>(function));
        else
            refuse_handler<fault>();
    }

    explicit Handler(const ServerHandler& function) noexcept
        : callable_(function.object, function.destroy),
          plain_(function.plain),
          coroutine_(function.coroutine),
          param_count_(function.param_count) {}

    [[nodiscard]] bool is_coroutine() const noexcept { return coroutine_ != nullptr; }
    [[nodiscard]] std::size_t param_count() const noexcept { return param_count_; }
    explicit operator bool() const noexcept { return callable_.get() != nullptr; }
    /// What its types say of its route.
    [[nodiscard]] const Signature& signature() const noexcept { return *signature_; }

    /// What it is, if it is middleware of Sake's own; else nullptr.
    [[nodiscard]] const StepInfo* step() const noexcept { return step_; }

    /// Whether it has asked for a body that was still to come: from then on it runs with the body.
    [[nodiscard]] bool reads_body() const noexcept { return reads_body_.is_noted(); }
    void note_that_it_reads_the_body() const noexcept { reads_body_.note(); }

    /// Runs a handler that is not a coroutine.
    void call(Call& call) const { plain_(callable_.get(), call); }
    /// Runs a handler that is one.
    Task<> call_coroutine(Call& call) const { return coroutine_(callable_.get(), call); }

  private:
    template <class Callable, class Params, class F>
    void set(F&& function) {
        using Result = HandlerResult<Callable, Params>;
        using Value = std::remove_cvref_t<typename Awaited<Result>::type>;
        if constexpr (StepAccess::has_info<Callable>) step_ = StepAccess::info(function);
        callable_ = own<Callable>(std::forward<F>(function));
        param_count_ = path_param_count<Params>;
        signature_ = &SignatureOf<Params, Value>::value;
        set_call<Callable, Params, Result>();
    }

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
    const StepInfo* step_ = nullptr;
    std::size_t param_count_ = 0;
    mutable Noted reads_body_;
};

/// Whether it is a function that returns middleware, such as sake::middleware::cors, instead of its result.
template <class F>
inline constexpr bool makes_middleware = requires { typename CallableTraits<F>::Result::ObservesAnswers; } ||
                                         std::invocable<typename CallableTraits<F>::Result, Context&>;

/// Whether a callable without path parameters returns nothing, or a Task of nothing.
template <class Callable>
consteval bool returns_nothing() {
    if constexpr (HandlerCall<Callable, std::tuple<>>::is_possible)
        return std::is_void_v<typename Awaited<HandlerResult<Callable, std::tuple<>>>::type>;
    else
        return true;
}

/// A handler that stands in front of others, of routes with other parameters.
template <class F>
Handler make_middleware(F&& function) {
    using Callable = std::decay_t<F>;
    constexpr bool is_made = !makes_middleware<Callable>;
    constexpr bool fits = HandlerCall<Callable, std::tuple<>>::is_possible;
    constexpr bool is_silent = returns_nothing<Callable>();
    static_assert(is_made,
                  "this function makes middleware, and is not middleware itself: call it, as in "
                  "app.use(sake::middleware::cors())");
    static_assert(fits || !is_made,
                  "middleware takes sake::Context& and nothing else: ctx.param, ctx.query and ctx.bind read "
                  "the request, and what follows runs by itself, or by co_await ctx.next()");
    static_assert(is_silent || !is_made,
                  "middleware returns nothing or a sake::Task<>, since a value would stop no request: throw "
                  "sake::HttpError(401), or call ctx.abort(401)");
    if constexpr (fits && is_made && is_silent) return Handler(std::forward<F>(function));
    return {};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
