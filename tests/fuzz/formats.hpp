// The formats of texts, each against a slow and obvious second implementation: a regular expression, the
// system's inet_pton, or its calendar. And times: what is read is written as the same moment.
#pragma once

#include <arpa/inet.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <regex>
#include <string>

#include "fuzz.hpp"

namespace fuzz {

using sake::Format;

inline bool is_address(const std::string& text, int family) {
    unsigned char bytes[16];
    return text.find('\0') == text.npos && ::inet_pton(family, text.c_str(), bytes) == 1;
}

inline bool is_email_slowly(const std::string& text) {
    static const std::regex form(
        "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
        "(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*");  // as the HTML standard gives it
    return text.size() <= 254 && text.find('@') <= 64 && std::regex_match(text, form);
}

inline bool is_uri_slowly(const std::string& text) {
    // RFC 3986, appendix A.
    const std::string escape = "%[0-9A-Fa-f]{2}";
    const std::string plain = "a-zA-Z0-9._~!$&'()*+,;=\\-";
    const std::string pchar = "(?:[" + plain + ":@]|" + escape + ")";
    const std::string user = "(?:(?:[" + plain + ":]|" + escape + ")*@)?";
    const std::string host = "(?:\\[([^\\]]*)\\]|(?:[" + plain + "]|" + escape + ")*)";
    const std::string segments = "(?:/" + pchar + "*)*";
    const std::string rest = "(?:[" + plain + ":@/?]|" + escape + ")*";
    static const std::regex form("[a-zA-Z][a-zA-Z0-9+.-]*:(?://" + user + host + "(?::[0-9]*)?" + segments +
                                 "|/(?:" + pchar + "+" + segments + ")?|" + pchar + "+" + segments +
                                 ")?(?:\\?" + rest + ")?(?:#" + rest + ")?");
    static const std::regex future("[vV][0-9A-Fa-f]+\\.[" + plain + ":]+");
    std::smatch parts;
    if (!std::regex_match(text, parts, form)) return false;
    return !parts[1].matched || is_address(parts[1].str(), AF_INET6) ||
           std::regex_match(parts[1].str(), future);
}

inline bool is_uuid_slowly(const std::string& text) {
    static const std::regex form("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
    return std::regex_match(text, form);
}

inline bool is_day(int year, int month, int day) {
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int days[] = {31, is_leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

inline bool is_date_slowly(const std::string& text) {
    static const std::regex form("([0-9]{4})-([0-9]{2})-([0-9]{2})");
    std::smatch parts;
    return std::regex_match(text, parts, form) &&
           is_day(std::stoi(parts[1]), std::stoi(parts[2]), std::stoi(parts[3]));
}

inline bool is_date_time_slowly(const std::string& text) {
    static const std::regex form(
        "([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\\.[0-9]+)?"
        "(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))");
    std::smatch parts;
    if (!std::regex_match(text, parts, form) || !is_date_slowly(parts[1])) return false;
    std::tm local{};
    local.tm_year = std::stoi(parts[1].str().substr(0, 4)) - 1900;
    local.tm_mon = std::stoi(parts[1].str().substr(5, 2)) - 1;
    local.tm_mday = std::stoi(parts[1].str().substr(8, 2));
    local.tm_hour = std::stoi(parts[2]);
    local.tm_min = std::stoi(parts[3]);
    const int second = std::stoi(parts[4]);
    const int hours = parts[5].matched ? std::stoi(parts[6]) : 0;
    const int minutes = parts[5].matched ? std::stoi(parts[7]) : 0;
    if (local.tm_hour > 23 || local.tm_min > 59 || second > 60 || hours > 23 || minutes > 59) return false;
    if (second < 60) return true;
    const std::time_t offset = std::time_t{hours} * 3600 + std::time_t{minutes} * 60;
    const std::time_t minute = ::timegm(&local) + (parts[5].str() == "-" ? offset : -offset);
    std::tm utc{};
    ::gmtime_r(&minute, &utc);
    const bool is_june = utc.tm_mon == 5 && utc.tm_mday == 30;
    const bool is_december = utc.tm_mon == 11 && utc.tm_mday == 31;
    return (is_june || is_december) && utc.tm_hour == 23 && utc.tm_min == 59;
}

template <class Duration>
void read_and_write(std::string_view text) {
    using Time = std::chrono::sys_time<Duration>;
    const auto& shape = sake::detail::ShapeOf<Time>::value;
    const bool is_date = shape.format == "date";
    Time time{};
    if (!shape.parse(text, &time)) return;
    require(sake::detail::has_format(text, is_date ? Format::date : Format::date_time),
            "what is read as a time has its format");
    std::string written;
    shape.append(written, &time);
    Time again{};
    require(shape.parse(written, &again) && again == time, "a time there and back");
    require(!is_date || written == text, "a date has one form");
}

/// Any count of a unit is written as a text that is read again, if the year can be written.
template <class Duration>
void write_and_read(std::int64_t count) {
    using Time = std::chrono::sys_time<Duration>;
    const auto& shape = sake::detail::ShapeOf<Time>::value;
    const Time time{Duration(static_cast<typename Duration::rep>(count))};
    std::string written;
    shape.append(written, &time);
    Time again{};
    require(shape.parse(written, &again), "what is written can be read");
    const bool is_clamped = written.starts_with("0000-01-01") || written.starts_with("9999-12-31");
    require(again == time || is_clamped, "a count there and back");
}

inline void formats(std::string_view input) {
    const std::string text(input.substr(0, 300));  // std::regex recurses
    const auto agree = [&](Format format, bool expected) {
        require(sake::detail::has_format(text, format) == expected, sake::detail::format_name(format).data());
        static_cast<void>(sake::detail::has_format(input, format));
    };
    agree(Format::email, is_email_slowly(text));
    agree(Format::uri, is_uri_slowly(text));
    agree(Format::uuid, is_uuid_slowly(text));
    agree(Format::date, is_date_slowly(text));
    agree(Format::date_time, is_date_time_slowly(text));
    agree(Format::ipv4, is_address(text, AF_INET));
    agree(Format::ipv6, is_address(text, AF_INET6));

    read_and_write<std::chrono::days>(text);
    read_and_write<std::chrono::hours>(text);
    read_and_write<std::chrono::seconds>(text);
    read_and_write<std::chrono::milliseconds>(text);
    read_and_write<std::chrono::nanoseconds>(text);
    std::uint64_t bits = 0;
    for (const char c : input.substr(0, 8)) bits = bits << 8U | static_cast<unsigned char>(c);
    const auto count = static_cast<std::int64_t>(bits);
    write_and_read<std::chrono::days>(count >> 40U);
    write_and_read<std::chrono::hours>(count);
    write_and_read<std::chrono::seconds>(count);
    write_and_read<std::chrono::milliseconds>(count);
    write_and_read<std::chrono::nanoseconds>(count);
}

}  // namespace fuzz
