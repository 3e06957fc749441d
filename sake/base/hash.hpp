// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): without the key, texts that collide cannot be
// chosen, and the next value cannot be predicted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct HashKey {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

struct Hash128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
};

class SipState {
  public:
    explicit SipState(const HashKey& key) noexcept
        : a_(key.first ^ 0x736f6d6570736575U),
          b_(key.second ^ 0x646f72616e646f6dU ^ 0xeeU),
          c_(key.first ^ 0x6c7967656e657261U),
          d_(key.second ^ 0x7465646279746573U) {}

    void take(std::uint64_t word) noexcept {
        d_ ^= word;
        mix(2);
        a_ ^= word;
    }
    [[nodiscard]] Hash128 finish() noexcept {
        c_ ^= 0xeeU;
        mix(4);
        const std::uint64_t low = value();
        b_ ^= 0xddU;
        mix(4);
        return {low, value()};
    }

  private:
    [[nodiscard]] std::uint64_t value() const noexcept { return a_ ^ b_ ^ c_ ^ d_; }
    void mix(int rounds) noexcept {
        for (; rounds > 0; --rounds) {
            a_ += b_;
            b_ = std::rotl(b_, 13) ^ a_;
            a_ = std::rotl(a_, 32);
            c_ += d_;
            d_ = std::rotl(d_, 16) ^ c_;
            a_ += d_;
            d_ = std::rotl(d_, 21) ^ a_;
            c_ += b_;
            b_ = std::rotl(b_, 17) ^ c_;
            c_ = std::rotl(c_, 32);
        }
    }

    std::uint64_t a_;
    std::uint64_t b_;
    std::uint64_t c_;
    std::uint64_t d_;
};

[[nodiscard]] inline Hash128 hash_of(const HashKey& key, std::string_view text) noexcept {
    SipState state(key);
    const std::size_t whole = text.size() / 8 * 8;
    for (std::size_t at = 0; at < whole; at += 8) state.take(ascii::load_word(text.data() + at));
    std::uint64_t last = std::uint64_t{text.size()} << 56U;
    for (std::size_t at = whole; at < text.size(); ++at) {
        last |= std::uint64_t{static_cast<unsigned char>(text[at])} << (at - whole) * 8;
    }
    state.take(last);
    return state.finish();
}

/// Writes 16 hex digits in lower case.
inline void write_hex(std::uint64_t number, char* to) noexcept {
    for (std::size_t at = 16; at > 0; number >>= 4U) to[--at] = "0123456789abcdef"[number & 15U];
}
/// The same of 32.
inline void write_hex(const Hash128& number, char* to) noexcept {
    write_hex(number.high, to);
    write_hex(number.low, to + 16);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
