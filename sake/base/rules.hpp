// Rules beside a type: restrictions on what clients may send, in addition to the types of the members. They
// apply wherever a value of the type is read, and appear in the OpenAPI document.
//
//     struct Note {
//         std::string text;
//         std::optional<int> stars;
//         std::vector<std::string> tags;
//     };
//     template <>
//     inline constexpr auto sake::rules<Note> =
//         sake::fields(sake::length(&Note::text, 1, 80), sake::range(&Note::stars, 1, 5),
//                      sake::items(&Note::tags, 0, 10), sake::length(&Note::tags, 1, 20));
//
// Write them right after the type, outside of all namespaces. They are constant data: a rule that does not
// fit its member does not compile.
//
// A rule for values (length, range, one_of, format) applies to the value of the member: to the value in an
// optional, and to each element of a list or map, however deep they nest. A rule for lists (items, unique)
// applies to the outermost list.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/base/rule.hpp"
#include "sake/base/shape_of.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a rule for lists is about: the member, or what an optional one holds.
template <class T>
struct HeldOf {
    using type = T;
};
template <class T>
    requires is_pointer_like<T>
struct HeldOf<T> : HeldOf<std::remove_cvref_t<decltype(*std::declval<T&>())>> {};
template <class T>
using Held = typename HeldOf<T>::type;

/// What a rule for values is about: the member, or what is in it.
template <class T>
struct RuledOf {
    using type = T;
};
template <class T>
    requires is_pointer_like<T>
struct RuledOf<T> : RuledOf<std::remove_cvref_t<decltype(*std::declval<T&>())>> {};
template <class T>
    requires(is_array<T> || GrowingList<T>)
struct RuledOf<T> : RuledOf<typename T::value_type> {};
template <TextMap T>
struct RuledOf<T> : RuledOf<typename T::mapped_type> {};
template <class T>
using Ruled = typename RuledOf<T>::type;

// Not constexpr on purpose: calling one of these while the rules are made stops the compiler, which prints
// its name.
inline void the_least_of_the_rule_is_above_its_most_swap_them() {}
inline void a_value_of_the_rule_is_beyond_what_its_member_holds_use_a_wider_type() {}

/// A value of a rule as a Value, which is what its member holds.
template <class Value, class Given>
constexpr RuleValue rule_value(Given given) {
    if constexpr (std::floating_point<Value>) {
        const auto value = static_cast<Value>(given);
        if (!(value - value == 0)) a_value_of_the_rule_is_beyond_what_its_member_holds_use_a_wider_type();
        if constexpr (std::same_as<Value, float>)
            return RuleValue(value);
        else
            return RuleValue(static_cast<long double>(value));
    } else {
        const auto value = static_cast<Value>(given);
        if (static_cast<Given>(value) != given || (value < Value{}) != (given < Given{}))
            a_value_of_the_rule_is_beyond_what_its_member_holds_use_a_wider_type();
        if (given < Given{}) return RuleValue(static_cast<std::int64_t>(given));
        return RuleValue(static_cast<std::uint64_t>(given));
    }
}

template <class Value, class T, class Member, class Low, class High>
constexpr MemberRule<T, 2> bounded(RuleKind kind, Member T::* member, Low least, High most) {
    const RuleValue first = rule_value<Value>(least);
    const RuleValue last = rule_value<Value>(most);
    if (!is_at_most(first, last)) the_least_of_the_rule_is_above_its_most_swap_them();
    return {kind, member_index(member), {first, last}};
}

/// In place of a rule that the compiler has refused.
template <class T>
constexpr MemberRule<T, 0> refused_rule() {
    return {RuleKind::closed, 0};
}

}  // namespace detail

/// A text has `least` to `most` characters: code points of Unicode, as JSON Schema counts them.
template <class T, class Member>
[[nodiscard]] constexpr auto length(Member T::* member, std::size_t least, std::size_t most) {
    constexpr bool fits = detail::JsonText<detail::Ruled<Member>>;
    static_assert(fits,
                  "sake::length: the member must be text, or a list of texts; sake::items is for how many "
                  "elements a list has");
    return detail::bounded<std::size_t>(detail::RuleKind::length, member, least, most);
}

