// The members of an aggregate, found by the compiler and without a macro in the program: how many there are,
// where they are, what they are called. C++20 has no reflection, so the number is found by trying, the places
// come from structured bindings, and the names from what the compiler prints for a template argument: the
// technique of Boost.PFR and reflect-cpp.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::size_t most_aggregate_members = 64;

/// Stands for a value of any type where only the type of an expression matters.
struct AnyValue {
    template <class T>
    operator T() const noexcept;  // NOLINT(google-explicit-constructor)
};
template <std::size_t>
using AnyMember = AnyValue;

template <class T, std::size_t... Index>
consteval bool takes_members(std::index_sequence<Index...>) {
    return requires { T{AnyMember<Index>{}...}; };
}

/// How many members an aggregate has; one more than `most_aggregate_members` if there are more.
template <class T, std::size_t Known = 0>
consteval std::size_t count_members() {
    if constexpr (Known > most_aggregate_members || !takes_members<T>(std::make_index_sequence<Known + 1>{}))
        return Known;
    else
        return count_members<T, Known + 1>();
}
template <class T>
inline constexpr std::size_t member_count = count_members<T>();

/// Stands for a base of a T.
template <class T>
struct AnyBaseOf {
    template <class Base>
        requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
    operator Base() const noexcept;  // NOLINT(google-explicit-constructor)
};
template <class T>
concept HasBase = requires { T{AnyBaseOf<T>{}}; };

// A structured binding has as many names as are written down: one line for each number of members.
#define SAKE_1(x) x##1
#define SAKE_2(x) SAKE_1(x), x##2
#define SAKE_3(x) SAKE_2(x), x##3
#define SAKE_4(x) SAKE_3(x), x##4
#define SAKE_5(x) SAKE_4(x), x##5
#define SAKE_6(x) SAKE_5(x), x##6
#define SAKE_7(x) SAKE_6(x), x##7
#define SAKE_8(x) SAKE_7(x), x##8
#define SAKE_MEMBERS(count, ...)                   \
    else if constexpr (member_count<T> == count) { \
        auto& [__VA_ARGS__] = object;              \
        return visit(__VA_ARGS__);                 \
    }

/// Calls `visit(members...)` with a reference to each member, in order, of a `T` or a `const T`.
template <class T, class Object, class Visit>
constexpr decltype(auto) with_members(Object& object, Visit visit) {
    static_assert(
        std::is_aggregate_v<T>,
        "Sake sees the members of a plain struct only: leave out its constructors, bases, private and "
        "virtual members");
    static_assert(!HasBase<T>,
                  "Sake does not see the members of a struct with a base: make the base its first member");
    static_assert(
        member_count<T> <= most_aggregate_members,
        "Sake sees the members of a struct with at most 64 of them: put some into a struct within it");
    if constexpr (member_count<T> == 0) return visit();
    // A member that is an array, int a[3], ends the compilation here: use a std::array.
    // clang-format off
    SAKE_MEMBERS(1, SAKE_1(a))
    SAKE_MEMBERS(2, SAKE_2(a))
    SAKE_MEMBERS(3, SAKE_3(a))
    SAKE_MEMBERS(4, SAKE_4(a))
    SAKE_MEMBERS(5, SAKE_5(a))
    SAKE_MEMBERS(6, SAKE_6(a))
    SAKE_MEMBERS(7, SAKE_7(a))
    SAKE_MEMBERS(8, SAKE_8(a))
    SAKE_MEMBERS(9, SAKE_8(a), SAKE_1(b))
    SAKE_MEMBERS(10, SAKE_8(a), SAKE_2(b))
    SAKE_MEMBERS(11, SAKE_8(a), SAKE_3(b))
    SAKE_MEMBERS(12, SAKE_8(a), SAKE_4(b))
    SAKE_MEMBERS(13, SAKE_8(a), SAKE_5(b))
    SAKE_MEMBERS(14, SAKE_8(a), SAKE_6(b))
    SAKE_MEMBERS(15, SAKE_8(a), SAKE_7(b))
    SAKE_MEMBERS(16, SAKE_8(a), SAKE_8(b))
    SAKE_MEMBERS(17, SAKE_8(a), SAKE_8(b), SAKE_1(c))
    SAKE_MEMBERS(18, SAKE_8(a), SAKE_8(b), SAKE_2(c))
    SAKE_MEMBERS(19, SAKE_8(a), SAKE_8(b), SAKE_3(c))
    SAKE_MEMBERS(20, SAKE_8(a), SAKE_8(b), SAKE_4(c))
    SAKE_MEMBERS(21, SAKE_8(a), SAKE_8(b), SAKE_5(c))
    SAKE_MEMBERS(22, SAKE_8(a), SAKE_8(b), SAKE_6(c))
    SAKE_MEMBERS(23, SAKE_8(a), SAKE_8(b), SAKE_7(c))
    SAKE_MEMBERS(24, SAKE_8(a), SAKE_8(b), SAKE_8(c))
    SAKE_MEMBERS(25, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_1(d))
    SAKE_MEMBERS(26, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_2(d))
    SAKE_MEMBERS(27, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_3(d))
    SAKE_MEMBERS(28, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_4(d))
    SAKE_MEMBERS(29, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_5(d))
    SAKE_MEMBERS(30, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_6(d))
    SAKE_MEMBERS(31, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_7(d))
    SAKE_MEMBERS(32, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d))
    SAKE_MEMBERS(33, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_1(e))
    SAKE_MEMBERS(34, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_2(e))
    SAKE_MEMBERS(35, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_3(e))
    SAKE_MEMBERS(36, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_4(e))
    SAKE_MEMBERS(37, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_5(e))
    SAKE_MEMBERS(38, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_6(e))
    SAKE_MEMBERS(39, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_7(e))
    SAKE_MEMBERS(40, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e))
    SAKE_MEMBERS(41, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_1(f))
    SAKE_MEMBERS(42, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_2(f))
    SAKE_MEMBERS(43, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_3(f))
    SAKE_MEMBERS(44, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_4(f))
    SAKE_MEMBERS(45, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_5(f))
    SAKE_MEMBERS(46, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_6(f))
    SAKE_MEMBERS(47, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_7(f))
    SAKE_MEMBERS(48, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f))
    SAKE_MEMBERS(49, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_1(g))
    SAKE_MEMBERS(50, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_2(g))
    SAKE_MEMBERS(51, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_3(g))
    SAKE_MEMBERS(52, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_4(g))
    SAKE_MEMBERS(53, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_5(g))
    SAKE_MEMBERS(54, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_6(g))
    SAKE_MEMBERS(55, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_7(g))
    SAKE_MEMBERS(56, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g))
    SAKE_MEMBERS(57, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_1(h))
    SAKE_MEMBERS(58, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_2(h))
    SAKE_MEMBERS(59, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_3(h))
    SAKE_MEMBERS(60, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_4(h))
    SAKE_MEMBERS(61, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_5(h))
    SAKE_MEMBERS(62, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_6(h))
    SAKE_MEMBERS(63, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_7(h))
    SAKE_MEMBERS(64, SAKE_8(a), SAKE_8(b), SAKE_8(c), SAKE_8(d), SAKE_8(e), SAKE_8(f), SAKE_8(g), SAKE_8(h))
    // clang-format on
}

