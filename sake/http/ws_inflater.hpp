// What a reader of WebSocket frames needs of permessage-deflate (RFC 7692): the text of a compressed message.
// Not here: zlib (sake/websocket/ws_codec_zlib.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class WsInflater {
  public:
    virtual ~WsInflater() = default;
    enum class Result : std::uint8_t { ok, malformed, too_big };
    /// Appends what `bytes` inflate to, at most `most` bytes in all of `out`. is_end: the end of the message
    /// (append 00 00 FF FF, 7.2.2).
    virtual Result inflate(std::string_view bytes, bool is_end, std::string& out, std::size_t most) = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
