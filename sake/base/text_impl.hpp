// Definitions of text.hpp: control bytes, base64, UTF-8.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/base/utf8.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace ascii {

SAKE_INLINE const char* find_control(const char* begin, const char* end) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101u;
    constexpr std::uint64_t highs = ones * 0x80;
    while (end - begin >= 8) {
        const std::uint64_t word = load_word(begin);
        const std::uint64_t next = ((word & ~highs) + ones) & ~highs;
        const std::uint64_t hits = (((next + ones * 0x5f) | word) & highs) ^ highs;
        if (hits == 0) {
            begin += 8;
            continue;
        }
        begin += std::countr_zero(hits) / 8;
        if (*begin != '\t') return begin;
        ++begin;
    }
    while (begin != end && is(*begin, field)) ++begin;
    return begin;
}

}  // namespace ascii

SAKE_INLINE std::string base64_encode(std::string_view bytes) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto at = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(bytes[i]); };
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    char* to = out.data();
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    if (i < bytes.size()) {
        const bool has_two = i + 1 < bytes.size();
        const std::uint32_t group = at(i) << 16 | (has_two ? at(i + 1) << 8 : 0);
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        if (has_two) *to = alphabet[group >> 6 & 63];
    }
    return out;
}

namespace detail {

/// The six bits of a base64 letter, or 64 for any other byte.
constexpr std::uint32_t base64_value(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
    if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a') + 26;
    if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0') + 52;
    return c == '+' ? 62u : c == '/' ? 63u : 64u;
}

inline constexpr auto base64_values = [] {
    std::array<std::uint8_t, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<std::uint8_t>(base64_value(static_cast<char>(i)));
    }
    return values;
}();

}  // namespace detail

SAKE_INLINE std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    const std::size_t letters = text.size() - padding;
    std::string out(letters / 4 * 3 + letters % 4 * 3 / 4, '\0');
    char* to = out.data();
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text.substr(0, letters)) {
        const std::uint32_t value = detail::base64_values[static_cast<unsigned char>(c)];
        if (value == 64) return std::nullopt;
        bits = (bits << 6 | value) & 0xffff;
        held += 6;
        if (held >= 8) *to++ = static_cast<char>(bits >> (held -= 8) & 0xff);
    }
    if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
    return out;
}

namespace detail {

/// Length of what begins at `p` like a well-formed sequence and breaks off; at least 1.
inline std::size_t broken_utf8_sequence(const unsigned char* p, std::size_t left) noexcept {
    unsigned char completed[4] = {p[0], 0x80, 0x80, 0x80};
    std::size_t length = 1;
    for (; length < std::min<std::size_t>(left, 3) && (p[length] & 0xc0) == 0x80; ++length) {
        completed[length] = p[length];
        const bool may_go_on = utf8_sequence(completed, 4) > length;
        if (!may_go_on) break;
    }
    return length;
}

}  // namespace detail

SAKE_INLINE bool is_valid_utf8(std::string_view text) noexcept {
    detail::Utf8Check check;
    return check.feed(text) && check.is_complete();
}

SAKE_INLINE std::string replace_invalid_utf8(std::string_view text) {
    std::string out;
    const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = detail::utf8_sequence(begin + at, text.size() - at);
        if (length > 0) {
            out.append(text, at, length);
            at += length;
            continue;
        }
        out.append("\xef\xbf\xbd");
        at += detail::broken_utf8_sequence(begin + at, text.size() - at);
    }
    return out;
}

}  // namespace SAKE_ABI
}  // namespace sake
