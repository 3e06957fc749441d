// Fields that tell browsers to be strict with what they get.
#pragma once

#include <chrono>
#include <string>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// For security_headers. A field with an empty text is not sent.
struct SecurityHeadersOptions {
    /// Content-Security-Policy: what a page may load and run. The default is for an API and plain pages: only
    /// what comes from the same origin, and no frames around it.
    std::string content_security_policy =
        "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
    std::string referrer_policy = "strict-origin-when-cross-origin";
    std::string permissions_policy = "camera=(), geolocation=(), microphone=()";
    std::string cross_origin_opener_policy = "same-origin";
    std::string cross_origin_resource_policy = "same-origin";
    /// How long a browser uses https alone for this host (RFC 6797); sent over https only. 0 sends none.
    std::chrono::seconds strict_transport_security = std::chrono::hours(24 * 365);
    bool include_subdomains = false;
};

/// Sets the fields of the options, X-Content-Type-Options: nosniff and X-Frame-Options: DENY on every answer
/// that has none of its own, refusals too. Throws std::invalid_argument for a text that may not stand in a
/// field, and for a time below 0.
[[nodiscard]] Step security_headers(SecurityHeadersOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
