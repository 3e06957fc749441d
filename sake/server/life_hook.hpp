// LifeHook: a function that a program gives to an engine, to run beside its requests. life.hpp runs it.
#pragma once

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "sake/async/clock.hpp"
#include "sake/async/task.hpp"
#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The place in the source where a program registered something.
struct SourcePlace {
    const char* file;
    int line;
};

/// The function given to on_start, on_stop, every or background. It is called with a stop token if it accepts
/// one.
class LifeHook {
  public:
    enum class Kind : std::uint8_t { start, stop, every, background };

    LifeHook(Kind when, Clock::duration every, SourcePlace at) noexcept
        : kind(when), period(every), place(at) {}
    LifeHook(const LifeHook&) = delete;
    LifeHook& operator=(const LifeHook&) = delete;
    virtual ~LifeHook() = default;

    [[nodiscard]] virtual bool is_coroutine() const noexcept = 0;
    /// If it is plain.
    virtual void run(const std::stop_token& stop) = 0;
    /// If it is a coroutine.
    [[nodiscard]] virtual Task<> begin(const std::stop_token& stop) = 0;

    /// "every at main.cpp:12"
    [[nodiscard]] std::string name() const;

    const Kind kind;
    const Clock::duration period;
    const SourcePlace place;
    LifeHook* next = nullptr;
};

template <class F>
auto call_life_hook(F& function, const std::stop_token& stop) {
    if constexpr (std::invocable<F&, std::stop_token>) {
        return function(stop);
    } else {
        static_assert(
            std::invocable<F&>,
            "on_start, on_stop, every and background take a function f() or f(std::stop_token): let "
            "it capture all else");
        if constexpr (std::invocable<F&>) return function();
    }
}

template <class F>
class LifeHookOf final : public LifeHook {
    using Result = decltype(call_life_hook(std::declval<F&>(), std::declval<const std::stop_token&>()));
    static constexpr bool is_awaited = std::is_same_v<Result, Task<>>;
    static_assert(
        is_awaited || std::is_void_v<Result>,
        "on_start, on_stop, every and background: the function returns a value that nothing reads: let it "
        "return nothing, or a sake::Task<>");

  public:
    LifeHookOf(Kind when, Clock::duration every, SourcePlace at, F function)
        : LifeHook(when, every, at), function_(std::move(function)) {}

    [[nodiscard]] bool is_coroutine() const noexcept override { return is_awaited; }
    void run(const std::stop_token& stop) override {
        if constexpr (!is_awaited) call_life_hook(function_, stop);
    }
    Task<> begin(const std::stop_token& stop) override {
        if constexpr (is_awaited) {
            return call_life_hook(function_, stop);
        } else {
            throw std::logic_error("a plain function is not a coroutine");
        }
    }

  private:
    F function_;
};

/// A hook in the form in which the engine stores it.
template <class F>
OwningPtr<LifeHook> make_life_hook(LifeHook::Kind kind, Clock::duration period, SourcePlace place,
                                   F function) {
    return OwningPtr<LifeHookOf<F>>(new LifeHookOf<F>(kind, period, place, std::move(function)));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
