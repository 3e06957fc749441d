// Reading the head of a frame (RFC 6455 section 5.2): what it says, and whether it may. Each byte is judged
// as soon as it is here, in order, so that the outcome does not depend on how the bytes were split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake/http/ws_close.hpp"
#include "sake/http/ws_frame.hpp"
#include "sake/http/ws_role.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a head may say depends on this.
struct WsHeadRules {
    WsRole role = WsRole::server;
    bool may_be_compressed = false;      // the extension was agreed
    bool is_in_message = false;          // a message of several frames has begun
    bool is_full = false;                // which has all the frames that it may have
    std::uint64_t most = 0;              // the largest payload of a frame with data
    std::uint64_t most_deflated = most;  // if it begins a compressed message
};

/// What is known of a head: why it is refused, or its size in bytes, which is 0 as long as some are missing.
struct WsHeadResult {
    WsFailure failure = {};
    std::size_t size = 0;
};

/// FIN, the reserved bits, and the opcode.
constexpr WsFailure refuse_ws_first_byte(unsigned byte, const WsHeadRules& rules) noexcept {
    const unsigned code = byte & 0x0f;
    const bool is_control = code >= 8;
    if ((byte & 0x30) != 0) return ws_violation("reserved bit");                     // 5.2
    if (code > 10 || (code > 2 && code < 8)) return ws_violation("unknown opcode");  // 5.2
    const bool is_first = code == 1 || code == 2;                                    // of a message
    if ((byte & 0x40) != 0 && !(rules.may_be_compressed && is_first))                // RFC 7692, 6.1
        return ws_violation("compressed frame that may not be");
    if (is_control) {
        return (byte & 0x80) != 0 ? WsFailure{} : ws_violation("control frame in fragments");  // 5.5
    }
    if (is_first && rules.is_in_message) return ws_violation("message within a message");      // 5.4
    if (!is_first && !rules.is_in_message) return ws_violation("continuation of no message");  // 5.4
    return rules.is_full ? WsFailure{ws_policy, "message of too many frames"} : WsFailure{};   // 10.4
}

/// The bit of the mask, and the first part of the length.
constexpr WsFailure refuse_ws_second_byte(unsigned byte, WsOpcode opcode, WsRole role) noexcept {
    const bool is_masked = (byte & 0x80) != 0;
    const unsigned length = byte & 0x7f;
    if (role == WsRole::server && !is_masked) return ws_violation("frame without a mask");  // 5.1
    if (role == WsRole::client && is_masked) return ws_violation("masked frame");           // 5.1
    if (is_ws_control(opcode) && length > most_ws_control)
        return ws_violation("control frame of more than 125 bytes");  // 5.5
    if (opcode == WsOpcode::close && length == 1)
        return ws_violation("close frame with half a code");  // 5.5.1
    return {};
}

/// The whole length, read from so many bytes behind the second.
constexpr WsFailure refuse_ws_length(const WsFrameHead& head, std::size_t bytes,
                                     std::uint64_t most) noexcept {
    if (head.length >> 63 != 0) return ws_violation("length with the highest bit set");  // 5.2
    const std::uint64_t least = bytes == 8 ? 0x10000 : bytes == 2 ? 126 : 0;
    if (head.length < least) return ws_violation("length in more bytes than it needs");             // 5.2
    if (!is_ws_control(head.opcode) && head.length > most) return {ws_too_big, "message too big"};  // 10.4
    return {};
}

/// How many bytes behind the second are of the length.
constexpr std::size_t ws_length_bytes(unsigned second) noexcept {
    const unsigned length = second & 0x7f;
    return length == 127 ? 8 : length == 126 ? 2 : 0;
}

/// Reads the head at the front of `text`, of which more may be to come.
inline WsHeadResult read_ws_head(std::string_view text, const WsHeadRules& rules,
                                 WsFrameHead& head) noexcept {
    const auto byte = [text](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
    if (text.empty()) return {};
    if (const auto failure = refuse_ws_first_byte(byte(0), rules)) return {failure};
    head.fin = (byte(0) & 0x80) != 0;
    head.compressed = (byte(0) & 0x40) != 0;
    head.opcode = static_cast<WsOpcode>(byte(0) & 0x0f);

    if (text.size() < 2) return {};
    if (const auto failure = refuse_ws_second_byte(byte(1), head.opcode, rules.role)) return {failure};
    head.masked = (byte(1) & 0x80) != 0;

    const std::size_t bytes = ws_length_bytes(byte(1));
    if (text.size() < 2 + bytes) return {};
    head.length = bytes == 0 ? byte(1) & 0x7f : 0;
    for (std::size_t i = 0; i < bytes; ++i) head.length = head.length << 8 | byte(2 + i);
    const std::uint64_t most = head.compressed ? rules.most_deflated : rules.most;
    if (const auto failure = refuse_ws_length(head, bytes, most)) return {failure};

    const std::size_t size = 2 + bytes + (head.masked ? sizeof head.mask : 0);
    if (text.size() < size) return {};
    if (head.masked) std::memcpy(&head.mask, text.data() + 2 + bytes, sizeof head.mask);
    return {{}, size};
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
