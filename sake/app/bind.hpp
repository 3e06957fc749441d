// From a client's text to a type of the program: JSON bodies and parameters, with errors that say where.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/json_fit.hpp"
#include "sake/app/problem.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a parameter should have been, in words: "an integer".
template <class T>
std::string kind_of() {
    if constexpr (std::is_same_v<T, bool>)
        return "true or false";
    else if constexpr (std::is_unsigned_v<T>)
        return "a non-negative integer in range";
    else if constexpr (std::is_integral_v<T>)
        return "an integer in range";
    else if constexpr (std::is_floating_point_v<T>)
        return "a number";
    else
        return "text";
}

/// Whether a text is a number with or without a fraction: "-1.5e300".
inline bool is_decimal_number(std::string_view text) noexcept {
    const auto skip_digits = [&] {
        const std::size_t before = text.size();
        while (!text.empty() && ascii::is(text.front(), ascii::digit)) text.remove_prefix(1);
        return before != text.size();
    };
    if (text.starts_with('-')) text.remove_prefix(1);
    bool has_digits = skip_digits();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        has_digits = skip_digits() || has_digits;
    }
    if (!has_digits) return false;
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (!skip_digits()) return false;
    }
    return text.empty();
}

/// A client's text as a T. Throws HttpError 400 that names what does not convert.
template <class T>
T convert_text(std::string_view text, std::string_view kind, std::string_view name) {
    if (auto value = parse_number<T>(text)) return std::move(*value);
    if constexpr (std::is_floating_point_v<T>) {
        if (is_decimal_number(text))
            throw HttpError(400, std::string(kind) + " '" + std::string(name) + "' is out of range");
    }
    throw HttpError(400, std::string(kind) + " '" + std::string(name) + "' is not " + kind_of<T>());
}
template <class T>
T convert_required(std::optional<std::string_view> text, std::string_view kind, std::string_view name) {
    if (text) return convert_text<T>(*text, kind, name);
    throw HttpError(400, std::string(kind) + " '" + std::string(name) + "' is missing");
}
template <class T>
T convert_or(std::optional<std::string_view> text, std::string_view kind, std::string_view name,
             T&& fallback) {
    return text ? convert_text<T>(*text, kind, name) : std::move(fallback);
}

/// "application/json" and "application/problem+json; charset=utf-8" are JSON; so is what does not say. Throws
/// HttpError 415 for another type.
inline void require_json_type(std::string_view content_type) {
    const std::string_view type = trim_ows(content_type.substr(0, content_type.find(';')));
    constexpr std::string_view suffix = "+json";
    const bool is_json =
        iequals(type, "application/json") ||
        (type.size() > suffix.size() && iequals(type.substr(type.size() - suffix.size()), suffix));
    if (!type.empty() && !is_json) throw HttpError(415, "the body must be application/json");
}

/// nlohmann's words without the place that JSON_DIAGNOSTICS and JSON_DIAGNOSTIC_POSITIONS put before them:
/// "(/a/b) (bytes 5-9) ". Names in it may be a client's and hold anything, so the words themselves are looked
/// for first, from the end.
inline std::string_view without_place(std::string_view text) noexcept {
    if (!text.starts_with("(/") && !text.starts_with("(bytes ")) return text;
    std::size_t end = 0;
    for (const std::string_view words : {") key '", ") type must be ", ") cannot use ", ") array index "}) {
        const std::size_t at = text.rfind(words);
        if (at != std::string_view::npos && at > end) end = at;
    }
    if (end == 0) end = text.find(") ");  // the program's own words
    return end == std::string_view::npos ? text : text.substr(end + 2);
}

/// nlohmann's words without its tag, and without what JSON_DIAGNOSTICS puts before them: of
/// "[json.exception.type_error.302] (/a/b) type must be ...", "type must be ...". Where it speaks of its
/// functions, asked for a member, they are for its caller and not for clients.
inline std::string plain_message(const Json::exception& error) {
    std::string_view text = error.what();
    const std::size_t end = text.find("] ");
    if (end != std::string_view::npos) text.remove_prefix(end + 2);
    text = without_place(text);
    for (const std::string_view use : {"cannot use at() with ", "cannot use value() with "}) {
        if (!text.starts_with(use)) continue;
        text.remove_prefix(use.size());
        return std::string(text == "object" ? "must be an array, but is " : "must be an object, but is ")
            .append(text);
    }
    return std::string(text);
}

