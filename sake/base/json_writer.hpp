// Writes a Json as compact text, like nlohmann's dump, but faster to compile and to run, and without
// failures. Templates, so that programs without JSON do not compile them.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
/// Appends a JSON value as compact text. Bytes that are not UTF-8 are replaced by U+FFFD, infinities and NaN
/// become null, and binary values become an object as in nlohmann's dump.
template <std::same_as<Json> Value = Json>
void append_json(std::string& out, const std::type_identity_t<Value>& value);

/// The same as a new string.
template <std::same_as<Json> Value = Json>
[[nodiscard]] std::string dump_json(const std::type_identity_t<Value>& value);

}  // namespace SAKE_ABI
}  // namespace sake
