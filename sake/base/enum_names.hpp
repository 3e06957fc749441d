// The enumerators of an enum by name, found by the compiler as the members of aggregate.hpp are: it prints
// each value of a range, and a value that has a name is printed by its name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/base/aggregate.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Names are found for the values from -16 to 255.
inline constexpr int first_named_value = -16;
inline constexpr int named_value_count = 272;

struct Enumerator {
    std::string_view name;
    std::int64_t value = 0;
};

/// Whether the type of an enum's values is written down: then it holds every value of that type, and the
/// compiler may be asked for it.
template <class Enum>
concept HasFixedType = requires { Enum{0}; };

template <HasFixedType Enum>
struct EnumNames {
    using Number = std::underlying_type_t<Enum>;

    // What the compiler prints of a value: "red", or "3" of "(Color)3" where it has no name.
    template <int Value>
    static consteval std::string_view print() {
        if constexpr (static_cast<int>(static_cast<Number>(Value)) == Value &&
                      (Value >= 0 || static_cast<Number>(-1) < Number{}))
            return last_word(printed<static_cast<Enum>(Value)>());
        else
            return "0";
    }
    template <int... Index>
    static consteval std::array<std::string_view, sizeof...(Index)> print_all(
        std::integer_sequence<int, Index...>) {
        return {print<first_named_value + Index>()...};
    }
    static constexpr bool is_name(std::string_view word) { return word.front() > '9'; }

    static constexpr auto words = print_all(std::make_integer_sequence<int, named_value_count>());
    struct Size {
        std::size_t names = 0;
        std::size_t chars = 0;
    };
    static constexpr Size size = [] {
        Size sum;
        for (const std::string_view word : words) {
            if (!is_name(word)) continue;
            ++sum.names;
            sum.chars += word.size();
        }
        return sum;
    }();
    // The names in a row, so that nothing else of what the compiler prints is in the program.
    static constexpr auto text = [] {
        std::array<char, size.chars + 1> row{};
        std::size_t at = 0;
        for (const std::string_view word : words) {
            if (!is_name(word)) continue;
            for (const char c : word) row[at++] = c;
        }
        return row;
    }();

    /// In the order of their values.
    static constexpr auto list = [] {
        std::array<Enumerator, size.names> found{};
        std::size_t at = 0;
        std::size_t begin = 0;
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (!is_name(words[i])) continue;
            found[at++] = {std::string_view(text.data() + begin, words[i].size()),
                           first_named_value + static_cast<std::int64_t>(i)};
            begin += words[i].size();
        }
        return found;
    }();
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
