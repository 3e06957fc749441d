// Signatures of JSON Web Tokens by OpenSSL 3: all that Sake asks of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/platform.hpp"
#include "sake/base/secret_impl.hpp"
#include "sake/middleware/jwt_key.hpp"

#if defined(SAKE_WITH_OPENSSL)

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Owns what OpenSSL made. Throws std::bad_alloc where it made nothing.
template <class T, auto Free>
class CryptoPtr {
  public:
    explicit CryptoPtr(T* object) : object_(object) {
        if (object == nullptr) throw std::bad_alloc();
    }
    CryptoPtr(CryptoPtr&& other) noexcept : object_(other.release()) {}
    CryptoPtr& operator=(CryptoPtr&&) = delete;
    ~CryptoPtr() { Free(object_); }
    [[nodiscard]] T* get() const noexcept { return object_; }
    T* release() noexcept { return std::exchange(object_, nullptr); }

  private:
    T* object_;
};
using Bignum = CryptoPtr<BIGNUM, BN_clear_free>;
using EcdsaPair = CryptoPtr<ECDSA_SIG, ECDSA_SIG_free>;
using DigestContext = CryptoPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using KeyContext = CryptoPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using CryptoKey = CryptoPtr<EVP_PKEY, EVP_PKEY_free>;

/// Drops the errors that OpenSSL keeps for this thread, and leaves those of others.
class CryptoErrors {
  public:
    CryptoErrors() noexcept { ERR_set_mark(); }
    CryptoErrors(const CryptoErrors&) = delete;
    CryptoErrors& operator=(const CryptoErrors&) = delete;
    ~CryptoErrors() { ERR_pop_to_mark(); }
};

