// Which types have a shape, and how it is made from the type. See shape.hpp.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sake/base/aggregate.hpp"
#include "sake/base/enum_names.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_fit.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/rule.hpp"
#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A to_json of the program for this very type, found by its namespace.
template <class T>
concept HasOwnToJson = requires(Json& json, const T& value) { to_json(json, value); };
template <class T>
concept HasOwnFromJson = requires(const Json& json, T& value) { from_json(json, value); };

/// Conversions of the program, which win: functions by its namespace, or an adl_serializer of its own.
template <class T>
concept HasOwnConversion = HasOwnToJson<T> || HasOwnFromJson<T> || requires {
    &nlohmann::adl_serializer<T>::to_json;
} || requires { &nlohmann::adl_serializer<T>::from_json; };

template <class T>
concept JsonInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, wchar_t> &&
                      !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;
template <class T>
concept NamedEnum = std::is_enum_v<T> && HasFixedType<T> && !std::same_as<T, std::byte>;

template <class T>
concept JsonText =
    std::same_as<T, std::string> || std::same_as<T, std::string_view> || std::same_as<T, const char*>;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t Size>
inline constexpr bool is_array<std::array<T, Size>> = true;

/// A value of nlohmann/json, Json or one of another kind.
template <class T>
concept JsonValue = requires {
    typename T::object_t;
    typename T::array_t;
    typename T::number_float_t;
};

/// A std::vector and its like; not a text, nor a std::vector<bool>, whose elements have no address.
template <class T>
concept GrowingList = !JsonText<T> && !JsonValue<T> && requires(T& list) {
    { list.emplace_back() } -> std::same_as<typename T::value_type&>;
    list.begin();
    list.clear();
    list.size();
};
/// A std::map of texts and its like.
template <class T>
concept TextMap = std::same_as<typename T::key_type, std::string> &&
                  requires(T& map) { map.try_emplace(std::string()).first->second; };

template <class T>
inline constexpr bool is_pointer_like = false;
template <class T>
inline constexpr bool is_pointer_like<std::optional<T>> = true;
template <class T>
inline constexpr bool is_pointer_like<std::unique_ptr<T>> = !std::is_const_v<T>;
template <class T>
inline constexpr bool is_pointer_like<std::shared_ptr<T>> = !std::is_const_v<T>;
template <class T>
inline constexpr bool is_variant = false;
template <class... Each>
inline constexpr bool is_variant<std::variant<Each...>> = true;

/// A struct of the program whose members Sake sees. The conversions of nlohmann/json win where a type has
/// them, and so does what converts to a Json by itself.
template <class T>
concept SeenAggregate = std::is_class_v<T> && std::is_aggregate_v<T> && !is_array<T> &&
                        !requires { typename T::value_type; } && !std::is_constructible_v<Json, const T&>;

/// Types whose values are texts of a fixed form: see shape_time.hpp.
template <class T>
inline constexpr bool is_formatted = false;

/// What Sake reads and writes without nlohmann's conversions.
template <class T>
concept HasShape = std::same_as<T, bool> || JsonInteger<T> || std::floating_point<T> || JsonText<T> ||
                   (!JsonValue<T> && !HasOwnConversion<T> &&
                    (NamedEnum<T> || is_array<T> || is_pointer_like<T> || is_variant<T> || GrowingList<T> ||
                     TextMap<T> || is_formatted<T> || SeenAggregate<T>));

template <>
struct ShapeOf<std::monostate> {
    static constexpr Shape value{ShapeKind::null};
};
template <>
struct ShapeOf<bool> {
    static constexpr Shape value{ShapeKind::boolean};
};
template <JsonInteger T>
struct ShapeOf<T> {
    static constexpr IntegerShape value{{ShapeKind::integer}, sizeof(T), std::is_signed_v<T>};
};
template <std::floating_point T>
struct ShapeOf<T> {
    static constexpr NumberShape value{{ShapeKind::number}, sizeof(T)};
};
template <NamedEnum T>
struct ShapeOf<T> {
    static constexpr EnumShape value{
        {{ShapeKind::enumeration}, sizeof(T), std::is_signed_v<std::underlying_type_t<T>>},
        TypeName<T>::text,
        EnumNames<T>::list.data(),
        EnumNames<T>::list.size()};
};
template <JsonText T>
struct ShapeOf<T> {
    static std::string_view view(const void* text) { return as<T>(text); }
    static void assign(void* text, std::string_view chars) {
        if constexpr (std::same_as<T, std::string>) as<T>(text).assign(chars);
    }
    static constexpr TextShape value{{ShapeKind::text}, view, assign, std::same_as<T, std::string>};
};

