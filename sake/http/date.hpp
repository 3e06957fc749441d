// HTTP dates (RFC 9110 section 5.6.7) to and from seconds since 1970, by arithmetic of our own: no strftime,
// no locale, no time zone. Not here: the clock, except as the default of one argument.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace http {
namespace detail {

inline constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
inline constexpr std::string_view weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                     "Thursday", "Friday", "Saturday"};

struct CivilTime {
    std::int64_t year = 1970;
    unsigned month = 1;  // 1 to 12
    unsigned day = 1;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
};

// The calendar is counted from 1 March of year 0, so that the leap day is the last of its year; it repeats
// after 400 years, which are 146097 days. 1 January 1970 is day 719468.
inline constexpr std::int64_t days_before_1970 = 719468;

/// Days from 1 March to the first of the month that many months later: 31, 30, 31, 30, 31, 31, 30 ... days.
constexpr std::int64_t days_before_month(std::int64_t months) noexcept { return (153 * months + 2) / 5; }

/// Days since 1970 of a date from year 0 on.
constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
    const std::int64_t months = month > 2 ? std::int64_t{month} - 3 : std::int64_t{month} + 9;
    if (month <= 2) --year;
    const std::int64_t era = year < 0 ? -1 : year / 400;
    const std::int64_t y = year - era * 400;
    return era * 146097 + y * 365 + y / 4 - y / 100 + days_before_month(months) + day - 1 - days_before_1970;
}

/// The reverse of days_from_civil together with the time of day, for years 0 to 9999.
constexpr CivilTime civil_from_seconds(std::int64_t seconds) noexcept {
    seconds += (days_before_1970 + 146097) * 86400;  // from 1 March of year -400: positive throughout
    const std::int64_t day = seconds / 86400;
    const std::int64_t of_day = seconds % 86400;
    const std::int64_t of_era = day % 146097;
    const std::int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const std::int64_t of_year = of_era - (y * 365 + y / 4 - y / 100);
    const std::int64_t months = (5 * of_year + 2) / 153;
    CivilTime time;
    time.month = static_cast<unsigned>(months < 10 ? months + 3 : months - 9);
    time.year = day / 146097 * 400 - 400 + y + (time.month <= 2 ? 1 : 0);
    time.day = static_cast<unsigned>(of_year - days_before_month(months) + 1);
    time.hour = static_cast<unsigned>(of_day / 3600);
    time.minute = static_cast<unsigned>(of_day / 60 % 60);
    time.second = static_cast<unsigned>(of_day % 60);
    return time;
}

constexpr unsigned days_in_month(std::int64_t year, unsigned month) noexcept {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Takes text apart piece by piece; after the first piece that does not fit, `failed` stays set.
struct DateReader {
    std::string_view rest;
    bool failed = false;

    constexpr void literal(std::string_view text) noexcept {
        if (rest.substr(0, text.size()) != text) failed = true;
        rest.remove_prefix(failed ? 0 : text.size());
    }

    constexpr unsigned number(std::size_t digits) noexcept {
        const auto value = parse_decimal<unsigned>(rest.substr(0, digits));
        if (!value || rest.size() < digits) failed = true;
        rest.remove_prefix(failed ? 0 : digits);
        return failed ? 0 : *value;
    }

    constexpr unsigned month() noexcept {
        const std::size_t at = rest.size() < 3 ? std::string_view::npos : month_names.find(rest.substr(0, 3));
        if (at == std::string_view::npos || at % 3 != 0) failed = true;
        rest.remove_prefix(failed ? 0 : 3);
        return failed ? 0 : static_cast<unsigned>(at / 3 + 1);
    }

    constexpr void time_of_day(CivilTime& time) noexcept {
        time.hour = number(2);
        literal(":");
        time.minute = number(2);
        literal(":");
        time.second = number(2);
    }
};

/// IMF-fixdate after the weekday: 06 Nov 1994 08:49:37 GMT
constexpr void read_imf_fixdate(DateReader& in, CivilTime& time) noexcept {
    time.day = in.number(2);
    in.literal(" ");
    time.month = in.month();
    in.literal(" ");
    time.year = in.number(4);
    in.literal(" ");
    in.time_of_day(time);
    in.literal(" GMT");
}

/// rfc850-date after the weekday: 06-Nov-94 08:49:37 GMT. Over 50 years ahead means the past century.
constexpr void read_rfc850_date(DateReader& in, CivilTime& time, std::int64_t now) noexcept {
    time.day = in.number(2);
    in.literal("-");
    time.month = in.month();
    in.literal("-");
    const std::int64_t this_year = civil_from_seconds(now).year;
    time.year = this_year - this_year % 100 + in.number(2);
    if (time.year > this_year + 50) time.year -= 100;
    in.literal(" ");
    in.time_of_day(time);
    in.literal(" GMT");
}

/// asctime-date after the weekday: Nov  6 08:49:37 1994
constexpr void read_asctime_date(DateReader& in, CivilTime& time) noexcept {
    time.month = in.month();
    in.literal(" ");
    const bool padded = !in.rest.empty() && in.rest[0] == ' ';
    if (padded) in.literal(" ");
    time.day = in.number(padded ? 1 : 2);
    in.literal(" ");
    in.time_of_day(time);
    in.literal(" ");
    time.year = in.number(4);
}

constexpr bool is_weekday(std::string_view name, std::size_t letters) noexcept {
    for (const std::string_view known : weekday_names) {
        if (name == known.substr(0, letters)) return true;
    }
    return false;
}

// Years 0 to 9999: what four digits can say.
inline constexpr std::int64_t first_second = days_from_civil(0, 1, 1) * 86400;
inline constexpr std::int64_t last_second = days_from_civil(10000, 1, 1) * 86400 - 1;

}  // namespace detail

