// Formats: what a text can be required to be, such as an e-mail address or a date. Each is checked by hand in
// one pass over the text, without a regular expression.
#pragma once

#include <cstdint>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The format of a text, for the rule sake::format. All formats are plain ASCII.
enum class Format : std::uint8_t {
    email,      // "ada@example.org", as browsers check it: no quotes, no comments; at most 64@ and 254 in all
    uri,        // "https://example.org/a?b#c", RFC 3986 with a scheme
    uuid,       // "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", RFC 9562, any version, upper or lower case
    date,       // "2026-11-29", RFC 3339: a day of the calendar, years 0000 to 9999
    date_time,  // "2026-11-29T12:00:00.5+01:00", RFC 3339: a date, a time and an offset or Z
    ipv4,       // "192.0.2.1", four numbers without leading zeros
    ipv6,       // "2001:db8::1" or "::ffff:192.0.2.1", RFC 4291, without a zone
};

namespace detail {

/// As JSON schema names it.
constexpr std::string_view format_name(Format format) noexcept {
    switch (format) {
        case Format::email:
            return "email";
        case Format::uri:
            return "uri";
        case Format::uuid:
            return "uuid";
        case Format::date:
            return "date";
        case Format::date_time:
            return "date-time";
        case Format::ipv4:
            return "ipv4";
        case Format::ipv6:
            return "ipv6";
    }
    return {};
}

/// Whether the whole text has the format.
[[nodiscard]] bool has_format(std::string_view text, Format format) noexcept;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