inline const unsigned char* crypto_bytes(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* crypto_bytes(std::string& text) noexcept {
    return reinterpret_cast<unsigned char*>(text.data());
}
inline Bignum bignum_of(std::string_view bytes) {
    return Bignum(BN_bin2bn(crypto_bytes(bytes), static_cast<int>(bytes.size()), nullptr));
}
inline void demand_crypto(bool holds, const char* what) {
    if (!holds) throw std::runtime_error(std::string("OpenSSL cannot ") + what);
}

/// HS256: the signature is made again and compared.
class JwtSecret final : public JwtKeyWork {
  public:
    JwtSecret(std::string_view bytes, std::string_view id)
        : JwtKeyWork(JwtAlgorithm::HS256, id), bytes_(bytes) {}
    ~JwtSecret() override { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

    [[nodiscard]] bool accepts(std::string_view text, std::string_view signature) const override {
        return equal_in_constant_time(signature, sign(text));
    }
    [[nodiscard]] std::string sign(std::string_view text) const override {
        const CryptoErrors errors;
        std::string code(32, '\0');
        demand_crypto(HMAC(EVP_sha256(), bytes_.data(), static_cast<int>(bytes_.size()), crypto_bytes(text),
                           text.size(), crypto_bytes(code), nullptr) != nullptr,
                      "make an HMAC");
        return code;
    }

  private:
    std::string bytes_;
};

/// Which parts of a key there are.
enum class JwtKeyHalf : std::uint8_t { open, secret };

/// All others: an EVP_PKEY, whose signatures are those of RFC 7518.
class JwtSignatureKey final : public JwtKeyWork {
  public:
    /// Throws std::invalid_argument if the key is not for the algorithm, or too weak.
    JwtSignatureKey(JwtAlgorithm algorithm, std::string_view id, CryptoKey key, JwtKeyHalf half)
        : JwtKeyWork(algorithm, id), key_(std::move(key)), half_(half), order_(BN_new()) {
        switch (algorithm) {
            case JwtAlgorithm::ES256:
                demand_curve("P-256", "prime256v1", 32);
                break;
            case JwtAlgorithm::ES384:
                demand_curve("P-384", "secp384r1", 48);
                break;
            case JwtAlgorithm::EdDSA:
                demand(EVP_PKEY_is_a(key_.get(), "ED25519") == 1, "needs a key of Ed25519");
                size_ = 64;
                break;
            default:
                demand(EVP_PKEY_is_a(key_.get(), "RSA") == 1, "needs an RSA key");
                demand(EVP_PKEY_get_bits(key_.get()) >= 2048, "needs a key of 2048 bits or more");
                demand(EVP_PKEY_get_bits(key_.get()) <= 16384, "needs a key of 16384 bits or less");
                size_ = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
        }
        const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
        demand(EVP_PKEY_public_check(context.get()) == 1, "rejects this key: it is damaged");
    }

    [[nodiscard]] bool accepts(std::string_view text, std::string_view signature) const override {
        if (signature.size() != size_) return false;
        const CryptoErrors errors;
        std::string der;
        if (is_ecdsa()) {
            der = der_of(signature);
            if (der.empty()) return false;
            signature = der;
        }
        const DigestContext context(EVP_MD_CTX_new());
        EVP_PKEY_CTX* settings = nullptr;
        demand_crypto(EVP_DigestVerifyInit(context.get(), &settings, hash(), nullptr, key_.get()) == 1 &&
                          set_padding(settings),
                      "verify by this key");
        return EVP_DigestVerify(context.get(), crypto_bytes(signature), signature.size(), crypto_bytes(text),
                                text.size()) == 1;
    }

    [[nodiscard]] std::string sign(std::string_view text) const override {
        if (half_ == JwtKeyHalf::open)
            throw std::invalid_argument("sign_jwt: this is a public key; tokens are signed by a private one");
        const CryptoErrors errors;
        const DigestContext context(EVP_MD_CTX_new());
        EVP_PKEY_CTX* settings = nullptr;
        std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
        std::string signature(size, '\0');
        demand_crypto(EVP_DigestSignInit(context.get(), &settings, hash(), nullptr, key_.get()) == 1 &&
                          set_padding(settings) &&
                          EVP_DigestSign(context.get(), crypto_bytes(signature), &size, crypto_bytes(text),
                                         text.size()) == 1,
                      "sign by this key");
        signature.resize(size);
        return is_ecdsa() ? pair_of(signature) : signature;
    }

  private:
    void demand(bool holds, const char* what) const {
        if (!holds)
            throw std::invalid_argument("jwt_key: " + std::string(to_string(algorithm())) + " " + what);
    }
    void demand_curve(const char* curve, std::string_view name_in_openssl, std::size_t bytes) {
        std::string name(32, '\0');
        std::size_t length = 0;
        const bool is_named = EVP_PKEY_is_a(key_.get(), "EC") == 1 &&
                              EVP_PKEY_get_group_name(key_.get(), name.data(), name.size(), &length) == 1;
        name.resize(length);
        demand(is_named && name == name_in_openssl,
               ("needs a key of the curve " + std::string(curve)).c_str());
        BIGNUM* order = order_.get();
        demand_crypto(EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_EC_ORDER, &order) == 1,
                      "tell the order of the curve");
        size_ = 2 * bytes;
    }

    [[nodiscard]] bool is_ecdsa() const noexcept {
        return algorithm() == JwtAlgorithm::ES256 || algorithm() == JwtAlgorithm::ES384;
    }
    [[nodiscard]] const EVP_MD* hash() const noexcept {
        switch (algorithm()) {
            case JwtAlgorithm::RS384:
            case JwtAlgorithm::ES384:
                return EVP_sha384();
            case JwtAlgorithm::RS512:
                return EVP_sha512();
            case JwtAlgorithm::EdDSA:
                return nullptr;  // it has its own
            default:
                return EVP_sha256();
        }
    }
    [[nodiscard]] bool set_padding(EVP_PKEY_CTX* settings) const noexcept {
        return algorithm() != JwtAlgorithm::PS256 ||
               (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(settings, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
    }

    // --- ECDSA: a token has r and s side by side, OpenSSL an ASN.1 sequence of them ---

    /// "" unless r and s are from 1 to the order of the curve, exclusive: with zeros, no secret is needed.
    [[nodiscard]] std::string der_of(std::string_view signature) const {
        Bignum r = bignum_of(signature.substr(0, size_ / 2));
        Bignum s = bignum_of(signature.substr(size_ / 2));
        if (!is_in_order(r) || !is_in_order(s)) return {};
        const EcdsaPair pair(ECDSA_SIG_new());
        ECDSA_SIG_set0(pair.get(), r.release(), s.release());
        const int length = i2d_ECDSA_SIG(pair.get(), nullptr);
        demand_crypto(length > 0, "write a signature");
        std::string der(static_cast<std::size_t>(length), '\0');
        unsigned char* to = crypto_bytes(der);
        i2d_ECDSA_SIG(pair.get(), &to);
        return der;
    }
    [[nodiscard]] bool is_in_order(const Bignum& number) const noexcept {
        return !BN_is_zero(number.get()) && BN_cmp(number.get(), order_.get()) < 0;
    }
    [[nodiscard]] std::string pair_of(std::string_view der) const {
        const unsigned char* from = crypto_bytes(der);
        const EcdsaPair pair(d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(der.size())));
        std::string signature(size_, '\0');
        const int half = static_cast<int>(size_ / 2);
        demand_crypto(
            BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), crypto_bytes(signature), half) == half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), crypto_bytes(signature) + half, half) == half,
            "read a signature");
        return signature;
    }

    const CryptoKey key_;  // and the private one, where half_ says so
    const JwtKeyHalf half_;
    std::size_t size_ = 0;  // of a signature in a token
    const Bignum order_;    // of the curve, for ECDSA
};

