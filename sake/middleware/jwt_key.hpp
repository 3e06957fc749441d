// Keys of JSON Web Tokens. A key fixes its algorithm, and a token has no say in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// How tokens are signed (RFC 7518, RFC 8037).
enum class JwtAlgorithm : std::uint8_t {
    HS256,  // a secret that signer and reader share
    RS256,
    RS384,
    RS512,
    PS256,
    ES256,  // the curve P-256
    ES384,  // the curve P-384
    EdDSA,  // Ed25519
};

/// The name in a token's header: "ES256".
[[nodiscard]] constexpr std::string_view to_string(JwtAlgorithm algorithm) noexcept {
    constexpr std::string_view names[] = {"HS256", "RS256", "RS384", "RS512",
                                          "PS256", "ES256", "ES384", "EdDSA"};
    return names[static_cast<std::size_t>(algorithm)];
}

namespace detail {

/// What a key does. It does not change, and serves several threads at a time.
class JwtKeyWork : public Counted {
  public:
    JwtKeyWork(JwtAlgorithm algorithm, std::string_view id) : algorithm_(algorithm), id_(id) {}
    JwtKeyWork(const JwtKeyWork&) = delete;
    JwtKeyWork& operator=(const JwtKeyWork&) = delete;
    virtual ~JwtKeyWork() = default;
    [[nodiscard]] virtual bool accepts(std::string_view text, std::string_view signature) const = 0;
    /// Throws std::invalid_argument if it is a public key.
    [[nodiscard]] virtual std::string sign(std::string_view text) const = 0;

    [[nodiscard]] JwtAlgorithm algorithm() const noexcept { return algorithm_; }
    [[nodiscard]] std::string_view id() const noexcept { return id_; }

  private:
    const JwtAlgorithm algorithm_;
    const std::string id_;
};

struct JwtKeyMaker;

}  // namespace detail

/// A key: what jwt() verifies tokens by, and what sign_jwt signs with if it is a secret or a private key.
/// Copies share it.
class JwtKey {
  public:
    JwtKey(const JwtKey&) = default;
    JwtKey& operator=(const JwtKey&) = default;
    ~JwtKey() = default;

    [[nodiscard]] JwtAlgorithm algorithm() const noexcept { return work_->algorithm(); }
    /// The `kid` of its tokens; "" if it has none.
    [[nodiscard]] std::string_view id() const noexcept { return work_->id(); }

  private:
    friend struct detail::JwtKeyMaker;
    explicit JwtKey(detail::CountedPtr<const detail::JwtKeyWork> work) noexcept : work_(work) {}
    detail::CountedPtr<const detail::JwtKeyWork> work_;
};

// Files with and without SAKE_WITH_OPENSSL may be in one program. In one-file form each has these functions,
// and they differ: so have their names.
#if defined(SAKE_WITH_OPENSSL) && !defined(SAKE_SEPARATE)
#define SAKE_CRYPTO openssl
#else
#define SAKE_CRYPTO crypto
#endif
inline namespace SAKE_CRYPTO {

// All of these need OpenSSL 3: compile with -DSAKE_WITH_OPENSSL, link with -lcrypto. Otherwise they throw
// std::logic_error that says so. They throw std::invalid_argument for a text that is not such a key, or a key
// that is too weak: an RSA key has 2048 bits at least, a secret 32 bytes.

/// A key of PEM text: a public key, a certificate, whose dates and issuer are not looked at, or a private key
/// without a password. Not for HS256.
[[nodiscard]] JwtKey jwt_key(JwtAlgorithm algorithm, std::string_view pem, std::string_view id = {});
/// A secret, for HS256: 32 bytes or more that a generator of random bytes made, and nobody can guess.
[[nodiscard]] JwtKey jwt_secret(std::string_view bytes, std::string_view id = {});
/// The same from base64url without padding.
[[nodiscard]] JwtKey jwt_secret_base64url(std::string_view text, std::string_view id = {});
/// The keys of a JWK or a JWK Set (RFC 7517), which is JSON text. Of a set, keys of other kinds and those for
/// encryption are left out. Keys without `alg` have the algorithm of their curve, RS256 or HS256.
[[nodiscard]] std::vector<JwtKey> jwt_keys(std::string_view json);

}  // namespace SAKE_CRYPTO
}  // namespace SAKE_ABI
}  // namespace sake
