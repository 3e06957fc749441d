// SchemaWriter: a shape as JSON schema (2020-12), as OpenAPI 3.1 has it. It says what the reader of JSON
// demands: what must be there, which numbers fit, which texts are allowed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/schema_names.hpp"
#include "sake/base/array.hpp"
#include "sake/base/json_lines.hpp"
#include "sake/base/rule.hpp"
#include "sake/base/shape.hpp"
#include "sake/base/shape_defaults.hpp"
#include "sake/base/shape_writer.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Where an object is read from: a JSON document, or the texts of a query or a form, which have no null.
enum class ObjectSource : bool { json, texts };

/// The rules of a member, or none. Those for values are also for what is in a list or a map; those for lists
/// are for the outermost alone.
struct MemberRules {
    const ObjectShape* object = nullptr;
    std::size_t member = 0;
    enum class Level : bool { outermost, inner } level = Level::outermost;

    [[nodiscard]] const Rule* find(RuleKind kind) const noexcept {
        const bool is_of_lists = kind == RuleKind::items || kind == RuleKind::unique;
        if (object == nullptr || (is_of_lists && level == Level::inner)) return nullptr;
        return find_rule(object->rules, object->rule_count, member, kind);
    }
    [[nodiscard]] MemberRules of_elements() const noexcept { return {object, member, Level::inner}; }
};

/// The members of an object as its reader takes them.
template <class Unused = void>
class ObjectMembers {
  public:
    ObjectMembers(const ObjectShape& object, ObjectSource source) : object_(&object), source_(source) {
        object.locate(object.defaults(), initial_.data());
    }

    [[nodiscard]] std::size_t count() const noexcept { return object_->count; }
    [[nodiscard]] std::string_view name(std::size_t index) const { return object_->members[index].name(); }
    [[nodiscard]] MemberRules rules(std::size_t index) const noexcept { return {object_, index}; }
    [[nodiscard]] const Shape& shape(std::size_t index) const noexcept {
        const Shape& shape = *object_->members[index].shape;
        const bool is_content = source_ == ObjectSource::texts && shape.kind == ShapeKind::optional;
        return is_content ? *to<OptionalShape>(shape).content : shape;
    }

    /// Whether it must be there. Among texts, a list has as many elements as there are, and a bool that is
    /// not there keeps its default.
    [[nodiscard]] bool is_required(std::size_t index) const {
        if (source_ == ObjectSource::texts) {
            const Shape& shape = *object_->members[index].shape;
            if (shape.kind == ShapeKind::boolean) return false;
            if (shape.kind == ShapeKind::list) {
                const Rule* const items = rules(index).find(RuleKind::items);
                const bool has_least = items != nullptr && items->values[0].natural != 0;
                if (!to<ListShape>(shape).is_fixed) return has_least && find_default(index) == nullptr;
            }
        }
        return !may_be_absent(*object_, index, initial_[index]);
    }
    /// The default of a member, if it has one to speak of; else null.
    [[nodiscard]] const void* find_default(std::size_t index) const {
        return is_blank(*object_->members[index].shape, initial_[index]) ? nullptr : initial_[index];
    }
    /// The same as JSON; "" also for one that JSON does not hold, such as NaN or an enum without a name.
    [[nodiscard]] std::string written_default(std::size_t index) const {
        if (find_default(index) == nullptr) return {};
        std::string text;
        try {
            append_shape(text, *object_->members[index].shape, initial_[index]);
        } catch (const std::invalid_argument&) {
            return {};
        }
        return text == "null" ? std::string() : text;
    }

  private:
    const ObjectShape* object_;
    ObjectSource source_;
    std::array<const void*, most_aggregate_members> initial_{};
};

template <class Unused = void>
class SchemaWriter {
  public:
    SchemaWriter(JsonLines& out, const SchemaNames<>& names) noexcept : out_(&out), names_(&names) {}

