// How cors decides, and answers preflights.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/text.hpp"
#include "sake/http/origin.hpp"
#include "sake/middleware/cors.hpp"
#include "sake/middleware/fields.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Cors final : public StepWork {
  public:
    static constexpr StepRule rules[] = {
        {"cors", "the first would answer the preflights of both"},
        {"basic_auth", "preflights have no password, and would be refused"},
        {"bearer_auth", "preflights have no token, and would be refused"},
        {"jwt", "preflights have no token, and would be refused"},
        {"rate_limit", "pages could not read its 429, and preflights would spend the allowance"},
        {"cache", "answers from the cache would be sent without the fields for pages"},
        {nullptr, nullptr}};
    static constexpr StepInfo info{"cors", rules, "it would see no preflights there"};

    explicit Cors(middleware::CorsOptions options)
        : methods_(joined("method", options.methods)),
          headers_(joined("field", options.headers)),
          exposed_(joined("field", options.exposed_headers)),
          max_age_(std::to_string(options.max_age.count())),
          credentials_(options.credentials) {
        if (options.max_age.count() < 0) throw std::invalid_argument("cors: max_age must be at least 0");
        take_origins(std::move(options.origins));
    }

    void run(Context& ctx) override {
        const bool is_preflight = ctx.method() == "OPTIONS" && ctx.find_header("Origin") &&
                                  ctx.find_header("Access-Control-Request-Method");
        ctx.after([this, is_preflight](Context& answered) { decorate(answered, is_preflight); });
        if (is_preflight) ctx.no_content().abort();
    }

  private:
    static std::string joined(std::string_view what, const std::vector<std::string>& names) {
        std::string list;
        for (const std::string& name : names) {
            if (!is_token(name) || name == "*") {
                throw std::invalid_argument("cors: '" + name + "' is not the name of a " + std::string(what) +
                                            ": list each by its name");
            }
            list.append(list.empty() ? "" : ", ").append(name);
        }
        return list;
    }

    void take_origins(std::vector<std::string> origins) {
        if (origins.empty()) {
            throw std::invalid_argument(
                "cors: no origins: list those whose pages may read answers, as 'https://app.example'");
        }
        for (std::string& origin : origins) {
            any_origin_ = any_origin_ || origin == "*";
            if (origin != "*" && origin != "null") require_origins("cors", {origin});
            origins_.push_back(std::move(origin));
        }
        if (any_origin_ && origins_.size() > 1) {
            throw std::invalid_argument("cors: '*' is every origin: list nothing beside it");
        }
        for (const std::string& origin : origins_) {
            const bool is_everybody = origin == "*" || origin == "null";  // any page makes itself a "null"
            if (!is_everybody || !credentials_) continue;
            throw std::invalid_argument("cors: '" + origin +
                                        "' with credentials would let every page act as the user: list the "
                                        "origins");
        }
    }

    /// What the answer says of the origin that asks: the listed text, never that of the client; "" for none.
    [[nodiscard]] std::string_view allowed(const Context& ctx) const noexcept {
        if (any_origin_) return "*";
        const SingleField asking = single_field(ctx, "Origin");
        if (asking.presence != SingleField::Presence::once) return {};
        for (const std::string& origin : origins_) {
            if (origin == asking.value) return origin;
        }
        return {};
    }

    void decorate(Context& ctx, bool is_preflight) const {
        add_vary(ctx, "Origin");  // also where it is not listed: a cache must not hand this answer to others
        const std::string_view origin = allowed(ctx);
        if (origin.empty()) return;
        ctx.set_header("Access-Control-Allow-Origin", origin);
        if (credentials_) ctx.set_header("Access-Control-Allow-Credentials", "true");
        if (!is_preflight) return set(ctx, "Access-Control-Expose-Headers", exposed_);
        set(ctx, "Access-Control-Allow-Methods", methods_);
        set(ctx, "Access-Control-Allow-Headers", headers_);
        set(ctx, "Access-Control-Max-Age", max_age_);
    }
    static void set(Context& ctx, std::string_view name, std::string_view value) {
        if (!value.empty()) ctx.set_header(name, value);
    }

    Array<std::string> origins_;
    std::string methods_;
    std::string headers_;
    std::string exposed_;
    std::string max_age_;
    bool credentials_;
    bool any_origin_ = false;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step cors(CorsOptions options) {
    return detail::StepMaker::make<detail::Cors>(std::move(options));
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
