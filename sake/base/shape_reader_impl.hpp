// How shape_reader.hpp reads JSON: value by value along the shape.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "sake/base/budget.hpp"
#include "sake/base/faults_impl.hpp"
#include "sake/base/json_fit_impl.hpp"
#include "sake/base/rules_impl.hpp"
#include "sake/base/shape_defaults.hpp"
#include "sake/base/shape_numbers.hpp"
#include "sake/base/shape_reader.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

SAKE_INLINE std::string names_in_words(const EnumShape& shape) {
    std::string words = "must be one of: ";
    for (std::size_t i = 0; i < shape.count; ++i) {
        if (i != 0) words.append(", ");
        words.append(shape.values[i].name);
    }
    return words;
}
inline const Enumerator* find_enumerator(const EnumShape& shape, std::string_view name) {
    for (std::size_t i = 0; i < shape.count; ++i) {
        if (shape.values[i].name == name) return &shape.values[i];
    }
    return nullptr;
}
SAKE_INLINE bool read_enum_text(std::string_view name, const EnumShape& shape, void* value) {
    const Enumerator* const found = find_enumerator(shape, name);
    if (found == nullptr) return false;
    store_integer(shape, value, {static_cast<std::uint64_t>(found->value), found->value < 0});
    return true;
}
inline std::string format_in_words(const FormattedShape& shape) {
    const char* const example = shape.format == "date" ? "2026-11-29" : "2026-11-29T12:00:00Z";
    return "must be a " + std::string(shape.format) + " that exists, such as " + example;
}

/// What the reading of one document may take.
struct ReadingLimits {
    const Budget* memory = nullptr;
    std::size_t bytes = 0;              // of the elements that were made
    std::size_t tried_values = 10'000;  // of alternatives, until the first that looks right is taken

    /// Throws std::bad_alloc if so many elements would take too much memory.
    void make(std::size_t count, std::size_t size) {
        bytes += count * size;
        if (memory != nullptr && !memory->has_room(bytes)) throw std::bad_alloc();
    }
};

/// One value, or what is in it.
template <class Value>
class ShapeReader {
  public:
    enum class Use : bool { read, trial };
    ShapeReader(Faults& faults, ReadingLimits& limits, Use use = Use::read)
        : faults_(faults), limits_(limits), use_(use) {}

    void read(Value& json, const Shape& shape, void* value, const Place& at) {
        if (use_ == Use::trial && limits_.tried_values-- == 0) {
            ++limits_.tried_values;
            return faults_.add(at, "type", "is too large to try all alternatives");
        }
        switch (shape.kind) {
            case ShapeKind::null:
                return json.is_null() ? void() : refuse_type(json, "null", at);
            case ShapeKind::boolean:
                if (!json.is_boolean()) return refuse_type(json, "true or false", at);
                as<bool>(value) = json.template get_ref<const typename Value::boolean_t&>();
                return;
            case ShapeKind::integer:
                return read_integer(json, to<IntegerShape>(shape), value, at);
            case ShapeKind::number:
                return read_number(json, to<NumberShape>(shape), value, at);
            case ShapeKind::text:
                if (!json.is_string()) return refuse_type(json, "text", at);
                return to<TextShape>(shape).assign(value, text_of(json));
            case ShapeKind::enumeration:
                return read_enum(json, to<EnumShape>(shape), value, at);
            case ShapeKind::formatted:
                if (!json.is_string()) return refuse_type(json, "text", at);
                if (!to<FormattedShape>(shape).parse(text_of(json), value))
                    faults_.add(at, "format", format_in_words(to<FormattedShape>(shape)));
                return;
            case ShapeKind::optional: {
                const auto& optional = to<OptionalShape>(shape);
                if (json.is_null()) return optional.reset(value);
                return read(json, *optional.content, optional.emplace(value), at);
            }
            case ShapeKind::list:
                return read_list(json, to<ListShape>(shape), value, at);
            case ShapeKind::map:
                return read_map(json, to<MapShape>(shape), value, at);
            case ShapeKind::object:
                return read_object(json, to<ObjectShape>(shape), value, at);
            case ShapeKind::variant:
                return read_variant(json, to<VariantShape>(shape), value, at);
            case ShapeKind::any:
                return read_any(json, to<ForeignShape>(shape), value);
            case ShapeKind::foreign:
                return read_foreign(json, to<ForeignShape>(shape), value, at);
        }
    }

