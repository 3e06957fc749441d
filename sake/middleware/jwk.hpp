// JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) as text.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/base64url.hpp"
#include "sake/base/json_reader.hpp"
#include "sake/base/maybe.hpp"
#include "sake/middleware/jwt_json.hpp"
#include "sake/middleware/jwt_key.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A key as it is written.
class Jwk {
  public:
    static Jwk read(std::string_view json) {
        Jwk key;
        JsonReader reader(json, limits);
        read_members(reader, [&](std::string_view name) {
            if (name == "key_ops") {
                bool has_use = false;
                reader.array([&] {
                    const std::string operation = reader.string();
                    has_use = has_use || operation == "verify" || operation == "sign";
                });
                key.is_for_signatures_ = key.is_for_signatures_ && has_use;
            } else if (std::find(std::begin(known), std::end(known), name) != std::end(known)) {
                key.members_.push_back({std::string(name), reader.string()});
            } else {
                skip_value(reader);
            }
        });
        reader.end();
        return key;
    }

    /// "" if it is not there.
    [[nodiscard]] std::string_view text(std::string_view name) const noexcept {
        for (const Member& member : members_) {
            if (member.name == name) return member.text;
        }
        return {};
    }
    /// Of a member that is base64url. Throws std::invalid_argument if it is not, or is not there.
    [[nodiscard]] std::string bytes(std::string_view name) const {
        auto found = base64url_decode(text(name));
        if (!found || found->empty()) {
            throw std::invalid_argument("jwt_keys: the member '" + std::string(name) + "' of the key '" +
                                        std::string(text("kid")) + "' is missing, or is not base64url");
        }
        return std::move(*found);
    }
    /// Nothing if it is not a key for signatures that jwt() knows.
    [[nodiscard]] Maybe<JwtAlgorithm> algorithm() const noexcept {
        const bool is_for_others = !text("use").empty() && text("use") != "sig";
        if (is_for_others || !is_for_signatures_) return {};
        const std::string_view kind = text("kty");
        const std::string_view curve = text("crv");
        using enum JwtAlgorithm;
        if (kind == "oct") return one_of({HS256});
        if (kind == "RSA") return one_of({RS256, RS384, RS512, PS256});
        if (kind == "EC" && curve == "P-256") return one_of({ES256});
        if (kind == "EC" && curve == "P-384") return one_of({ES384});
        if (kind == "OKP" && curve == "Ed25519") return one_of({EdDSA});
        return {};
    }

    static constexpr JsonLimits limits{8, 10'000};

  private:
    struct Member {
        std::string name;
        std::string text;
    };
    static constexpr std::string_view known[] = {"kty", "use", "alg", "kid", "crv", "k",  "n", "e",
                                                 "d",   "p",   "q",   "dp",  "dq",  "qi", "x", "y"};

    /// The one that it names, or the first if it names none.
    [[nodiscard]] Maybe<JwtAlgorithm> one_of(std::initializer_list<JwtAlgorithm> algorithms) const noexcept {
        if (text("alg").empty()) return *algorithms.begin();
        for (const JwtAlgorithm each : algorithms) {
            if (to_string(each) == text("alg")) return each;
        }
        return {};
    }

    Array<Member> members_;
    bool is_for_signatures_ = true;
};

/// The keys of a set, or the only one.
inline Array<Jwk> read_jwks(std::string_view json) {
    Array<Jwk> keys;
    bool is_set = false;
    JsonReader reader(json, Jwk::limits);
    read_members(reader, [&](std::string_view name) {
        if (name != "keys") return skip_value(reader);
        is_set = true;
        reader.array([&] { keys.push_back(Jwk::read(reader.raw())); });
    });
    reader.end();
    if (!is_set) keys.push_back(Jwk::read(json));
    return keys;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
