// From a JSON document to a type of the program by nlohmann's conversions, and nothing lost on the way: these
// cut a number to what the type holds, take the fraction off, and make true a 1. Which types the numbers go
// to, only the conversion knows, which is often the program's own. So what was made of the document is
// written as JSON again, and compared with it. A type that cannot be written is taken as nlohmann reads it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sake/app/json_numbers.hpp"
#include "sake/base/json.hpp"
#include "sake/base/json_writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Thrown where a number of a document does not fit the type that it goes to.
class JsonMisfit : public std::range_error {
  public:
    JsonMisfit(std::string where, const std::string& what)
        : std::range_error(what), where_(std::move(where)) {}
    /// Its way through the document: "address/code"; "" for the document itself.
    [[nodiscard]] const std::string& where() const noexcept { return where_; }

  private:
    std::string where_;
};

/// Compares a document with what a type made of it.
template <class Value>
class JsonFit : private JsonNumbers<Value> {
  public:
    explicit JsonFit(Value& document) : document_(document) { collect(document); }

    [[nodiscard]] bool has_numbers() const noexcept { return has_numbers_; }

    /// What a floating-point number becomes is not defined if its type does not hold it. So where the wide
    /// ones go is found out first, by a conversion with `probe` in their places; or, if the type does not
    /// like that, with the nearest integers, since what becomes of these is defined. Wide numbers that go to
    /// an integer become one. Throws JsonMisfit for what cannot, and what the second conversion throws: the
    /// numbers themselves are not converted then.
    template <class T>
    void settle_floats() {
        if (wide_.empty()) return;
        JsonOwner<Value> written;
        StandIn stand_in = probe_for;
        put(stand_in);
        if (!write<T>(written.value)) {
            stand_in = nearest_integer;
            put(stand_in);
            written.value = document_.template get<T>();
        }
        for (const Wide& each : wide_) *each.place = each.number;
        settle_all(document_, written.value, stand_in, nullptr);
    }

    /// Makes the wide floating-point numbers integers, for a conversion of which only the errors matter.
    static void tame(Value& document) { JsonFit(document).put(nearest_integer); }

    /// Throws JsonMisfit if `value`, made of the document, lost something.
    template <class T>
    void demand_same(const T& value) {
        JsonOwner<Value> written;
        try {
            written.value = value;
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception&) {
            return;  // a to_json of the program that does not like this one
        }
        Way way;
        const Value* const lost = find_lost(document_, written.value, way);
        if (lost == nullptr) return;
        std::string where;
        for (auto step = way.rbegin(); step != way.rend(); ++step) append_step(where, *step);
        throw JsonMisfit(std::move(where), words_for(*lost));
    }

  private:
    using Numbers = JsonNumbers<Value>;
    using Numbers::as_double;
    using Numbers::integer_from;
    using Numbers::integer_of;
    using Numbers::is_any_cut;
    using Numbers::is_in_64_bits;
    using Numbers::is_number;
    using Numbers::is_same;
    using Numbers::number_of;
    using Numbers::two_to_63;
    using typename Numbers::Integer;

    // Through a document: the name of a member, or the place in an array. The last step comes first.
    struct Step {
        std::string name;
        std::size_t index = 0;
    };
    using Way = std::vector<Step>;
    // The same on the way down, with nothing copied.
    struct Trail {
        const Trail* outer;
        const std::string* name;
        std::size_t index = 0;
    };

    // A floating-point number that the narrowest integers do not hold.
    struct Wide {
        Value* place;
        double number;
    };
    // What is converted in place of a wide number. No float holds the probe and the widest integers exactly,
    // so that a float is told from a double.
    using StandIn = Value (*)(double);
    static constexpr double probe = 0.1;
    static Value probe_for(double) { return Value(probe); }
    static Value nearest_integer(double number) {
        return integer_from(std::clamp(number, -two_to_63 + 1024, 2 * two_to_63 - 2048));
    }
    static void append_step(std::string& where, const Step& step) {
        if (!where.empty()) where += '/';
        where += step.name.empty() ? std::to_string(step.index) : step.name;
    }

    static std::string words_for(const Value& number) {
        if (number.is_boolean()) return "type must be number, but is boolean";
        const bool has_fraction =
            number.is_number_float() && std::trunc(as_double(number)) != as_double(number);
        return dump_json(number) + (has_fraction ? " is not an integer" : " is out of range");
    }

    void collect(Value& value) {
        if (value.is_structured()) {
            for (Value& each : value) collect(each);
        } else if (value.is_number_float()) {
            const double number = as_double(value);
            if (number <= -1 || number >= 128) wide_.push_back({&value, number});
        }
        has_numbers_ = has_numbers_ || value.is_number() || value.is_boolean();
    }

    void put(StandIn stand_in) {
        for (const Wide& each : wide_) *each.place = stand_in(each.number);
    }

    template <class T>
    bool write(Value& written) {
        try {
            written = document_.template get<T>();
            return true;
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception&) {
            return false;
        }
    }

