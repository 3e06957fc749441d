// Utf8Check: whether bytes that come piece by piece are well-formed UTF-8 (Unicode 15, table 3-7): no
// overlong forms, no surrogates, nothing above U+10FFFF. For a text that is here as a whole there is
// is_valid_utf8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

constexpr bool is_ascii(char c) noexcept { return static_cast<unsigned char>(c) < 0x80; }

/// Past the ASCII at the beginning.
inline const char* skip_ascii(const char* at, const char* end) noexcept {
    constexpr std::uint64_t highs = 0x8080808080808080u;
    const auto word = [&](int i) { return ascii::load_word(at + i); };
    while (end - at >= 32 && ((word(0) | word(8) | word(16) | word(24)) & highs) == 0) at += 32;
    while (end - at >= 8 && (word(0) & highs) == 0) at += 8;
    while (at != end && is_ascii(*at)) ++at;
    return at;
}

/// Past the whole and valid characters at the beginning that are not ASCII.
inline const char* skip_characters(const char* at, const char* end) noexcept {
    while (at != end && !is_ascii(*at)) {
        const std::size_t length = utf8_sequence(at, static_cast<std::size_t>(end - at));
        if (length == 0) break;
        at += length;
    }
    return at;
}

class Utf8Check {
  public:
    /// False from the first byte on that cannot continue the text, wherever a piece ends.
    bool feed(std::string_view bytes) noexcept {
        const char* at = bytes.data();
        const char* const end = at + bytes.size();
        for (;;) {
            for (; left_ > 0; ++at) {
                if (at == end) return left_ != bad;
                if (!take_rest(static_cast<unsigned char>(*at))) return false;
            }
            at = skip_characters(skip_ascii(at, end), end);
            if (at == end) return true;
            if (!is_ascii(*at)) begin(static_cast<unsigned char>(*at++));
        }
    }

    /// Whether the text may end here: it was good, and its last character is whole.
    [[nodiscard]] bool is_complete() const noexcept { return left_ == 0; }

    /// Begins another text.
    void clear() noexcept { *this = Utf8Check(); }

  private:
    /// Takes the first byte of a character that is not whole, or not valid.
    void begin(unsigned char lead) noexcept {
        if (lead < 0xc2 || lead > 0xf4) return refuse();
        left_ = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (lead == 0xe0) least_ = 0xa0;  // else overlong
        if (lead == 0xed) most_ = 0x9f;   // else a surrogate
        if (lead == 0xf0) least_ = 0x90;  // else overlong
        if (lead == 0xf4) most_ = 0x8f;   // else above U+10FFFF
    }

    bool take_rest(unsigned char byte) noexcept {
        if (byte < least_ || byte > most_) {
            refuse();
            return false;
        }
        --left_;
        least_ = 0x80;
        most_ = 0xbf;
        return true;
    }

    /// From here on, no byte is in the range.
    void refuse() noexcept {
        left_ = bad;
        least_ = 1;
        most_ = 0;
    }

    static constexpr std::uint8_t bad = 4;

    std::uint8_t left_ = 0;  // bytes to come of the character that has begun
    // The range of the next of them.
    std::uint8_t least_ = 0x80;
    std::uint8_t most_ = 0xbf;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
