// The way to a fault as a JSON pointer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/faults.hpp"
#include "sake/base/json_types.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Appends a step of the way. False if it does not fit.
inline bool append_step(std::string& way, const Place& step) {
    constexpr std::size_t most = 1024;
    const std::size_t begin = way.size();
    way += '/';
    if (step.name.data() == nullptr) {
        way.append(std::to_string(step.index));
    } else if (step.name.size() < most) {
        for (const char c : step.name) {
            if (c == '~')
                way.append("~0");
            else if (c == '/')
                way.append("~1");
            else
                way += c;
        }
    }
    const bool fits = way.size() <= most && step.name.size() < most;
    if (!fits) way.resize(begin);
    return fits;
}
/// Appends the whole way to a place. False if it ends before.
inline bool append_way(std::string& way, const Place& place) {
    return place.outer == nullptr || (append_way(way, *place.outer) && append_step(way, place));
}

SAKE_INLINE std::string Place::pointer() const {
    std::string way;
    append_way(way, *this);
    return way;
}

SAKE_INLINE std::string text_of_first(const Faults& faults) {
    const Fault& first = *faults.begin();
    return first.pointer.empty() ? first.detail : first.pointer + ' ' + first.detail;
}

SAKE_INLINE void throw_misfit(const Faults& faults) {
    const bool is_whole = faults.begin()->pointer.empty();
    throw JsonError((is_whole ? "JSON that " : "") + text_of_first(faults));
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
