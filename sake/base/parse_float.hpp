// Floating-point numbers from text, whatever the locale is. The standard library does it where it can; libc++
// before version 20 cannot.
#pragma once

#include <cerrno>
#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>
#include <system_error>

#include "sake/base/platform.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

#if SAKE_HAS_FLOAT_FROM_CHARS

template <std::floating_point T>
[[nodiscard]] bool parse_finite(std::string_view text, T& value) noexcept {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return !text.empty() && error == std::errc() && stop == end && std::isfinite(value);
}

#else

/// Whether the text is a number in the grammar of std::from_chars, except the names of values that are not
/// numbers.
inline bool is_float_text(std::string_view text) noexcept {
    const auto skip_digits = [&] {
        std::size_t count = 0;
        while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
        text.remove_prefix(count);
        return count;
    };
    if (text.starts_with('-')) text.remove_prefix(1);
    std::size_t digits = skip_digits();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        digits += skip_digits();
    }
    if (digits == 0) return false;
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (skip_digits() == 0) return false;
    }
    return text.empty();
}

template <std::floating_point T>
[[nodiscard]] bool parse_finite(std::string_view text, T& value) {
    if (!is_float_text(text)) return false;
    static const locale_t plain = ::newlocale(LC_ALL_MASK, "C", locale_t{});
    const std::string terminated(text);
    errno = 0;
    if constexpr (std::same_as<T, float>)
        value = ::strtof_l(terminated.c_str(), nullptr, plain);
    else if constexpr (std::same_as<T, double>)
        value = ::strtod_l(terminated.c_str(), nullptr, plain);
    else
        value = ::strtold_l(terminated.c_str(), nullptr, plain);
    const bool is_lost = errno == ERANGE && !(value > 0 || value < 0);
    return std::isfinite(value) && !is_lost;
}

#endif

SAKE_INLINE bool parse_float(std::string_view text, float& value) { return parse_finite(text, value); }
SAKE_INLINE bool parse_float(std::string_view text, double& value) { return parse_finite(text, value); }
SAKE_INLINE bool parse_float(std::string_view text, long double& value) { return parse_finite(text, value); }

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
