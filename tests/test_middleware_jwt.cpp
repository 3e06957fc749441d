// jwt, sign_jwt and their keys: which tokens are right, and why the others are refused.
#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/common.hpp"
#include "support/jwt_keys.hpp"
#include "support/observed.hpp"
#include "support/refusals.hpp"

namespace test_middleware_jwt {

using namespace harness;
using namespace std::chrono_literals;
using sake::Context;
using sake::Json;
using sake::jwt_key;
using sake::jwt_keys;
using sake::jwt_secret;
using sake::JwtAlgorithm;
using sake::JwtKey;
using sake::TestClient;
using sake::TestResponse;
using sake::middleware::jwt;
using sake::middleware::JwtOptions;

namespace {

constexpr std::int64_t start = 1767225600;  // 2026, when the time of a TestClient begins
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

std::string base64url(std::string_view bytes) {
    std::string text = sake::base64_encode(bytes);
    while (text.ends_with('=')) text.pop_back();
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

/// Signed by the secret as HS256, whatever the header says.
std::string token_of(std::string_view header, std::string_view claims) {
    std::string token = base64url(header) + "." + base64url(claims);
    std::string code(32, '\0');
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(code.data()), nullptr);
    return token + "." + base64url(code);
}
std::string token_with_header(std::string_view header) {
    return token_of(header, R"({"sub":"ada","exp":1767225660})");
}
std::string token_with_claims(std::string_view claims) { return token_of(R"({"alg":"HS256"})", claims); }

/// What becomes of a request with this token: the user's name, or why it was refused.
std::string verdict(JwtOptions options, std::string_view token) {
    std::string why = "it was not read";
    options.on_refused = [&](Context&, std::string_view reason) { why = reason; };
    sake::Engine app;
    app.use(jwt(std::move(options)));
    app.get("/", [](Context& ctx) { ctx.text("user " + ctx.state<sake::User>().name); });
    const TestResponse response =
        TestClient(app).get("/", fields_of({{"Authorization", "Bearer " + std::string(token)}}));
    if (response.status == 200) return response.body;
    if (response.status != 401) return "status " + std::to_string(response.status);
    CHECK(response.header("WWW-Authenticate") == "Bearer error=\"invalid_token\"");
    CHECK(response.json()["detail"] == "the token is not valid");
    return why;
}
std::string verdict(std::string_view token) { return verdict({.keys = {jwt_secret(secret)}}, token); }

struct Row {
    std::string name;
    std::string verdict;
};

}  // namespace

TEST_CASE("tokens of RFC 7515 and RFC 8037 have the right signatures") {
    // Nothing of the claims is looked at before the signature was found right.
    const auto of = [](std::string_view jwk, std::string_view token) {
        return verdict({.keys = jwt_keys(jwk)}, token);
    };
    CHECK(verdict({.keys = {sake::jwt_secret_base64url(test_keys::hs256_secret)}}, test_keys::hs256_token) ==
          "it has expired");
    CHECK(of(test_keys::rs256_public_jwk, test_keys::rs256_token) == "it has expired");
    CHECK(of(test_keys::es256_public_jwk, test_keys::es256_token) == "it has expired");
    CHECK(of(test_keys::ed25519_public_jwk, test_keys::ed25519_token) ==
          "invalid JSON at byte 1: expected an object");
}

TEST_CASE("what a private key signs, its public half verifies, and no other key") {
    struct Pair {
        JwtKey secret;
        JwtKey open;
    };
    const auto rsa = [](JwtAlgorithm algorithm) {
        return Pair{jwt_key(algorithm, test_keys::rsa_2048_private),
                    jwt_key(algorithm, test_keys::rsa_2048_public)};
    };
    const auto ec = [](std::string_view private_pem, std::string_view public_pem) {
        return Pair{jwt_key(JwtAlgorithm::ES256, private_pem), jwt_key(JwtAlgorithm::ES256, public_pem)};
    };
    const auto of_jwks = [](std::string_view private_jwk, std::string_view public_jwk) {
        return Pair{jwt_keys(private_jwk).front(), jwt_keys(public_jwk).front()};
    };
    const std::vector<Pair> pairs = {
        {jwt_secret(secret), jwt_secret(secret)},
        rsa(JwtAlgorithm::RS256),
        rsa(JwtAlgorithm::RS384),
        rsa(JwtAlgorithm::RS512),
        rsa(JwtAlgorithm::PS256),
        of_jwks(test_keys::rs256_private_jwk, test_keys::rs256_public_jwk),
        ec(test_keys::p256_private, test_keys::p256_public),
        ec(test_keys::p256_sec1, test_keys::p256_certificate),
        ec(test_keys::p256_private, test_keys::p256_private),
        of_jwks(test_keys::es256_private_jwk, test_keys::es256_public_jwk),
        {jwt_key(JwtAlgorithm::ES384, test_keys::p384_private),
         jwt_key(JwtAlgorithm::ES384, test_keys::p384_public)},
        {jwt_key(JwtAlgorithm::EdDSA, test_keys::ed25519_private),
         jwt_key(JwtAlgorithm::EdDSA, test_keys::ed25519_public)},
        of_jwks(test_keys::ed25519_private_jwk, test_keys::ed25519_public_jwk),
    };
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        CAPTURE(i);
        const std::string token = sign_jwt({{"sub", "ada"}, {"exp", start + 60}}, pairs[i].secret);
        CHECK(verdict({.keys = {pairs[i].open}}, token) == "user ada");
        // Its own signature, with a bit changed at its beginning, its middle and its end.
        const std::size_t begin = token.rfind('.') + 1;
        for (const std::size_t at :
             std::vector<std::size_t>{begin, (begin + token.size()) / 2, token.size() - 2}) {
            std::string changed = token;
            changed[at] = changed[at] == 'A' ? 'B' : 'A';
            CHECK(verdict({.keys = {pairs[i].open}}, changed) == "the signature does not match");
        }
        // Claims of another.
        std::string other = token;
        other.replace(token.find('.') + 1, begin - token.find('.') - 2, base64url(R"({"sub":"bob"})"));
        CHECK(verdict({.keys = {pairs[i].open}}, other) == "the signature does not match");
    }
    // Keys of the same algorithm, and of others.
    const std::string token = sign_jwt({{"sub", "ada"}, {"exp", start + 60}}, pairs[6].secret);
    CHECK(verdict({.keys = {pairs[9].open}}, token) == "the signature does not match");
    CHECK(verdict({.keys = {pairs[9].open, pairs[6].open}}, token) == "user ada");
    for (const std::size_t i : std::vector<std::size_t>{0, 1, 4, 10, 11}) {
        CHECK(verdict({.keys = {pairs[i].open}}, token) == "no key has this 'alg' and 'kid'");
    }
}

