// From a client's text to a type of the program: JSON bodies and parameters, with errors that name the place.
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/problem.hpp"
#include "sake/base/array.hpp"
#include "sake/base/faults.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_fit.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/shape_of.hpp"
#include "sake/base/shape_reader.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The words for the kind of value that a parameter should have.
template <class T>
constexpr const char* kind_of() noexcept {
    if constexpr (std::is_same_v<T, bool>)
        return "is not true or false";
    else if constexpr (std::is_unsigned_v<T>)
        return "is not a non-negative integer in range";
    else if constexpr (std::is_integral_v<T>)
        return "is not an integer in range";
    else if constexpr (std::is_floating_point_v<T>)
        return "is not a number";
    else
        return "is not text";
}

/// Whether a text is a decimal number, with or without a fraction: "-1.5e300".
bool is_decimal_number(std::string_view text) noexcept;

/// Throws HttpError 400: "query parameter 'page' is missing".
[[noreturn]] void refuse_text(std::string_view kind, std::string_view name, const char* why);

/// What a path parameter, a field of the query, a header or a cookie converts to.
template <class T>
concept TextParam = NumberParam<T> || NamedEnum<T>;

/// A client's text as a T. Throws HttpError 400 that names what does not convert.
template <class T>
T convert_text(std::string_view text, std::string_view kind, std::string_view name) {
    constexpr bool fits = TextParam<T>;  // not in the assertion: clang would explain the concept
    static_assert(fits,
                  "a parameter converts to a number, bool, std::string, std::string_view or an enum class: "
                  "ask for one of these, and make your type of it in the handler");
    if constexpr (NamedEnum<T>) {
        T value{};
        if (!read_enum_text(text, ShapeOf<T>::value, &value))
            refuse_text(kind, name, names_in_words(ShapeOf<T>::value).c_str());
        return value;
    } else if constexpr (NumberParam<T>) {
        if (auto value = parse_number<T>(text)) return std::move(*value);
        if constexpr (std::is_floating_point_v<T>) {
            if (is_decimal_number(text)) refuse_text(kind, name, "is out of range");
        }
        refuse_text(kind, name, kind_of<T>());
    } else {
        std::terminate();  // never compiled
    }
}
template <class T>
T convert_required(std::optional<std::string_view> text, std::string_view kind, std::string_view name) {
    if (text) return convert_text<T>(*text, kind, name);
    refuse_text(kind, name, "is missing");
}
template <class T>
T convert_or(std::optional<std::string_view> text, std::string_view kind, std::string_view name,
             T&& fallback) {
    return text ? convert_text<T>(*text, kind, name) : std::move(fallback);
}

/// The name of the top-level member that does not fit T, or "". nlohmann does not report which member failed
/// to convert, only which one is missing. So members are added one by one, first those it asks for, until it
/// fails as it did with all of them.
template <class T, class Value>
std::string culprit(Value document) {
    JsonFit<Value>::tame(document);
    Value tried = Value::object();
    std::string key;
    for (std::size_t left = document.size() + 1; left > 0; --left) {
        try {
            static_cast<void>(tried.template get<T>());
            key = document.empty() ? std::string() : document.begin().key();
        } catch (const typename Value::type_error&) {
            return key;
        } catch (const typename Value::out_of_range& error) {
            key = missing_key(error);
        } catch (const std::exception&) {
            return {};  // a from_json of the program that cannot read half an object
        }
        const auto member = document.find(key);
        if (member == document.end()) return {};
        tried[key] = std::move(*member);
        document.erase(member);
    }
    return {};
}

/// Finding the member converts the body once per member. So this is done only for documents of an ordinary
/// size, not for those made to be costly.
template <class T>
std::string find_culprit(Json&& document, std::size_t body_size) {
    constexpr std::size_t most_members = 64;
    constexpr std::size_t most_bytes = 16 * 1024;
    const bool is_small = document.size() <= most_members && body_size <= most_bytes;
    return document.is_object() && is_small ? culprit<T>(std::move(document)) : std::string();
}

/// nlohmann's number for asking a value for what its type does not have, such as an array for a member.
inline constexpr int use_of_wrong_type = 304;

template <class T>
concept ReadableFromJson = requires(const Json& json) { json.get<T>(); };

struct Call;

/// The body of a call as JSON, within the limits, if there is memory for it. Returns its size. Throws
/// HttpError.
template <class Value>
std::size_t read_json_body(Call& call, Value& document);

/// A document that has been read as a T by nlohmann's conversions. Throws HttpError 422 that says what does
/// not fit, as far as these tell.
template <class T>
T document_as(JsonOwner<>& document, std::size_t body_size, const char* what) {
    if constexpr (std::is_same_v<T, Json>) {
        return std::move(document.value);
    } else {
        try {
            return json_as<T>(document.value);
        } catch (const JsonMisfit& error) {
            refuse_member(what, error.where(), "range", error.what());
        } catch (const Json::type_error& error) {
            if (!document.value.is_object() && error.id == use_of_wrong_type) {
                refuse_member(what, {}, "type",
                              std::string("must be an object, but is ") + document.value.type_name());
            }
            const std::string where = find_culprit<T>(std::move(document.value), body_size);
            refuse_member(what, where, "type", plain_message(error));
        } catch (const Json::exception& error) {
            const std::string missing = missing_key(error);
            if (missing.empty()) refuse_member(what, {}, "type", plain_message(error));
            refuse_member(what, missing, "missing", "is missing");
        }
    }
}

/// The memory of all connections; null where nobody counts it.
const Budget* memory_of(const Call& call) noexcept;

/// The parameters of a call's query, decoded. They last as long as the request.
Array<NamedText> query_texts(Call& call);

template <class T>
concept ReadableType = HasShape<T> || ReadableFromJson<T>;

template <class T>
T bind_json(Call& call) {
    constexpr bool fits = ReadableType<T>;
    static_assert(fits,
                  "ctx.bind<T> and sake::Body<T>: this type cannot be made from JSON: make it a struct "
                  "without constructors, bases and private members, or write a from_json(const sake::Json&, "
                  "T&) beside it");
    JsonOwner<> document;
    const std::size_t size = read_json_body(call, document.value);
    if constexpr (HasShape<T>) {
        Faults faults;
        T value = read_as<T>(document.value, faults, memory_of(call));
        if (!faults.empty()) refuse_faults(faults, "body");
        return value;
    } else if constexpr (ReadableType<T>) {
        return document_as<T>(document, size, "body");
    } else {
        std::terminate();  // never compiled
    }
}

template <class T>
consteval bool is_texts() {
    if constexpr (HasShape<T>)
        return is_read_from_texts(ShapeOf<T>::value);
    else
        return false;
}

/// An object from the texts of a query or a form.
template <class T>
T bind_texts(const Array<NamedText>& texts, std::string_view what) {
    static_assert(is_texts<T>(),
                  "a query or a form is read into a plain struct, whose members are texts, numbers, bools, "
                  "enums or times, std::optionals of them, or lists of them: for anything else use a JSON "
                  "body, sake::Body<T>");
    if constexpr (is_texts<T>()) {
        T value{};
        Faults faults;
        read_texts(texts, ShapeOf<T>::value, &value, faults);
        if (!faults.empty()) refuse_faults(faults, what);
        return value;
    } else {
        std::terminate();  // never compiled
    }
}
template <class T>
T bind_query(Call& call) {
    return bind_texts<T>(query_texts(call), "query");
}
/// In context_form.hpp.
template <class T>
T bind_form(Call& call);

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
