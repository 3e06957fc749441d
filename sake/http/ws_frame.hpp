// Frames of WebSocket (RFC 6455 section 5): what a head holds, a head as bytes, and the mask. Not here:
// reading heads (ws_head.hpp) and what frames come to together (ws_reader.hpp).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Section 5.2. The others are reserved.
enum class WsOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr bool is_ws_control(WsOpcode opcode) noexcept { return opcode >= WsOpcode::close; }

/// What the head of a frame says (section 5.2).
struct WsFrameHead {
    bool fin = true;
    bool compressed = false;  // RSV1 (RFC 7692 section 6)
    WsOpcode opcode = WsOpcode::text;
    bool masked = false;
    std::uint32_t mask = 0;  // its four bytes as they stand in the frame
    std::uint64_t length = 0;
};

/// A head as bytes, on the stack.
class WsHeadText {
  public:
    explicit WsHeadText(const WsFrameHead& head) noexcept {
        put(static_cast<unsigned>(head.opcode) | (head.fin ? 0x80U : 0U) | (head.compressed ? 0x40U : 0U));
        put_length(head.length, head.masked ? 0x80U : 0U);
        if (!head.masked) return;
        std::memcpy(text_ + size_, &head.mask, sizeof head.mask);
        size_ += sizeof head.mask;
    }
    /// As a server sends it, without a mask.
    WsHeadText(WsOpcode opcode, std::uint64_t length, bool fin = true, bool compressed = false) noexcept
        : WsHeadText(WsFrameHead{fin, compressed, opcode, false, 0, length}) {}
    /// As a client sends it. The payload is to be masked with the same mask.
    static WsHeadText masked(std::uint32_t mask, WsOpcode opcode, std::uint64_t length, bool fin = true,
                             bool compressed = false) noexcept {
        return WsHeadText(WsFrameHead{fin, compressed, opcode, true, mask, length});
    }

    [[nodiscard]] std::string_view view() const noexcept { return {text_, size_}; }

    static constexpr std::size_t most = 14;

  private:
    void put(std::uint64_t byte) noexcept { text_[size_++] = static_cast<char>(byte & 0xff); }

    /// In 7, 16 or 64 bits, the fewest that do.
    void put_length(std::uint64_t length, unsigned mask_bit) noexcept {
        const int bytes = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
        put(mask_bit | (bytes == 0 ? length : bytes == 2 ? 126 : 127));
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) put(length >> shift);
    }

    char text_[most];
    std::size_t size_ = 0;
};

/// Masks or unmasks a piece of a payload (section 5.3). `offset` is the place of the piece in the
/// payload.
inline void ws_mask(char* data, std::size_t size, std::uint32_t mask, std::size_t offset) noexcept {
    const int bits = static_cast<int>(offset % 4) * 8;
    const bool is_big = std::endian::native == std::endian::big;
    const std::uint32_t turned = is_big ? std::rotl(mask, bits) : std::rotr(mask, bits);
    const std::uint64_t pattern = std::uint64_t{turned} << 32 | turned;
    const auto mask_word = [pattern](char* place) {
        std::uint64_t word;
        std::memcpy(&word, place, sizeof word);
        word ^= pattern;
        std::memcpy(place, &word, sizeof word);
    };
    std::size_t at = 0;
    for (; at + 32 <= size; at += 32) {
        char* const place = data + at;
        mask_word(place);
        mask_word(place + 8);
        mask_word(place + 16);
        mask_word(place + 24);
    }
    for (; at + 8 <= size; at += 8) mask_word(data + at);
    char key[4];
    std::memcpy(key, &turned, sizeof key);
    for (; at < size; ++at) data[at] = static_cast<char>(data[at] ^ key[at % 4]);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
