// Keys of JSON Web Tokens. The key fixes the algorithm; a token cannot choose it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sake/base/owning_ptr.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// The algorithms of signatures (RFC 7518, RFC 8037).
enum class JwtAlgorithm : std::uint8_t {
    HS256,  // HMAC with a secret that signer and reader share
    RS256,
    RS384,
    RS512,
    PS256,
    ES256,  // the curve P-256
    ES384,  // the curve P-384
    EdDSA,  // Ed25519
};

/// The name as the header of a token has it: "ES256".
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

/// A key. jwt() verifies tokens with it; sign_jwt signs with it if it is a secret or a private key. Copies
/// share it.
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

// These functions need OpenSSL 3: compile with -DSAKE_WITH_OPENSSL, link with -lcrypto. Without it they throw
// std::logic_error that says so. They throw std::invalid_argument for a text that is not such a key, and for
// a weak key: an RSA key needs 2048 bits, a secret 32 bytes.

/// A key from PEM text: a public key, a certificate (its dates and issuer are not checked), or a private key
/// without a password. Not for HS256.
[[nodiscard]] JwtKey jwt_key(JwtAlgorithm algorithm, std::string_view pem, std::string_view id = {});
/// A secret for HS256: at least 32 random bytes from a cryptographic generator.
[[nodiscard]] JwtKey jwt_secret(std::string_view bytes, std::string_view id = {});
/// The same from base64url text without padding.
[[nodiscard]] JwtKey jwt_secret_base64url(std::string_view text, std::string_view id = {});
/// The keys of a JWK or a JWK Set (RFC 7517), given as JSON text. Keys of other kinds and keys for encryption
/// in a set are skipped. A key without `alg` gets the algorithm of its curve, or RS256, or HS256.
[[nodiscard]] std::vector<JwtKey> jwt_keys(std::string_view json);

}  // namespace SAKE_CRYPTO
}  // namespace SAKE_ABI
}  // namespace sake
