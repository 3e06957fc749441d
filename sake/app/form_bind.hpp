// A form as a type of the program, by way of JSON: with the conversions and the errors of ctx.bind<T>().
// Templates of the document, so that only programs with such forms compile them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/bind.hpp"
#include "sake/app/form.hpp"
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

/// The fields as an object: as an array where a T has one, else the first of a name. A browser sends an input
/// that was left empty: as a number, it counts as absent.
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

/// Puts numbers in the place of texts that are numbers. False if there are none.
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

/// What an array or an optional member has in it is not seen from outside: where a T does not like texts
/// there, they become numbers.
template <class T>
void settle_members(Json& document, std::size_t size) {
    for (;;) {
        try {
            JsonOwner<> tried;
            tried.value = document;
            static_cast<void>(json_as<T>(tried.value));
            return;
        } catch (const Json::type_error&) {
            const auto member = document.find(find_culprit<T>(Json(document), size));
            if (member == document.end() || !settle_numbers(*member)) return;
        } catch (const std::exception&) {
            return;
        }
    }
}

template <class T>
T form_as(const Form& form) {
    static_assert(ReadableFromJson<T>,
                  "ctx.form<T>: nlohmann/json cannot make a T; put NLOHMANN_DEFINE_TYPE_INTRUSIVE(T, "
                  "members...) into it, or write a from_json(const sake::Json&, T&), and a "
                  "to_json(sake::Json&, const T&), which says which members are numbers");
    Json shape = Json::object();
    if constexpr (std::default_initializable<T> && std::is_constructible_v<Json, const T&>) {
        shape = Json(T{});
        if (!shape.is_object()) shape = Json::object();
    }
    std::size_t size = 0;
    for (const FormField& field : form.fields()) size += field.name.size() + field.value.size();
    JsonOwner<> document;
    document.value = form_document(form, shape);
    settle_members<T>(document.value, size);
    return document_as<T>(document, size, {"form", "form field"});
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