TEST_CASE("the key fixes the algorithm, whatever the token says") {
    const JwtOptions options = {.keys = {jwt_secret(secret)}};
    for (const std::string_view name :
         {"none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS384", "HS512", "RS256", "ES256", "ES256K",
          "EdDSA", "Ed25519", "HS256\\u0000"}) {
        CAPTURE(name);
        const std::string header = R"({"alg":")" + std::string(name) + R"("})";
        CHECK(verdict(options, token_with_header(header)) == "no key has this 'alg' and 'kid'");
        CHECK(verdict(options, base64url(header) + "." + base64url(R"({"sub":"ada","exp":1767225660})") +
                                   ".") == "no key has this 'alg' and 'kid'");
    }
    // The public key of a signer, taken for the secret of HS256: what it signs verifies nowhere.
    const std::string pem(test_keys::rsa_2048_public);
    std::string forged =
        base64url(R"({"alg":"HS256"})") + "." + base64url(R"({"sub":"ada","exp":1767225660})");
    std::string code(32, '\0');
    HMAC(EVP_sha256(), pem.data(), static_cast<int>(pem.size()),
         reinterpret_cast<const unsigned char*>(forged.data()), forged.size(),
         reinterpret_cast<unsigned char*>(code.data()), nullptr);
    forged += "." + base64url(code);
    const std::vector<JwtKey> rsa = {jwt_key(JwtAlgorithm::RS256, pem)};
    CHECK(verdict({.keys = rsa}, forged) == "no key has this 'alg' and 'kid'");
    CHECK(verdict({.keys = {rsa.front(), jwt_secret(secret)}}, forged) == "the signature does not match");
    CHECK_THROWS_AS(static_cast<void>(jwt_secret(pem)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(jwt_key(JwtAlgorithm::HS256, pem)), std::invalid_argument);
    // One RSA key for two algorithms is a key of each.
    const auto token = [](JwtAlgorithm algorithm) {
        return sign_jwt({{"sub", "ada"}, {"exp", start + 60}},
                        jwt_key(algorithm, test_keys::rsa_2048_private));
    };
    CHECK(verdict({.keys = rsa}, token(JwtAlgorithm::PS256)) == "no key has this 'alg' and 'kid'");
    CHECK(verdict({.keys = rsa}, token(JwtAlgorithm::RS384)) == "no key has this 'alg' and 'kid'");
    CHECK(verdict({.keys = rsa}, token(JwtAlgorithm::RS256)) == "user ada");
}

TEST_CASE("signatures of ECDSA with zeros, or numbers beyond the order of the curve, are refused") {
    const std::string zeros(32, '\0');
    const std::string one = zeros.substr(1) + '\1';
    std::string order = "\xff\xff\xff\xff" + std::string(4, '\0') + std::string(8, '\xff') +
                        "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    const std::string beyond(32, '\xff');
    const std::string head =
        base64url(R"({"alg":"ES256"})") + "." + base64url(R"({"sub":"ada","exp":1767225660})") + ".";
    const JwtOptions options = {.keys = {jwt_key(JwtAlgorithm::ES256, test_keys::p256_public)}};
    REQUIRE(order.size() == 32);
    for (const std::string& r : {zeros, one, order, beyond}) {
        for (const std::string& s : {zeros, one, order, beyond}) {
            CHECK(verdict(options, head + base64url(r + s)) == "the signature does not match");
        }
    }
    for (const std::size_t size :
         std::vector<std::size_t>{0, 1, 2, 31, 32, 62, 63, 65, 66, 70, 96, 128, 1000}) {
        CAPTURE(size);
        CHECK(verdict(options, head + base64url(std::string(size, '\1'))) == "the signature does not match");
    }
    // What OpenSSL itself reads: an ASN.1 sequence of the two.
    CHECK(verdict(options, head + base64url("\x30\x06\x02\x01\x01\x02\x01\x01")) ==
          "the signature does not match");
    CHECK(verdict(options, head + base64url(std::string("\x30\x06\x02\x01\0\x02\x01\0", 8))) ==
          "the signature does not match");
}

TEST_CASE("signatures of other lengths are refused") {
    const std::string good = sign_jwt({{"sub", "ada"}, {"exp", start + 60}}, jwt_secret(secret));
    const std::string head = good.substr(0, good.rfind('.') + 1);
    for (const std::size_t size : std::vector<std::size_t>{0, 1, 16, 31, 33, 64, 1024}) {
        CAPTURE(size);
        CHECK(verdict(head + base64url(std::string(size, '\0'))) == "the signature does not match");
    }
    const JwtOptions rsa = {.keys = {jwt_key(JwtAlgorithm::RS256, test_keys::rsa_2048_public),
                                     jwt_key(JwtAlgorithm::PS256, test_keys::rsa_2048_public)}};
    const JwtOptions ed = {.keys = {jwt_key(JwtAlgorithm::EdDSA, test_keys::ed25519_public)}};
    for (const std::string name : {"RS256", "PS256"}) {
        const std::string start_of_it =
            base64url(R"({"alg":")" + name + R"("})") + "." + base64url("{}") + ".";
        for (const std::size_t size : std::vector<std::size_t>{0, 1, 255, 256, 257, 512}) {
            for (const char byte : {'\0', '\1', '\xff'}) {
                CHECK(verdict(rsa, start_of_it + base64url(std::string(size, byte))) ==
                      "the signature does not match");
            }
        }
    }
    for (const std::size_t size : std::vector<std::size_t>{0, 32, 63, 64, 65, 114}) {
        CHECK(verdict(ed, base64url(R"({"alg":"EdDSA"})") + "." + base64url("{}") + "." +
                              base64url(std::string(size, '\0'))) == "the signature does not match");
    }
}

TEST_CASE("a token has three parts of base64url, each with one spelling") {
    const std::string good = sign_jwt({{"sub", "ada"}, {"exp", start + 60}}, jwt_secret(secret));
    const std::size_t first = good.find('.');
    const std::size_t last = good.rfind('.');
    const std::string header = good.substr(0, first);
    const std::string claims = good.substr(first + 1, last - first - 1);
    const std::string signature = good.substr(last + 1);
    REQUIRE(verdict(good) == "user ada");
    // 43 letters for 32 bytes: the last one has two bits that must be zero.
    std::string stray = signature;
    stray.back() = static_cast<char>(stray.back() + 1);
    const std::vector<Row> rows = {
        {"a", "the token does not have three parts"},
        {header, "the token does not have three parts"},
        {header + "." + claims, "the token does not have three parts"},
        {good + ".", "the token does not have three parts"},
        {"." + good, "the token does not have three parts"},
        {good + "." + signature, "the token does not have three parts"},
        {header + ".." + claims + "." + signature, "the token does not have three parts"},
        {good + "=", "the signature is not base64url"},
        {good + "==", "the signature is not base64url"},
        {header + "." + claims + "." + stray, "the signature is not base64url"},
        {header + "." + claims + "." + signature.substr(0, 41), "the signature is not base64url"},
        {header + "." + claims + "." + "+" + signature.substr(1), "the signature is not base64url"},
        {header + "." + claims + "." + "/" + signature.substr(1), "the signature is not base64url"},
        {header + "." + claims + "." + "~" + signature.substr(1), "the signature is not base64url"},
        {header + "~." + claims + "." + signature, "the header is not base64url"},
        {"." + claims + "." + signature, "invalid JSON at byte 1: expected an object"},
        {"..", "invalid JSON at byte 1: expected an object"},
        {header + "." + claims + ".", "the signature does not match"},
        {header + ".." + signature, "the signature does not match"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(verdict(row.name) == row.verdict);
    }
    CHECK(verdict(header + "=." + claims + "." + signature) == "status 400");  // no credentials at all
}

TEST_CASE("the header is read strictly, and keys or places in it say nothing") {
    for (const std::string_view header : {
             R"({"alg":"HS256"})",
             R"( { "alg" : "HS256" } )",
             R"({"\u0061lg":"HS\u003256"})",
             R"({"alg":"HS256","typ":"JWT"})",
             R"({"alg":"HS256","typ":"anything"})",
             R"({"alg":"HS256","kid":"nobody"})",
             R"({"alg":"HS256","b64":false})",
             R"({"alg":"HS256","jku":"https://evil.example/keys"})",
             R"({"alg":"HS256","x5u":"https://evil.example/crt","x5c":["MIIB"]})",
             R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}})",
             R"({"alg":"HS256","cty":"JWT","zip":"DEF","a":[1,-0.5e+3,true,false,null,{"a":{"a":[]}}]})",
         }) {
        CAPTURE(header);
        CHECK(verdict(token_with_header(header)) == "user ada");
    }
    for (const std::string_view header : {
             R"({"alg":"HS256","crit":[]})",
             R"({"alg":"HS256","crit":["b64"],"b64":false})",
             R"({"alg":"HS256","crit":["exp"]})",
             R"({"crit":null,"alg":"HS256"})",
         }) {
        CAPTURE(header);
        CHECK(verdict(token_with_header(header)) == "the header has 'crit'");
    }
    for (const std::string_view header : {
             "",
             " ",
             "null",
             "[]",
             "\"HS256\"",
             "{",
             "{}}",
             R"({"alg":"HS256"} {})",
             R"({"alg":"HS256"},)",
             R"({"alg":"HS256","alg":"HS256"})",
             R"({"alg":"none","alg":"HS256"})",
             R"({"alg":"HS256","\u0061lg":"none"})",
             R"({"alg":"HS256","a":{"b":1,"b":2}})",
             R"({"alg":"HS256","a":1,"a":1})",
             R"({"alg":["HS256"]})",
             R"({"alg":null})",
             R"({"alg":5})",
             R"({"alg":"HS256","kid":5})",
             R"({"alg":"HS256","kid":null})",
             R"({"alg":"HS256","typ":{}})",
             R"({'alg':'HS256'})",
             R"({alg:"HS256"})",
             R"({"alg":"HS256",})",
             R"({"alg":"HS256","a":tru})",
             R"({"alg":"HS256","a":NaN})",
             R"({"alg":"HS256","a":01})",
             R"({"alg":"HS256","a":+1})",
             R"({"alg":"HS256","a":.5})",
             R"({"alg":"HS256","a":1.})",
             R"({"alg":"HS256","a":1e})",
             R"({"alg":"HS256","a":0x1})",
             R"({"alg":"HS256","a":-})",
             R"({"alg":"HS256","a":})",
             R"({"alg":"HS256","a":[1,]})",
             R"({"alg":"HS256"/**/})",
             "\xef\xbb\xbf{\"alg\":\"HS256\"}",
             "{\"alg\":\"HS256\",\"a\":\"\xff\"}",
             "{\"alg\":\"HS256\",\"a\":\"\n\"}",
             R"({"alg":"HS256","a":"\x"})",
             R"({"alg":"HS256","a":"\ud800"})",
         }) {
        CAPTURE(header);
        const std::string why = verdict(token_with_header(header));
        CHECK_MESSAGE(why.find("JSON") != std::string::npos, why);
    }
    const std::string nul("{\"alg\":\"HS256\"}\0", 16);
    CHECK(verdict(token_with_header(nul)) == "invalid JSON at byte 16: something follows the end");
    CHECK(verdict(token_with_header("{}")) == "no key has this 'alg' and 'kid'");
}

