// How security_headers sets its fields.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sake/app/context_impl.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/middleware/security_headers.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class SecurityHeaders final : public StepWork {
  public:
    static constexpr StepInfo info{"security_headers", no_rules};

    explicit SecurityHeaders(const middleware::SecurityHeadersOptions& options) {
        add("Content-Security-Policy", options.content_security_policy, "content_security_policy");
        add("Referrer-Policy", options.referrer_policy, "referrer_policy");
        add("Permissions-Policy", options.permissions_policy, "permissions_policy");
        add("Cross-Origin-Opener-Policy", options.cross_origin_opener_policy, "cross_origin_opener_policy");
        add("Cross-Origin-Resource-Policy", options.cross_origin_resource_policy,
            "cross_origin_resource_policy");
        always_.set("X-Content-Type-Options", "nosniff");
        always_.set("X-Frame-Options", "DENY");
        if (options.strict_transport_security.count() < 0) {
            throw std::invalid_argument(
                "security_headers: strict_transport_security must be at least 0, which sends no field");
        }
        if (options.strict_transport_security.count() == 0) return;
        std::string value = "max-age=" + std::to_string(options.strict_transport_security.count());
        if (options.include_subdomains) value += "; includeSubDomains";
        secure_only_.set("Strict-Transport-Security", value);
    }

    void run(Context& ctx) override {
        ctx.after([this](Context& answered) {
            set_missing(answered, always_);
            if (answered.scheme() == "https") set_missing(answered, secure_only_);
        });
    }

  private:
    void add(std::string_view name, std::string_view value, std::string_view option) {
        if (value.empty()) return;
        try {
            always_.set(name, value);
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument("security_headers: " + std::string(option) + ": " + error.what());
        }
    }
    static void set_missing(Context& ctx, const http::Headers& fields) {
        const ResponseView response = ctx.response();
        for (const auto& [name, value] : fields) {
            if (!response.headers().contains(name)) ctx.set_header(name, value);
        }
    }

    http::Headers always_;
    http::Headers secure_only_;
};

}  // namespace detail

namespace middleware {

SAKE_INLINE Step security_headers(SecurityHeadersOptions options) {
    return detail::StepMaker::make<detail::SecurityHeaders>(options);
}

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
