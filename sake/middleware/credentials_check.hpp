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

template <class Answer>
inline constexpr bool is_check_answer =
    std::is_same_v<Answer, bool> || std::is_same_v<Answer, std::optional<std::string>>;

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