TEST_CASE("JSON in tokens nests 8 deep in headers, and 16 in claims; 64 and 1000 values are the most") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    const auto header = [&](const std::string& value) {
        return verdict(token_with_header(R"({"alg":"HS256","a":)" + value + "}"));
    };
    const auto claims = [&](const std::string& value) {
        return verdict(token_with_claims(R"({"sub":"ada","exp":1767225660,"a":)" + value + "}"));
    };
    CHECK(header(nested(6)) == "user ada");
    CHECK(header(nested(7)) == "user ada");
    CHECK(header(nested(8)).ends_with("it nests too deep"));
    CHECK(claims(nested(14)) == "user ada");
    CHECK(claims(nested(15)) == "user ada");
    CHECK(claims(nested(16)).ends_with("it nests too deep"));
    const auto row = [](std::size_t values) {
        std::string text = "[1";
        for (std::size_t i = 1; i < values; ++i) text += ",1";
        return text + "]";
    };
    CHECK(header(row(61)) == "user ada");
    CHECK(header(row(62)) == "user ada");
    CHECK(header(row(63)).ends_with("it has too many values"));
    CHECK(claims(row(996)) == "user ada");
    CHECK(claims(row(997)) == "user ada");
    CHECK(claims(row(998)).ends_with("it has too many values"));
}

