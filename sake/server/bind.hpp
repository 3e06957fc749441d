// From a client's text to a type of the program: JSON bodies and parameters, with errors that say where.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "sake/base/json.hpp"
#include "sake/base/text.hpp"
#include "sake/server/problem.hpp"

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

/// nlohmann's words without its tag: "[json.exception.type_error.302] type must be ..." -> "type must be
/// ...".
inline std::string plain_message(const Json::exception& error) {
    const std::string_view text = error.what();
    const std::size_t end = text.find("] ");
    return std::string(end == std::string_view::npos ? text : text.substr(end + 2));
}

/// The name of the top-level member that does not fit T, or nothing. nlohmann does not say which one failed
/// to convert, but without that member it complains that the member is missing.
template <class T>
std::string culprit(const Json& document) {
    constexpr std::size_t most_members = 64;  // more would make a hostile body costly
    if (!document.is_object() || document.size() > most_members) return {};
    for (const auto& [key, value] : document.items()) {
        Json without = document;
        without.erase(key);
        try {
            static_cast<void>(without.get<T>());
        } catch (const Json::out_of_range& error) {
            if (plain_message(error) == "key '" + key + "' not found") return key;
        } catch (const Json::exception&) {
        }
    }
    return {};
}

template <class T>
T bind_json(std::string_view body, std::size_t depth_limit) {
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
            const std::string where = culprit<T>(document);
            throw HttpError(422,
                            (where.empty() ? "body: " : "body: '" + where + "': ") + plain_message(error));
        } catch (const Json::exception& error) {
            throw HttpError(422, "body: " + plain_message(error));
        }
    }
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
