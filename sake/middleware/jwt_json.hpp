// The JSON of tokens and keys, read strictly: what two readers could take for two things is a fault.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_reader.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Whether a text is a number of RFC 8259 section 6.
inline bool is_json_number(std::string_view text) noexcept {
    const auto take = [&](char c) {
        const bool found = text.starts_with(c);
        if (found) text.remove_prefix(1);
        return found;
    };
    const auto take_digits = [&] {
        const auto end = std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
        const auto count = static_cast<std::size_t>(end - text.begin());
        text.remove_prefix(count);
        return count > 0;
    };
    take('-');
    if (!take('0') && !take_digits()) return false;
    if (take('.') && !take_digits()) return false;
    if (take('e') || take('E')) {
        if (!take('-')) take('+');
        if (!take_digits()) return false;
    }
    return text.empty();
}

/// Reads an object: calls `member(name)`, which reads the value. No name may be there twice, however it is
/// escaped.
template <class F>
void read_members(JsonReader& reader, F member) {
    Array<std::string> names;
    reader.object([&](std::string_view name) {
        if (std::find(names.begin(), names.end(), name) != names.end()) reader.reject("a member twice");
        names.push_back(std::string(name));
        member(name);
    });
}

/// Reads a value of any kind, and checks every bit of it.
inline void skip_value(JsonReader& reader) {
    switch (reader.peek()) {
        case '{':
            return read_members(reader, [&](std::string_view) { skip_value(reader); });
        case '[':
            return reader.array([&] { skip_value(reader); });
        case '"':
            return static_cast<void>(reader.string());
        default:
            const std::string_view text = reader.raw();
            const bool is_word = text == "true" || text == "false" || text == "null";
            if (!is_word && !is_json_number(text)) reader.reject("expected a value");
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