/// The name in nlohmann's "key 'name' not found", or nothing.
inline std::string missing_key(const Json::exception& error) {
    const std::string text = plain_message(error);
    constexpr std::string_view before = "key '";
    constexpr std::string_view after = "' not found";
    const bool fits =
        text.size() > before.size() + after.size() && text.starts_with(before) && text.ends_with(after);
    return fits ? text.substr(before.size(), text.size() - before.size() - after.size()) : std::string();
}

/// The name of the top-level member that does not fit T, or nothing. nlohmann does not say which one failed
/// to convert, but it does say which one is missing: so the members are added one by one, as it asks for
/// them, and then the others, until it fails as it did with all of them.
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
            return {};  // a from_json of the program that does not like half an object
        }
        const auto member = document.find(key);
        if (member == document.end()) return {};
        tried[key] = std::move(*member);
        document.erase(member);
    }
    return {};
}

/// Finding the culprit converts the body once per member, so this is done for what people send, not for what
/// is made to be costly.
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

/// The body as JSON, within the limits, if there is memory for it.
template <class Value>
Value parse_body(std::string_view body, const JsonLimits& limits, const Budget* memory) {
    if (body.empty()) throw HttpError(400, "the body is empty, but must be JSON");
    std::size_t values = 0;
    try {
        values = count_json_values(body, limits);
    } catch (const JsonError& error) {
        throw HttpError(400, error.what());
    }
    if (memory != nullptr && !memory->has_room(values * most_bytes_of_value)) {
        throw HttpError(503, "the server has no memory to spare for this request").header("Retry-After", "1");
    }
    try {
        return parse_json<Value>(body, limits.depth, limits.values);
    } catch (const JsonError& error) {
        throw HttpError(400, error.what());
    }
}

/// What a document was made of, as its errors name it.
struct DocumentNames {
    const char* whole;
    const char* member;

    /// "body", or for a member "body: 'list/1'".
    [[nodiscard]] std::string name(const std::string& where) const {
        return where.empty() ? std::string(whole) : std::string(member).append(" '").append(where) + "'";
    }
};
inline constexpr DocumentNames names_of_json{"body", "body:"};

/// A document that has been read as a T. Throws HttpError 422 that says what does not fit.
template <class T>
T document_as(JsonOwner<>& document, std::size_t body_size, const DocumentNames& names) {
    if constexpr (std::is_same_v<T, Json>) {
        return std::move(document.value);
    } else {
        try {
            return json_as<T>(document.value);
        } catch (const JsonMisfit& error) {
            throw HttpError(422, names.name(error.where()) + ": " + error.what());
        } catch (const Json::type_error& error) {
            if (!document.value.is_object() && error.id == use_of_wrong_type) {
                throw HttpError(422,
                                names.name({}) + ": must be an object, but is " + document.value.type_name());
            }
            const std::string where = find_culprit<T>(std::move(document.value), body_size);
            throw HttpError(422, names.name(where) + ": " + plain_message(error));
        } catch (const Json::exception& error) {
            const std::string missing = missing_key(error);
            throw HttpError(422, missing.empty() ? names.name({}) + ": " + plain_message(error)
                                                 : names.name(missing) + " is missing");
        }
    }
}

template <class T>
T bind_json(std::string_view body, const JsonLimits& limits, const Budget* memory) {
    static_assert(
        ReadableFromJson<T>,
        "ctx.bind<T>: nlohmann/json cannot make a T; put NLOHMANN_DEFINE_TYPE_INTRUSIVE(T, members...) "
        "into it, or write a from_json(const sake::Json&, T&), and a to_json(sake::Json&, const T&), without "
        "which its numbers are not checked");
    JsonOwner<> document;
    document.value = parse_body<Json>(body, limits, memory);
    return document_as<T>(document, body.size(), names_of_json);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
