// The fields of a form as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sake/app/form_bind.hpp"
#include "sake/app/form_impl.hpp"
#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A text of a form as a number, if it is one.
template <class Value>
Value number_or_text(std::string_view text) {
    if (const auto number = parse_number<std::int64_t>(text)) return *number;
    if (const auto number = parse_number<std::uint64_t>(text)) return *number;
    if (const auto number = parse_number<double>(text)) return *number;
    return std::string(text);
}

/// The same as what stands in this place when a T is written. A text that does not fit stays a text, for
/// the error to name.
template <class Value>
Value text_like(std::string_view text, const Value& place) {
    if (place.is_number()) return number_or_text<Value>(text);
    if (!place.is_boolean()) return std::string(text);
    if (text == "true" || text == "1" || text == "on") return true;  // "on" is what a checkbox sends
    if (text == "false" || text == "0" || text == "off") return false;
    return std::string(text);
}

template <class Value>
Value form_document(const Form& form, const Value& shape) {
    Value document = Value::object();
    for (const auto& [name, value] : form.fields()) {
        const auto place = shape.find(name);
        const bool is_known = place != shape.end();
        if (is_known && value.empty() && (place->is_number() || place->is_boolean())) continue;
        if (is_known && place->is_array()) {
            document[name].push_back(value);
        } else if (!document.contains(name)) {
            document[name] = is_known ? text_like(value, *place) : Value(value);
        }
    }
    return document;
}

template <class Value>
bool settle_numbers(Value& value) {
    if (value.is_array()) {
        bool is_new = false;
        for (Value& each : value) is_new = settle_numbers(each) || is_new;
        return is_new;
    }
    if (!value.is_string()) return false;
    value = number_or_text<Value>(value.template get_ref<const std::string&>());
    return !value.is_string();
}

#if defined(SAKE_IMPLEMENTATION)
template Json form_document<Json>(const Form& form, const Json& shape);
template bool settle_numbers<Json>(Json& value);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