  private:
    static std::string_view text_of(const Value& json) { return json.template get_ref<const std::string&>(); }
    static const char* kind_of(const Value& json) {
        switch (json.type()) {
            case Value::value_t::null:
                return "null";
            case Value::value_t::boolean:
                return "true or false";
            case Value::value_t::string:
                return "text";
            case Value::value_t::array:
                return "an array";
            case Value::value_t::object:
                return "an object";
            default:
                return "a number";
        }
    }
    void refuse_type(const Value& json, const char* wanted, const Place& at) {
        faults_.add(at, "type", std::string("must be ") + wanted + ", but is " + kind_of(json));
    }

    /// A number as an integer, if it has no fraction and 64 bits hold it.
    static bool is_integer(const Value& json, WideInteger& number) {
        if (json.is_number_float())
            return is_whole(json.template get_ref<const typename Value::number_float_t&>(), number);
        if (!json.is_number_integer()) return false;
        if (json.is_number_unsigned()) {
            number = {json.template get_ref<const typename Value::number_unsigned_t&>(), false};
        } else {
            const std::int64_t stored = json.template get_ref<const typename Value::number_integer_t&>();
            number = {static_cast<std::uint64_t>(stored), stored < 0};
        }
        return true;
    }

    void read_integer(const Value& json, const IntegerShape& shape, void* value, const Place& at) {
        WideInteger number;
        if (!json.is_number()) return refuse_type(json, "an integer", at);
        if (!is_integer(json, number)) {
            const double written = json.template get<double>();
            if (written == std::trunc(written)) return faults_.add(at, "range", range_in_words(shape));
            return faults_.add(at, "type", "must be an integer, but has a fraction");
        }
        if (!fits(shape, number)) return faults_.add(at, "range", range_in_words(shape));
        store_integer(shape, value, number);
    }
    void read_number(const Value& json, const NumberShape& shape, void* value, const Place& at) {
        if (!json.is_number()) return refuse_type(json, "a number", at);
        if (!store_number(shape, value, json.template get<double>()))
            faults_.add(at, "range", "is beyond what a float holds");
    }
    void read_enum(const Value& json, const EnumShape& shape, void* value, const Place& at) {
        if (!json.is_string()) return refuse_type(json, "text", at);
        if (!read_enum_text(text_of(json), shape, value)) faults_.add(at, "one_of", names_in_words(shape));
    }

    void read_list(Value& json, const ListShape& shape, void* value, const Place& at) {
        if (!json.is_array()) return refuse_type(json, "an array", at);
        const std::size_t size = json.size();
        if (shape.is_fixed && size != shape.fixed_size) {
            return faults_.add(at, "items",
                               "must have " + std::to_string(shape.fixed_size) + " elements, but has " +
                                   std::to_string(size));
        }
        shape.clear(value);
        limits_.make(size, shape.element_size);
        for (std::size_t i = 0; i < size && !faults_.is_full(); ++i)
            read(json[i], *shape.element, shape.slot(value, i), Place{&at, {}, i});
    }
    void read_map(Value& json, const MapShape& shape, void* value, const Place& at) {
        if (!json.is_object()) return refuse_type(json, "an object", at);
        shape.clear(value);
        limits_.make(json.size(), shape.element_size);
        for (auto& [name, element] : members_of(json)) {
            if (faults_.is_full()) return;
            read(element, *shape.element, shape.slot(value, name), Place{&at, name});
        }
    }
    void read_object(Value& json, const ObjectShape& shape, void* value, const Place& at) {
        if (!json.is_object()) return refuse_type(json, "an object", at);
        std::array<const void*, most_aggregate_members> places;
        shape.locate(value, places.data());
        std::array<bool, most_aggregate_members> is_sound{};
        std::array<const void*, most_aggregate_members> defaults;
        shape.locate(shape.defaults(), defaults.data());
        auto& members = members_of(json);
        for (std::size_t i = 0; i < shape.count && !faults_.is_full(); ++i) {
            const MemberShape& member = shape.members[i];
            const Place here{&at, member.name()};
            const auto found = find(members, member.name());
            if (found != members.end()) {
                const std::size_t before = faults_.size();
                read(found->second, *member.shape, const_cast<void*>(places[i]), here);  // of `value`
                is_sound[i] = faults_.size() == before;
            } else if (!may_be_absent(shape, i, defaults[i])) {
                faults_.add(here, "missing", "is missing");
            }
        }
        if (shape.is_closed) {
            for (const auto& [name, element] : members) {
                if (!has_member(shape, name)) faults_.add(Place{&at, name}, "unknown", "is not known here");
            }
        }
        check_rules<>(shape, places.data(), is_sound.data(), at, faults_);
    }

