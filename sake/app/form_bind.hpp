// A form as a type of the program, by way of JSON: with the conversions and the errors of ctx.bind<T>().
// Templates of the document, so that only programs with such forms compile them.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "sake/app/bind.hpp"
#include "sake/app/form.hpp"
#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The fields as an object: a member is an array if T has one, else the first field of its name. A browser
/// sends empty inputs: an empty number counts as absent.
template <class Value>
Value form_document(const Form& form, const Value& shape);

/// Replaces texts that are numbers by numbers. False if there are none.
template <class Value>
bool settle_numbers(Value& value);

/// The elements of an array or optional member cannot be seen from outside: if T rejects texts there, they
/// become numbers.
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
    return document_as<T>(document, size, "form");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
