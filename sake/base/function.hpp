// Two small helpers for callables. UniqueFunction is what std::move_only_function is in C++23. It carries
// work between threads; the hot path of a request does not use it.
#pragma once

#include <type_traits>
#include <utility>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

template <class Signature>
class UniqueFunction;

/// Owns any callable that fits the signature, move-only ones included. Calling an empty one is undefined.
template <class Result, class... Args>
class UniqueFunction<Result(Args...)> {
  public:
    UniqueFunction() = default;

    template <class F>
        requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
                 std::is_invocable_r_v<Result, std::decay_t<F>&, Args...>)
    UniqueFunction(F&& f)  // NOLINT(google-explicit-constructor): a callable converts, as with std::function
        : callable_(OwningPtr<Holder<std::decay_t<F>>>(new Holder<std::decay_t<F>>(std::forward<F>(f)))) {}

    Result operator()(Args... args) { return callable_->call(std::forward<Args>(args)...); }
    explicit operator bool() const noexcept { return callable_ != nullptr; }

  private:
    struct Callable {
        Callable() = default;
        Callable(const Callable&) = delete;
        Callable& operator=(const Callable&) = delete;
        virtual ~Callable() = default;
        virtual Result call(Args... args) = 0;
    };

    template <class F>
    struct Holder final : Callable {
        explicit Holder(F&& f) : function(std::move(f)) {}
        explicit Holder(const F& f) : function(f) {}
        Result call(Args... args) override {
            if constexpr (std::is_void_v<Result>) {
                static_cast<void>(function(std::forward<Args>(args)...));
            } else {
                return function(std::forward<Args>(args)...);
            }
        }
        F function;
    };

    OwningPtr<Callable> callable_;
};

/// Calls a function when the scope is left, by an exception too.
template <class F>
class AtExit {
  public:
    explicit AtExit(F function) noexcept : function_(std::move(function)) {}
    AtExit(const AtExit&) = delete;
    AtExit& operator=(const AtExit&) = delete;
    ~AtExit() { function_(); }

  private:
    F function_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
