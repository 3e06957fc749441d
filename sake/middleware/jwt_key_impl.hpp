// How keys of JSON Web Tokens are made, with OpenSSL; without it, what to do about that.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/base64url.hpp"
#include "sake/base/text_impl.hpp"
#include "sake/middleware/jwk.hpp"
#include "sake/middleware/jwt_crypto.hpp"
#include "sake/middleware/jwt_key.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Makes keys of their work, and has the work of keys.
struct JwtKeyMaker {
    static JwtKey make(CountedPtr<const JwtKeyWork> work) { return JwtKey(work); }
    static const JwtKeyWork& work_of(const JwtKey& key) noexcept { return *key.work_; }
};

#if defined(SAKE_WITH_OPENSSL)

inline std::string_view checked_id(std::string_view id) {
    if (id.size() > 256 || !is_valid_utf8(id))
        throw std::invalid_argument("jwt_key: the id must be UTF-8, and has 256 bytes at most");
    return id;
}

inline CountedPtr<const JwtKeyWork> key_of_secret(std::string_view bytes, std::string_view id) {
    if (bytes.size() < 32)
        throw std::invalid_argument(
            "jwt_secret: HS256 needs a secret of 32 bytes or more; `openssl rand -base64 32` makes one");
    if (bytes.size() > 65536) throw std::invalid_argument("jwt_secret: a secret has 64 KiB at most");
    // Whoever has the public key could sign.
    if (bytes.find("-----BEGIN ") != std::string_view::npos)
        throw std::invalid_argument("jwt_secret: the secret is PEM text; use jwt_key for it");
    return CountedPtr<const JwtKeyWork>(new JwtSecret(bytes, id));
}

inline EVP_PKEY* make_rsa_key(const Jwk& jwk, JwtKeyHalf half) {
    KeyParts parts;
    parts.number(OSSL_PKEY_PARAM_RSA_N, jwk.bytes("n"));
    parts.number(OSSL_PKEY_PARAM_RSA_E, jwk.bytes("e"));
    if (half == JwtKeyHalf::secret) {
        parts.number(OSSL_PKEY_PARAM_RSA_D, jwk.bytes("d"));
        parts.number(OSSL_PKEY_PARAM_RSA_FACTOR1, jwk.bytes("p"));
        parts.number(OSSL_PKEY_PARAM_RSA_FACTOR2, jwk.bytes("q"));
        parts.number(OSSL_PKEY_PARAM_RSA_EXPONENT1, jwk.bytes("dp"));
        parts.number(OSSL_PKEY_PARAM_RSA_EXPONENT2, jwk.bytes("dq"));
        parts.number(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, jwk.bytes("qi"));
    }
    return parts.make("RSA", half);
}

inline EVP_PKEY* make_ec_key(const Jwk& jwk, JwtKeyHalf half) {
    const std::size_t size = jwk.text("crv") == "P-256" ? 32 : 48;
    const std::string x = jwk.bytes("x");
    const std::string y = jwk.bytes("y");
    if (x.size() != size || y.size() != size) return nullptr;
    const std::string point = "\4" + x + y;
    KeyParts parts;
    parts.text(OSSL_PKEY_PARAM_GROUP_NAME, size == 32 ? "prime256v1" : "secp384r1");
    parts.bytes(OSSL_PKEY_PARAM_PUB_KEY, point);
    if (half == JwtKeyHalf::secret) parts.number(OSSL_PKEY_PARAM_PRIV_KEY, jwk.bytes("d"));
    return parts.make("EC", half);
}

inline EVP_PKEY* make_ed25519_key(const Jwk& jwk, JwtKeyHalf half) {
    const std::string bytes = jwk.bytes(half == JwtKeyHalf::secret ? "d" : "x");
    const auto make = half == JwtKeyHalf::secret ? EVP_PKEY_new_raw_private_key : EVP_PKEY_new_raw_public_key;
    return make(EVP_PKEY_ED25519, nullptr, crypto_bytes(std::string_view(bytes)), bytes.size());
}

