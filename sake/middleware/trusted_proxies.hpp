// Who the client is behind proxies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sake/middleware/step.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace middleware {

/// The fields in which proxies say whom they speak for.
enum class ForwardedFields : std::uint8_t {
    x_forwarded,  // X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, as most proxies do
    standard      // Forwarded (RFC 7239)
};

/// For trusted_proxies.
struct TrustedProxiesOptions {
    /// What your proxies write. The other fields are not read: a proxy passes on what a client says there.
    ForwardedFields fields = ForwardedFields::x_forwarded;
    /// Whether the host that they say replaces that of the request. Only if they always set it: a proxy that
    /// does not passes on what a client says.
    bool use_host = false;
};

/// Makes `ctx.client_ip()` and `ctx.scheme()` what the proxies say, for requests that come from one of these:
/// {"10.0.0.0/8", "2001:db8::7", "unix"}. What they list is read from its end, and the first address that is
/// not a listed proxy is the client. What is not an address ends the list: then it is the proxy that wrote
/// it. Of a head that is refused before its end, nothing is read. Put it in front of all other middleware.
/// Throws std::invalid_argument for an empty list, for a text that is not an address or network, and for a
/// network of everybody.
[[nodiscard]] Step trusted_proxies(std::vector<std::string> proxies, TrustedProxiesOptions options = {});

}  // namespace middleware
}  // namespace SAKE_ABI
}  // namespace sake
