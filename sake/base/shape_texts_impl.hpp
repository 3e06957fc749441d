// How shape_reader.hpp reads the texts of a query or a form.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/shape_reader_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline bool read_bool_text(std::string_view text, void* value) {
    const bool is_true = text == "true" || text == "1" || text == "on";  // "on" is what a checkbox sends
    if (!is_true && text != "false" && text != "0" && text != "off") return false;
    as<bool>(value) = is_true;
    return true;
}
inline void read_integer_text(std::string_view text, const IntegerShape& shape, void* value, const Place& at,
                              Faults& faults) {
    WideInteger number;
    if (const auto whole = parse_number<std::uint64_t>(text)) {
        number = {*whole, false};
    } else if (const auto negative = parse_number<std::int64_t>(text)) {
        number = {static_cast<std::uint64_t>(*negative), *negative < 0};
    } else {
        const bool has_digits =
            text.find_first_not_of("0123456789", text.starts_with('-') ? 1 : 0) == std::string_view::npos;
        if (!has_digits || text.empty() || text == "-") return faults.add(at, "type", "must be an integer");
        return faults.add(at, "range", range_in_words(shape));
    }
    if (!fits(shape, number)) return faults.add(at, "range", range_in_words(shape));
    store_integer(shape, value, number);
}

/// A text as a value of a shape that texts can be.
inline void read_text(std::string_view text, const Shape& shape, void* value, const Place& at,
                      Faults& faults) {
    switch (shape.kind) {
        case ShapeKind::boolean:
            if (!read_bool_text(text, value)) faults.add(at, "type", "must be true or false");
            return;
        case ShapeKind::integer:
            return read_integer_text(text, to<IntegerShape>(shape), value, at, faults);
        case ShapeKind::number: {
            const auto number = parse_number<double>(text);
            if (!number) return faults.add(at, "type", "must be a number");
            if (!store_number(to<NumberShape>(shape), value, *number))
                faults.add(at, "range", "is beyond what a float holds");
            return;
        }
        case ShapeKind::enumeration:
            if (!read_enum_text(text, to<EnumShape>(shape), value))
                faults.add(at, "one_of", names_in_words(to<EnumShape>(shape)));
            return;
        case ShapeKind::formatted:
            if (!to<FormattedShape>(shape).parse(text, value))
                faults.add(at, "format", format_in_words(to<FormattedShape>(shape)));
            return;
        default:
            if (!is_valid_utf8(text)) return faults.add(at, "type", "must be text in UTF-8");
            to<TextShape>(shape).assign(value, text);
    }
}

/// One member of an object, from all texts of its name.
class TextsReader {
  public:
    TextsReader(const Array<NamedText>& texts, Faults& faults) : texts_(texts), faults_(faults) {}

    /// Whether there is something to read, and nothing wrong with it.
    bool read(const MemberShape& member, void* value, bool may_be_absent, const Place& at) {
        const std::size_t before = faults_.size();
        const bool is_optional = member.shape->kind == ShapeKind::optional;
        const Shape& content = is_optional ? *to<OptionalShape>(*member.shape).content : *member.shape;
        const std::size_t count = count_texts(member.name(), content);
        if (count == 0) {
            // An unchecked box and an empty choice, a browser does not send: such a list is an empty one.
            if (may_be_absent || content.kind == ShapeKind::boolean) return false;
            if (is_growing_list(content)) return true;
            faults_.add(at, "missing", "is missing");
            return false;
        }
        if (is_optional) value = to<OptionalShape>(*member.shape).emplace(value);
        if (content.kind == ShapeKind::list)
            read_list(member.name(), to<ListShape>(content), count, value, at);
        else
            read_text(find(member.name(), content)->text, content, value, at, faults_);
        return faults_.size() == before;
    }

  private:
    static bool is_growing_list(const Shape& shape) {
        return shape.kind == ShapeKind::list && !to<ListShape>(shape).is_fixed;
    }
    /// A browser sends an input that was left empty: unless it is a text, it counts as absent.
    static bool is_there(const NamedText& text, std::string_view name, const Shape& shape) {
        const Shape& value = shape.kind == ShapeKind::list ? *to<ListShape>(shape).element : shape;
        return text.name == name && (!text.text.empty() || value.kind == ShapeKind::text);
    }
    [[nodiscard]] std::size_t count_texts(std::string_view name, const Shape& shape) const {
        std::size_t count = 0;
        for (const NamedText& each : texts_) count += std::size_t{is_there(each, name, shape)};
        return count;
    }
    [[nodiscard]] const NamedText* find(std::string_view name, const Shape& shape) const {
        for (const NamedText& each : texts_) {
            if (is_there(each, name, shape)) return &each;
        }
        return nullptr;
    }
    void read_list(std::string_view name, const ListShape& shape, std::size_t count, void* value,
                   const Place& at) {
        if (shape.is_fixed && count != shape.fixed_size) {
            return faults_.add(at, "items",
                               "must be there " + std::to_string(shape.fixed_size) + " times, but is there " +
                                   std::to_string(count) + " times");
        }
        shape.clear(value);
        std::size_t i = 0;
        for (const NamedText& each : texts_) {
            if (!is_there(each, name, shape) || faults_.is_full()) continue;
            read_text(each.text, *shape.element, shape.slot(value, i), Place{&at, {}, i}, faults_);
            ++i;
        }
    }

    const Array<NamedText>& texts_;
    Faults& faults_;
};

SAKE_INLINE void read_texts(const Array<NamedText>& texts, const ObjectShape& shape, void* object,
                            Faults& faults) {
    const Place whole;
    TextsReader reader(texts, faults);
    std::array<const void*, most_aggregate_members> places;
    std::array<bool, most_aggregate_members> is_sound{};
    std::array<const void*, most_aggregate_members> defaults;
    shape.locate(object, places.data());
    shape.locate(shape.defaults(), defaults.data());
    for (std::size_t i = 0; i < shape.count && !faults.is_full(); ++i) {
        const MemberShape& member = shape.members[i];
        is_sound[i] = reader.read(member, const_cast<void*>(places[i]), may_be_absent(shape, i, defaults[i]),
                                  Place{&whole, member.name()});
    }
    if (shape.is_closed) {
        for (const NamedText& each : texts) {
            if (!has_member(shape, each.name))
                faults.add(Place{&whole, each.name}, "unknown", "is not known here");
        }
    }
    check_rules<>(shape, places.data(), is_sound.data(), whole, faults);
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
