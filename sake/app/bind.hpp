// From a client's text to a type of the program: JSON bodies and parameters, with errors that say where.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/problem.hpp"
#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace v0 {
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

/// A client's text as a T. Throws HttpError 400 that names what does not convert.
template <class T>
T convert_text(std::string_view text, std::string_view kind, std::string_view name) {
    if (auto value = parse_number<T>(text)) return std::move(*value);
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

/// nlohmann's words without its tag: "[json.exception.type_error.302] type must be ..." -> "type must be
/// ...". Where it speaks of its functions, asked for a member, they are for its caller and not for clients.
inline std::string plain_message(const Json::exception& error) {
    std::string_view text = error.what();
    const std::size_t end = text.find("] ");
    if (end != std::string_view::npos) text.remove_prefix(end + 2);
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
template <class T>
std::string culprit(Json document) {
    Json tried = Json::object();
    std::string key;
    for (std::size_t left = document.size() + 1; left > 0; --left) {
        try {
            static_cast<void>(tried.get<T>());
            key = document.empty() ? std::string() : document.begin().key();
        } catch (const Json::type_error&) {
            return key;
        } catch (const Json::out_of_range& error) {
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
std::string find_culprit(Json document, std::size_t body_size) {
    constexpr std::size_t most_members = 64;
    constexpr std::size_t most_bytes = 16 * 1024;
    const bool is_small = document.size() <= most_members && body_size <= most_bytes;
    return document.is_object() && is_small ? culprit<T>(std::move(document)) : std::string();
}

/// nlohmann's number for asking a value for what its type does not have, such as an array for a member.
inline constexpr int use_of_wrong_type = 304;

template <class T>
concept ReadableFromJson = requires(const Json& json) { json.get<T>(); };

template <class T>
T bind_json(std::string_view body, std::size_t depth_limit) {
    static_assert(
        ReadableFromJson<T>,
        "ctx.bind<T>: nlohmann/json cannot make a T; put NLOHMANN_DEFINE_TYPE_INTRUSIVE(T, members...) "
        "into it, or write a from_json(const sake::Json&, T&)");
    if (body.empty()) throw HttpError(400, "the body is empty, but must be JSON");
    Json document;
    try {
        document = parse_json(body, depth_limit);
    } catch (const JsonError& error) {
        throw HttpError(400, error.what());
    }
    if constexpr (std::is_same_v<T, Json>) {
        return document;
    } else {
        try {
            return document.get<T>();
        } catch (const Json::type_error& error) {
            if (!document.is_object() && error.id == use_of_wrong_type) {
                throw HttpError(422, std::string("body: must be an object, but is ") + document.type_name());
            }
            const std::string where = find_culprit<T>(std::move(document), body.size());
            throw HttpError(422,
                            (where.empty() ? "body: " : "body: '" + where + "': ") + plain_message(error));
        } catch (const Json::exception& error) {
            const std::string missing = missing_key(error);
            throw HttpError(422, missing.empty() ? "body: " + plain_message(error)
                                                 : "body: '" + missing + "' is missing");
        }
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