    /// The schema where a value stands; of a struct or an enum a reference.
    void write(const Shape& shape, const MemberRules& rules = {}) {
        out_->begin_object();
        write_keywords(shape, Null::refused, rules);
        out_->end_object();
    }

    void write_member(const ObjectMembers<>& members, std::size_t index) {
        out_->begin_object();
        write_keywords(members.shape(index), Null::refused, members.rules(index));
        const std::string initial = members.written_default(index);
        if (!initial.empty()) out_->name("default").value().append(initial);
        out_->end_object();
    }

    /// The schema of a struct itself.
    void write_object(const ObjectShape& object, ObjectSource source) {
        const ObjectMembers<> members(object, source);
        out_->begin_object();
        write_type("object", Null::refused);
        out_->name("properties").begin_object();
        bool has_required = false;
        for (std::size_t i = 0; i < members.count(); ++i) {
            out_->name(members.name(i));
            write_member(members, i);
            has_required = has_required || members.is_required(i);
        }
        out_->end_object();
        if (has_required) {
            out_->name("required").begin_list();
            for (std::size_t i = 0; i < members.count(); ++i) {
                if (members.is_required(i)) out_->text(members.name(i));
            }
            out_->end_list();
        }
        if (object.is_closed) out_->name("additionalProperties").boolean(false);
        out_->end_object();
    }

    /// What the components of a document have under the name of a type.
    void write_named(const Shape& shape) {
        if (shape.kind == ShapeKind::object) return write_object(to<ObjectShape>(shape), ObjectSource::json);
        const auto& values = to<EnumShape>(shape);
        out_->begin_object();
        write_type("string", Null::refused);
        out_->name("enum").begin_list();
        for (std::size_t i = 0; i < values.count; ++i) out_->text(values.values[i].name);
        out_->end_list();
        out_->end_object();
    }

    /// {"$ref": "#/components/schemas/Note"}
    void write_reference(std::string_view name) {
        out_->name("$ref").text(std::string("#/components/schemas/").append(name));
    }

  private:
    enum class Null : bool { refused, allowed };

    static const Shape& content_of(const Shape& shape) {
        const Shape* content = &shape;
        while (content->kind == ShapeKind::optional) content = to<OptionalShape>(*content).content;
        return *content;
    }

    void write_type(std::string_view type, Null null) {
        out_->name("type");
        if (null == Null::refused) return out_->text(type);
        out_->begin_list();
        out_->text(type);
        out_->text("null");
        out_->end_list();
    }

    /// One of several, and perhaps null: `each()` writes them.
    template <class Each>
    void write_any_of(Null null, Each each) {
        out_->name("anyOf").begin_list();
        each();
        if (null == Null::allowed) {
            out_->begin_object();
            write_type("null", Null::refused);
            out_->end_object();
        }
        out_->end_list();
    }

    void write_keywords(const Shape& shape, Null null, const MemberRules& rules) {
        switch (shape.kind) {
            case ShapeKind::null:
                return write_type("null", Null::refused);
            case ShapeKind::boolean:
                return write_type("boolean", null);
            case ShapeKind::integer:
                return write_integer(to<IntegerShape>(shape), null, rules);
            case ShapeKind::number:
                write_type("number", null);
                if (to<NumberShape>(shape).bytes <= sizeof(double))
                    out_->name("format").text(to<NumberShape>(shape).bytes == 4 ? "float" : "double");
                return write_range(rules);
            case ShapeKind::text:
                return write_string(null, rules);
            case ShapeKind::formatted:
                write_type("string", null);
                return out_->name("format").text(to<FormattedShape>(shape).format);
            case ShapeKind::optional:
                return write_keywords(content_of(shape), Null::allowed, rules);
            case ShapeKind::list:
                return write_list(to<ListShape>(shape), null, rules);
            case ShapeKind::map:
                write_type("object", null);
                out_->name("additionalProperties");
                write(*to<MapShape>(shape).element, rules.of_elements());
                return write_bounds(rules.find(RuleKind::items), "minProperties", "maxProperties");
            case ShapeKind::enumeration:
            case ShapeKind::object:
                if (null == Null::refused) return write_reference(names_->name_of(shape));
                return write_any_of(null, [&] { write(shape); });
            case ShapeKind::variant: {
                const auto& variant = to<VariantShape>(shape);
                return write_any_of(null, [&] {
                    for (std::size_t i = 0; i < variant.count; ++i) write(*variant.alternatives[i]);
                });
            }
            case ShapeKind::any:
            case ShapeKind::foreign:
                return;  // anything
        }
    }

