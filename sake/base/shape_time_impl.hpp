// How shape_time.hpp writes and reads times, whatever their unit.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "sake/base/shape.hpp"
#include "sake/base/shape_time.hpp"
#include "sake/base/time_text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

// What four digits of a year can say.
inline constexpr std::int64_t first_written_second = -62'167'219'200;  // 0000-01-01T00:00:00Z
inline constexpr std::int64_t last_written_second = 253'402'300'799;   // 9999-12-31T23:59:59Z

inline std::size_t fraction_digits(TimeUnit unit) noexcept {
    std::size_t digits = 0;
    for (std::int64_t left = unit.per_second; left > 1; left /= 10) ++digits;
    return digits;
}

/// The count of a moment in fractions of a second. False if 64 bits do not hold it.
inline bool count_fractions(Moment moment, std::int64_t per_second, std::int64_t& count) noexcept {
    using Limits = std::numeric_limits<std::int64_t>;
    std::int64_t fraction = moment.nanoseconds / (1'000'000'000 / per_second);
    if (moment.seconds < 0 && fraction > 0) {  // so that both parts have the same sign
        ++moment.seconds;
        fraction -= per_second;
    }
    if (moment.seconds > Limits::max() / per_second || moment.seconds < Limits::min() / per_second)
        return false;
    count = moment.seconds * per_second;
    if (fraction > 0 ? count > Limits::max() - fraction : count < Limits::min() - fraction) return false;
    count += fraction;
    return true;
}

SAKE_INLINE void append_time(std::string& out, TimeUnit unit, std::int64_t count) {
    std::int64_t seconds = count / unit.per_second;
    std::int64_t fraction = count % unit.per_second;
    if (fraction < 0) {  // before 1970: counted from the second before
        --seconds;
        fraction += unit.per_second;
    }
    if (unit.per_second == 1) {
        seconds = std::clamp(count, first_written_second / unit.seconds, last_written_second / unit.seconds) *
                  unit.seconds;
    } else if (seconds < first_written_second) {
        seconds = first_written_second;
        fraction = 0;
    } else if (seconds > last_written_second) {
        seconds = last_written_second;
        fraction = unit.per_second - 1;
    }
    const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    append_date(out, std::chrono::year_month_day(day));
    if (unit.seconds == 86400) return;
    append_time_of_day(out, static_cast<std::uint64_t>((time - day).count()));
    if (unit.per_second > 1) {
        out += '.';
        append_padded(out, static_cast<std::uint64_t>(fraction), fraction_digits(unit));
    }
    out += 'Z';
}

SAKE_INLINE bool parse_time(std::string_view text, TimeUnit unit, std::int64_t& count) noexcept {
    if (unit.seconds == 86400) {
        std::chrono::year_month_day date;
        if (!parse_date(text, date)) return false;
        count = std::chrono::sys_days(date).time_since_epoch().count();
        return true;
    }
    Moment moment;
    if (!parse_date_time(text, moment) || moment.is_leap_second || moment.is_finer ||
        moment.seconds < first_written_second || moment.seconds > last_written_second ||
        moment.nanoseconds % (1'000'000'000 / unit.per_second) != 0)
        return false;
    if (unit.per_second > 1) return count_fractions(moment, unit.per_second, count);
    count = moment.seconds / unit.seconds;
    return moment.seconds % unit.seconds == 0;
}

SAKE_INLINE void append_day(std::string& out, const void* date) {
    append_date(out, as<std::chrono::year_month_day>(date));
}
SAKE_INLINE bool parse_day(std::string_view text, void* date) noexcept {
    return parse_date(text, as<std::chrono::year_month_day>(date));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
