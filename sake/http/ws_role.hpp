// Which end of a WebSocket connection we are.
#pragma once

#include <cstdint>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// A server demands masks, and a client refuses them (RFC 6455 section 5.1).
enum class WsRole : std::uint8_t { server, client };

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
