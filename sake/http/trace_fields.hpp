// The fields of W3C Trace Context (level 1, 2021, sections 3.2 and 3.3), read strictly.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/maybe.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Digits, and lower-case letters up to f.
constexpr bool is_lower_hex(std::string_view text) noexcept {
    for (const char c : text) {
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
    }
    return true;
}
constexpr bool is_trace_part(std::string_view id) noexcept {
    return is_lower_hex(id) && id.find_first_not_of('0') != std::string_view::npos;
}

/// What a traceparent says.
struct TraceParent {
    std::string_view trace_id;
    std::string_view span_id;
    std::uint8_t flags = 0;

    /// Versions after 00 may have more behind a further '-'; ff is none.
    [[nodiscard]] static Maybe<TraceParent> parse(std::string_view text) noexcept {
        constexpr std::size_t size = 2 + 1 + 32 + 1 + 16 + 1 + 2;
        if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
        const std::string_view version = text.substr(0, 2);
        const std::string_view flags = text.substr(53, 2);
        if (!is_lower_hex(version) || version == "ff" || !is_lower_hex(flags)) return {};
        if (text.size() > size && (version == "00" || text[size] != '-')) return {};
        const TraceParent parent{text.substr(3, 32), text.substr(36, 16),
                                 static_cast<std::uint8_t>(ascii::hex_value(flags[1]))};
        if (!is_trace_part(parent.trace_id) || !is_trace_part(parent.span_id)) return {};
        return parent;
    }
};

/// The rules for the members of a tracestate.
struct TraceState {
    static constexpr std::size_t max_size = 512;
    static constexpr std::size_t max_members = 32;

    /// Whether all members are well-formed, their keys differ, and there are not too many.
    [[nodiscard]] static bool is_valid(std::string_view text) noexcept {
        if (text.size() > max_size) return false;
        std::array<std::string_view, max_members> keys;
        std::size_t count = 0;
        while (!text.empty()) {
            const std::string_view member = take_list_item(text);
            if (member.empty()) continue;
            const std::size_t equals = member.find('=');
            if (count == max_members || equals == std::string_view::npos) return false;
            const std::string_view key = member.substr(0, equals);
            if (!is_key(key) || !is_value(member.substr(equals + 1))) return false;
            for (std::size_t i = 0; i < count; ++i) {
                if (keys[i] == key) return false;
            }
            keys[count++] = key;
        }
        return true;
    }

  private:
    /// "system" or "tenant@system".
    static bool is_key(std::string_view key) noexcept {
        const std::size_t at = key.find('@');
        if (at == std::string_view::npos) return is_name(key, 256) && !is_digit(key[0]);
        const std::string_view system = key.substr(at + 1);
        return is_name(key.substr(0, at), 241) && is_name(system, 14) && !is_digit(system[0]);
    }
    static bool is_digit(char c) noexcept { return ascii::is(c, ascii::digit); }
    static bool is_name(std::string_view name, std::size_t longest) noexcept {
        if (name.empty() || name.size() > longest) return false;
        if (ascii::contains_char("_-*/", name[0])) return false;
        for (const char c : name) {
            if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !ascii::contains_char("_-*/", c)) return false;
        }
        return true;
    }
    static bool is_value(std::string_view value) noexcept {
        if (value.empty() || value.size() > 256) return false;
        for (const char c : value) {
            if (c < ' ' || c > '~' || c == '=') return false;
        }
        return true;
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
