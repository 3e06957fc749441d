// Which members of an object a document may omit: optional ones, and those with a default that is not just
// the empty value of their type.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/shape.hpp"
#include "sake/base/shape_numbers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline bool is_blank_list(const ListShape& shape, const void* list);

/// Whether a value is the empty value of its type: 0, false, "", an empty list, no value, an object of such.
inline bool is_blank(const Shape& shape, const void* value) {
    switch (shape.kind) {
        case ShapeKind::boolean:
            return !as<bool>(value);
        case ShapeKind::integer:
        case ShapeKind::enumeration:
            return load_integer(to<IntegerShape>(shape), value).bits == 0;
        case ShapeKind::number:
            return load_number(to<NumberShape>(shape), value) == 0;
        case ShapeKind::text:
            return to<TextShape>(shape).view(value).empty();
        case ShapeKind::optional:
            return to<OptionalShape>(shape).find(value) == nullptr;
        case ShapeKind::list:
            return is_blank_list(to<ListShape>(shape), value);
        case ShapeKind::map:
            return to<MapShape>(shape).size(value) == 0;
        case ShapeKind::object: {
            const auto& object = to<ObjectShape>(shape);
            std::array<const void*, most_aggregate_members> places;
            object.locate(value, places.data());
            for (std::size_t i = 0; i < object.count; ++i) {
                if (!is_blank(*object.members[i].shape, places[i])) return false;
            }
            return true;
        }
        case ShapeKind::formatted: {
            std::string text;
            to<FormattedShape>(shape).append(text, value);
            return text == "0000-00-00" || text == "1970-01-01" || text.starts_with("1970-01-01T00:00:00");
        }
        case ShapeKind::variant: {
            const auto& variant = to<VariantShape>(shape);
            return variant.index(value) == 0 && is_blank(*variant.alternatives[0], variant.find(value));
        }
        case ShapeKind::any: {
            std::string text;
            to<ForeignShape>(shape).append(text, value);
            return text == "null";
        }
        case ShapeKind::null:
        case ShapeKind::foreign:  // what its nothing is, only the program knows
            return true;
    }
    return true;
}
inline bool is_blank_list(const ListShape& shape, const void* list) {
    struct Walk {
        const Shape& element;
        bool is_blank = true;
    };
    if (!shape.is_fixed) return shape.size(list) == 0;
    Walk walk{*shape.element};
    shape.each(list, {&walk, [](void* context, const void* element) {
                          auto& here = as<Walk>(context);
                          here.is_blank = here.is_blank && is_blank(here.element, element);
                      }});
    return walk.is_blank;
}

/// Whether a member may be absent from a document. Its value is that of an object which was just made.
inline bool may_be_absent(const ObjectShape& object, std::size_t index, const void* initial) {
    const Shape& shape = *object.members[index].shape;
    if (shape.kind == ShapeKind::optional || shape.kind == ShapeKind::null) return true;
    return object.members[index].is_defaulted || !is_blank(shape, initial);
}

inline bool has_member(const ObjectShape& object, std::string_view name) {
    for (std::size_t i = 0; i < object.count; ++i) {
        if (object.members[i].name() == name) return true;
    }
    return false;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
