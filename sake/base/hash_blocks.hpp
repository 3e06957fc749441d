// What SHA-1 and SHA-256 share (FIPS 180-4): a text cut into padded blocks, and words as bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::size_t hash_block_size = 64;

/// Calls take(first byte) for each block of the text. Behind the text come a bit of 1, zeros, and its length
/// in bits, in one block or two (section 5.1.1).
template <class Take>
void for_each_hash_block(std::string_view text, Take take) {
    const std::uint64_t bits = std::uint64_t{text.size()} * 8;
    for (; text.size() >= hash_block_size; text.remove_prefix(hash_block_size)) take(text.data());
    std::array<char, 2 * hash_block_size> last{};
    text.copy(last.data(), text.size());
    last[text.size()] = '\x80';
    const std::size_t end = text.size() + 9 <= hash_block_size ? hash_block_size : 2 * hash_block_size;
    for (std::size_t i = 0; i < 8; ++i) last[end - 1 - i] = static_cast<char>(bits >> (8 * i));
    for (std::size_t at = 0; at < end; at += hash_block_size) take(last.data() + at);
}

/// Fills the first sixteen words with a block.
template <std::size_t count>
void read_hash_block(const char* block, std::array<std::uint32_t, count>& words) noexcept {
    for (std::size_t i = 0; i < hash_block_size; ++i) {
        words[i / 4] = words[i / 4] << 8 | static_cast<unsigned char>(block[i]);
    }
}

/// Adds what a block was mixed to.
template <std::size_t count>
void add_hash_words(std::array<std::uint32_t, count>& state,
                    const std::array<std::uint32_t, count>& mixed) noexcept {
    for (std::size_t i = 0; i < count; ++i) state[i] += mixed[i];
}

/// The words as bytes, the highest first.
template <std::size_t count>
std::string hash_bytes(const std::array<std::uint32_t, count>& state) {
    std::string bytes;
    for (const std::uint32_t word : state) {
        for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(word >> shift);
    }
    return bytes;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
