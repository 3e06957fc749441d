// How the fields of a request are read where it counts whether one is there several times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/request.hpp"
#include "sake/base/text.hpp"
#include "sake/http/slice.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The value of a field that is a list: if the field is there more than once, all of them.
inline std::optional<std::string_view> list_field(Request& request, std::string_view name) {
    std::optional<std::string_view> first;
    std::string all;
    for (const FieldSlice& field : request.fields) {
        if (!iequals(field.name.of(request.base), name)) continue;
        const std::string_view value = field.value.of(request.base);
        if (!first) {
            first = value;
            continue;
        }
        if (all.empty()) all = *first;
        all.append(", ").append(value);
    }
    return all.empty() ? first : request.keep(std::move(all));
}

/// A field that may be there once. Two of them let two readers disagree, so that `repeated` is refused.
struct SingleField {
    enum class Presence : std::uint8_t { absent, once, repeated };
    Presence presence = Presence::absent;
    std::string_view value;  // of the first
};

inline SingleField find_single(const Request& request, std::string_view name) noexcept {
    SingleField found;
    for (const FieldSlice& field : request.fields) {
        if (!iequals(field.name.of(request.base), name)) continue;
        if (found.presence != SingleField::Presence::absent) {
            found.presence = SingleField::Presence::repeated;
            break;
        }
        found = {SingleField::Presence::once, field.value.of(request.base)};
    }
    return found;
}

/// The value of a field that may be there once. Twice, it says nothing.
inline std::optional<std::string_view> single_field(const Request& request, std::string_view name) {
    const SingleField found = find_single(request, name);
    if (found.presence != SingleField::Presence::once) return std::nullopt;
    return found.value;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
