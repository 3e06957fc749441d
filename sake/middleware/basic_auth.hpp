// basic_auth: authentication by user and password in each request (RFC 7617).
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

middleware::Step make_basic_auth(std::string realm, CredentialsCheck check);

}  // namespace detail

namespace middleware {

/// Answers 401 unless `is_right(user, password)` accepts the credentials. The check is plain. It returns a
/// bool, or the user as std::optional<std::string>. `ctx.state<sake::User>()` is that user; after a bool, the
/// name that the client sent. Compare passwords with sake::equal_in_constant_time. Credentials larger than 8
/// KiB, not in UTF-8, or with control characters are rejected without a call. Passwords are not encrypted on
/// the way: use https only. Throws std::invalid_argument for a realm that a field cannot hold.
template <class Check>
[[nodiscard]] Step basic_auth(std::string realm, Check is_right) {
    constexpr bool fits = detail::is_check<Check, std::string_view, std::string_view>;
    static_assert(fits,
                  "basic_auth: is_right(user, password) takes two std::string_view, and returns bool or "
                  "std::optional<std::string>; it is plain");
    if constexpr (fits) {
        return detail::make_basic_auth(
            std::move(realm),
            [is_right = std::move(is_right)](std::string_view user, std::string_view password) mutable {
                return detail::checked_user(is_right(user, password), user);
            });
    } else {
        std::terminate();  // never compiled
    }
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
