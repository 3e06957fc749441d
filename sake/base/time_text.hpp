// Dates and times of RFC 3339 from text and to text, by arithmetic and without a locale.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a date-time says: the seconds since 1970, and the fraction of the next one.
struct Moment {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool is_leap_second = false;  // then `seconds` is the second before
    bool is_finer = false;        // the text has more of the fraction than nanoseconds
};

/// Removes a number of exactly so many digits, of at most `most`, from the beginning of a text.
inline bool take_digits(std::string_view& text, std::size_t digits, unsigned most,
                        unsigned& number) noexcept {
    if (text.size() < digits) return false;
    const auto value = parse_decimal<unsigned>(text.substr(0, digits));
    if (!value || *value > most) return false;
    number = *value;
    text.remove_prefix(digits);
    return true;
}
inline bool take_char(std::string_view& text, char c) noexcept {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}
/// RFC 3339 lets T and Z be lower case.
inline bool take_letter(std::string_view& text, char upper) noexcept {
    return take_char(text, upper) || take_char(text, to_lower(upper));
}

/// Removes full-date: a day that is in the calendar.
inline bool take_date(std::string_view& text, std::chrono::year_month_day& date) noexcept {
    unsigned year = 0;
    unsigned month = 0;
    unsigned day = 0;
    if (!take_digits(text, 4, 9999, year) || !take_char(text, '-') || !take_digits(text, 2, 12, month) ||
        !take_char(text, '-') || !take_digits(text, 2, 31, day))
        return false;
    date = std::chrono::year(static_cast<int>(year)) / std::chrono::month(month) / std::chrono::day(day);
    return date.ok();
}

/// Removes the digits after a point: at least one.
inline bool take_fraction(std::string_view& text, Moment& moment) noexcept {
    std::int64_t weight = 100'000'000;
    std::size_t digits = 0;
    for (; digits < text.size() && ascii::is(text[digits], ascii::digit); ++digits) {
        const std::int64_t digit = text[digits] - '0';
        moment.nanoseconds += digit * weight;
        if (weight == 0 && digit != 0) moment.is_finer = true;
        weight /= 10;
    }
    text.remove_prefix(digits);
    return digits > 0;
}

/// Removes time-offset: Z, or how far local time is ahead of UTC.
inline bool take_offset(std::string_view& text, std::int64_t& seconds) noexcept {
    if (take_letter(text, 'Z')) return true;
    const bool is_behind = take_char(text, '-');
    unsigned hours = 0;
    unsigned minutes = 0;
    if ((!is_behind && !take_char(text, '+')) || !take_digits(text, 2, 23, hours) || !take_char(text, ':') ||
        !take_digits(text, 2, 59, minutes))
        return false;
    seconds = std::int64_t{hours} * 3600 + std::int64_t{minutes} * 60;
    if (is_behind) seconds = -seconds;
    return true;
}

/// Leap seconds are the last second of June or of December, in UTC.
inline bool ends_half_a_year(std::int64_t seconds) noexcept {
    const std::chrono::sys_seconds next{std::chrono::seconds(seconds + 1)};
    const auto day = std::chrono::floor<std::chrono::days>(next);
    const std::chrono::year_month_day date(day);
    return next == day && date.day() == std::chrono::day(1) &&
           (date.month() == std::chrono::July || date.month() == std::chrono::January);
}

[[nodiscard]] inline bool parse_date(std::string_view text, std::chrono::year_month_day& date) noexcept {
    return take_date(text, date) && text.empty();
}

[[nodiscard]] inline bool parse_date_time(std::string_view text, Moment& moment) noexcept {
    std::chrono::year_month_day date;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    std::int64_t offset = 0;
    moment = {};
    if (!take_date(text, date) || !take_letter(text, 'T') || !take_digits(text, 2, 23, hour) ||
        !take_char(text, ':') || !take_digits(text, 2, 59, minute) || !take_char(text, ':') ||
        !take_digits(text, 2, 60, second))
        return false;
    if (take_char(text, '.') && !take_fraction(text, moment)) return false;
    if (!take_offset(text, offset) || !text.empty()) return false;
    moment.is_leap_second = second == 60;
    if (moment.is_leap_second) second = 59;
    moment.seconds = std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86400 +
                     std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + std::int64_t{second} - offset;
    return !moment.is_leap_second || ends_half_a_year(moment.seconds);
}

/// Appends a number with zeros before it, so that it has so many digits.
inline void append_padded(std::string& out, std::uint64_t number, std::size_t digits) {
    out.append(digits, '0');
    for (std::size_t at = out.size(); digits > 0; --digits, number /= 10)
        out[--at] = static_cast<char>('0' + number % 10);
}

/// Appends full-date, of the years 0 to 9999; "0000-00-00" for what is no date.
inline void append_date(std::string& out, std::chrono::year_month_day date) {
    const int year = static_cast<int>(date.year());
    if (!date.ok() || year < 0 || year > 9999) {
        out.append("0000-00-00");
        return;
    }
    append_padded(out, static_cast<std::uint64_t>(year), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
}

/// Appends "T12:00:00" for the seconds since midnight.
inline void append_time_of_day(std::string& out, std::uint64_t seconds) {
    out += 'T';
    append_padded(out, seconds / 3600, 2);
    out += ':';
    append_padded(out, seconds / 60 % 60, 2);
    out += ':';
    append_padded(out, seconds % 60, 2);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
