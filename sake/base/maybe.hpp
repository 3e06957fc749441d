// Maybe<T>: an optional T, for the inside of Sake. Programs see std::optional, which costs the compiler about
// ten times as much per type.
#pragma once

#include <new>
#include <utility>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A T, or nothing. It stays where it is: neither copied nor moved.
template <class T>
class Maybe {
  public:
    constexpr Maybe() noexcept : nothing_() {}
    constexpr Maybe(T value) noexcept : value_(std::move(value)), has_value_(true) {}
    Maybe(const Maybe&) = delete;
    Maybe& operator=(const Maybe&) = delete;
    constexpr ~Maybe() { reset(); }

    /// Makes the T, in place of the one that is there.
    template <class... Args>
    T& emplace(Args&&... args) {
        reset();
        new (static_cast<void*>(&value_)) T(std::forward<Args>(args)...);
        has_value_ = true;
        return value_;
    }
    constexpr void reset() noexcept {
        if (has_value_) value_.~T();
        has_value_ = false;
    }

    [[nodiscard]] constexpr bool has_value() const noexcept { return has_value_; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value_; }
    [[nodiscard]] constexpr T& operator*() noexcept { return value_; }
    [[nodiscard]] constexpr const T& operator*() const noexcept { return value_; }
    [[nodiscard]] constexpr T* operator->() noexcept { return &value_; }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value_; }

  private:
    union {
        char nothing_;
        T value_;
    };
    bool has_value_ = false;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
