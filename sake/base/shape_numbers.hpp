// Integers and other numbers where only their shape is known: loaded, stored, and the ends of their range.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The two's complement of an integer of any size, widened to 64 bits.
struct WideInteger {
    std::uint64_t bits = 0;
    bool is_negative = false;
};

template <class Bits>
std::uint64_t load_bits(const void* place) noexcept {
    Bits bits;
    std::memcpy(&bits, place, sizeof bits);  // the integer may be of any type of this size
    return bits;
}
template <class Bits>
void store_bits(void* place, std::uint64_t wide) noexcept {
    const Bits bits = static_cast<Bits>(wide);
    std::memcpy(place, &bits, sizeof bits);
}

inline std::uint64_t sign_bit(const IntegerShape& shape) noexcept {
    return std::uint64_t{1} << (shape.bytes * 8U - 1U);
}

inline WideInteger load_integer(const IntegerShape& shape, const void* place) noexcept {
    const std::uint64_t bits = shape.bytes == 8   ? load_bits<std::uint64_t>(place)
                               : shape.bytes == 4 ? load_bits<std::uint32_t>(place)
                               : shape.bytes == 2 ? load_bits<std::uint16_t>(place)
                                                  : load_bits<std::uint8_t>(place);
    const std::uint64_t sign = sign_bit(shape);
    if (!shape.is_signed || (bits & sign) == 0) return {bits, false};
    return {(bits ^ sign) - sign, true};
}

/// Stores an integer that fits.
inline void store_integer(const IntegerShape& shape, void* place, WideInteger number) noexcept {
    if (shape.bytes == 8)
        store_bits<std::uint64_t>(place, number.bits);
    else if (shape.bytes == 4)
        store_bits<std::uint32_t>(place, number.bits);
    else if (shape.bytes == 2)
        store_bits<std::uint16_t>(place, number.bits);
    else
        store_bits<std::uint8_t>(place, number.bits);
}

inline std::uint64_t greatest_of(const IntegerShape& shape) noexcept {
    return shape.is_signed ? sign_bit(shape) - 1 : sign_bit(shape) - 1 + sign_bit(shape);
}
inline bool fits(const IntegerShape& shape, WideInteger number) noexcept {
    if (!number.is_negative) return number.bits <= greatest_of(shape);
    return shape.is_signed && ~number.bits < sign_bit(shape);
}
/// "must be from -128 to 127".
inline std::string range_in_words(const IntegerShape& shape) {
    const std::uint64_t greatest = greatest_of(shape);
    std::string words = "must be from ";
    words += shape.is_signed ? "-" + std::to_string(greatest + 1) : "0";
    return words.append(" to ").append(std::to_string(greatest));
}

/// Whether a double is a whole number that 64 bits hold, and which.
inline bool is_whole(double number, WideInteger& whole) noexcept {
    constexpr double two_to_63 = 9223372036854775808.0;
    // An exact -2^63 is parsed as an integer, so a float was beyond it.
    if (!(number > -two_to_63 && number < 2 * two_to_63)) return false;
    whole.is_negative = number < 0;
    whole.bits = number < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(number))
                            : static_cast<std::uint64_t>(number);
    return (number < 0 ? static_cast<double>(static_cast<std::int64_t>(whole.bits))
                       : static_cast<double>(whole.bits)) == number;
}

inline double load_number(const NumberShape& shape, const void* place) noexcept {
    if (shape.bytes == sizeof(float)) return double{as<float>(place)};
    if (shape.bytes == sizeof(double)) return as<double>(place);
    return static_cast<double>(as<long double>(place));
}
/// Stores a floating-point number. False if it is beyond what the type holds.
inline bool store_number(const NumberShape& shape, void* place, double number) noexcept {
    if (shape.bytes == sizeof(float)) {
        constexpr double most = std::numeric_limits<float>::max();
        constexpr double beyond =
            3.40282356779733661638e38;  // what would be rounded up to the next power of two
        if (number >= beyond || number <= -beyond) return false;
        as<float>(place) = static_cast<float>(std::clamp(number, -most, most));
    } else if (shape.bytes == sizeof(double)) {
        as<double>(place) = number;
    } else {
        as<long double>(place) = number;
    }
    return true;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
