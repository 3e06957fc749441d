// Times in types: std::chrono::sys_time is a date-time of RFC 3339 in UTC, "2026-11-29T12:00:00.250Z", and a
// std::chrono::year_month_day or a sys_days is a date, "2026-11-29". A fraction has as many digits as the
// duration: none, 3, 6 or 9. A text with another offset is converted; one that the type cannot hold exactly
// is refused: too fine, out of range, or a leap second. Times outside the years 0 to 9999 are written as the
// nearest inside, and a date that is not in the calendar as "0000-00-00".
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "sake/base/shape.hpp"
#include "sake/base/shape_of.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The unit of a duration: so many seconds, or so many in a second.
struct TimeUnit {
    std::int64_t seconds;
    std::int64_t per_second;
};

/// A duration from nanoseconds to days that is counted in whole numbers.
template <class Duration>
concept TimeStep =
    std::signed_integral<typename Duration::rep> &&
    ((Duration::period::den == 1 && Duration::period::num <= 86400) ||
     (Duration::period::num == 1 && (Duration::period::den == 1'000 || Duration::period::den == 1'000'000 ||
                                     Duration::period::den == 1'000'000'000)));

template <TimeStep Duration>
inline constexpr bool is_formatted<std::chrono::sys_time<Duration>> = true;
template <>
inline constexpr bool is_formatted<std::chrono::year_month_day> = true;

// Times as counts of their unit since 1970.
void append_time(std::string& out, TimeUnit unit, std::int64_t count);
[[nodiscard]] bool parse_time(std::string_view text, TimeUnit unit, std::int64_t& count) noexcept;

void append_day(std::string& out, const void* date);
[[nodiscard]] bool parse_day(std::string_view text, void* date) noexcept;

template <>
struct ShapeOf<std::chrono::year_month_day> {
    static constexpr FormattedShape value{{ShapeKind::formatted}, "date", append_day, parse_day};
};

template <TimeStep Duration>
struct ShapeOf<std::chrono::sys_time<Duration>> {
    using Time = std::chrono::sys_time<Duration>;
    using Count = typename Duration::rep;
    static constexpr TimeUnit unit{Duration::period::num, Duration::period::den};
    static void append(std::string& out, const void* time) {
        append_time(out, unit, std::int64_t{as<Time>(time).time_since_epoch().count()});
    }
    static bool parse(std::string_view text, void* time) {
        std::int64_t count = 0;
        if (!parse_time(text, unit, count) || count < std::numeric_limits<Count>::min() ||
            count > std::numeric_limits<Count>::max())
            return false;
        as<Time>(time) = Time(Duration(static_cast<Count>(count)));
        return true;
    }
    static constexpr FormattedShape value{
        {ShapeKind::formatted}, unit.seconds == 86400 ? "date" : "date-time", append, parse};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
