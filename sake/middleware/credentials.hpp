// The field Authorization of a request, parsed strictly (RFC 9110 section 11.4), and the text of a challenge.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::size_t max_credentials = 8 * 1024;  // behind the scheme

/// Why two kinds of them have no common route.
inline constexpr const char* one_authorization =
    "a request has the credentials of one of them, and the other would refuse it";

/// Letters, digits and a few signs, with '=' at the end only.
inline bool is_token68(std::string_view text) noexcept {
    text = text.substr(0, text.find_last_not_of('=') + 1);
    constexpr auto may_stand = [](char c) { return ascii::is(c, ascii::unreserved) || c == '+' || c == '/'; };
    return !text.empty() && std::all_of(text.begin(), text.end(), may_stand);
}

/// What a request says under a scheme. Of a head that is refused in the middle, nothing counts.
struct Credentials {
    enum class State : std::uint8_t { absent, malformed, present };
    State state = State::absent;  // also if it says something under another scheme
    std::string_view token;
};

inline Credentials find_credentials(const Context& ctx, std::string_view scheme) noexcept {
    if (Call::of(ctx).request.is_cut_short) return {};
    const SingleField field = single_field(ctx, "Authorization");
    if (field.presence == SingleField::Presence::absent) return {};
    if (field.presence == SingleField::Presence::repeated) return {Credentials::State::malformed, {}};
    const std::size_t end = std::min(field.value.find(' '), field.value.size());
    if (!iequals(field.value.substr(0, end), scheme)) return {};
    std::string_view token = field.value.substr(end);
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    if (token.size() > max_credentials || !is_token68(token)) return {Credentials::State::malformed, {}};
    return {Credentials::State::present, token};
}

/// `realm="staff"`, for a challenge.
inline std::string realm_parameter(std::string_view function, std::string_view realm) {
    std::string text = "realm=\"";
    for (const char c : realm) {
        if (c < ' ' || c > '~') {
            throw std::invalid_argument(std::string(function) +
                                        ": the realm has a character that is not printable ASCII");
        }
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text += '"';
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
