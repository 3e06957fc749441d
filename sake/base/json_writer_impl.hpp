// How json_writer.hpp writes JSON, and the texts in it.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Writes a byte as it stands inside a JSON string, at most six characters; returns how many.
inline std::size_t escape_json_byte(char c, char* out) noexcept {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '"' && c != '\\') {
        out[0] = c;
        return 1;
    }
    constexpr std::string_view letters = "uuuuuuuubtnufruu";  // of the first sixteen control characters
    out[0] = '\\';
    out[1] = byte < letters.size() ? letters[byte] : byte < 0x20 ? 'u' : c;
    if (out[1] != 'u') return 2;
    out[2] = out[3] = '0';
    out[4] = digits[byte >> 4U];
    out[5] = digits[byte & 15U];
    return 6;
}

/// Appends a JSON string. The text must be UTF-8.
inline void append_json_string(std::string& out, std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    const char* special = find_json_special(at, end);
    if (special == end) {  // most texts: one append, quotes first
        const std::size_t begin = out.size() + 1;
        out.append(text.size() + 2, '"');
        text.copy(out.data() + begin, text.size());
        return;
    }
    out += '"';
    for (;; special = find_json_special(at, end)) {
        out.append(at, special);
        if (special == end) break;
        // Where there is one there are more, as in JSON within JSON: some bytes go one by one.
        constexpr std::ptrdiff_t most = 64;
        char escaped[6 * most];
        std::size_t size = 0;
        const char* const stop = special + std::min(most, end - special);
        for (at = special; at != stop; ++at) size += escape_json_byte(*at, escaped + size);
        out.append(escaped, size);
    }
    out += '"';
}

/// The same for any bytes.
inline void append_json_text(std::string& out, std::string_view bytes) {
    if (is_valid_utf8(bytes)) return append_json_string(out, bytes);
    append_json_string(out, replace_invalid_utf8(bytes));
}

template <class Number>
void append_json_integer(std::string& out, Number number) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// The shortest text that reads back as the same number, and as one with a fraction: "1.0", "1e+20".
template <class Number>
void append_json_float(std::string& out, Number number) {
    if (!std::isfinite(number)) {
        out.append("null");
        return;
    }
    const double size = std::abs(static_cast<double>(number));
    const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e15);
    char digits[32];
    const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
    const std::string_view text(
        digits,
        static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, number, format).ptr - digits));
    out.append(text);
    if (text.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

/// Each of `items` by `append_one`, with commas in between.
template <class Items, class AppendOne>
void append_json_list(std::string& out, const Items& items, AppendOne append_one) {
    bool is_first = true;
    for (const auto& item : items) {
        if (!is_first) out += ',';
        is_first = false;
        append_one(item);
    }
}

template <class Bytes>
void append_json_bytes(std::string& out, const Bytes& bytes) {
    out.append(R"({"bytes":[)");
    append_json_list(out, bytes, [&](std::uint8_t byte) { append_json_integer(out, unsigned{byte}); });
    out.append(R"(],"subtype":)");
    if (bytes.has_subtype()) {
        append_json_integer(out, std::uint64_t{bytes.subtype()});
    } else {
        out.append("null");
    }
    out += '}';
}

template <class Value>
void append_json_object(std::string& out, const typename Value::object_t& members) {
    out += '{';
    append_json_list(out, members, [&](const auto& member) {
        append_json_text(out, member.first);
        out += ':';
        append_json<Value>(out, member.second);
    });
    out += '}';
}

template <class Value>
void append_json_array(std::string& out, const typename Value::array_t& elements) {
    out += '[';
    append_json_list(out, elements, [&](const Value& element) { append_json<Value>(out, element); });
    out += ']';
}

}  // namespace detail

template <std::same_as<Json> Value>
void append_json(std::string& out, const std::type_identity_t<Value>& value) {
    switch (value.type()) {
        case Value::value_t::object:
            return detail::append_json_object<Value>(
                out, value.template get_ref<const typename Value::object_t&>());
        case Value::value_t::array:
            return detail::append_json_array<Value>(out,
                                                    value.template get_ref<const typename Value::array_t&>());
        case Value::value_t::string:
            return detail::append_json_text(out, value.template get_ref<const std::string&>());
        case Value::value_t::boolean:
            out.append(value.template get_ref<const typename Value::boolean_t&>() ? "true" : "false");
            return;
        case Value::value_t::number_integer:
            return detail::append_json_integer(
                out, value.template get_ref<const typename Value::number_integer_t&>());
        case Value::value_t::number_unsigned:
            return detail::append_json_integer(
                out, value.template get_ref<const typename Value::number_unsigned_t&>());
        case Value::value_t::number_float:
            return detail::append_json_float(out,
                                             value.template get_ref<const typename Value::number_float_t&>());
        case Value::value_t::binary:
            return detail::append_json_bytes(out, value.get_binary());
        default:
            out.append("null");
    }
}

template <std::same_as<Json> Value>
std::string dump_json(const std::type_identity_t<Value>& value) {
    std::string out;
    append_json<Value>(out, value);
    return out;
}

#if defined(SAKE_IMPLEMENTATION)
template void append_json<Json>(std::string& out, const Json& value);
template std::string dump_json<Json>(const Json& value);
#endif

}  // namespace SAKE_ABI
}  // namespace sake