/// Writes an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", without a final NUL. Times outside the years 0 to
/// 9999 become the nearest time inside.
constexpr void format_http_date(std::int64_t unix_seconds, char (&out)[29]) noexcept {
    unix_seconds = std::clamp(unix_seconds, detail::first_second, detail::last_second);
    const detail::CivilTime time = detail::civil_from_seconds(unix_seconds);
    const std::int64_t day = (unix_seconds - detail::first_second) / 86400;
    const auto weekday = static_cast<std::size_t>((day + 6) % 7);  // 1 January of year 0 is a Saturday
    std::size_t at = 0;
    const auto text = [&](std::string_view piece) {
        for (const char c : piece) out[at++] = c;
    };
    const auto pair = [&](unsigned number) {
        out[at++] = static_cast<char>('0' + number / 10 % 10);
        out[at++] = static_cast<char>('0' + number % 10);
    };
    text(detail::weekday_names[weekday].substr(0, 3));
    text(", ");
    pair(time.day);
    text(" ");
    text(detail::month_names.substr((time.month - 1) * std::size_t{3}, 3));
    text(" ");
    pair(static_cast<unsigned>(time.year / 100));
    pair(static_cast<unsigned>(time.year % 100));
    text(" ");
    pair(time.hour);
    text(":");
    pair(time.minute);
    text(":");
    pair(time.second);
    text(" GMT");
}

/// Seconds since 1970 of a date in any of the three forms of RFC 9110 section 5.6.7, or std::nullopt. `now`
/// decides the century of a two-digit year (RFC 850). The weekday must be a valid name; it need not match the
/// date.
[[nodiscard]] inline std::optional<std::int64_t> parse_http_date(std::string_view text,
                                                                 std::int64_t now = std::int64_t{
                                                                     std::time(nullptr)}) noexcept {
    const std::size_t word = std::min(text.find_first_of(", "), text.size());
    const std::string_view weekday = text.substr(0, word);
    detail::DateReader in{text.substr(word)};
    detail::CivilTime time;
    if (in.rest.substr(0, 2) == ", ") {
        in.literal(", ");
        if (detail::is_weekday(weekday, 3)) {
            detail::read_imf_fixdate(in, time);
        } else {
            in.failed = !detail::is_weekday(weekday, std::string_view::npos);
            detail::read_rfc850_date(in, time, std::clamp(now, detail::first_second, detail::last_second));
        }
    } else {
        in.failed = !detail::is_weekday(weekday, 3);
        in.literal(" ");
        detail::read_asctime_date(in, time);
    }
    if (in.failed || !in.rest.empty() || time.day == 0 ||
        time.day > detail::days_in_month(time.year, time.month) || time.hour > 23 || time.minute > 59 ||
        time.second > 60) {
        return std::nullopt;  // second 60 is a leap second, and counts as the next second 0
    }
    return detail::days_from_civil(time.year, time.month, time.day) * 86400 + time.hour * std::int64_t{3600} +
           time.minute * std::int64_t{60} + time.second;
}

}  // namespace http
}  // namespace SAKE_ABI
}  // namespace sake