TEST_CASE("a token is valid from 'nbf' and 'iat' on, and before 'exp', with the leeway that is given") {
    struct Time {
        std::string claims;
        std::string verdict;
        std::chrono::seconds leeway;
        bool require_expiry = true;
    };
    const std::string good = "user ";
    const std::string gone = "it has expired";
    const std::vector<Time> table = {
        {R"("exp":1767225599)", gone, 0s},
        {R"("exp":1767225600)", gone, 0s},
        {R"("exp":1767225600.001)", good, 0s},
        {R"("exp":1767225601)", good, 0s},
        {R"("exp":1.767225601e9)", good, 0s},
        {R"("exp":1767225601E0)", good, 0s},
        {R"("exp":0)", gone, 0s},
        {R"("exp":-0)", gone, 0s},
        {R"("exp":1767225594)", gone, 5s},
        {R"("exp":1767225595)", gone, 5s},
        {R"("exp":1767225596)", good, 5s},
        {R"("exp":1767225540)", gone, 60s},
        {R"("exp":1767225541)", good, 60s},
        {R"("exp":253402300799)", good, 0s},
        {R"("exp":253402300799.5)", good, 0s},
        {R"("exp":253402300800)", "'exp' is not a time", 0s},
        {R"("exp":1767225601000)", "'exp' is not a time", 0s},
        {R"("exp":1e300)", "'exp' is not a time", 0s},
        {R"("exp":1e999)", "'exp' is not a time", 0s},
        {R"("exp":-1)", "'exp' is not a time", 0s},
        {R"("exp":"1767225601")", "'exp' is not a time", 0s},
        {R"("exp":null)", "'exp' is not a time", 0s},
        {R"("exp":true)", "'exp' is not a time", 0s},
        {R"("exp":[1767225601])", "'exp' is not a time", 0s},
        {R"("exp":{})", "'exp' is not a time", 0s},
        {R"("exp":NaN)", "'exp' is not a time", 0s},
        {R"("exp":Infinity)", "'exp' is not a time", 0s},
        {R"("exp":01767225601)", "'exp' is not a time", 0s},
        {R"("exp":1767225601.)", "'exp' is not a time", 0s},
        {R"("iat":1)", "it has no 'exp'", 0s},
        {R"("iat":1)", good, 0s, false},
        {R"("exp":1767225600)", gone, 0s, false},
        {R"("exp":1767225601,"nbf":1767225599)", good, 0s},
        {R"("exp":1767225601,"nbf":1767225600)", good, 0s},
        {R"("exp":1767225601,"nbf":1767225600.001)", "'nbf' is in the future", 0s},
        {R"("exp":1767225601,"nbf":1767225605)", good, 5s},
        {R"("exp":1767225601,"nbf":1767225606)", "'nbf' is in the future", 5s},
        {R"("exp":1767225601,"nbf":"1")", "'nbf' is not a time", 0s},
        {R"("exp":1767225601,"iat":1767225600)", good, 0s},
        {R"("exp":1767225601,"iat":1767225601)", "'iat' is in the future", 0s},
        {R"("exp":1767225601,"iat":1767225605)", good, 5s},
        {R"("exp":1767225601,"iat":1767225606)", "'iat' is in the future", 5s},
        {R"("exp":1767225601,"iat":null)", "'iat' is not a time", 0s},
    };
    for (const Time& row : table) {
        CAPTURE(row.claims);
        const JwtOptions options = {
            .keys = {jwt_secret(secret)}, .leeway = row.leeway, .require_expiry = row.require_expiry};
        CHECK(verdict(options, token_with_claims("{" + row.claims + "}")) == row.verdict);
    }
}

