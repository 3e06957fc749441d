// How jwt verifies a token, and how sign_jwt makes one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/context_impl.hpp"
#include "sake/async/sleep.hpp"
#include "sake/base/base64url.hpp"
#include "sake/base/json_writer_impl.hpp"
#include "sake/middleware/bearer_challenge.hpp"
#include "sake/middleware/jwt.hpp"
#include "sake/middleware/jwt_key_impl.hpp"
#include "sake/middleware/jwt_token.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class JwtCheck final : public StepWork {
  public:
    static constexpr StepRule rules[] = {
        {"basic_auth", "a request has one Authorization field, so that none passes both"},
        {"bearer_auth", "a request has one token, so that none passes both"},
        {"cache", "answers from the cache would be sent without a token"},
        {nullptr, nullptr}};
    static constexpr StepInfo info{"jwt", rules};

    explicit JwtCheck(middleware::JwtOptions options)
        : options_(checked(std::move(options))), challenge_("jwt", options_.realm) {}

    void run(Context& ctx) override {
        const std::string_view token = challenge_.token_of(ctx);
        try {
            JwtClaims claims = verified(token);
            ctx.state<User>().name = claims.subject;
            ctx.state<JwtClaims>() = std::move(claims);
            return;
        } catch (const JwtRefusal& refusal) {
            tell(ctx, refusal.what());
        } catch (const JsonError& error) {
            tell(ctx, error.what());
        }
        challenge_.refuse_token();
    }

  private:
    static middleware::JwtOptions checked(middleware::JwtOptions options) {
        if (options.keys.empty()) throw std::invalid_argument("jwt: give it a key, by jwt_key or jwt_secret");
        if (options.keys.size() > 64) throw std::invalid_argument("jwt: there can be at most 64 keys");
        if (options.leeway < std::chrono::seconds(0) || options.leeway > std::chrono::minutes(1))
            throw std::invalid_argument("jwt: leeway is from 0 to 60 seconds");
        return options;
    }

    void tell(Context& ctx, const char* why) const {
        if (options_.on_refused) options_.on_refused(ctx, why);
    }
    static void demand(bool holds, const char* otherwise) {
        if (!holds) throw JwtRefusal(otherwise);
    }

    // Nothing of the claims is looked at before the signature.
    [[nodiscard]] JwtClaims verified(std::string_view token) const {
        const JwtParts parts(token);
        const JwtHeader header(decode_jwt_part(parts.header, "the header"));
        demand(options_.type.empty() || is_type(header.type), "'typ' does not match JwtOptions::type");
        demand_signature(parts, header);
        JwtContent content(decode_jwt_part(parts.claims, "the part with the claims"));
        demand_time(content);
        JwtClaims& claims = content.claims;
        demand(options_.issuer.empty() || claims.issuer == options_.issuer,
               "'iss' does not match JwtOptions::issuer");
        demand(is_for_us(claims), "'aud' does not match JwtOptions::audience");
        return std::move(claims);
    }

    void demand_signature(const JwtParts& parts, const JwtHeader& header) const {
        const std::string signature = decode_jwt_part(parts.signature, "the signature");
        bool has_key = false;
        for (const JwtKey& key : options_.keys) {
            const bool is_named = !header.key_id || key.id().empty() || key.id() == *header.key_id;
            if (!is_named || to_string(key.algorithm()) != header.algorithm) continue;
            if (JwtKeyMaker::work_of(key).accepts(parts.is_signed, signature)) return;
            has_key = true;
        }
        demand(has_key, "no key has this 'alg' and 'kid'");
        throw JwtRefusal("the signature does not match");
    }

    void demand_time(const JwtContent& content) const {
        const double now = std::chrono::duration<double>(wall_now().time_since_epoch()).count();
        const auto leeway = static_cast<double>(options_.leeway.count());
        demand(content.expires || !options_.require_expiry, "it has no 'exp'");
        demand(!content.expires || now < *content.expires + leeway, "it has expired");
        demand(!content.not_before || now >= *content.not_before - leeway, "'nbf' is in the future");
        demand(!content.issued_at || now >= *content.issued_at - leeway, "'iat' is in the future");
    }

    [[nodiscard]] bool is_for_us(const JwtClaims& claims) const {
        if (options_.audience.empty()) return claims.audience.empty();
        return std::find(claims.audience.begin(), claims.audience.end(), options_.audience) !=
               claims.audience.end();
    }

    /// "application/" may be left out (RFC 7515 section 4.1.9).
    [[nodiscard]] bool is_type(std::string_view type) const noexcept {
        constexpr std::string_view application = "application/";
        if (iequals(type.substr(0, application.size()), application)) type.remove_prefix(application.size());
        return iequals(type, options_.type);
    }

    const middleware::JwtOptions options_;
    const BearerChallenge challenge_;
};

SAKE_INLINE std::string sign_jwt_text(std::string_view claims, const JwtKey& key) {
    if (!claims.starts_with('{')) throw std::invalid_argument("sign_jwt: the claims must be a JSON object");
    std::string header = R"({"alg":")";
    header.append(to_string(key.algorithm())).append(R"(","typ":"JWT")");
    if (!key.id().empty()) append_json_text(header.append(R"(,"kid":)"), key.id());
    header += '}';
    std::string token = base64url_encode(header) + "." + base64url_encode(claims);
    const std::string signature = JwtKeyMaker::work_of(key).sign(token);
    token.append(".").append(base64url_encode(signature));
    if (token.size() > max_jwt) {
        throw std::invalid_argument("sign_jwt: the token would have " + std::to_string(token.size()) +
                                    " bytes; 8192 are the most");
    }
    return token;
}

}  // namespace detail

namespace middleware {

SAKE_INLINE Step jwt(JwtOptions options) {
    return detail::StepMaker::make<detail::JwtCheck>(std::move(options));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