template <class T>
    requires is_pointer_like<T>
struct ShapeOf<T> {
    using Content = std::remove_cvref_t<decltype(*std::declval<T&>())>;
    static const void* find(const void* optional) {
        const T& content = as<T>(optional);
        return content ? std::addressof(*content) : nullptr;
    }
    static void* emplace(void* optional) {
        if constexpr (requires(T& content) { content.emplace(); })
            return std::addressof(as<T>(optional).emplace());
        else
            return (as<T>(optional) = T(new Content{})).get();
    }
    static void reset(void* optional) { as<T>(optional).reset(); }
    static constexpr OptionalShape value{
        {ShapeKind::optional}, &ShapeOf<Content>::value, find, emplace, reset};
};

template <class T>
struct ListOf {
    using Element = typename T::value_type;
    static std::size_t size(const void* list) { return as<T>(list).size(); }
    static void each(const void* list, ElementVisitor visitor) {
        for (const Element& element : as<T>(list)) visitor.visit(visitor.context, std::addressof(element));
    }
};
template <class T>
    requires is_array<T>
struct ShapeOf<T> : ListOf<T> {
    static void clear(void* list) { as<T>(list) = T{}; }
    static void* slot(void* list, std::size_t index) { return std::addressof(as<T>(list)[index]); }
    static constexpr ListShape value{{ShapeKind::list},
                                     &ShapeOf<typename T::value_type>::value,
                                     true,
                                     std::tuple_size_v<T>,
                                     sizeof(typename T::value_type),
                                     ListOf<T>::size,
                                     ListOf<T>::each,
                                     clear,
                                     slot};
};
template <GrowingList T>
struct ShapeOf<T> : ListOf<T> {
    static void clear(void* list) { as<T>(list).clear(); }
    static void* slot(void* list, std::size_t) { return std::addressof(as<T>(list).emplace_back()); }
    static constexpr ListShape value{{ShapeKind::list},
                                     &ShapeOf<typename T::value_type>::value,
                                     false,
                                     0,
                                     sizeof(typename T::value_type),
                                     ListOf<T>::size,
                                     ListOf<T>::each,
                                     clear,
                                     slot};
};
template <TextMap T>
struct ShapeOf<T> {
    static std::size_t size(const void* map) { return as<T>(map).size(); }
    static void each(const void* map, MemberVisitor visitor) {
        for (const auto& [name, element] : as<T>(map))
            visitor.visit(visitor.context, name, std::addressof(element));
    }
    static void clear(void* map) { as<T>(map).clear(); }
    static void* slot(void* map, std::string_view name) {
        return std::addressof(as<T>(map).try_emplace(std::string(name)).first->second);
    }
    static constexpr MapShape value{{ShapeKind::map},
                                    &ShapeOf<typename T::mapped_type>::value,
                                    sizeof(typename T::value_type),
                                    size,
                                    each,
                                    clear,
                                    slot};
};

template <class... Each>
struct ShapeOf<std::variant<Each...>> {
    using Variant = std::variant<Each...>;
    static std::size_t index(const void* variant) { return as<Variant>(variant).index(); }
    static const void* find(const void* variant) {
        return std::visit([](const auto& each) -> const void* { return std::addressof(each); },
                          as<Variant>(variant));
    }
    template <std::size_t Index>
    static void* emplace_one(Variant& variant) {
        return std::addressof(variant.template emplace<Index>());
    }
    template <std::size_t... Index>
    static void* emplace_at(Variant& variant, std::size_t index, std::index_sequence<Index...>) {
        constexpr std::array<void* (*)(Variant&), sizeof...(Index)> ways{&emplace_one<Index>...};
        return ways[index](variant);
    }
    static void* emplace(void* variant, std::size_t index) {
        return emplace_at(as<Variant>(variant), index, std::index_sequence_for<Each...>{});
    }
    static constexpr std::array<const Shape*, sizeof...(Each)> alternatives{&ShapeOf<Each>::value...};
    static constexpr VariantShape value{
        {ShapeKind::variant}, alternatives.data(), alternatives.size(), index, find, emplace};
};

