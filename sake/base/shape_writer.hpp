// A value of any type with a shape, written as JSON text straight away, without a tree of values.
#pragma once

#include <string>

#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Appends a value as compact JSON, as append_json does; members in the order of the type. Throws
/// std::invalid_argument for an enumeration whose value has no name.
void append_shape(std::string& out, const Shape& shape, const void* value);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
