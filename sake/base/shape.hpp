// Shape: describes a type of the program as JSON: constant data, with a few functions for what only the type
// can do. The writer, the reader, the rules and the schema all use it; they are ordinary code, compiled once
// and not per type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/enum_names.hpp"
#include "sake/base/rule.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class ShapeKind : std::uint8_t {
    null,
    boolean,
    integer,
    number,
    text,
    enumeration,
    formatted,  // a text of a fixed form, such as a date
    optional,
    list,
    map,
    object,
    variant,
    any,      // a Json
    foreign,  // a type that nlohmann/json converts
};

/// The base of them all. What follows it is known by the kind.
struct Shape {
    ShapeKind kind;
};

/// An integer or an enumeration, stored as so many bytes.
struct IntegerShape : Shape {
    std::uint8_t bytes;
    bool is_signed;
};
struct EnumShape : IntegerShape {
    std::string_view name;
    const Enumerator* values;
    std::size_t count;
};
/// A float, a double or a long double, by its bytes.
struct NumberShape : Shape {
    std::size_t bytes;
};
struct TextShape : Shape {
    std::string_view (*view)(const void* text);
    void (*assign)(void* text, std::string_view value);
    bool is_owner;  // not only a view, so that it can be assigned
};
struct FormattedShape : Shape {
    std::string_view format;  // as JSON schema names it: "date-time"
    void (*append)(std::string& out, const void* value);
    bool (*parse)(std::string_view text, void* value);
};
struct OptionalShape : Shape {
    const Shape* content;
    const void* (*find)(const void* optional);  // null if there is none
    void* (*emplace)(void* optional);
    void (*reset)(void* optional);
};

/// What is called with each element of a list, or each member of a map.
struct ElementVisitor {
    void* context;
    void (*visit)(void* context, const void* element);
};
struct ListShape : Shape {
    const Shape* element;
    bool is_fixed;             // a std::array
    std::size_t fixed_size;    // of one
    std::size_t element_size;  // in bytes
    std::size_t (*size)(const void* list);
    void (*each)(const void* list, ElementVisitor visitor);
    void (*clear)(void* list);
    void* (*slot)(void* list, std::size_t index);  // a new element, if it is the next one
};
struct MemberVisitor {
    void* context;
    void (*visit)(void* context, std::string_view name, const void* element);
};
struct MapShape : Shape {
    const Shape* element;
    std::size_t element_size;  // in bytes
    std::size_t (*size)(const void* map);
    void (*each)(const void* map, MemberVisitor visitor);
    void (*clear)(void* map);
    void* (*slot)(void* map, std::string_view name);  // made if it is not there
};
struct VariantShape : Shape {
    const Shape* const* alternatives;
    std::size_t count;
    std::size_t (*index)(const void* variant);
    const void* (*find)(const void* variant);
    void* (*emplace)(void* variant, std::size_t index);
};

struct MemberShape {
    std::string_view label;  // as it is written: "text":, with the quotes and the colon
    const Shape* shape;
    bool is_defaulted;  // by its rule
    [[nodiscard]] constexpr std::string_view name() const noexcept {
        return label.substr(1, label.size() - 3);
    }
};
struct ObjectShape : Shape {
    std::string_view name;  // of the type, as the compiler prints it: "api::Note"
    const MemberShape* members;
    std::size_t count;
    const Rule* rules;
    std::size_t rule_count;
    void (*locate)(const void* object, const void** members);
    const void* (*defaults)();  // an object as a program makes it
    bool is_closed;             // by its rule: members that it does not have are a fault
    bool is_read;               // not only written
};
/// A Json, or a type that nlohmann/json converts.
struct ForeignShape : Shape {
    void (*append)(std::string& out, const void* value);
    void (*read)(void* json, void* value);  // throws what the conversion throws
};

/// What stands at a place whose type is known.
template <class T>
constexpr const T& as(const void* place) noexcept {
    return *static_cast<const T*>(place);
}
template <class T>
constexpr T& as(void* place) noexcept {
    return *static_cast<T*>(place);
}
/// A shape by its kind.
template <class T>
constexpr const T& to(const Shape& shape) noexcept {
    return static_cast<const T&>(shape);
}

/// The shape of a T, as `ShapeOf<T>::value`. In shape_of.hpp.
template <class T>
struct ShapeOf;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
