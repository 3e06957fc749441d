// What several kinds of middleware ask of the fields of a request, and of those of its answer.
#pragma once

#include <string_view>

#include "sake/app/call.hpp"
#include "sake/app/context_impl.hpp"
#include "sake/app/request_fields.hpp"
#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A field of the request that may be there once.
inline SingleField single_field(const Context& ctx, std::string_view name) noexcept {
    return find_single(Call::of(ctx).request, name);
}

/// Says in Vary that the answer depends on this field of the request, unless that is said already.
inline void add_vary(Context& ctx, std::string_view field) {
    const ResponseView response = ctx.response();
    for (const auto& [name, value] : response.headers()) {
        if (iequals(name, "Vary") && (list_contains(value, field) || list_contains(value, "*"))) return;
    }
    ctx.add_header("Vary", field);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
