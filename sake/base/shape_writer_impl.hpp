// How shape_writer.hpp writes each kind of value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/json_writer_impl.hpp"
#include "sake/base/shape.hpp"
#include "sake/base/shape_numbers.hpp"
#include "sake/base/shape_writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Where the elements of a list or map are written: with a comma before each but the first.
struct ShapeList {
    std::string& out;
    const Shape& element;
    bool is_first = true;

    void separate() {
        if (!is_first) out += ',';
        is_first = false;
    }
};

inline void append_integer_shape(std::string& out, const IntegerShape& shape, const void* value) {
    const WideInteger number = load_integer(shape, value);
    if (number.is_negative)
        append_json_integer(out, static_cast<std::int64_t>(number.bits));
    else
        append_json_integer(out, number.bits);
}

inline void append_enum_shape(std::string& out, const EnumShape& shape, const void* value) {
    const WideInteger number = load_integer(shape, value);
    for (std::size_t i = 0; i < shape.count; ++i) {
        if (shape.values[i].value == static_cast<std::int64_t>(number.bits))
            return append_json_string(out, shape.values[i].name);
    }
    throw std::invalid_argument("an enumeration " + std::string(shape.name) + " has the value " +
                                std::to_string(static_cast<std::int64_t>(number.bits)) +
                                ", which has no name that Sake finds: it looks from -16 to 255");
}

inline void append_number_shape(std::string& out, const NumberShape& shape, const void* value) {
    if (shape.bytes == sizeof(float)) return append_json_float(out, as<float>(value));
    if (shape.bytes == sizeof(double)) return append_json_float(out, as<double>(value));
    append_json_float(out, static_cast<double>(as<long double>(value)));
}

inline void append_list_shape(std::string& out, const ListShape& shape, const void* value) {
    ShapeList list{out, *shape.element};
    out += '[';
    shape.each(value, {&list, [](void* context, const void* element) {
                           auto& here = as<ShapeList>(context);
                           here.separate();
                           append_shape(here.out, here.element, element);
                       }});
    out += ']';
}

inline void append_map_shape(std::string& out, const MapShape& shape, const void* value) {
    ShapeList list{out, *shape.element};
    out += '{';
    shape.each(value, {&list, [](void* context, std::string_view name, const void* element) {
                           auto& here = as<ShapeList>(context);
                           here.separate();
                           append_json_text(here.out, name);
                           here.out += ':';
                           append_shape(here.out, here.element, element);
                       }});
    out += '}';
}

inline void append_object_shape(std::string& out, const ObjectShape& shape, const void* value) {
    std::array<const void*, most_aggregate_members> places;
    shape.locate(value, places.data());
    char before = '{';
    if (shape.count == 0) out += before;
    for (std::size_t i = 0; i < shape.count; ++i) {
        out += before;
        before = ',';
        out.append(shape.members[i].label);
        append_shape(out, *shape.members[i].shape, places[i]);
    }
    out += '}';
}

SAKE_INLINE void append_shape(std::string& out, const Shape& shape, const void* value) {
    switch (shape.kind) {
        case ShapeKind::null:
            out.append("null");
            return;
        case ShapeKind::boolean:
            out.append(as<bool>(value) ? "true" : "false");
            return;
        case ShapeKind::integer:
            return append_integer_shape(out, to<IntegerShape>(shape), value);
        case ShapeKind::number:
            return append_number_shape(out, to<NumberShape>(shape), value);
        case ShapeKind::text:
            return append_json_text(out, to<TextShape>(shape).view(value));
        case ShapeKind::enumeration:
            return append_enum_shape(out, to<EnumShape>(shape), value);
        case ShapeKind::formatted:
            out += '"';
            to<FormattedShape>(shape).append(out, value);
            out += '"';
            return;
        case ShapeKind::optional: {
            const auto& optional = to<OptionalShape>(shape);
            const void* const content = optional.find(value);
            if (content != nullptr) return append_shape(out, *optional.content, content);
            out.append("null");
            return;
        }
        case ShapeKind::list:
            return append_list_shape(out, to<ListShape>(shape), value);
        case ShapeKind::map:
            return append_map_shape(out, to<MapShape>(shape), value);
        case ShapeKind::object:
            return append_object_shape(out, to<ObjectShape>(shape), value);
        case ShapeKind::variant: {
            const auto& variant = to<VariantShape>(shape);
            const std::size_t index = variant.index(value);
            if (index >= variant.count) throw std::invalid_argument("a std::variant has no value to write");
            return append_shape(out, *variant.alternatives[index], variant.find(value));
        }
        case ShapeKind::any:
        case ShapeKind::foreign:
            return to<ForeignShape>(shape).append(out, value);
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