/// One half of it.
inline CountedPtr<const JwtKeyWork> key_of_jwk(JwtAlgorithm algorithm, const Jwk& jwk, JwtKeyHalf half) {
    const std::string_view kind = jwk.text("kty");
    const auto make = kind == "RSA" ? make_rsa_key : kind == "EC" ? make_ec_key : make_ed25519_key;
    EVP_PKEY* const made = make(jwk, half);
    if (made == nullptr) {
        throw std::invalid_argument("jwt_keys: OpenSSL rejects the key '" + std::string(jwk.text("kid")) +
                                    "', which is damaged");
    }
    CryptoKey key(made);
    return CountedPtr<const JwtKeyWork>(
        new JwtSignatureKey(algorithm, checked_id(jwk.text("kid")), std::move(key), half));
}

inline CountedPtr<const JwtKeyWork> key_of_jwk(JwtAlgorithm algorithm, const Jwk& jwk) {
    if (algorithm == JwtAlgorithm::HS256) return key_of_secret(jwk.bytes("k"), checked_id(jwk.text("kid")));
    const auto open = key_of_jwk(algorithm, jwk, JwtKeyHalf::open);
    if (jwk.text("d").empty()) return open;
    const auto secret = key_of_jwk(algorithm, jwk, JwtKeyHalf::secret);
    bool is_pair = false;
    try {
        is_pair = open->accepts("test", secret->sign("test"));
    } catch (const std::runtime_error&) {  // OpenSSL says the same
    }
    if (!is_pair) {
        throw std::invalid_argument("jwt_keys: the private and the public half of the key '" +
                                    std::string(jwk.text("kid")) + "' do not belong together");
    }
    return secret;
}

#else

[[noreturn]] inline void miss_openssl(const char* function) {
    throw std::logic_error(
        std::string(function) +
        " needs OpenSSL 3: compile with -DSAKE_WITH_OPENSSL (in separate form the file with "
        "the definitions), and link with -lcrypto");
}

#endif

}  // namespace detail

inline namespace SAKE_CRYPTO {

#if defined(SAKE_WITH_OPENSSL)

SAKE_INLINE JwtKey jwt_key(JwtAlgorithm algorithm, std::string_view pem, std::string_view id) {
    if (algorithm == JwtAlgorithm::HS256)
        throw std::invalid_argument("jwt_key: HS256 has a secret; use jwt_secret for it");
    return detail::JwtKeyMaker::make(detail::key_of_pem(algorithm, pem, detail::checked_id(id)));
}

SAKE_INLINE JwtKey jwt_secret(std::string_view bytes, std::string_view id) {
    return detail::JwtKeyMaker::make(detail::key_of_secret(bytes, detail::checked_id(id)));
}

SAKE_INLINE JwtKey jwt_secret_base64url(std::string_view text, std::string_view id) {
    const auto bytes = detail::base64url_decode(text);
    if (!bytes)
        throw std::invalid_argument("jwt_secret_base64url: the secret is not base64url without padding");
    return jwt_secret(*bytes, id);
}

SAKE_INLINE std::vector<JwtKey> jwt_keys(std::string_view json) {
    const detail::CryptoErrors errors;
    std::vector<JwtKey> keys;
    try {
        for (const detail::Jwk& jwk : detail::read_jwks(json)) {
            const auto algorithm = jwk.algorithm();
            if (algorithm) keys.push_back(detail::JwtKeyMaker::make(detail::key_of_jwk(*algorithm, jwk)));
        }
    } catch (const JsonError& error) {
        throw std::invalid_argument(std::string("jwt_keys: ") + error.what());
    }
    if (keys.empty()) {
        throw std::invalid_argument(
            "jwt_keys: no key is for signatures: kty is oct, RSA, EC with P-256 or P-384, or OKP with "
            "Ed25519");
    }
    return keys;
}

#else

SAKE_INLINE JwtKey jwt_key(JwtAlgorithm, std::string_view, std::string_view) {
    detail::miss_openssl("jwt_key");
}
SAKE_INLINE JwtKey jwt_secret(std::string_view, std::string_view) { detail::miss_openssl("jwt_secret"); }
SAKE_INLINE JwtKey jwt_secret_base64url(std::string_view, std::string_view) {
    detail::miss_openssl("jwt_secret_base64url");
}
SAKE_INLINE std::vector<JwtKey> jwt_keys(std::string_view) { detail::miss_openssl("jwt_keys"); }

#endif

}  // namespace SAKE_CRYPTO
}  // namespace SAKE_ABI
}  // namespace sake
