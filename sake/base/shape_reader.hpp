// From a client's document or texts to a value of any type with a shape, with a list of everything that does
// not fit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/faults.hpp"
#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Reads a JSON document into a value that was just made. What does not fit is left as it is, and is among
/// the faults. The document is used up. Throws std::bad_alloc if its elements would take too much memory.
template <class Value>
void read_shape(Value& document, const Shape& shape, void* value, Faults& faults, const Budget* memory);

/// A field of a form or a parameter of a query.
struct NamedText {
    std::string_view name;
    std::string_view text;
};

/// Reads texts into an object that was just made, of members that texts can be: see `is_read_from_texts`.
void read_texts(const Array<NamedText>& texts, const ObjectShape& shape, void* object, Faults& faults);

/// The value of an enum by its name. False if it is none of them.
bool read_enum_text(std::string_view name, const EnumShape& shape, void* value);
/// "must be one of: red, green".
std::string names_in_words(const EnumShape& shape);

/// Whether a text can be a value of this shape.
consteval bool is_read_from_text(const Shape& shape) {
    switch (shape.kind) {
        case ShapeKind::boolean:
        case ShapeKind::integer:
        case ShapeKind::number:
        case ShapeKind::enumeration:
        case ShapeKind::formatted:
            return true;
        case ShapeKind::text:
            return to<TextShape>(shape).is_owner;
        default:
            return false;
    }
}
/// Whether an object can be read from a query or a form: its members are texts, numbers, enums and times,
/// lists of them, or optionals of all these.
consteval bool is_read_from_texts(const Shape& shape) {
    if (shape.kind != ShapeKind::object) return false;
    const auto& object = to<ObjectShape>(shape);
    for (std::size_t i = 0; i < object.count; ++i) {
        const Shape* member = object.members[i].shape;
        if (member->kind == ShapeKind::optional) member = to<OptionalShape>(*member).content;
        if (member->kind == ShapeKind::list) member = to<ListShape>(*member).element;
        if (!is_read_from_text(*member)) return false;
    }
    return true;
}

/// A struct that was met on the way, and those before it.
struct ShapeTrail {
    const ShapeTrail* before;
    const ObjectShape* object;

    /// Known by its name: with sanitizers, g++ does not compare the addresses of shapes while compiling.
    [[nodiscard]] constexpr bool has(const ObjectShape& other) const noexcept {
        if (object->name == other.name && object->count == other.count) return true;
        return before != nullptr && before->has(other);
    }
};
/// Whether a value of this shape can be read: nothing in it only views what somebody else holds.
consteval bool is_readable(const Shape& shape, const ShapeTrail* before = nullptr) {
    switch (shape.kind) {
        case ShapeKind::text:
            return to<TextShape>(shape).is_owner;
        case ShapeKind::optional:
            return is_readable(*to<OptionalShape>(shape).content, before);
        case ShapeKind::list:
            return is_readable(*to<ListShape>(shape).element, before);
        case ShapeKind::map:
            return is_readable(*to<MapShape>(shape).element, before);
        case ShapeKind::object: {
            const auto& object = to<ObjectShape>(shape);
            if (!object.is_read) return false;
            if (before != nullptr && before->has(object)) return true;
            const ShapeTrail trail{before, &object};
            for (std::size_t i = 0; i < object.count; ++i) {
                if (!is_readable(*object.members[i].shape, &trail)) return false;
            }
            return true;
        }
        case ShapeKind::variant: {
            const auto& variant = to<VariantShape>(shape);
            for (std::size_t i = 0; i < variant.count; ++i) {
                if (!is_readable(*variant.alternatives[i], before)) return false;
            }
            return true;
        }
        default:
            return true;
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
