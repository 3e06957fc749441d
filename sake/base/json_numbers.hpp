// Numbers of JSON documents as things to compare and to count, whatever they are written like. For
// json_fit.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a number is worth, and what narrower types make of it.
template <class Value>
struct JsonNumbers {
    static constexpr double two_to_63 = 9223372036854775808.0;
    static double as_double(const Value& number) { return number.template get<double>(); }

    static Value integer_from(double number) {
        return number < 0 ? Value(static_cast<std::int64_t>(number))
                          : Value(static_cast<std::uint64_t>(number));
    }
    // An exact -2^63 is parsed as an integer, so this float was beyond it.
    static bool is_in_64_bits(double number) { return number > -two_to_63 && number < 2 * two_to_63; }

    struct Integer {
        std::uint64_t bits;
        bool is_negative;
        auto operator<=>(const Integer&) const = default;
    };
    static Integer integer_of(const Value& value) {
        if (value.is_number_unsigned()) return {value.template get_ref<const std::uint64_t&>(), false};
        const std::int64_t number = value.template get_ref<const std::int64_t&>();
        return {static_cast<std::uint64_t>(number), number < 0};
    }
    // A number to compare, whatever it is written like: 2 and 2.0 are one, and so are 0.1 and its float. Of
    // one that has a fraction or is huge, the integer is only its bits.
    enum class NumberKind : std::uint8_t { whole, other, boolean };
    struct Number {
        Integer integer;
        NumberKind kind;
        auto operator<=>(const Number&) const = default;
    };
    static bool is_number(const Value& value) { return value.is_number() || value.is_boolean(); }
    static Number number_of(const Value& value) {
        if (value.is_boolean()) return {{value.template get<bool>() ? 1U : 0U, false}, NumberKind::boolean};
        if (value.is_number_integer()) return {integer_of(value), NumberKind::whole};
        const double number = as_double(value);
        if (is_in_64_bits(number) && std::trunc(number) == number)
            return {integer_of(integer_from(number)), NumberKind::whole};
        const bool is_finite_float = std::abs(number) <= double{std::numeric_limits<float>::max()};
        const double as_float = is_finite_float ? double{static_cast<float>(number)} : number;
        return {{std::bit_cast<std::uint64_t>(as_float), false}, NumberKind::other};
    }
    // Whether `test` holds for what a narrower type, or one with another sign, makes of a number.
    template <class Test>
    static bool is_any_cut(Integer whole, const Test& test) {
        for (const unsigned bits : {8U, 16U, 32U, 64U}) {
            const std::uint64_t unsigned_part = whole.bits & ~std::uint64_t{0} >> (64 - bits);
            const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
            const std::uint64_t signed_part = (unsigned_part ^ sign) - sign;
            for (const Integer made :
                 {Integer{unsigned_part, false}, Integer{signed_part, (unsigned_part & sign) != 0}}) {
                if (made != whole && test(made)) return true;
            }
        }
        return false;
    }
    // nlohmann's comparison takes -1 for the largest unsigned number.
    static bool is_same(const Value& one, const Value& other) {
        if (one.is_number_integer() && other.is_number_integer()) return integer_of(one) == integer_of(other);
        return one.type() == other.type() && one == other;
    }
};

/// How often each number is among the elements, by the names on the way to it.
template <class Value>
class JsonTally {
    using Numbers = JsonNumbers<Value>;
    using Number = typename Numbers::Number;

  public:
    explicit JsonTally(const Value& elements) {
        add(elements, {});
        std::sort(numbers_.begin(), numbers_.end());
    }
    [[nodiscard]] std::ptrdiff_t count(const std::string& where, Number number) const {
        const auto [first, last] =
            std::equal_range(numbers_.begin(), numbers_.end(), std::pair(where, number));
        return last - first;
    }

  private:
    void add(const Value& value, const std::string& where) {
        if (value.is_object()) {
            for (auto each = value.begin(); each != value.end(); ++each) add(*each, where + '/' + each.key());
        } else if (value.is_array()) {
            for (const Value& each : value) add(each, where);
        } else if (Numbers::is_number(value)) {
            numbers_.emplace_back(where, Numbers::number_of(value));
        }
    }

    std::vector<std::pair<std::string, Number>> numbers_;
};

/// The same before a conversion and after it.
template <class Value>
struct JsonTallies {
    using Numbers = JsonNumbers<Value>;
    using Number = typename Numbers::Number;

    const JsonTally<Value>& before;
    const JsonTally<Value>& after;
    bool has_all;  // as many elements as before

    /// Whether a number is gone, and there is what a narrower type makes of it.
    [[nodiscard]] bool is_lost(const std::string& where, const Value& value) const {
        const Number number = Numbers::number_of(value);
        if (after.count(where, number) >= (has_all ? before.count(where, number) : 1)) return false;
        const auto is_new = [&](typename Numbers::Integer made) {
            const Number other{made, Numbers::NumberKind::whole};
            return after.count(where, other) > (has_all ? before.count(where, other) : 0);
        };
        if (number.kind == Numbers::NumberKind::whole) return Numbers::is_any_cut(number.integer, is_new);
        if (number.kind == Numbers::NumberKind::boolean) return is_new(number.integer);
        if (!Numbers::is_in_64_bits(Numbers::as_double(value))) return false;
        return is_new(Numbers::integer_of(Numbers::integer_from(Numbers::as_double(value))));
    }
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