TEST_CASE("a token ends with its time, to the millisecond") {
    sake::Engine app;
    app.use(jwt({.keys = {jwt_secret(secret)}, .leeway = 0s}));
    app.get("/", [] {});
    TestClient client(app);
    const auto fields =
        fields_of({{"Authorization", "Bearer " + sign_jwt({{"exp", start + 3600}}, jwt_secret(secret))}});
    CHECK(client.get("/", fields).status == 200);
    client.advance(1h - 1ms);
    CHECK(client.get("/", fields).status == 200);
    client.advance(1ms);
    CHECK(client.get("/", fields).status == 401);
}

TEST_CASE("issuer, audience and type are those that are asked for") {
    struct Demand {
        std::string claims;
        std::string verdict;
        std::string issuer;
        std::string audience;
    };
    const std::string wrong_issuer = "'iss' does not match JwtOptions::issuer";
    const std::string wrong_audience = "'aud' does not match JwtOptions::audience";
    const std::vector<Demand> table = {
        {R"("iss":"https://login.example")", "user ", "https://login.example", ""},
        {R"("iss":"https://login.example/")", wrong_issuer, "https://login.example", ""},
        {R"("iss":"https://LOGIN.example")", wrong_issuer, "https://login.example", ""},
        {R"("iss":"")", wrong_issuer, "https://login.example", ""},
        {R"("sub":"")", wrong_issuer, "https://login.example", ""},
        {R"("iss":"anyone")", "user ", "", ""},
        {R"("aud":"notes")", "user ", "", "notes"},
        {R"("aud":["notes"])", "user ", "", "notes"},
        {R"("aud":["mail","notes"])", "user ", "", "notes"},
        {R"("aud":"mail")", wrong_audience, "", "notes"},
        {R"("aud":"notes2")", wrong_audience, "", "notes"},
        {R"("aud":["mail"])", wrong_audience, "", "notes"},
        {R"("aud":[])", wrong_audience, "", "notes"},
        {R"("aud":"")", wrong_audience, "", "notes"},
        {R"("sub":"")", wrong_audience, "", "notes"},
        {R"("aud":"notes")", wrong_audience, "", ""},  // it is for somebody else
        {R"("aud":["notes"])", wrong_audience, "", ""},
        {R"("sub":"")", "user ", "", ""},
    };
    for (const Demand& row : table) {
        CAPTURE(row.claims);
        const JwtOptions options = {
            .keys = {jwt_secret(secret)}, .issuer = row.issuer, .audience = row.audience};
        CHECK(verdict(options, token_with_claims(R"({"exp":1767225660,)" + row.claims + "}")) == row.verdict);
    }
    const JwtOptions typed = {.keys = {jwt_secret(secret)}, .type = "at+jwt"};
    for (const std::string name : {"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"}) {
        CHECK(verdict(typed, token_with_header(R"({"alg":"HS256","typ":")" + name + "\"}")) == "user ada");
    }
    for (const std::string name :
         {"JWT", "at+jw", "at+jwt2", "application/JWT", "application/", "x/at+jwt", ""}) {
        CHECK(verdict(typed, token_with_header(R"({"alg":"HS256","typ":")" + name + "\"}")) ==
              "'typ' does not match JwtOptions::type");
    }
    CHECK(verdict(typed, token_with_header(R"({"alg":"HS256"})")) == "'typ' does not match JwtOptions::type");
}

TEST_CASE("claims of the wrong kind, and claims that are there twice, are refused") {
    for (const std::string_view claims : {
             "",
             "[]",
             "null",
             "\"a\"",
             "1",
             "{",
             R"({"sub":1})",
             R"({"sub":null})",
             R"({"sub":["ada"]})",
             R"({"iss":1})",
             R"({"iss":["a"]})",
             R"({"aud":1})",
             R"({"aud":{"a":"b"}})",
             R"({"aud":["a",1]})",
             R"({"aud":[["a"]]})",
             R"({"aud":null})",
             R"({"sub":"ada","sub":"bob"})",
             R"({"sub":"ada","s\u0075b":"bob"})",
             R"({"a":1,"a":1})",
             R"({"a":[{"b":1,"b":1}]})",
             R"({"a":bad})",
             R"({"a":1} x)",
             "{\"a\":\"\xc3\"}",
         }) {
        CAPTURE(claims);
        const JwtOptions options = {.keys = {jwt_secret(secret)}, .require_expiry = false};
        const std::string why = verdict(options, token_with_claims(claims));
        CHECK_MESSAGE(why.find("JSON") != std::string::npos, why);
    }
}

TEST_CASE("'kid' picks among the keys") {
    const std::string other = "another secret, of 32 bytes also";
    const std::vector<JwtKey> keys = {jwt_secret(secret, "old"), jwt_secret(other, "new"),
                                      jwt_key(JwtAlgorithm::ES256, test_keys::p256_public, "new")};
    const auto token = [](std::string_view text, std::string_view id) {
        return sign_jwt({{"sub", "ada"}, {"exp", start + 60}}, jwt_secret(text, id));
    };
    CHECK(verdict({.keys = keys}, token(secret, "old")) == "user ada");
    CHECK(verdict({.keys = keys}, token(other, "new")) == "user ada");
    CHECK(verdict({.keys = keys}, token(secret, "new")) == "the signature does not match");
    CHECK(verdict({.keys = keys}, token(other, "old")) == "the signature does not match");
    CHECK(verdict({.keys = keys}, token(secret, "Old")) == "no key has this 'alg' and 'kid'");
    CHECK(verdict({.keys = keys}, token(secret, "../../dev/null")) == "no key has this 'alg' and 'kid'");
    CHECK(verdict({.keys = keys}, token_with_header(R"({"alg":"HS256","kid":""})")) ==
          "no key has this 'alg' and 'kid'");
    // Without it, all keys of the algorithm are tried; one without an id is tried always.
    CHECK(verdict({.keys = keys}, token(secret, "")) == "user ada");
    CHECK(verdict({.keys = keys}, token(other, "")) == "user ada");
    CHECK(verdict({.keys = {jwt_secret(other, "new"), jwt_secret(secret)}}, token(secret, "gone")) ==
          "user ada");
    CHECK(keys[1].id() == "new");
    CHECK(keys[2].algorithm() == JwtAlgorithm::ES256);
    CHECK_NOTHROW(static_cast<void>(jwt_secret(secret, std::string(255, 'k'))));
    CHECK_NOTHROW(static_cast<void>(jwt_secret(secret, std::string(256, 'k'))));
    CHECK_THROWS_AS(static_cast<void>(jwt_secret(secret, std::string(257, 'k'))), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(jwt_secret(secret, "\xff")), std::invalid_argument);
    CHECK(verdict({.keys = {jwt_secret(secret, "a\"b\\c\u00e4\n")}}, token(secret, "a\"b\\c\u00e4\n")) ==
          "user ada");
}

TEST_CASE("keys are strong enough, and of their algorithm") {
    CHECK_THROWS_WITH_AS(
        static_cast<void>(jwt_secret(secret.substr(1))),
        "jwt_secret: HS256 needs a secret of 32 bytes or more; `openssl rand -base64 32` makes one",
        std::invalid_argument);
    CHECK_NOTHROW(static_cast<void>(jwt_secret(secret)));
    CHECK_NOTHROW(static_cast<void>(jwt_secret(std::string(secret) + "g")));
    CHECK_NOTHROW(static_cast<void>(jwt_secret(std::string(65536, 's'))));
    CHECK_THROWS_AS(static_cast<void>(jwt_secret(std::string(65537, 's'))), std::invalid_argument);
    CHECK_NOTHROW(static_cast<void>(sake::jwt_secret_base64url(base64url(secret))));
    for (const std::string& text :
         {base64url(secret.substr(1)), base64url(secret) + "=", std::string(43, '+'), std::string(43, '_'),
          std::string(" "), std::string()}) {
        CAPTURE(text);
        CHECK_THROWS_AS(static_cast<void>(sake::jwt_secret_base64url(text)), std::invalid_argument);
    }
    using enum JwtAlgorithm;
    struct Key {
        JwtAlgorithm algorithm;
        std::string_view pem;
        std::string what;  // that is thrown
    };
    const std::vector<Key> table = {
        {RS256, test_keys::rsa_2047_public, "jwt_key: RS256 needs a key of 2048 bits or more"},
        {PS256, test_keys::rsa_2047_public, "jwt_key: PS256 needs a key of 2048 bits or more"},
        {RS256, test_keys::rsa_2048_public, "nothing"},
        {RS512, test_keys::rsa_3072_public, "nothing"},
        {RS256, test_keys::rsa_pss_public, "jwt_key: RS256 needs an RSA key"},
        {RS256, test_keys::p256_public, "jwt_key: RS256 needs an RSA key"},
        {PS256, test_keys::ed25519_public, "jwt_key: PS256 needs an RSA key"},
        {ES256, test_keys::rsa_2048_public, "jwt_key: ES256 needs a key of the curve P-256"},
        {ES256, test_keys::p384_public, "jwt_key: ES256 needs a key of the curve P-256"},
        {ES256, test_keys::secp256k1_public, "jwt_key: ES256 needs a key of the curve P-256"},
        {ES256, test_keys::ed25519_public, "jwt_key: ES256 needs a key of the curve P-256"},
        {ES384, test_keys::p256_public, "jwt_key: ES384 needs a key of the curve P-384"},
        {ES384, test_keys::p521_public, "jwt_key: ES384 needs a key of the curve P-384"},
        {ES384, test_keys::p384_public, "nothing"},
        {EdDSA, test_keys::ed448_public, "jwt_key: EdDSA needs a key of Ed25519"},
        {EdDSA, test_keys::p256_public, "jwt_key: EdDSA needs a key of Ed25519"},
        {EdDSA, test_keys::ed25519_public, "nothing"},
    };
    for (const Key& row : table) {
        CAPTURE(row.what);
        const std::string what = thrown_by([&] { static_cast<void>(jwt_key(row.algorithm, row.pem)); });
        CHECK(what == row.what);
    }
    // A private key with a password: nobody is asked for it.
    std::string damaged(test_keys::p256_public);
    damaged[damaged.find('\n') + 70] ^= 1;
    for (const std::string_view text :
         {std::string_view(test_keys::p256_encrypted), std::string_view(damaged), std::string_view(),
          std::string_view("-----BEGIN PUBLIC KEY-----"),
          std::string_view("-----BEGIN CERTIFICATE-----\nAAAA\n"),
          std::string_view(test_keys::es256_public_jwk)}) {
        CHECK_THROWS_AS(static_cast<void>(jwt_key(ES256, text)), std::invalid_argument);
    }
}

TEST_CASE("JSON Web Keys are read strictly, and of a set those that can be used") {
    const auto algorithms = [](std::string_view json) {
        std::string names;
        for (const JwtKey& key : jwt_keys(json)) {
            names += std::string(to_string(key.algorithm())) + "/" + std::string(key.id()) + " ";
        }
        return names;
    };
    const auto with = [](std::string_view jwk, std::string_view members) {
        return std::string(jwk.substr(0, jwk.size() - 1)).append(",").append(members).append("}");
    };
    const std::string oct = R"({"kty":"oct","k":")" + std::string(test_keys::hs256_secret) + "\"}";
    CHECK(algorithms(oct) == "HS256/ ");
    CHECK(algorithms(test_keys::rs256_public_jwk) == "RS256/ ");
    CHECK(algorithms(test_keys::es256_private_jwk) == "ES256/ ");
    CHECK(algorithms(test_keys::ed25519_public_jwk) == "EdDSA/ ");
    for (const std::string name : {"RS256", "RS384", "RS512", "PS256"}) {
        CHECK(algorithms(with(test_keys::rs256_public_jwk, R"("alg":")" + name + R"(","kid":"1")")) ==
              name + "/1 ");
    }
    const std::string set =
        R"({"keys":[{"kty":"new"},)" + with(test_keys::rs256_public_jwk, R"("use":"enc")") + "," +
        with(test_keys::rs256_public_jwk, R"("alg":"RSA-OAEP")") + "," +
        with(test_keys::es256_public_jwk, R"("alg":"ES384")") + "," +
        with(test_keys::es256_public_jwk, R"("key_ops":["deriveKey"])") + "," +
        with(oct, R"("alg":"HS512")") + "," + R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA"},)" +
        R"({"kty":"OKP","crv":"X25519","x":"AA"},)" +
        with(test_keys::es256_public_jwk, R"("kid":"e","use":"sig","key_ops":["verify"],"x5c":["a"])") + "," +
        with(test_keys::ed25519_public_jwk, R"("kid":"d","alg":"EdDSA")") + R"(],"other":{"a":1}})";
    CHECK(algorithms(set) == "ES256/e EdDSA/d ");
    for (const std::string& json : {
             std::string(),
             std::string("{}"),
             std::string("[]"),
             std::string(R"({"keys":[]})"),
             std::string(R"({"keys":{}})"),
             std::string(R"({"keys":[1]})"),
             std::string(R"({"kty":"RSA"})"),
             std::string(R"({"kty":5})"),
             oct + "x",
             with(oct, R"("k":"AAAA")"),
             with(oct, R"("use":1)"),
             std::string(R"({"kty":"oct","k":"AAAA"})"),
             std::string(R"({"kty":"EC","crv":"P-256"})"),
             std::string(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"),
             std::string(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"),
             std::string(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})"),
             // A point that is not on the curve, and private halves of other keys.
             R"({"kty":"EC","crv":"P-256","x":")" + std::string(43, 'A') + R"(","y":")" +
                 std::string(42, 'A') + "Q\"}",
             with(test_keys::es256_public_jwk, R"("d":")" + std::string(42, 'A') + "Q\""),
             with(test_keys::ed25519_public_jwk, R"("d":")" + std::string(42, 'A') + "Q\""),
             with(test_keys::ed25519_public_jwk, R"("d":"AAAA")"),
             with(test_keys::rs256_public_jwk, R"("d":"AQAB")"),
         }) {
        CAPTURE(json);
        CHECK_THROWS_AS(static_cast<void>(jwt_keys(json)), std::invalid_argument);
    }
}

