// security_headers: header fields that make browsers stricter.
#pragma once

#include <chrono>
#include <string>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The options of security_headers. A field with an empty text is not sent.
struct SecurityHeadersOptions {
    /// Content-Security-Policy: what a page may load and run. The default suits an API and plain pages:
    /// content of the same origin only, and no embedding in frames.
    std::string content_security_policy =
        "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
    std::string referrer_policy = "strict-origin-when-cross-origin";
    std::string permissions_policy = "camera=(), geolocation=(), microphone=()";
    std::string cross_origin_opener_policy = "same-origin";
    std::string cross_origin_resource_policy = "same-origin";
    /// How long a browser must use https for this host (RFC 6797). Sent over https only. 0 sends no field.
    std::chrono::seconds strict_transport_security = std::chrono::hours(24 * 365);
    /// Whether Strict-Transport-Security includes all subdomains.
    bool include_subdomains = false;
};

/// Sets the fields of the options, X-Content-Type-Options: nosniff and X-Frame-Options: DENY on every answer
/// that does not have the field already, also on refusals. Throws std::invalid_argument for a text that a
/// field cannot hold, and for a negative time.
[[nodiscard]] Step security_headers(SecurityHeadersOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
