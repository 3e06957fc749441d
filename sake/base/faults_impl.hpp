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

SAKE_INLINE std::string Place::pointer() const {
    if (outer == nullptr) return {};
    std::string way = outer->pointer();
    way += '/';
    if (name.data() == nullptr) return way.append(std::to_string(index));
    for (const char c : name) {
        if (c == '~')
            way.append("~0");
        else if (c == '/')
            way.append("~1");
        else
            way += c;
    }
    return way;
}

SAKE_INLINE void throw_misfit(const Faults& faults) {
    const Fault& first = *faults.begin();
    throw JsonError(first.pointer.empty() ? "JSON that " + first.detail : first.pointer + ' ' + first.detail);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