TEST_CASE("tokens have 8 KiB at most") {
    // Base64 has no text of every length, so the header has one more letter, or two.
    const auto token_of_size = [](std::size_t size) {
        for (const std::string id : {"", "k", "kk"}) {
            const JwtKey key = jwt_secret(secret, id);
            for (std::size_t more = 5900; more < 6100; ++more) {
                const Json claims = {{"exp", start + 60}, {"sub", "ada"}, {"a", std::string(more, 'a')}};
                std::string token;
                try {
                    token = sign_jwt(claims, key);
                } catch (const std::invalid_argument& error) {
                    token = error.what();
                }
                if (token.size() == size ||
                    token.find(" " + std::to_string(size) + " bytes") != std::string::npos)
                    return token;
            }
        }
        return std::string("there is none");
    };
    CHECK(verdict(token_of_size(8191)) == "user ada");
    CHECK(verdict(token_of_size(8192)) == "user ada");
    CHECK(token_of_size(8193) == "sign_jwt: the token would have 8193 bytes; 8192 are the most");
    CHECK(verdict(std::string(8192, 'a')) == "the token does not have three parts");
    CHECK(verdict(std::string(8193, 'a')) == "status 400");
}

TEST_CASE("sign_jwt writes the header, and refuses what is not a token") {
    const std::string token = sign_jwt({{"sub", "ada"}}, jwt_secret(secret, "k"));
    CHECK(token.substr(0, token.find('.')) == base64url(R"({"alg":"HS256","typ":"JWT","kid":"k"})"));
    CHECK(token == token_of(R"({"alg":"HS256","typ":"JWT","kid":"k"})", R"({"sub":"ada"})"));
    struct Claims {
        std::string sub;
        std::int64_t exp = 0;
        std::vector<std::string> roles;
    };
    CHECK(sake::sign_jwt(Claims{"ada", start, {"admin"}}, jwt_secret(secret)) ==
          token_of(R"({"alg":"HS256","typ":"JWT"})", R"({"sub":"ada","exp":1767225600,"roles":["admin"]})"));
    CHECK_THROWS_AS(static_cast<void>(sign_jwt(Json::array(), jwt_secret(secret))), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(sign_jwt(Json("text"), jwt_secret(secret))), std::invalid_argument);
    CHECK_THROWS_AS(
        static_cast<void>(sign_jwt({{"sub", "ada"}}, jwt_key(JwtAlgorithm::ES256, test_keys::p256_public))),
        std::invalid_argument);
    CHECK_THROWS_AS(
        static_cast<void>(sign_jwt({{"sub", "ada"}}, jwt_keys(test_keys::rs256_public_jwk).front())),
        std::invalid_argument);
}

