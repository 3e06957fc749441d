// What a side of a WebSocket wants, and what both have agreed on.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "sake/http/ws_extensions.hpp"
#include "sake/http/ws_reader.hpp"
#include "sake/websocket/websocket.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What this side wants. Outlives the links that are made by it. Throws std::invalid_argument that names an
/// option which makes no sense.
struct WsTerms {
    WsTerms(WebSocketOptions wanted, WsRole role);
    /// Whether it would agree to compress.
    [[nodiscard]] bool compresses() const noexcept;
    WebSocketOptions options;
    WsRules rules;
};

/// What both sides have agreed on in the handshake.
struct WsAgreement {
    std::string protocol;
    WsDeflate deflate;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