    /// The first alternative that fits. If none does, the faults are those of the first that looks right.
    void read_variant(Value& json, const VariantShape& shape, void* value, const Place& at) {
        std::size_t first = shape.count;
        std::size_t count = 0;
        for (std::size_t i = 0; i < shape.count; ++i) {
            if (!looks_like(json, *shape.alternatives[i])) continue;
            if (count++ == 0) first = i;
        }
        for (std::size_t i = first; count > 1 && i < shape.count; ++i) {
            if (looks_like(json, *shape.alternatives[i]) &&
                fits_in_a_trial(json, *shape.alternatives[i], shape.emplace(value, i)))
                return;
        }
        if (count != 0) return read(json, *shape.alternatives[first], shape.emplace(value, first), at);
        faults_.add(at, "type",
                    std::string("must be of another kind: it fits no alternative, and is ") + kind_of(json));
    }
    bool fits_in_a_trial(Value& json, const Shape& shape, void* value) {
        Faults faults;
        ShapeReader(faults, limits_, Use::trial).read(json, shape, value, Place{});
        return faults.empty();
    }
    bool looks_like(Value& json, const Shape& shape) {
        switch (shape.kind) {
            case ShapeKind::null:
                return json.is_null();
            case ShapeKind::boolean:
                return json.is_boolean();
            case ShapeKind::integer: {
                WideInteger number;
                return is_integer(json, number) && fits(to<IntegerShape>(shape), number);
            }
            case ShapeKind::number:
                return json.is_number();
            case ShapeKind::text:
            case ShapeKind::formatted:
                return json.is_string();
            case ShapeKind::enumeration:
                return json.is_string() && find_enumerator(to<EnumShape>(shape), text_of(json)) != nullptr;
            case ShapeKind::optional:
                return json.is_null() || looks_like(json, *to<OptionalShape>(shape).content);
            case ShapeKind::list:
                return json.is_array();
            case ShapeKind::map:
                return json.is_object();
            case ShapeKind::object:
                return json.is_object() && has_needed(json, to<ObjectShape>(shape));
            case ShapeKind::variant: {
                const auto& variant = to<VariantShape>(shape);
                for (std::size_t i = 0; i < variant.count; ++i) {
                    if (looks_like(json, *variant.alternatives[i])) return true;
                }
                return false;
            }
            case ShapeKind::any:
            case ShapeKind::foreign:
                break;
        }
        return true;
    }
    bool has_needed(Value& json, const ObjectShape& shape) {
        std::array<const void*, most_aggregate_members> places;
        shape.locate(shape.defaults(), places.data());
        auto& members = members_of(json);
        for (std::size_t i = 0; i < shape.count; ++i) {
            if (!may_be_absent(shape, i, places[i]) &&
                find(members, shape.members[i].name()) == members.end())
                return false;
        }
        return true;
    }

    /// What is tried may be read again.
    void read_any(Value& json, const ForeignShape& shape, void* value) {
        if (use_ == Use::read) return shape.read(&json, value);
        JsonOwner<Value> copy;
        copy.value = json;
        shape.read(&copy.value, value);
    }
    void read_foreign(Value& json, const ForeignShape& shape, void* value, const Place& at) {
        try {
            shape.read(&json, value);
        } catch (const JsonMisfit& error) {
            faults_.add(error.where().empty() ? at.pointer() : at.pointer() + '/' + error.where(), "range",
                        error.what());
        } catch (const typename Value::exception& error) {
            const std::string missing = missing_key(error);
            if (missing.empty())
                faults_.add(at, "type", plain_message(error));
            else
                faults_.add(Place{&at, missing}, "missing", "is missing");
        }
    }

    static auto& members_of(Value& json) { return json.template get_ref<typename Value::object_t&>(); }

    /// The member of a name, without a text made of it where nlohmann's map can do so.
    template <class Members>
    static auto find(Members& members, std::string_view name) {
        if constexpr (requires { typename Members::key_compare::is_transparent; })
            return members.find(name);
        else
            return members.find(std::string(name));
    }

    Faults& faults_;
    ReadingLimits& limits_;
    Use use_;
};

template <class Value>
void read_shape(Value& document, const Shape& shape, void* value, Faults& faults, const Budget* memory) {
    ReadingLimits limits{memory};
    ShapeReader<Value>(faults, limits).read(document, shape, value, Place{});
}

#if defined(SAKE_IMPLEMENTATION)
template void read_shape<Json>(Json& document, const Shape& shape, void* value, Faults& faults,
                               const Budget* memory);
#endif

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
