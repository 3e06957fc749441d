// JSON Web Tokens and Keys as text: what their readers take, the reader of all JSON takes as the same, and
// base64url has one spelling. Neither needs OpenSSL.
#pragma once

#include <string>
#include <string_view>

#include "fuzz.hpp"

namespace fuzz {

/// The document, as nlohmann reads it. A number that no double holds may be in a token, and is not looked at
/// there.
inline bool read_whole(std::string_view json, sake::Json& document) {
    try {
        document = sake::parse_json(json);
        return true;
    } catch (const sake::JsonError& error) {
        require(std::string_view(error.what()).find("too large") != std::string_view::npos,
                "what the reader of tokens takes is JSON");
        return false;
    }
}

inline void jwt_header(std::string_view json) {
    sake::Json document;
    try {
        const sake::detail::JwtHeader header(json);
        if (!read_whole(json, document)) return;
        require(header.algorithm == document.value("alg", ""), "'alg' is what nlohmann reads");
        require(header.key_id.has_value() == document.contains("kid"), "'kid' is there if it is there");
        require(header.key_id.value_or("") == document.value("kid", ""), "'kid' is what nlohmann reads");
        require(!document.contains("crit"), "no header has 'crit'");
    } catch (const sake::JsonError&) {
    } catch (const sake::detail::JwtRefusal&) {
    }
}

inline void jwt_claims(std::string_view json) {
    sake::Json document;
    try {
        const sake::detail::JwtContent content{std::string(json)};
        if (!read_whole(json, document)) return;
        require(content.claims.subject == document.value("sub", ""), "'sub' is what nlohmann reads");
        require(content.claims.issuer == document.value("iss", ""), "'iss' is what nlohmann reads");
        require(content.expires.has_value() == document.contains("exp"), "'exp' is there if it is there");
        require(content.expires.value_or(0) == document.value("exp", 0.0), "'exp' is what nlohmann reads");
    } catch (const sake::JsonError&) {
    } catch (const sake::detail::JwtRefusal&) {
    }
}

inline void jwt(std::string_view input) {
    if (const auto bytes = sake::detail::base64url_decode(input)) {
        require(sake::detail::base64url_encode(*bytes) == input, "bytes have one spelling in base64url");
    }
    require(sake::detail::base64url_decode(sake::detail::base64url_encode(input)) == std::string(input),
            "what is written in base64url is read as the same");
    jwt_header(input);
    jwt_claims(input);
    try {
        for (const sake::detail::Jwk& key : sake::detail::read_jwks(input))
            static_cast<void>(key.algorithm());
    } catch (const sake::JsonError&) {
    }
    try {
        const sake::detail::JwtParts parts(input);
        require(std::string(parts.header) + "." + std::string(parts.claims) + "." +
                        std::string(parts.signature) ==
                    input,
                "the parts are the token");
    } catch (const sake::detail::JwtRefusal&) {
    }
}

}  // namespace fuzz
