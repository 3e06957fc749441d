// The check of credentials that a program gives: how it may answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/base/function.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The user, or nothing if the credentials are not right. A bearer token is the second text.
using CredentialsCheck = UniqueFunction<std::optional<std::string>(std::string_view, std::string_view)>;

/// Whether a program may give this as a check of such texts: it returns bool or std::optional<std::string>.
template <class Check, class... Texts>
inline constexpr bool is_check = false;
template <class Check, class... Texts>
    requires std::is_invocable_v<Check&, Texts...>
inline constexpr bool is_check<Check, Texts...> =
    std::is_same_v<std::invoke_result_t<Check&, Texts...>, bool> ||
    std::is_same_v<std::invoke_result_t<Check&, Texts...>, std::optional<std::string>>;

/// Makes a user of the answer of a check; one that says yes leaves the name that was sent.
inline std::optional<std::string> checked_user(bool is_right, std::string_view name) {
    return is_right ? std::optional<std::string>(name) : std::nullopt;
}
inline std::optional<std::string> checked_user(std::optional<std::string> user, std::string_view) {
    return user;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
