// A rule for a member of a type, as constant data: what rules.hpp makes for programs, and what the check and
// the schema follow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "sake/base/format.hpp"
#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class RuleKind : std::uint8_t { length, range, one_of, format, items, unique, defaulted, closed };

/// A bound or a choice, exactly: an integer of any type, a floating-point number, or a text.
struct RuleValue {
    enum class Type : std::uint8_t { natural, negative, single, number, text };

    constexpr RuleValue() noexcept : RuleValue(std::uint64_t{0}) {}
    constexpr explicit RuleValue(std::uint64_t value) noexcept : type(Type::natural), natural(value) {}
    constexpr explicit RuleValue(std::int64_t value) noexcept : type(Type::negative), negative(value) {}
    constexpr explicit RuleValue(float value) noexcept : type(Type::single), single(value) {}
    constexpr explicit RuleValue(long double value) noexcept : type(Type::number), number(value) {}
    constexpr explicit RuleValue(std::string_view value) noexcept : type(Type::text), text(value) {}

    Type type;
    union {
        std::uint64_t natural;  // an integer from 0 on
        std::int64_t negative;  // an integer below 0
        float single;
        long double number;
        std::string_view text;
    };
};

/// Whether one is at most the other. Both are of one member: two integers, two floats and so on.
constexpr bool is_at_most(const RuleValue& one, const RuleValue& other) noexcept {
    using Type = RuleValue::Type;
    if (one.type != other.type) return one.type == Type::negative;
    switch (one.type) {
        case Type::natural:
            return one.natural <= other.natural;
        case Type::negative:
            return one.negative <= other.negative;
        case Type::single:
            return one.single <= other.single;
        case Type::number:
            return one.number <= other.number;
        case Type::text:
            return one.text <= other.text;
    }
    return false;
}

struct Rule {
    RuleKind kind;
    Format format;            // of RuleKind::format
    std::size_t member;       // its index in the type; of `closed`, which is for all of it, 0
    const RuleValue* values;  // the least and the most of length, range and items; the choices of one_of
    std::size_t value_count;
};

/// The first rule of a kind for a member, or null.
constexpr const Rule* find_rule(const Rule* first, std::size_t count, std::size_t member,
                                RuleKind kind) noexcept {
    for (const Rule* rule = first; rule != first + count; ++rule) {
        if (rule->member == member && rule->kind == kind) return rule;
    }
    return nullptr;
}

/// A rule as a program holds it in `sake::rules`, with its values.
template <class T, std::size_t Count>
struct MemberRule {
    using Object = T;
    RuleKind kind;
    std::size_t member;
    std::array<RuleValue, Count> values = {};
    Format format = {};
};
template <class... Each>
struct RuleList {
    std::tuple<Each...> each;
};

}  // namespace detail

/// The rules of a type.
template <class... Each>
[[nodiscard]] constexpr auto fields(Each... each) noexcept {
    return detail::RuleList<Each...>{{each...}};
}

/// What a program specializes for its types: see rules.hpp. Others have no rules.
template <class T>
inline constexpr auto rules = fields();

namespace detail {

// Not constexpr on purpose, as those of app/pattern.hpp.
inline void a_member_has_the_same_rule_twice_keep_one() {}

template <class T, class... Each>
constexpr std::array<Rule, sizeof...(Each)> make_rule_table(const RuleList<Each...>& list) {
    static_assert(
        (std::is_same_v<typename Each::Object, T> && ...),
        "sake::rules<T>: every rule must be for a member of T itself, not of another type or a base");
    const auto table = std::apply(
        [](const Each&... each) {
            return std::array<Rule, sizeof...(Each)>{
                Rule{each.kind, each.format, each.member, each.values.data(), each.values.size()}...};
        },
        list.each);
    for (const Rule& rule : table) {
        if (find_rule(table.data(), table.size(), rule.member, rule.kind) != &rule)
            a_member_has_the_same_rule_twice_keep_one();
    }
    return table;
}
template <class T, class Other>
constexpr std::array<Rule, 0> make_rule_table(const Other&) noexcept {
    static_assert(std::is_void_v<T>,
                  "sake::rules<T> is what sake::fields makes: = sake::fields(sake::length(...))");
    return {};
}
template <class T>
constexpr std::array<Rule, 0> make_rule_table(const RuleList<>&) noexcept {
    return {};
}

/// The rules of a T as the shape of T points to them.
template <class T>
inline constexpr auto rule_table = make_rule_table<T>(rules<T>);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
