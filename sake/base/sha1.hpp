// SHA-1 (FIPS 180-4), because the opening handshake of WebSocket demands it. It proves nothing and protects
// nothing: use Sha256 for all else.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/hash_blocks.hpp"
#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

class Sha1 {
  public:
    /// The 20 bytes of a text's digest.
    [[nodiscard]] static std::string digest(std::string_view text) {
        Sha1 hash;
        for_each_hash_block(text, [&](const char* block) { hash.take(block); });
        return hash_bytes(hash.state_);
    }

  private:
    void take(const char* block) noexcept {
        std::array<std::uint32_t, 80> words{};
        read_hash_block(block, words);
        for (std::size_t i = 16; i < words.size(); ++i) {
            words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        }
        auto [a, b, c, d, e] = state_;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::uint32_t next = std::rotl(a, 5) + mix(i / 20, b, c, d) + e + words[i];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        add_hash_words(state_, {a, b, c, d, e});
    }

    /// The function and the constant of a quarter of the rounds (sections 4.1.1 and 4.2.1).
    static std::uint32_t mix(std::size_t quarter, std::uint32_t b, std::uint32_t c,
                             std::uint32_t d) noexcept {
        if (quarter == 0) return ((b & c) ^ (~b & d)) + 0x5a827999;
        if (quarter == 2) return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
        return (b ^ c ^ d) + (quarter == 1 ? 0x6ed9eba1 : 0xca62c1d6);
    }

    std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
