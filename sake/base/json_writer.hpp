// Writing JSON as compact text, as nlohmann's dump does, but quicker to compile and to run, and unable to
// fail. Templates on the type of values, so that a program without JSON does not compile them.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
/// Appends a JSON value as compact text. Text in it that is not UTF-8 gets U+FFFD where it is not, infinities
/// and NaN are null, bytes are an object as nlohmann writes it.
template <std::same_as<Json> Value = Json>
void append_json(std::string& out, const std::type_identity_t<Value>& value);

/// The same as a text of its own.
template <std::same_as<Json> Value = Json>
[[nodiscard]] std::string dump_json(const std::type_identity_t<Value>& value);

}  // namespace SAKE_ABI
}  // namespace sake
