// Who may pass: a JSON Web Token in each request (RFC 7519), which a login service has signed.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sake/app/user.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_fit.hpp"
#include "sake/base/json_types.hpp"
#include "sake/base/json_writer.hpp"
#include "sake/base/shape_of.hpp"
#include "sake/middleware/jwt_key.hpp"
#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// What the token of a request says: `ctx.state<sake::JwtClaims>()`, behind jwt().
struct JwtClaims {
    std::string subject = {};                // "sub": who sent the request
    std::string issuer = {};                 // "iss"
    std::vector<std::string> audience = {};  // "aud"
    std::optional<std::chrono::sys_seconds> expires = {};
    std::string text = {};  // all of them: a JSON object

    /// All of them as a T: Json itself, a struct of the program as it stands, or a type with nlohmann's
    /// from_json. Throws JsonError, or what from_json throws, if they do not fit.
    template <class T = Json>
    [[nodiscard]] T claims() const {
        if constexpr (std::is_same_v<T, Json> || detail::HasShape<T>) {
            return parse_json<T>(text);
        } else {
            detail::JsonOwner<> document;
            document.value = parse_json<Json>(text);
            return detail::json_as<T>(document.value);
        }
    }
};

namespace detail {

std::string sign_jwt_text(std::string_view claims, const JwtKey& key);

}  // namespace detail

/// A token that says these claims, a Json or a struct: `sign_jwt({{"sub", "ada"}, {"exp", 1767225600}},
/// key)`. Nothing is added to them: `exp`, and what else the readers demand, is among them. Throws
/// std::invalid_argument for a public key, for claims that are not an object, and for a token larger than
/// 8 KiB.
template <class Claims = Json>
[[nodiscard]] std::string sign_jwt(const Claims& claims, const JwtKey& key) {
    return detail::sign_jwt_text(dump_json(claims), key);
}

namespace middleware {

/// For jwt.
struct JwtOptions {
    /// The keys of the signer: jwt_key, jwt_secret and jwt_keys make them; 64 at most. A token is verified by
    /// those keys alone that have its algorithm. If it names a key by `kid`, keys with other ids are left
    /// out.
    std::vector<JwtKey> keys = {};
    /// The `iss` that a token must have. "" lets any, or none, pass.
    std::string issuer = {};
    /// Whom the token must be for: it is `aud`, or is in it. With "", tokens that say whom they are for do
    /// not pass, since they are for somebody else.
    std::string audience = {};
    /// The `typ` that the header must have, such as "at+jwt" for access tokens. "" lets any pass.
    std::string type = {};
    /// By how much the clocks of signer and reader may differ: a minute at most.
    std::chrono::seconds leeway{5};
    /// Whether a token without `exp` is refused. One that does not expire is right until the key is gone.
    bool require_expiry = true;
    std::string realm = {};
    /// Is told why a token was refused, for the program's log. The client is not told.
    std::function<void(Context& ctx, std::string_view why)> on_refused = {};
};

/// Answers 401 unless the request has a token in the field Authorization, as "Bearer", that one of the keys
/// has signed, which is for this audience and valid now; and 400 to a field that is malformed, or a token
/// larger than 8 KiB. `ctx.state<sake::JwtClaims>()` is what it says, `ctx.state<sake::User>().name` its
/// `sub`. Keys need OpenSSL: see jwt_key. Throws std::invalid_argument for no keys or more than 64, for a
/// leeway out of range, and for a realm that may not stand in a field.
[[nodiscard]] Step jwt(JwtOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
