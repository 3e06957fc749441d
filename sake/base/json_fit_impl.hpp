// How a JsonFit compares a document with what a type made of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"
#include "sake/base/json_fit.hpp"
#include "sake/base/json_numbers.hpp"
#include "sake/base/json_writer_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// nlohmann's words without the place that JSON_DIAGNOSTICS and JSON_DIAGNOSTIC_POSITIONS put before them:
/// "(/a/b) (bytes 5-9) ". Names in it may be a client's and hold anything, so the words themselves are looked
/// for first, from the end.
inline std::string_view without_place(std::string_view text) noexcept {
    if (!text.starts_with("(/") && !text.starts_with("(bytes ")) return text;
    std::size_t end = 0;
    for (const std::string_view words : {") key '", ") type must be ", ") cannot use ", ") array index "}) {
        const std::size_t at = text.rfind(words);
        if (at != std::string_view::npos && at > end) end = at;
    }
    if (end == 0) end = text.find(") ");  // the program's own words
    return end == std::string_view::npos ? text : text.substr(end + 2);
}

SAKE_INLINE std::string plain_message(const Json::exception& error) {
    std::string_view text = error.what();
    const std::size_t end = text.find("] ");
    if (end != std::string_view::npos) text.remove_prefix(end + 2);
    text = without_place(text);
    for (const std::string_view use : {"cannot use at() with ", "cannot use value() with "}) {
        if (!text.starts_with(use)) continue;
        text.remove_prefix(use.size());
        return std::string(text == "object" ? "must be an array, but is " : "must be an object, but is ")
            .append(text);
    }
    return std::string(text);
}

SAKE_INLINE std::string missing_key(const Json::exception& error) {
    const std::string text = plain_message(error);
    constexpr std::string_view before = "key '";
    constexpr std::string_view after = "' not found";
    const bool fits =
        text.size() > before.size() + after.size() && text.starts_with(before) && text.ends_with(after);
    return fits ? text.substr(before.size(), text.size() - before.size() - after.size()) : std::string();
}

/// What of a document is lost in what a type made of it.
template <class Value>
class JsonComparison : private JsonNumbers<Value> {
  public:
    /// Through a document: the name of a member, or the place in an array. The last step comes first.
    struct Step {
        std::string name;
        std::size_t index = 0;
    };
    using Way = std::vector<Step>;
    /// The same on the way down, with nothing copied.
    struct Trail {
        const Trail* outer;
        const std::string* name;
        std::size_t index = 0;
    };

    /// What is converted in place of a wide number. No float holds the probe and the widest integers exactly,
    /// so that a float is told from a double.
    using StandIn = Value (*)(double);

    /// Makes the numbers of `value` that go to integers such. Throws JsonMisfit for what does not fit.
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

    /// What of the document is lost in `written`, and the way to it; nullptr if nothing.
    static const Value* find_lost(const Value& value, const Value& written, Way& way) {
        if (value.is_object() && written.is_object()) return find_lost_member(value, written, way);
        if (value.is_array() && written.is_array()) return find_lost_element(value, written, way);
        return is_lost(value, written) ? &value : nullptr;
    }

    static void append_step(std::string& where, const Step& step) {
        if (!where.empty()) where += '/';
        if (step.name.empty()) where += std::to_string(step.index);
        for (const char c : step.name) {  // as a JSON pointer has it
            if (c == '~' || c == '/')
                where.append(c == '~' ? "~0" : "~1");
            else
                where += c;
        }
    }
    static std::string words_for(const Value& number) {
        if (number.is_boolean()) return "type must be number, but is boolean";
        const bool has_fraction =
            number.is_number_float() && std::trunc(as_double(number)) != as_double(number);
        return dump_json(number) + (has_fraction ? " is not an integer" : " is out of range");
    }
    static Value probe_for(double) { return Value(0.1); }
    static Value nearest_integer(double number) {
        return integer_from(std::clamp(number, -two_to_63 + 1024, 2 * two_to_63 - 2048));
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
};

template <class Value>
JsonFit<Value>::JsonFit(Value& document) : document_(document) {
    collect(document);
}

template <class Value>
void JsonFit<Value>::collect(Value& value) {
    if (value.is_structured()) {
        for (Value& each : value) collect(each);
    } else if (value.is_number_float()) {
        const double number = value.template get<double>();
        if (number <= -1 || number >= 128) wide_.push_back({&value, number});
    }
    has_numbers_ = has_numbers_ || value.is_number() || value.is_boolean();
}

template <class Value>
typename JsonComparison<Value>::StandIn stand_in_of(bool is_probe) {
    return is_probe ? &JsonComparison<Value>::probe_for : &JsonComparison<Value>::nearest_integer;
}

template <class Value>
void JsonFit<Value>::put(StandIn stand_in) {
    const auto made = stand_in_of<Value>(stand_in == StandIn::probe);
    for (const Wide& each : wide_) *each.place = made(each.number);
}

template <class Value>
void JsonFit<Value>::settle(const Value& written, StandIn stand_in) {
    for (const Wide& each : wide_) *each.place = each.number;
    JsonComparison<Value>::settle_all(document_, written, stand_in_of<Value>(stand_in == StandIn::probe),
                                      nullptr);
}

template <class Value>
void JsonFit<Value>::demand_kept(const Value& written) const {
    using Comparison = JsonComparison<Value>;
    typename Comparison::Way way;
    const Value* const lost = Comparison::find_lost(document_, written, way);
    if (lost == nullptr) return;
    std::string where;
    for (auto step = way.rbegin(); step != way.rend(); ++step) Comparison::append_step(where, *step);
    throw JsonMisfit(std::move(where), Comparison::words_for(*lost));
}

#if defined(SAKE_IMPLEMENTATION)
template class JsonFit<Json>;
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
