// What Headers does, what may stand in fields, and the helpers for comma lists.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// True for a field name: a token (RFC 9110 section 5.1).
[[nodiscard]] constexpr bool is_valid_field_name(std::string_view name) noexcept { return is_token(name); }

/// True when every byte may stand in a field value (RFC 9110 section 5.5): no control byte but HTAB.
[[nodiscard]] inline bool is_valid_field_value(std::string_view value) noexcept {
    const char* end = value.data() + value.size();
    return ascii::find_control(value.data(), end) == end;
}

/// Plain words for a byte that was refused.
constexpr std::string_view name_of_byte(char c) noexcept {
    switch (c) {
        case '\0':
            return "a NUL";
        case '\r':
            return "a carriage return";
        case '\n':
            return "a line feed";
        case ' ':
            return "a space";
        case ':':
            return "a colon";
        default:
            break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return "a control character";
    return byte < 0x80 ? "a character that is not allowed there" : "not ASCII";
}

/// "header value: byte 3 is a line feed (0x0a)"; the offending text itself is not repeated.
[[noreturn]] inline void throw_bad_byte(std::string_view what, std::size_t position, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    std::string text(what);
    text.append(": byte ").append(std::to_string(position)).append(" is ").append(name_of_byte(c));
    text.append(" (0x").append({digits[byte >> 4], digits[byte & 15]}).append(")");
    throw std::invalid_argument(text);
}

inline void check_field_name(std::string_view name) {
    if (name.empty()) throw std::invalid_argument("header name: is empty");
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (!ascii::is(name[i], ascii::token)) throw_bad_byte("header name", i, name[i]);
    }
}

inline void check_field_value(std::string_view what, std::string_view value) {
    const char* end = value.data() + value.size();
    const char* bad = ascii::find_control(value.data(), end);
    if (bad != end) throw_bad_byte(what, static_cast<std::size_t>(bad - value.data()), *bad);
}

/// Cuts the first item, without its white space and maybe empty, off a comma list.
constexpr std::string_view take_list_item(std::string_view& rest) noexcept {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trim_ows(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    return item;
}

/// Calls f(item) for each non-empty item of a comma list of tokens (RFC 9110 section 5.6.1; no quoted
/// strings).
template <class F>
constexpr void for_each_list_item(std::string_view list, F&& f) {
    while (!list.empty()) {
        const std::string_view item = take_list_item(list);
        if (!item.empty()) f(item);
    }
}

/// True when the comma list holds this token, without regard to case.
[[nodiscard]] constexpr bool list_contains(std::string_view list, std::string_view token) noexcept {
    bool found = false;
    for_each_list_item(list, [&](std::string_view item) { found = found || iequals(item, token); });
    return found;
}

/// True for the fields that decide the framing, or end the hop. The writer of heads makes them, an
/// application may not set them (RFC 9110 section 7.6.1).
[[nodiscard]] constexpr bool is_framing_field(std::string_view name) noexcept {
    switch (name.size()) {
        case 7:
            return iequals(name, "trailer") || iequals(name, "upgrade");
        case 10:
            return iequals(name, "connection") || iequals(name, "keep-alive");
        case 14:
            return iequals(name, "content-length");
        case 17:
            return iequals(name, "transfer-encoding");
        default:
            return false;
    }
}

}  // namespace detail
namespace http {

SAKE_INLINE Headers::Headers(std::initializer_list<value_type> fields) {
    for (const auto& [name, value] : fields) add(name, value);
}

SAKE_INLINE void Headers::set(std::string_view name, std::string_view value) {
    if (is_own(name) || is_own(value)) return set(std::string(name), std::string(value));
    const std::size_t first = find(name, 0);
    if (first == entries_.size()) return add(name, value);
    sake::detail::check_field_value("header value", value);
    value = trim_ows(value);
    check_room(0, value.size());
    const Entry old = entries_[first];
    wire_.replace(old.value_offset(), old.value, value);
    entries_[first].value = static_cast<std::uint32_t>(value.size());
    shift(first + 1, old.value, value.size());
    remove_from(name, first + 1);
}

SAKE_INLINE void Headers::add(std::string_view name, std::string_view value) {
    if (is_own(name) || is_own(value)) return add(std::string(name), std::string(value));
    sake::detail::check_field_name(name);
    sake::detail::check_field_value("header value", value);
    value = trim_ows(value);
    check_room(name.size(), value.size());
    grow(name.size() + value.size() + 4);
    entries_.push_back({static_cast<std::uint32_t>(wire_.size()), static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(value.size())});
    wire_.append(name).append(": ", 2).append(value).append("\r\n", 2);
}

SAKE_INLINE std::size_t Headers::remove(std::string_view name) { return remove_from(name, 0); }

SAKE_INLINE std::optional<std::string_view> Headers::get(std::string_view name) const noexcept {
    const std::size_t index = find(name, 0);
    if (index == entries_.size()) return std::nullopt;
    return at(index).second;
}

SAKE_INLINE bool Headers::contains(std::string_view name) const noexcept {
    return find(name, 0) != entries_.size();
}

SAKE_INLINE Headers::value_type Headers::at(std::size_t index) const noexcept {
    const Entry& entry = entries_[index];
    const char* line = wire_.data() + entry.offset;
    return {{line, entry.name}, {line + entry.name + 2, entry.value}};
}

SAKE_INLINE std::size_t Headers::find(std::string_view name, std::size_t from) const noexcept {
    while (from < entries_.size() && !iequals(at(from).first, name)) ++from;
    return from;
}

SAKE_INLINE bool Headers::is_own(std::string_view text) const noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(wire_.data());
    const auto where = reinterpret_cast<std::uintptr_t>(text.data());
    return where >= begin && where - begin < wire_.size();
}

SAKE_INLINE void Headers::check_room(std::size_t name, std::size_t value) const {
    constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max() - 4;
    const std::size_t used = wire_.size();
    if (used > most || name > most - used || value > most - used - name) {
        throw std::length_error("header fields larger than 4 GiB");
    }
}

SAKE_INLINE void Headers::grow(std::size_t bytes) {
    const std::size_t needed = wire_.size() + bytes;
    if (wire_.capacity() < needed) wire_.reserve(std::max(needed, 2 * wire_.capacity()));
    if (entries_.capacity() == entries_.size()) entries_.reserve(2 * entries_.size() + 8);
}

SAKE_INLINE void Headers::shift(std::size_t index, std::size_t old_size, std::size_t new_size) noexcept {
    for (; index < entries_.size(); ++index) {
        entries_[index].offset = static_cast<std::uint32_t>(entries_[index].offset + new_size - old_size);
    }
}

SAKE_INLINE std::size_t Headers::remove_from(std::string_view name, std::size_t from) {
    if (is_own(name)) return remove_from(std::string(name), from);
    std::size_t removed = 0;
    while ((from = find(name, from)) != entries_.size()) {
        const Entry gone = entries_[from];
        wire_.erase(gone.offset, gone.size());
        entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(from));
        shift(from, gone.size(), 0);
        ++removed;
    }
    return removed;
}

}  // namespace http

}  // namespace SAKE_ABI
}  // namespace sake
