// How the rules of rules.hpp are checked against an object that was read: ordinary code that follows the
// table of the type. It reads each text and each list once, apart from `unique`, which sorts.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/faults.hpp"
#include "sake/base/format.hpp"
#include "sake/base/rule.hpp"
#include "sake/base/shape.hpp"
#include "sake/base/shape_numbers.hpp"
#include "sake/base/shape_writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// What a member holds, as a rule compares it.
inline RuleValue load_rule_value(const Shape& shape, const void* value) noexcept {
    if (shape.kind == ShapeKind::integer) {
        const WideInteger number = load_integer(to<IntegerShape>(shape), value);
        if (number.is_negative) return RuleValue(static_cast<std::int64_t>(number.bits));
        return RuleValue(number.bits);
    }
    if (shape.kind == ShapeKind::text) return RuleValue(to<TextShape>(shape).view(value));
    const auto& number = to<NumberShape>(shape);
    if (number.bytes == sizeof(float)) return RuleValue(as<float>(value));
    if (number.bytes == sizeof(double)) return RuleValue(static_cast<long double>(as<double>(value)));
    return RuleValue(as<long double>(value));
}

/// Appends a value as it is said to a client: "80", "0.5", "red".
inline void append_rule_value(std::string& out, const RuleValue& value) {
    using Type = RuleValue::Type;
    char digits[32];
    char* const end = digits + sizeof digits;
    char* stop = digits;
    switch (value.type) {
        case Type::natural:
            stop = std::to_chars(digits, end, value.natural).ptr;
            break;
        case Type::negative:
            stop = std::to_chars(digits, end, value.negative).ptr;
            break;
        case Type::single:
            stop = std::to_chars(digits, end, value.single).ptr;
            break;
        case Type::number:
            stop = std::to_chars(digits, end, static_cast<double>(value.number)).ptr;
            break;
        case Type::text:
            out.append(value.text);
            return;
    }
    out.append(digits, stop);
}

/// Characters of UTF-8: the bytes that do not continue one.
inline std::size_t count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for (const char c : text) count += std::size_t{(static_cast<unsigned char>(c) & 0xc0U) != 0x80U};
    return count;
}

/// "must have 1 to 80 characters, but has 81".
inline std::string count_in_words(const Rule& rule, std::uint64_t count, std::string_view what) {
    const std::uint64_t least = rule.values[0].natural;
    const std::uint64_t most = rule.values[1].natural;
    std::uint64_t last = most;
    std::string words = "must have ";
    if (least == most) {
        words.append("exactly ");
    } else if (most == std::numeric_limits<std::size_t>::max()) {
        words.append("at least ");
        last = least;
    } else {
        words.append(least == 0 ? "at most " : std::to_string(least) + " to ");
    }
    words.append(std::to_string(last)).append(" ").append(what);
    if (last != 1) words += 's';
    return words.append(", but has ").append(std::to_string(count));
}

inline const char* format_in_words(Format format) noexcept {
    switch (format) {
        case Format::email:
            return "is not an e-mail address";
        case Format::uri:
            return "is not a URI, such as https://example.org/";
        case Format::uuid:
            return "is not a UUID";
        case Format::date:
            return "is not a date, such as 2026-11-29";
        case Format::date_time:
            return "is not a date and time, such as 2026-11-29T12:00:00Z";
        case Format::ipv4:
            return "is not an IPv4 address";
        case Format::ipv6:
            return "is not an IPv6 address";
    }
    return "";
}

/// The elements of a list as texts that are equal where the elements are.
template <class Unused>
class ElementTexts {
  public:
    ElementTexts(const ListShape& shape, const void* list) : element_(*shape.element) {
        elements_.reserve(shape.size(list));
        shape.each(
            list, {this, [](void* context, const void* element) { as<ElementTexts>(context).add(element); }});
        if (element_.kind == ShapeKind::text) return;
        // Only now, since what is written moves while it grows.
        std::size_t begin = 0;
        for (Element& each : elements_) {
            each.text = std::string_view(written_).substr(begin, each.end - begin);
            begin = each.end;
        }
    }

    /// The first element that is equal to one before it, and that one; two times the size if there is none.
    std::pair<std::size_t, std::size_t> find_equal() {
        const std::size_t none = elements_.size();
        std::pair<std::size_t, std::size_t> found(none, none);
        std::sort(elements_.begin(), elements_.end(), [](const Element& one, const Element& other) {
            const int order = one.text.compare(other.text);
            return order != 0 ? order < 0 : one.index < other.index;
        });
        std::size_t first = 0;  // of those that are equal to it
        for (std::size_t i = 1; i < elements_.size(); ++i) {
            if (elements_[i].text != elements_[first].text)
                first = i;
            else if (elements_[i].index < found.second)
                found = {elements_[first].index, elements_[i].index};
        }
        return found;
    }

  private:
    struct Element {
        std::string_view text;
        std::size_t end;  // of its text in what is written
        std::size_t index;
    };

    void add(const void* element) {
        const std::size_t index = elements_.size();
        if (element_.kind == ShapeKind::text) {
            elements_.push_back({to<TextShape>(element_).view(element), 0, index});
        } else {
            append_shape(written_, element_, element);
            elements_.push_back({{}, written_.size(), index});
        }
    }