namespace {

struct Account {
    std::string sub;
    std::vector<std::string> roles;
};

}  // namespace

TEST_CASE("handlers have the claims of the token") {
    sake::Engine app;
    app.use(jwt({.keys = {jwt_secret(secret)}, .issuer = "login", .audience = "notes"}));
    app.get("/", [](Context& ctx) {
        const auto& claims = ctx.state<sake::JwtClaims>();
        CHECK(ctx.state<sake::User>().name == "ada");
        CHECK(claims.subject == "ada");
        CHECK(claims.issuer == "login");
        CHECK(claims.audience == std::vector<std::string>{"mail", "notes"});
        CHECK(claims.expires == std::chrono::sys_seconds(std::chrono::seconds(start + 60)));
        const auto account = claims.claims<Account>();
        CHECK(account.sub == "ada");
        CHECK(account.roles == std::vector<std::string>{"admin"});
        CHECK(claims.claims()["deep"]["a"] == 1);
        CHECK(claims.claims<std::map<std::string, Json>>().size() == 6);
        struct Other {
            int roles = 0;
        };
        CHECK_THROWS_AS(static_cast<void>(claims.claims<Other>()), sake::JsonError);
        return claims.text;
    });
    const std::string text =
        R"({"iss":"login","sub":"ada","aud":["mail","notes"],"exp":1767225660.5,"roles":["admin"],"deep":{"a":1}})";
    const TestResponse response =
        TestClient(app).get("/", fields_of({{"Authorization", "bearer " + token_with_claims(text)}}));
    CHECK(response.status == 200);
    CHECK(response.body == text);
}

