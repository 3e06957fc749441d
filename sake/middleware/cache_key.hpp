// What a kept answer depends on, as text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/call_impl.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/user.hpp"
#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Puts a key together of parts that cannot run into each other: each has its length in front.
inline void add_key_part(std::string& key, std::string_view part) {
    key.append(std::to_string(part.size())).append(":").append(part);
}
/// The same of all fields of a name, in order.
inline void add_key_fields(std::string& key, const Context& ctx, std::string_view wanted) {
    add_key_part(key, wanted);
    for (const auto& [name, value] : ctx.headers()) {
        if (iequals(name, wanted)) add_key_part(key, value);
    }
    key += ';';
}

/// What an answer depends on before anything is known of it. Texts as they were sent: two that mean the same
/// have an entry each.
inline std::string key_of(Context& ctx, std::string_view extra) {
    const auto* const user = Call::of(ctx).state.find<User>();
    std::string key;
    for (const std::string_view part :
         {ctx.method(), ctx.scheme(), ctx.host(), ctx.target(),
          user != nullptr ? std::string_view(user->name) : std::string_view(), extra}) {
        add_key_part(key, part);
    }
    return key;
}

/// Adds the names in the fields Vary to a list. False if the answer is never the same ("*"), or depends on
/// too much.
inline bool add_varying(Array<std::string>& names, const http::Headers& fields) {
    constexpr std::size_t most = 16;
    for (const auto& [field, value] : fields) {
        if (!iequals(field, "Vary")) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            std::string name(take_list_item(rest));
            for (char& c : name) c = to_lower(c);
            if (name == "*") return false;
            if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
                names.push_back(std::move(name));
        }
    }
    return names.size() <= most;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
