// The arguments of a handler: derived from its type, and taken from a request.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/app/arguments.hpp"
#include "sake/app/bind.hpp"
#include "sake/app/context.hpp"
#include "sake/app/signature.hpp"
#include "sake/base/shape_of.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The types of the arguments of a callable that is not overloaded or generic, without references and const.
template <class F>
struct CallableTraits {
    using Arguments = std::tuple<>;
    using Written = std::tuple<>;
    using Result = void;
};
template <class R, class... Args>
struct CallableTraits<R (*)(Args...)> {
    using Arguments = std::tuple<std::decay_t<Args>...>;
    using Written = std::tuple<Args...>;  // with references and const
    using Result = R;
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

/// What a handler takes: something by type, or a path parameter.
template <class Param>
concept HandlerParam = Argument<Param>::is_typed || TextParam<Param>;

/// How many of the arguments are path parameters; 0 if one of them is nothing that a handler takes, so that
/// this is what the compiler complains of.
template <class Params>
inline constexpr std::size_t path_param_count = 0;
template <HandlerParam... Params>
inline constexpr std::size_t path_param_count<std::tuple<Params...>> =
    (std::size_t{!Argument<Params>::is_typed} + ... + 0);
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

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