TEST_CASE("jwt reads the field Authorization as bearer_auth does") {
    sake::Engine app;
    app.use(jwt({.keys = {jwt_secret(secret)}, .realm = "notes"}));
    app.any("/", [] {});
    TestClient client(app);
    const std::string token = sign_jwt({{"exp", start + 60}}, jwt_secret(secret));
    const auto answer = [&](std::string_view field) {
        return client.get("/", fields_of({{"Authorization", field}}));
    };
    for (const std::string scheme : {"Bearer ", "bearer ", "BEARER   "})
        CHECK(answer(scheme + token).status == 200);
    for (const std::string scheme : {"Basic ", "Token ", "JWT ", "DPoP ", "Bearera ", ""}) {
        CAPTURE(scheme);
        CHECK(answer(scheme + token).status == 401);
        CHECK(answer(scheme + token).header("WWW-Authenticate") == "Bearer realm=\"notes\"");
    }
    CHECK(client.get("/").header("WWW-Authenticate") == "Bearer realm=\"notes\"");
    CHECK(client.get("/?access_token=" + token).status == 401);
    CHECK(client.get("/", fields_of({{"Cookie", "access_token=" + token}})).status == 401);
    CHECK(answer("Bearer").status == 400);
    CHECK(answer("Bearer " + token + "," + token).status == 400);
    CHECK(answer("Bearer " + token + " x").header("WWW-Authenticate") ==
          "Bearer realm=\"notes\", error=\"invalid_request\"");
    CHECK(
        client
            .get("/", fields_of({{"Authorization", "Bearer " + token}, {"Authorization", "Bearer " + token}}))
            .status == 400);
    CHECK(answer("Bearer x.y.z").header("WWW-Authenticate") ==
          "Bearer realm=\"notes\", error=\"invalid_token\"");
}

TEST_CASE("jwt answers before the handler, and leaves refusals as they are") {
    const auto step = jwt({.keys = {jwt_secret(secret)}});
    sake::Engine app;
    int handled = 0;
    app.group("/api").use(step).post("/", [&] { ++handled; });
    app.get("/open", [] {});
    TestClient client(app);
    CHECK(client.request("POST", "/api/", {}, "body").status == 401);
    CHECK(client.get("/open").status == 200);
    CHECK(handled == 0);
    on_every_answer(
        step, fields_of({{"Authorization", "Bearer " + sign_jwt({{"exp", start + 60}}, jwt_secret(secret))}}),
        [](const TestResponse&) {});
}

TEST_CASE("options of jwt that make no sense are mistakes of the program") {
    const auto make = [](JwtOptions options) { static_cast<void>(jwt(std::move(options))); };
    const JwtKey key = jwt_secret(secret);
    CHECK_THROWS_AS(make({}), std::invalid_argument);
    CHECK_NOTHROW(make({.keys = std::vector<JwtKey>(63, key)}));
    CHECK_NOTHROW(make({.keys = std::vector<JwtKey>(64, key)}));
    CHECK_THROWS_AS(make({.keys = std::vector<JwtKey>(65, key)}), std::invalid_argument);
    CHECK_THROWS_AS(make({.keys = {key}, .leeway = -1s}), std::invalid_argument);
    CHECK_NOTHROW(make({.keys = {key}, .leeway = 0s}));
    CHECK_NOTHROW(make({.keys = {key}, .leeway = 59s}));
    CHECK_NOTHROW(make({.keys = {key}, .leeway = 60s}));
    CHECK_THROWS_AS(make({.keys = {key}, .leeway = 61s}), std::invalid_argument);
    CHECK_THROWS_AS(make({.keys = {key}, .realm = "a\nb"}), std::invalid_argument);
}

TEST_CASE("what OpenSSL complains of does not stay behind, and complaints of others do") {
    ERR_clear_error();
    CHECK_THROWS_AS(static_cast<void>(jwt_key(JwtAlgorithm::ES256, "-----BEGIN PUBLIC KEY-----\nA")),
                    std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(jwt_keys(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})")),
                    std::invalid_argument);
    CHECK(verdict({.keys = {jwt_key(JwtAlgorithm::RS256, test_keys::rsa_2048_public)}},
                  base64url(R"({"alg":"RS256"})") + "." + base64url("{}") + "." +
                      base64url(std::string(256, 'x'))) == "the signature does not match");
    CHECK(ERR_peek_error() == 0);
    ERR_raise(ERR_LIB_USER, 42);
    CHECK_THROWS_AS(static_cast<void>(jwt_key(JwtAlgorithm::ES256, "-----BEGIN PUBLIC KEY-----\nA")),
                    std::invalid_argument);
    CHECK(verdict(token_with_claims("{}")) == "it has no 'exp'");
    CHECK(ERR_GET_REASON(ERR_get_error()) == 42);
    CHECK(ERR_peek_error() == 0);
}

}  // namespace test_middleware_jwt
