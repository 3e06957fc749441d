// trusted_proxies: finds the client behind proxies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The fields in which proxies report the client.
enum class ForwardedFields : std::uint8_t {
    x_forwarded,  // X-Forwarded-For, -Proto and -Host, which most proxies send
    standard      // Forwarded (RFC 7239)
};

/// The options of trusted_proxies.
struct TrustedProxiesOptions {
    /// The fields that your proxies set. The others are not read, because a proxy may pass on what a client
    /// sent.
    ForwardedFields fields = ForwardedFields::x_forwarded;
    /// Whether the host that they report replaces that of the request. Enable it only if your proxies always
    /// set the host: otherwise a client can choose it.
    bool use_host = false;
};

/// Makes `ctx.client_ip()` and `ctx.scheme()` what the proxies report, for requests from one of these:
/// {"10.0.0.0/8", "2001:db8::7", "unix"}. The list of addresses is read from its end. The first address that
/// is not a listed proxy is the client. A text that is not an address ends the list: the client is then the
/// proxy that wrote it. If a head is refused before its end, the fields are not read. Put it in front of all
/// other middleware. Throws std::invalid_argument for an empty list, a text that is not an address or
/// network, and a network that contains every address.
[[nodiscard]] Step trusted_proxies(std::vector<std::string> proxies, TrustedProxiesOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