#undef SAKE_MEMBERS
#undef SAKE_1
#undef SAKE_2
#undef SAKE_3
#undef SAKE_4
#undef SAKE_5
#undef SAKE_6
#undef SAKE_7
#undef SAKE_8

/// Room for an object that is never made, whose members have addresses that the compiler knows.
template <class T>
union Room {
    constexpr Room() noexcept : nothing() {}
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    constexpr ~Room() {}
    char nothing;
    T object;
};
template <class T>
inline const Room<T> room{};

/// An address as a template argument. Clang prints its name only when it is inside of a class.
template <class Pointer>
struct Address {
    Pointer pointer;
};

template <class T>
consteval auto member_addresses() {
    return with_members<T>(room<T>.object, [](auto&... members) {
        return std::tuple(Address<decltype(&members)>{&members}...);
    });
}

/// What a compiler calls a template argument stands at the end of what it calls the function.
template <auto Value>
consteval const char* printed() {
    return __PRETTY_FUNCTION__;
}
template <class T>
consteval const char* printed_type() {
    return __PRETTY_FUNCTION__;
}

constexpr bool is_word_char(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}
/// The last identifier or number of a text.
consteval std::string_view last_word(std::string_view text) {
    while (!text.empty() && !is_word_char(text.back())) text.remove_suffix(1);
    std::size_t begin = text.size();
    while (begin > 0 && is_word_char(text[begin - 1])) --begin;
    return text.substr(begin);
}

/// The type in "... [with T = api::Note]".
consteval std::string_view type_word(std::string_view text) {
    text.remove_prefix(text.find("T = ") + 4);
    return text.substr(0, text.size() - 1);
}

/// A text of the compiler's, shortened to what is needed, so that no more is in the program.
template <std::size_t Size>
struct FixedText {
    consteval explicit FixedText(std::string_view text) {
        for (std::size_t i = 0; i < Size; ++i) chars[i] = text[i];
    }
    constexpr operator std::string_view() const noexcept {  // NOLINT(google-explicit-constructor)
        return {chars, Size};
    }
    char chars[Size + 1] = {};
};

template <class T, std::size_t Index>
struct MemberName {
    static constexpr std::string_view found = last_word(printed<std::get<Index>(member_addresses<T>())>());
    static constexpr FixedText<found.size()> text{found};
};

/// The name of a member: "text".
template <class T, std::size_t Index>
inline constexpr std::string_view member_name = MemberName<T, Index>::text;

template <class T, std::size_t Index>
using member_type = std::remove_cvref_t<decltype(*std::get<Index>(member_addresses<T>()).pointer)>;

/// A type as the compiler prints it: "api::Note".
template <class T>
struct TypeName {
    static constexpr std::string_view found = type_word(printed_type<T>());
    static constexpr FixedText<found.size()> text{found};
};

template <class Member, class Found>
constexpr bool is_member(const Found* found, const void* wanted) noexcept {
    return std::is_same_v<std::remove_cv_t<Member>, std::remove_cv_t<Found>> &&
           static_cast<const void*>(found) == wanted;
}

/// The index of the member that a pointer to member is for.
template <class T, class Member>
constexpr std::size_t member_index(Member T::* member) {
    const void* const wanted = &(room<T>.object.*member);
    return with_members<T>(room<T>.object, [wanted](auto&... members) {
        std::size_t index = 0;
        // Empty members may share an address, but not with one of their own type.
        static_cast<void>(((is_member<Member>(&members, wanted) || (++index, false)) || ...));
        return index;
    });
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