    static void settle_all(Value& value, const Value& written, StandIn stand_in, const Trail* trail) {
        if (value.is_object()) {
            for (auto each = value.begin(); each != value.end(); ++each) {
                const Trail here{trail, &each.key()};
                const Value* const other = member(written, each.key());
                if (other != nullptr) settle_all(*each, *other, stand_in, &here);
            }
        } else if (value.is_array()) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                const Trail here{trail, nullptr, i};
                // A set makes one of equal elements; they are all of one type.
                const Value* const other = written.is_array() && !written.empty()
                                               ? &written[std::min(i, written.size() - 1)]
                                               : nullptr;
                if (other != nullptr) settle_all(value[i], *other, stand_in, &here);
            }
        } else if (value.is_number_float() && !settle(value, written, stand_in(as_double(value)))) {
            throw JsonMisfit(text_of(trail), words_for(value));
        }
    }

    static std::string text_of(const Trail* trail) {
        if (trail == nullptr) return {};
        std::string where = text_of(trail->outer);
        append_step(where, {trail->name != nullptr ? *trail->name : std::string(), trail->index});
        return where;
    }

    // Makes a number that goes to an integer one. False if it does not fit.
    static bool settle(Value& number, const Value& written, const Value& stood_in) {
        const double value = as_double(number);
        if (value > -1 && value < 128) return true;
        const bool is_single = written.is_number_float() && as_double(written) != as_double(stood_in);
        if (is_single) return std::abs(value) <= double{std::numeric_limits<float>::max()};
        if (!written.is_number_integer()) return true;
        if (!is_in_64_bits(value)) return false;
        if (is_same(written, stood_in)) return true;  // held by its type, without the fraction
        if (std::trunc(value) != value) return false;
        number = integer_from(value);
        return true;
    }

    static const Value* member(const Value& value, const std::string& name) {
        if (!value.is_object()) return nullptr;
        const auto found = value.find(name);
        return found == value.end() ? nullptr : &*found;
    }
    // Not any other number: the program may have had its reasons.
    static bool is_cut(Integer whole, Integer written) {
        return is_any_cut(whole, [&](Integer made) { return made == written; });
    }

    // What of the document is lost in `written`, and the way to it; nullptr if nothing.
    static const Value* find_lost(const Value& value, const Value& written, Way& way) {
        if (value.is_object() && written.is_object()) return find_lost_member(value, written, way);
        if (value.is_array() && written.is_array()) return find_lost_element(value, written, way);
        return is_lost(value, written) ? &value : nullptr;
    }

    static const Value* find_lost_member(const Value& value, const Value& written, Way& way) {
        for (auto each = value.begin(); each != value.end(); ++each) {
            const auto other = written.find(each.key());
            if (other == written.end()) continue;
            const Value* const lost = find_lost(*each, *other, way);
            if (lost == nullptr) continue;
            way.push_back({each.key()});
            return lost;
        }
        return nullptr;
    }

    // A set has another order than its document, and so have the pairs of a map. Equal ones become one.
    static const Value* find_lost_element(const Value& value, const Value& written, Way& way) {
        if (has_same_numbers(value, written)) return nullptr;
        const JsonTally<Value> before(value);
        const JsonTally<Value> after(written);
        return find_merged(value, Tallies{before, after, value.size() == written.size()}, {}, way);
    }

    // Whether all numbers that are in both are where they were.
    static bool has_same_numbers(const Value& value, const Value& written) {
        if (value.is_array() && written.is_array()) {
            if (value.size() != written.size()) return false;
            for (std::size_t i = 0; i < value.size(); ++i)
                if (!has_same_numbers(value[i], written[i])) return false;
            return true;
        }
        if (value.is_object()) {
            for (auto each = value.begin(); each != value.end(); ++each) {
                const Value* const other = member(written, each.key());
                if (other != nullptr && !has_same_numbers(*each, *other)) return false;
            }
            return true;
        }
        if (!written.is_number()) return true;
        return is_number(value) && number_of(value) == number_of(written);
    }

    using Tallies = JsonTallies<Value>;
    static const Value* find_merged(const Value& value, const Tallies& tallies, const std::string& where,
                                    Way& way) {
        if (value.is_object()) {
            for (auto each = value.begin(); each != value.end(); ++each) {
                const Value* const lost = find_merged(*each, tallies, where + '/' + each.key(), way);
                if (lost == nullptr) continue;
                way.push_back({each.key()});
                return lost;
            }
        } else if (value.is_array()) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                const Value* const lost = find_merged(value[i], tallies, where, way);
                if (lost == nullptr) continue;
                way.push_back({{}, i});
                return lost;
            }
        }
        return is_number(value) && tallies.is_lost(where, value) ? &value : nullptr;
    }

    static bool is_lost(const Value& value, const Value& written) {
        if (!written.is_number()) return false;
        if (value.is_boolean()) return true;
        if (!value.is_number()) return false;
        if (value.is_number_integer())
            return written.is_number_integer() && is_cut(integer_of(value), integer_of(written));
        const double number = as_double(value);
        if (written.is_number_float()) return std::isfinite(number) && !std::isfinite(as_double(written));
        if (!is_in_64_bits(number)) return true;
        if (std::trunc(number) != number) return as_double(written) == std::trunc(number);
        return is_cut(integer_of(integer_from(number)), integer_of(written));
    }

    Value& document_;
    std::vector<Wide> wide_;
    bool has_numbers_ = false;
};

/// Whether a T may have numbers that a document might not fit, and can be written to compare it.
template <class T>
inline constexpr bool is_read_exactly = !std::is_same_v<T, Json> && !std::is_same_v<T, std::string> &&
                                        !std::is_same_v<T, bool> && std::is_constructible_v<Json, const T&>;

/// The document as a T. Throws JsonMisfit for a number that does not fit, and what nlohmann's conversion
/// throws. The document stays as it is, but that a 2.0 for an integer is a 2.
template <class T, class Value>
T json_as(Value& document) {
    if constexpr (!is_read_exactly<T>) {
        return document.template get<T>();
    } else {
        JsonFit<Value> fit(document);
        fit.template settle_floats<T>();
        T value = document.template get<T>();
        if (fit.has_numbers()) fit.demand_same(value);
        return value;
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
