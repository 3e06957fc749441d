// JSON text to types of the program and back, without a Json in between: for aggregates, and lists, maps and
// optionals of them. The functions have the same names as for a Json.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/faults.hpp"
#include "sake/base/json.hpp"
#include "sake/base/shape_of.hpp"
#include "sake/base/shape_reader.hpp"
#include "sake/base/shape_writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Throws JsonError that names the first of them.
[[noreturn]] void throw_misfit(const Faults& faults);

/// A document as a T. What does not fit is among the faults.
template <HasShape T>
T read_as(Json& document, Faults& faults, const Budget* memory = nullptr) {
    static_assert(is_readable(ShapeOf<T>::value),
                  "this type cannot be read: a std::string_view or const char* in it owns no text, or a "
                  "member is const: "
                  "use std::string, and leave out const");
    T value{};
    read_shape(document, ShapeOf<T>::value, &value, faults, memory);
    return value;
}

}  // namespace detail

/// Parses a JSON text as a T: `parse_json<Note>(text)`. Throws JsonError if it is not JSON, exceeds the
/// limits, or does not fit T.
template <detail::HasShape T>
[[nodiscard]] T parse_json(std::string_view text, std::size_t depth_limit = 64,
                           std::size_t value_limit = 1'000'000) {
    detail::JsonOwner<> document;
    document.value = parse_json<Json>(text, depth_limit, value_limit);
    detail::Faults faults;
    T value = detail::read_as<T>(document.value, faults);
    if (!faults.empty()) detail::throw_misfit(faults);
    return value;
}

/// Appends a value as compact JSON: the members of a struct in order, an enum as its name, an absent value as
/// null. Throws std::invalid_argument for an enum value without a name.
template <detail::HasShape T>
void append_json(std::string& out, const T& value) {
    detail::append_shape(out, detail::ShapeOf<T>::value, &value);
}
/// The same as a new string.
template <detail::HasShape T>
[[nodiscard]] std::string dump_json(const T& value) {
    std::string out;
    append_json(out, value);
    return out;
}

}  // namespace SAKE_ABI
}  // namespace sake