// --- Keys from PEM ---

/// Otherwise OpenSSL asks for the password of a key at the terminal.
inline int refuse_password(char*, int, int, void*) noexcept { return -1; }

/// Null unless the text has such a block.
inline EVP_PKEY* read_pem(std::string_view pem, std::string_view label) {
    const CryptoPtr<BIO, BIO_free> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (label == "PRIVATE KEY")
        return PEM_read_bio_PrivateKey(source.get(), nullptr, refuse_password, nullptr);
    if (label == "PUBLIC KEY") return PEM_read_bio_PUBKEY(source.get(), nullptr, refuse_password, nullptr);
    X509* const read = PEM_read_bio_X509(source.get(), nullptr, refuse_password, nullptr);
    if (read == nullptr) return nullptr;
    const CryptoPtr<X509, X509_free> certificate(read);
    return X509_get_pubkey(certificate.get());
}

inline CountedPtr<const JwtKeyWork> key_of_pem(JwtAlgorithm algorithm, std::string_view pem,
                                               std::string_view id) {
    const CryptoErrors errors;
    for (const std::string_view label : {"PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"}) {
        if (pem.size() > 65536 || pem.find(std::string(label) + "-----") == std::string_view::npos) continue;
        EVP_PKEY* const read = read_pem(pem, label);
        if (read == nullptr) break;
        const JwtKeyHalf half = label == "PRIVATE KEY" ? JwtKeyHalf::secret : JwtKeyHalf::open;
        CryptoKey key(read);
        return CountedPtr<const JwtKeyWork>(new JwtSignatureKey(algorithm, id, std::move(key), half));
    }
    throw std::invalid_argument(
        "jwt_key: the text has no key that OpenSSL reads: it must be PEM, a PUBLIC KEY, a CERTIFICATE, or a "
        "PRIVATE KEY without a password");
}

// --- Keys from numbers, as a JWK has them ---

/// A key of its kind ("RSA", "EC") that is put together from parts.
class KeyParts {
  public:
    void number(const char* name, std::string_view bytes) {
        const Bignum& kept = numbers_.push_back(bignum_of(bytes));
        demand_crypto(OSSL_PARAM_BLD_push_BN(list_.get(), name, kept.get()) == 1, "keep a number");
    }
    /// They must last until `make`.
    void bytes(const char* name, std::string_view bytes) {
        demand_crypto(OSSL_PARAM_BLD_push_octet_string(list_.get(), name, bytes.data(), bytes.size()) == 1,
                      "keep bytes");
    }
    void text(const char* name, const char* text) {
        demand_crypto(OSSL_PARAM_BLD_push_utf8_string(list_.get(), name, text, 0) == 1, "keep a text");
    }
    /// Null if they do not make a key.
    [[nodiscard]] EVP_PKEY* make(const char* kind, JwtKeyHalf half) {
        const CryptoPtr<OSSL_PARAM, OSSL_PARAM_free> parts(OSSL_PARAM_BLD_to_param(list_.get()));
        const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
        EVP_PKEY* key = nullptr;
        if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
            EVP_PKEY_fromdata(context.get(), &key,
                              half == JwtKeyHalf::secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                              parts.get()) != 1)
            return nullptr;
        return key;
    }

  private:
    const CryptoPtr<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> list_{OSSL_PARAM_BLD_new()};
    Array<Bignum> numbers_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake

#endif
