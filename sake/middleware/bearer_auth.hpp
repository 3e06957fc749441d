// Who may pass: a token in each request (RFC 6750).
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/user.hpp"
#include "sake/middleware/credentials_check.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

middleware::Step make_bearer_auth(std::string realm, CredentialsCheck check);

}  // namespace detail

namespace middleware {

/// Answers 401 unless `is_right(token)` says that the token is right, and 400 to a field that is malformed,
/// or a token larger than 8 KiB. The check is plain, and returns a bool, or the user as
/// std::optional<std::string>; `ctx.state<sake::User>()` is that user. Compare tokens by
/// sake::equal_in_constant_time. Tokens come in the field Authorization only, never in the query. Throws
/// std::invalid_argument for a realm that may not stand in a field.
template <class Check>
[[nodiscard]] Step bearer_auth(Check is_right, std::string realm = {}) {
    constexpr bool fits = detail::is_check<Check, std::string_view>;
    static_assert(fits,
                  "bearer_auth: is_right(token) takes a std::string_view, and returns bool or "
                  "std::optional<std::string>; it is plain");
    if constexpr (fits) {
        return detail::make_bearer_auth(
            std::move(realm),
            [is_right = std::move(is_right)](std::string_view, std::string_view token) mutable {
                return detail::checked_user(is_right(token), {});
            });
    } else {
        std::terminate();  // never compiled
    }
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