    const Shape& element_;
    Array<Element> elements_;
    std::string written_;
};

/// One rule on its way through a member.
template <class Unused>
class RuleCheck {
  public:
    RuleCheck(const Rule& rule, Faults& faults) : rule_(rule), faults_(faults) {}

    void apply(const Shape& shape, const void* value, const Place& at) {
        if (faults_.is_full()) return;
        if (shape.kind == ShapeKind::optional) {
            const auto& optional = to<OptionalShape>(shape);
            const void* const content = optional.find(value);
            if (content != nullptr) apply(*optional.content, content, at);
        } else if (rule_.kind == RuleKind::items) {
            check_items(shape, value, at);
        } else if (rule_.kind == RuleKind::unique) {
            check_unique(to<ListShape>(shape), value, at);
        } else if (shape.kind == ShapeKind::list) {
            check_elements(to<ListShape>(shape), value, at);
        } else if (shape.kind == ShapeKind::map) {
            check_elements(to<MapShape>(shape), value, at);
        } else {
            check_value(load_rule_value(shape, value), at);
        }
    }

  private:
    /// A list or map while its elements are visited.
    struct Walk {
        RuleCheck& check;
        const Shape& element;
        const Place& at;
        std::size_t index = 0;
    };

    void check_elements(const ListShape& shape, const void* list, const Place& at) {
        Walk walk{*this, *shape.element, at};
        shape.each(list, {&walk, [](void* context, const void* element) {
                              auto& here = as<Walk>(context);
                              here.check.apply(here.element, element, Place{&here.at, {}, here.index++});
                          }});
    }
    void check_elements(const MapShape& shape, const void* map, const Place& at) {
        Walk walk{*this, *shape.element, at};
        shape.each(map, {&walk, [](void* context, std::string_view name, const void* element) {
                             auto& here = as<Walk>(context);
                             here.check.apply(here.element, element, Place{&here.at, name});
                         }});
    }

    void check_items(const Shape& shape, const void* value, const Place& at) {
        const bool is_list = shape.kind == ShapeKind::list;
        check_count(is_list ? to<ListShape>(shape).size(value) : to<MapShape>(shape).size(value), "items",
                    "element", at);
    }
    void check_count(std::size_t count, const char* code, std::string_view what, const Place& at) {
        if (count < rule_.values[0].natural || count > rule_.values[1].natural)
            faults_.add(at, code, count_in_words(rule_, count, what));
    }
    void check_unique(const ListShape& shape, const void* list, const Place& at) {
        const auto [first, second] = ElementTexts<Unused>(shape, list).find_equal();
        if (first == second) return;
        faults_.add(at, "unique",
                    "must not have equal elements, but has them at " + std::to_string(first) + " and " +
                        std::to_string(second));
    }

    void check_value(const RuleValue& value, const Place& at) {
        switch (rule_.kind) {
            case RuleKind::length:
                return check_count(count_characters(value.text), "length", "character", at);
            case RuleKind::range:
                return check_range(value, at);
            case RuleKind::one_of:
                return check_choice(value, at);
            case RuleKind::format:
                if (!has_format(value.text, rule_.format))
                    faults_.add(at, "format", format_in_words(rule_.format));
                return;
            default:
                return;
        }
    }
    void check_range(const RuleValue& value, const Place& at) {
        const bool reaches_least = is_at_most(rule_.values[0], value);
        if (reaches_least && is_at_most(value, rule_.values[1])) return;
        std::string words = reaches_least ? "must be at most " : "must be at least ";
        append_rule_value(words, rule_.values[reaches_least ? 1 : 0]);
        faults_.add(at, "range", std::move(words));
    }
    void check_choice(const RuleValue& value, const Place& at) {
        std::string words = "must be one of: ";
        for (std::size_t i = 0; i < rule_.value_count; ++i) {
            const RuleValue& choice = rule_.values[i];
            if (is_at_most(choice, value) && is_at_most(value, choice)) return;
        }
        for (std::size_t i = 0; i < rule_.value_count; ++i) {
            if (i != 0) words.append(", ");
            append_rule_value(words, rule_.values[i]);
        }
        faults_.add(at, "one_of", std::move(words));
    }

    const Rule& rule_;
    Faults& faults_;
};

/// Adds a fault for each rule that a member breaks. `members` are the places of the members, as the shape
/// locates them. A member that is not sound is skipped: it has a fault already, or was absent. A template, so
/// that programs without rules do not compile it.
template <class Unused = void>
void check_rules(const ObjectShape& shape, const void* const* members, const bool* is_sound,
                 const Place& object, Faults& faults) {
    for (std::size_t i = 0; i < shape.rule_count; ++i) {
        const Rule& rule = shape.rules[i];
        const bool is_for_values = rule.kind != RuleKind::defaulted && rule.kind != RuleKind::closed;
        if (!is_for_values || !is_sound[rule.member]) continue;
        const MemberShape& member = shape.members[rule.member];
        RuleCheck<Unused>(rule, faults)
            .apply(*member.shape, members[rule.member], Place{&object, member.name()});
    }
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