    void write_string(Null null, const MemberRules& rules) {
        write_type("string", null);
        if (const Rule* const rule = rules.find(RuleKind::format))
            out_->name("format").text(format_name(rule->format));
        write_bounds(rules.find(RuleKind::length), "minLength", "maxLength");
        write_choices(null, rules);
    }

    /// Up to 32 bits the bounds are those of the type; beyond, JavaScript could not hold them.
    void write_integer(const IntegerShape& shape, Null null, const MemberRules& rules) {
        write_type("integer", null);
        if (shape.is_signed && shape.bytes >= 4)
            out_->name("format").text(shape.bytes == 4 ? "int32" : "int64");
        write_choices(null, rules);
        if (rules.find(RuleKind::range) != nullptr) return write_range(rules);
        const unsigned bits = 8U * shape.bytes - (shape.is_signed ? 1U : 0U);
        if (!shape.is_signed) {
            out_->name("minimum").integer(0);
        } else if (shape.bytes < 8) {
            out_->name("minimum").integer(-(std::int64_t{1} << bits));
        }
        if (shape.bytes < 8) out_->name("maximum").integer((std::int64_t{1} << bits) - 1);
    }

    void write_list(const ListShape& shape, Null null, const MemberRules& rules) {
        write_type("array", null);
        out_->name("items");
        write(*shape.element, rules.of_elements());
        if (shape.is_fixed) {
            out_->name("minItems").integer(shape.fixed_size);
            out_->name("maxItems").integer(shape.fixed_size);
        }
        write_bounds(rules.find(RuleKind::items), "minItems", "maxItems");
        if (rules.find(RuleKind::unique) != nullptr) out_->name("uniqueItems").boolean(true);
    }

    // --- Rules ---

    void write_bounds(const Rule* rule, std::string_view least, std::string_view most) {
        if (rule == nullptr) return;
        if (rule->values[0].natural != 0) out_->name(least).integer(rule->values[0].natural);
        if (rule->values[1].natural != std::numeric_limits<std::size_t>::max())
            out_->name(most).integer(rule->values[1].natural);
    }
    void write_range(const MemberRules& rules) {
        const Rule* const rule = rules.find(RuleKind::range);
        if (rule == nullptr) return;
        out_->name("minimum");
        write_value(rule->values[0]);
        out_->name("maximum");
        write_value(rule->values[1]);
    }
    void write_choices(Null null, const MemberRules& rules) {
        const Rule* const rule = rules.find(RuleKind::one_of);
        if (rule == nullptr) return;
        out_->name("enum").begin_list();
        for (std::size_t i = 0; i < rule->value_count; ++i) write_value(rule->values[i]);
        if (null == Null::allowed) out_->value().append("null");
        out_->end_list();
    }
    void write_value(const RuleValue& value) {
        switch (value.type) {
            case RuleValue::Type::natural:
                return out_->integer(value.natural);
            case RuleValue::Type::negative:
                return out_->integer(value.negative);
            case RuleValue::Type::single:
                return out_->number(value.single);
            case RuleValue::Type::number:
                return out_->number(static_cast<double>(value.number));
            case RuleValue::Type::text:
                return out_->text(value.text);
        }
    }

    JsonLines* out_;
    const SchemaNames<>* names_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