template <>
struct ShapeOf<Json> {
    static void append(std::string& out, const void* json) { append_json(out, as<Json>(json)); }
    static void read(void* json, void* place) { as<Json>(place) = std::move(as<Json>(json)); }
    static constexpr ForeignShape value{{ShapeKind::any}, append, read};
};
/// What only nlohmann/json converts, such as a std::pair, a std::set, or a type with its macros.
template <class T>
    requires(!HasShape<T>)
struct ShapeOf<T> {
    static constexpr bool is_written = std::is_constructible_v<Json, const T&>;
    static constexpr bool is_read = requires(Json& json) { json.template get<T>(); };
    static_assert(
        is_written || is_read,
        "this type has no JSON form: it must be a number, bool, text, enum, optional, list, map of texts, "
        "variant or a plain struct of them (no constructors, bases or private members), or have "
        "nlohmann's to_json");
    static void append(std::string& out, const void* place) {
        if constexpr (is_written)
            append_json(out, Json(as<T>(place)));
        else
            throw std::logic_error("a value is written as JSON whose type has no to_json");
    }
    static void read(void* json, void* place) {
        if constexpr (is_read)
            as<T>(place) = json_as<T>(as<Json>(json));
        else
            throw std::logic_error("a value is read from JSON whose type has no from_json");
    }
    static constexpr ForeignShape value{{ShapeKind::foreign}, append, read};
};

/// A member's name as it is written.
template <class T, std::size_t Index>
struct MemberLabel {
    static constexpr std::string_view name = member_name<T, Index>;
    static constexpr auto text = [] {
        std::array<char, name.size() + 3> label{'"'};
        for (std::size_t i = 0; i < name.size(); ++i) label[i + 1] = name[i];
        label[name.size() + 1] = '"';
        label[name.size() + 2] = ':';
        return label;
    }();
    static constexpr std::string_view value{text.data(), text.size()};
};

template <SeenAggregate T>
struct ShapeOf<T> {
    static_assert(std::is_default_constructible_v<T>,
                  "Sake takes a struct that can be made without values: a member of this one is a reference, "
                  "or has no default: make it a value with one, or a std::optional");
    // With a constant in it, it is only written.
    static constexpr bool is_read = std::is_move_assignable_v<T>;

    static constexpr bool has_rule(std::size_t member, RuleKind kind) {
        for (const Rule& rule : rule_table<T>) {
            if (rule.member == member && rule.kind == kind) return true;
        }
        return false;
    }
    template <std::size_t... Index>
    static consteval std::array<MemberShape, member_count<T>> make_members(std::index_sequence<Index...>) {
        return {MemberShape{MemberLabel<T, Index>::value, &ShapeOf<member_type<T, Index>>::value,
                            has_rule(Index, RuleKind::defaulted)}...};
    }
    static constexpr std::array<MemberShape, member_count<T>> members =
        make_members(std::make_index_sequence<member_count<T>>());

    static void locate(const void* object, const void** places) {
        with_members<T>(as<T>(object),
                        [&](const auto&... each) { ((*places++ = std::addressof(each)), ...); });
    }
    static const void* defaults() {
        static const T object{};
        return &object;
    }
    static constexpr ObjectShape value{{ShapeKind::object},
                                       TypeName<T>::text,
                                       members.data(),
                                       members.size(),
                                       rule_table<T>.data(),
                                       rule_table<T>.size(),
                                       locate,
                                       defaults,
                                       has_rule(0, RuleKind::closed),
                                       is_read};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