/// A number is from `least` to `most`, both included.
template <class T, class Member, class Low, class High>
[[nodiscard]] constexpr auto range(Member T::* member, Low least, High most) {
    using Value = detail::Ruled<Member>;
    constexpr bool is_number = detail::JsonInteger<Value> || std::floating_point<Value>;
    constexpr bool fits =
        std::floating_point<Value> || (detail::JsonInteger<Low> && detail::JsonInteger<High>);
    static_assert(
        is_number,
        "sake::range: the member must be a number, or a list of numbers; sake::length is for texts");
    static_assert(fits || !is_number,
                  "sake::range: the member is an integer, so the bounds must be integers");
    if constexpr (is_number && fits)
        return detail::bounded<Value>(detail::RuleKind::range, member, least, most);
    else
        return detail::refused_rule<T>();
}

/// A text or an integer is one of these values.
template <class T, class Member, class... Each>
[[nodiscard]] constexpr auto one_of(Member T::* member, const Each&... choices) {
    using Value = detail::Ruled<Member>;
    constexpr bool is_text = detail::JsonText<Value>;
    constexpr bool has_texts = (std::is_convertible_v<const Each&, std::string_view> && ...);
    constexpr bool has_integers = (detail::JsonInteger<Each> && ...);
    static_assert(is_text || detail::JsonInteger<Value>,
                  "sake::one_of: the member must be text or an integer, or a list of them");
    static_assert(sizeof...(Each) > 0, "sake::one_of: there must be a value to choose");
    static_assert(!is_text || has_texts, "sake::one_of: the member is text, so the values must be texts");
    static_assert(!detail::JsonInteger<Value> || has_integers,
                  "sake::one_of: the member is an integer, so the values must be integers");
    using Rule = detail::MemberRule<T, sizeof...(Each)>;
    if constexpr (is_text && has_texts)
        return Rule{detail::RuleKind::one_of,
                    detail::member_index(member),
                    {detail::RuleValue(std::string_view(choices))...}};
    else if constexpr (detail::JsonInteger<Value> && has_integers)
        return Rule{
            detail::RuleKind::one_of, detail::member_index(member), {detail::rule_value<Value>(choices)...}};
    else
        return detail::refused_rule<T>();
}

/// A text has a format, such as Format::email.
template <class T, class Member>
[[nodiscard]] constexpr auto format(Member T::* member, Format format) {
    constexpr bool fits = detail::JsonText<detail::Ruled<Member>>;
    static_assert(fits, "sake::format: the member must be text, or a list of texts");
    return detail::MemberRule<T, 0>{detail::RuleKind::format, detail::member_index(member), {}, format};
}

/// A list or map has `least` to `most` elements.
template <class T, class Member>
[[nodiscard]] constexpr auto items(Member T::* member, std::size_t least, std::size_t most) {
    constexpr bool fits = detail::GrowingList<detail::Held<Member>> || detail::TextMap<detail::Held<Member>>;
    static_assert(fits,
                  "sake::items: the member must be a list or a map that grows; sake::length is for texts");
    return detail::bounded<std::size_t>(detail::RuleKind::items, member, least, most);
}

/// No two elements of a list are equal.
template <class T, class Member>
[[nodiscard]] constexpr auto unique(Member T::* member) {
    constexpr bool fits = detail::GrowingList<detail::Held<Member>> || detail::is_array<detail::Held<Member>>;
    static_assert(fits, "sake::unique: the member must be a list");
    return detail::MemberRule<T, 0>{detail::RuleKind::unique, detail::member_index(member)};
}

/// The member may be absent, and then keeps the default that the type T gives it. Needed only if that default
/// is 0, "", false or empty: a member with another default may be absent anyway, and so may an optional one.
template <class T, class Member>
[[nodiscard]] constexpr auto defaulted(Member T::* member) {
    return detail::MemberRule<T, 0>{detail::RuleKind::defaulted, detail::member_index(member)};
}

/// A document, query or form has only members of the type: `fields(no_other_members<Note>(), ...)`. Without
/// this rule, other members are ignored.
template <class T>
[[nodiscard]] constexpr auto no_other_members() {
    return detail::MemberRule<T, 0>{detail::RuleKind::closed, 0};
}

}  // namespace SAKE_ABI
}  // namespace sake
