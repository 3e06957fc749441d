// jwt: authentication by a JSON Web Token in each request (RFC 7519), signed by a login service.
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

/// The claims of the request's token: `ctx.state<sake::JwtClaims>()`, behind jwt().
struct JwtClaims {
    std::string subject = {};                // "sub": the user
    std::string issuer = {};                 // "iss"
    std::vector<std::string> audience = {};  // "aud"
    std::optional<std::chrono::sys_seconds> expires = {};
    std::string text = {};  // all claims, as the text of a JSON object

    /// All claims as a T: Json itself, an aggregate, or a type with nlohmann's from_json. Throws JsonError,
    /// or what from_json throws, if they do not fit.
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

/// Makes a signed token with these claims, a Json or a struct: `sign_jwt({{"sub", "ada"}, {"exp",
/// 1767225600}}, key)`. Adds no claims: set `exp` and whatever the readers demand. Throws
/// std::invalid_argument for a public key, for claims that are not an object, and for a token larger than 8
/// KiB.
template <class Claims = Json>
[[nodiscard]] std::string sign_jwt(const Claims& claims, const JwtKey& key) {
    return detail::sign_jwt_text(dump_json(claims), key);
}

namespace middleware {

/// The options of jwt.
struct JwtOptions {
    /// The keys of the signer, at most 64; jwt_key, jwt_secret and jwt_keys make them. A token is verified
    /// only with keys of its algorithm. If it names a key by `kid`, keys with other ids are skipped.
    std::vector<JwtKey> keys = {};
    /// The `iss` that a token must have. "" accepts any, or none.
    std::string issuer = {};
    /// The `aud` that a token must have, alone or in its list. With "", a token that has an `aud` is refused,
    /// because it is meant for another service.
    std::string audience = {};
    /// The `typ` that the header must have, such as "at+jwt" for access tokens. "" accepts any.
    std::string type = {};
    /// How much the clocks of signer and reader may differ; at most a minute.
    std::chrono::seconds leeway{5};
    /// Whether a token without `exp` is refused. A token that does not expire is valid until its key is
    /// removed.
    bool require_expiry = true;
    /// The realm in the challenge of a 401; "" sends none.
    std::string realm = {};
    /// Called with the reason when a token is refused, for the program's log. The client does not receive the
    /// reason.
    std::function<void(Context& ctx, std::string_view why)> on_refused = {};
};

/// Answers 401 unless the field Authorization has a Bearer token that one of the keys signed, for this issuer
/// and audience, and valid now. Answers 400 to a malformed field or a token larger than 8 KiB.
/// `ctx.state<sake::JwtClaims>()` has the claims, `ctx.state<sake::User>().name` its `sub`. Keys need
/// OpenSSL: see jwt_key. Throws std::invalid_argument for no keys or more than 64, a leeway out of range, and
/// a realm that a field cannot hold.
[[nodiscard]] Step jwt(JwtOptions options);

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
