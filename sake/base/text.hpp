// Bytes and ASCII text: character classes, numbers, base64, UTF-8. Nothing here knows a locale, and
// nothing accepts more than it says: a number is the whole string or no number at all.
// Not here: anything that knows HTTP (sake/http) or Unicode beyond well-formedness.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace ascii {

/// The classes that a byte may belong to, one bit each.
enum Class : std::uint8_t {
    token = 1,       // RFC 9110 section 5.6.2: tchar
    field = 2,       // RFC 9110 section 5.5: field-vchar, SP, HTAB
    target = 4,      // RFC 3986: what may stand in a request target ('%' apart, no '#')
    unreserved = 8,  // RFC 3986 section 2.3: letters, digits, "-._~"
    segment = 16,    // RFC 3986 section 3.3: pchar without '%', for the encoder of paths
    cookie = 32,     // RFC 6265 section 4.1.1: cookie-octet
    digit = 64,
    hex = 128,
};

constexpr bool contains_char(std::string_view set, char c) noexcept {
    for (const char s : set) {
        if (s == c) return true;
    }
    return false;
}

/// Set by set, which takes the compiler a tenth of what asking for each byte takes.
constexpr std::array<std::uint8_t, 256> make_char_table() noexcept {
    std::array<std::uint8_t, 256> table{};
    const auto add = [&table](std::string_view set, unsigned classes) {
        for (const char c : set) table[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(classes);
    };
    for (unsigned byte = 0x20; byte < 256; ++byte) table[byte] = field;
    for (unsigned byte = 0x21; byte < 0x7f; ++byte) table[byte] |= cookie;
    for (const char c : {'"', ',', ';', '\\'}) table[static_cast<unsigned char>(c)] = field;
    table[0x09] = field;
    table[0x7f] = 0;
    add("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        token | target | unreserved | segment);
    add("0123456789", digit | hex);
    add("ABCDEFabcdef", hex);
    add("!#$%&'*+-.^_`|~", token);
    add("-._~", target | unreserved | segment);
    add("!$&'()*+,;=:@", target | segment);
    add("/?[]", target);
    return table;
}

inline constexpr std::array<std::uint8_t, 256> char_table = make_char_table();

constexpr bool is(char c, Class wanted) noexcept {
    return (char_table[static_cast<unsigned char>(c)] & wanted) != 0;
}

constexpr bool all_of(std::string_view text, Class wanted) noexcept {
    for (const char c : text) {
        if (!is(c, wanted)) return false;
    }
    return true;
}

/// The value of a hex digit; only for a byte of class `hex`.
constexpr unsigned hex_value(char c) noexcept {
    return is(c, digit) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
}

/// Eight bytes, the first in the lowest place on every machine.
inline std::uint64_t load_word(const char* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    if constexpr (std::endian::native == std::endian::big) {
        std::uint64_t swapped = 0;
        for (int i = 0; i < 8; ++i, word >>= 8) swapped = swapped << 8 | (word & 0xff);
        return swapped;
    }
    return word;
}

/// First control byte other than HTAB (0x00-0x08, 0x0a-0x1f, 0x7f) in [begin, end), or end. Eight bytes a
/// step: in each, plus one and modulo 128, the controls are below 0x21, so that adding 0x5f leaves bit 7
/// clear.
const char* find_control(const char* begin, const char* end) noexcept;

}  // namespace ascii

namespace detail {

template <class>
inline constexpr bool always_false = false;

/// The whole text as a number, as std::from_chars reads it; false if it is none, or none that the type can
/// hold.
[[nodiscard]] bool parse_float(std::string_view text, float& value);
[[nodiscard]] bool parse_float(std::string_view text, double& value);
[[nodiscard]] bool parse_float(std::string_view text, long double& value);

}  // namespace detail

/// ASCII lower case; other bytes stay.
[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// Whether two ASCII texts are equal, ignoring case.
[[nodiscard]] constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

/// The text without spaces and tabs at its ends (OWS, RFC 9110 section 5.6.3).
[[nodiscard]] constexpr std::string_view trim_ows(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Whether the text is a token (RFC 9110 section 5.6.2): one or more tchar.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && ascii::all_of(text, ascii::token);
}

/// An unsigned number from the wire: decimal digits and nothing else. std::nullopt for another text, and if T
/// cannot hold the number.
template <class T>
[[nodiscard]] constexpr std::optional<T> parse_decimal(std::string_view text) noexcept {
    static_assert(std::is_unsigned_v<T> && !std::is_same_v<T, bool>, "wire numbers are unsigned");
    constexpr T most = std::numeric_limits<T>::max();
    if (text.empty()) return std::nullopt;
    const bool fits = text.size() <= std::numeric_limits<T>::digits10;
    T value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const T digit = static_cast<T>(c - '0');
        if (!fits && (value > most / 10 || (value == most / 10 && digit > most % 10))) return std::nullopt;
        value = static_cast<T>(value * 10 + digit);
    }
    return value;
}

namespace detail {

/// A number with a leading '-' if T is signed.
template <class T>
[[nodiscard]] constexpr std::optional<T> parse_integer(std::string_view text) noexcept {
    using Magnitude = std::make_unsigned_t<T>;
    const bool is_negative = std::is_signed_v<T> && !text.empty() && text.front() == '-';
    const auto magnitude = parse_decimal<Magnitude>(text.substr(is_negative ? 1 : 0));
    constexpr auto most = static_cast<Magnitude>(std::numeric_limits<T>::max());
    if (!magnitude || *magnitude > static_cast<Magnitude>(most + (is_negative ? 1u : 0u)))
        return std::nullopt;
    return static_cast<T>(is_negative ? Magnitude{0} - *magnitude : *magnitude);
}

}  // namespace detail

namespace detail {

/// What parse_number makes of a text.
template <class T>
concept NumberParam =
    std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

}  // namespace detail

/// A value that a person wrote (a path segment, a query value) as T, or nullopt unless the whole text is one.
/// Integers: digits, with a leading '-' if T is signed. Floating: finite. bool: true, false, 1, 0. Strings:
/// as is.
template <class T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
    if constexpr (std::is_same_v<T, bool>) {
        if (text == "true" || text == "1") return true;
        if (text == "false" || text == "0") return false;
        return std::nullopt;
    } else if constexpr (std::is_floating_point_v<T>) {
        T value{};
        if (!detail::parse_float(text, value)) return std::nullopt;
        return value;
    } else if constexpr (std::is_integral_v<T>) {
        return detail::parse_integer<T>(text);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
        return T(text);
    } else {
        static_assert(
            detail::always_false<T>,
            "sake::parse_number<T> makes a number, a bool, a std::string or a std::string_view: ask "
            "for one of these");
    }
}

/// Base64 with padding (RFC 4648 section 4).
[[nodiscard]] std::string base64_encode(std::string_view bytes);

/// Decodes strict base64: with padding, without white space, without stray bits at the end. Otherwise
/// std::nullopt.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

namespace detail {

/// Length of the well-formed UTF-8 sequence that starts at `p`, or 0 (Unicode 15, table 3-7). Of char or
/// unsigned char: what runs while compiling cannot change the type.
template <class Byte>
constexpr std::size_t utf8_sequence(const Byte* p, std::size_t left) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(p[i]); };
    const auto tail = [&](std::size_t i) { return i < left && (at(i) & 0xc0) == 0x80; };
    const unsigned lead = at(0);
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4 || !tail(1)) return 0;
    if (lead < 0xe0) return 2;
    if (!tail(2)) return 0;
    if (lead < 0xf0) return (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f) ? 0 : 3;
    if (!tail(3)) return 0;
    return (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f) ? 0 : 4;
}

}  // namespace detail

/// Whether the text is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// The text with U+FFFD in place of each invalid piece. A truncated sequence is replaced as one piece
/// (Unicode 15, section 3.9, "maximal subpart").
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text);

}  // namespace SAKE_ABI
}  // namespace sake
