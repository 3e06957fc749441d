// bearer_auth: authentication by a token in each request (RFC 6750).
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

/// Answers 401 unless `is_right(token)` accepts the token, and 400 to a malformed field or a token larger
/// than 8 KiB. The check is plain. It returns a bool, or the user as std::optional<std::string>, which
/// `ctx.state<sake::User>()` then is. Compare tokens with sake::equal_in_constant_time. Only the field
/// Authorization is read, never the query. Throws std::invalid_argument for a realm that a field cannot hold.
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
