// Compresses and inflates the messages of a WebSocket connection (RFC 7692), once both ends have agreed: the
// interface, and the windows of each end. ws_codec_zlib.hpp uses zlib; the caller decides which messages are
// worth compressing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "sake/async/reactor.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/http/ws_extensions.hpp"
#include "sake/http/ws_inflater.hpp"
#include "sake/http/ws_role.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// An LZ77 window for one direction of a connection.
struct WsWindow {
    bool is_kept;  // from one message to the next
    int bits;
};

constexpr WsWindow window_of(const WsDeflate& agreed, WsRole sender) noexcept {
    if (sender == WsRole::server) return {!agreed.server_no_context_takeover, agreed.server_max_window_bits};
    return {!agreed.client_no_context_takeover, agreed.client_max_window_bits};
}
constexpr WsRole other_end(WsRole role) noexcept {
    return role == WsRole::server ? WsRole::client : WsRole::server;
}

/// What a stream with this window comes to hold, by zconf.h.
constexpr std::size_t inflating_memory(int window_bits) noexcept {
    return (std::size_t{1} << window_bits) + std::size_t{8} * 1024;
}
/// The tables are as large as the window, as zlib has it by default for its largest.
constexpr int ws_memory_level(int window_bits) noexcept { return window_bits - 7; }
constexpr std::size_t deflating_memory(int window_bits) noexcept {
    return (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (ws_memory_level(window_bits) + 9)) +
           std::size_t{10} * 1024;
}

/// The most that a connection holds between messages. In shared mode that is nothing.
constexpr std::size_t expected_memory(const WsDeflate& agreed, WsRole role) noexcept {
    const WsWindow sent = window_of(agreed, role);
    const WsWindow received = window_of(agreed, other_end(role));
    const bool is_deflating = sent.is_kept && sent.bits >= least_ws_window;
    return (is_deflating ? deflating_memory(sent.bits) : 0) +
           (received.is_kept ? inflating_memory(std::max(received.bits, least_ws_window)) : 0);
}

/// One connection's end. Everything happens on the thread of its reactor, which it may outlive.
class WsCodec : public WsInflater {
  public:
    /// For what has been agreed on. Null without zlib. Throws std::bad_alloc.
    [[nodiscard]] static OwningPtr<WsCodec> make(Reactor& reactor, WsRole role, const WsDeflate& agreed);

    /// For the reader of this connection's frames. After another result than `ok`, the connection has to be
    /// failed. Throws std::bad_alloc.
    [[nodiscard]] WsInflater* inflater() noexcept { return this; }

    /// Appends the payload of a compressed message, to be sent with RSV1. Returns false, with nothing
    /// appended, if it would not be smaller: then the message is sent as it is. What is appended has to be
    /// sent, in order, because later messages may refer to it. Throws std::bad_alloc.
    [[nodiscard]] virtual bool deflate(std::string_view message, std::string& out) = 0;

    /// What the connection holds at the moment: its streams, and while a compressed message comes in, the
    /// stream that inflates it.
    [[nodiscard]] virtual std::size_t memory() const noexcept = 0;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
