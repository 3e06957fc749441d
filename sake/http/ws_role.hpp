// Which end of a WebSocket connection we are.
#pragma once

#include <cstdint>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

enum class WsRole : std::uint8_t { server, client };

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
