// The words for faults in a client's text, and the parser of a JSON body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/app/bind.hpp"
#include "sake/app/call.hpp"
#include "sake/app/call_limits.hpp"
#include "sake/app/context.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_fit_impl.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE bool is_decimal_number(std::string_view text) noexcept {
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

SAKE_INLINE void refuse_text(std::string_view kind, std::string_view name, const char* why) {
    throw HttpError(400, std::string(kind).append(" '").append(name).append("' ").append(why));
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

SAKE_INLINE const Budget* memory_of(const Call& call) noexcept { return call.place.memory; }

template <class Value>
std::size_t read_json_body(Call& call, Value& document) {
    require_json_type(call.context.header("Content-Type"));
    const std::string_view body = call.body();
    document = parse_body<Value>(body, call.place.limits->json, call.place.memory);
    return body.size();
}

#if defined(SAKE_IMPLEMENTATION)
template std::size_t read_json_body<Json>(Call& call, Json& document);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
