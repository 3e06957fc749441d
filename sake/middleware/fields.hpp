// What several kinds of middleware ask of the fields of a request, and of those of its answer.
#pragma once

#include <cstdint>
#include <string_view>

#include "sake/app/context_impl.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A field that may be there once. Two of them let two readers disagree, so that `repeated` is refused.
struct SingleField {
    enum class Presence : std::uint8_t { absent, once, repeated };
    Presence presence = Presence::absent;
    std::string_view value;  // of the first
};

inline SingleField single_field(const Context& ctx, std::string_view name) noexcept {
    SingleField field;
    for (const auto& [each, value] : ctx.headers()) {
        if (!iequals(each, name)) continue;
        if (field.presence != SingleField::Presence::absent) {
            field.presence = SingleField::Presence::repeated;
            break;
        }
        field = {SingleField::Presence::once, value};
    }
    return field;
}

/// Takes the element in front off a list that is separated by this byte; without the spaces around it.
inline std::string_view take_element(std::string_view& list, char separator) noexcept {
    const std::size_t length = list.find(separator);
    const std::string_view element = list.substr(0, length);
    list.remove_prefix(length == std::string_view::npos ? list.size() : length + 1);
    return trim_ows(element);
}

/// Whether a list such as "Accept-Encoding, Origin" has this element, in any case.
inline bool has_element(std::string_view list, std::string_view wanted) noexcept {
    while (!list.empty()) {
        if (iequals(take_element(list, ','), wanted)) return true;
    }
    return false;
}

/// Says in Vary that the answer depends on this field of the request, unless that is said already.
inline void add_vary(Context& ctx, std::string_view field) {
    const ResponseView response = ctx.response();
    for (const auto& [name, value] : response.headers()) {
        if (iequals(name, "Vary") && (has_element(value, field) || has_element(value, "*"))) return;
    }
    ctx.add_header("Vary", field);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
