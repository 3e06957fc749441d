// SchemaNames: the structs and enums of an API, and what each is called in its description. A name depends on
// the types alone and not on the order in which routes were registered.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sake/base/aggregate.hpp"
#include "sake/base/array.hpp"
#include "sake/base/shape.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Words of ASCII with an underscore between them: of "Page<api::Note>" "Page_api_Note".
inline std::string words_of(std::string_view text) {
    std::string words;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x80 && is_word_char(c)) {
            words += c;
        } else if (!words.empty() && words.back() != '_') {
            words += '_';
        }
    }
    while (!words.empty() && words.back() == '_') words.pop_back();
    return words;
}

/// A type without its namespaces: of "api::Page<api::Note>" "Page<Note>".
inline std::string without_namespaces(std::string_view type) {
    std::size_t begin = 0;
    int depth = 0;  // a function that the type is local to has brackets: "main(int)::Note"
    for (std::size_t i = 0; i < type.size(); ++i) {
        if (std::string_view("<({").find(type[i]) != std::string_view::npos) ++depth;
        if (std::string_view(">)}").find(type[i]) != std::string_view::npos) --depth;
        if (depth == 0 && type.substr(i, 2) == "::") begin = i + 2;
    }
    std::string name;
    for (std::size_t i = begin; i < type.size(); ++i) {
        if (type.substr(i, 2) == "::") {
            while (!name.empty() && is_word_char(name.back())) name.pop_back();
            ++i;
        } else {
            name += type[i];
        }
    }
    return name;
}

/// What the schemas of Sake's own answers are called.
inline constexpr std::string_view problem_schema = "Problem";
inline constexpr std::string_view faults_schema = "ValidationProblem";

/// A template, as all that describes an API, so that only programs that ask for it compile it.
template <class Unused = void>
class SchemaNames {
  public:
    struct Named {
        const Shape* shape;
        std::string_view type;  // as the compiler prints it
        std::string name;
    };

    /// Adds the types that a shape is made of.
    void add(const Shape& shape) {
        switch (shape.kind) {
            case ShapeKind::enumeration:
                add_named(shape, to<EnumShape>(shape).name);
                return;
            case ShapeKind::object: {
                const auto& object = to<ObjectShape>(shape);
                if (!add_named(shape, object.name)) return;
                for (std::size_t i = 0; i < object.count; ++i) add(*object.members[i].shape);
                return;
            }
            case ShapeKind::optional:
                return add(*to<OptionalShape>(shape).content);
            case ShapeKind::list:
                return add(*to<ListShape>(shape).element);
            case ShapeKind::map:
                return add(*to<MapShape>(shape).element);
            case ShapeKind::variant: {
                const auto& variant = to<VariantShape>(shape);
                for (std::size_t i = 0; i < variant.count; ++i) add(*variant.alternatives[i]);
                return;
            }
            default:
                return;
        }
    }

    /// Gives each type its name: the last word of its own. Where several have the same, all of them are
    /// called by their namespaces too.
    void give_names() {
        for (Named& each : list_) each.name = words_of(without_namespaces(each.type));
        Array<std::string> wanted;
        for (const Named& each : list_) {
            wanted.push_back(is_shared(each) ? words_of(each.type) : each.name);
        }
        for (Named& each : list_) each.name.clear();
        for (std::size_t i = 0; i < list_.size(); ++i) list_[i].name = free_name(wanted[i]);
    }

    /// "" for a shape that has no name of its own.
    [[nodiscard]] std::string_view name_of(const Shape& shape) const noexcept {
        for (const Named& each : list_) {
            if (each.shape == &shape) return each.name;
        }
        return {};
    }

    /// By name.
    [[nodiscard]] Array<Named> sorted() const {
        Array<Named> sorted;
        for (const Named& each : list_) {
            const Named* place = sorted.begin();
            while (place != sorted.end() && place->name < each.name) ++place;
            sorted.insert(place, each);
        }
        return sorted;
    }

  private:
    bool add_named(const Shape& shape, std::string_view type) {
        for (const Named& each : list_) {
            if (each.shape == &shape) return false;
        }
        list_.push_back({&shape, type, {}});
        return true;
    }
    [[nodiscard]] bool is_shared(const Named& named) const noexcept {
        if (named.name == problem_schema || named.name == faults_schema) return true;
        for (const Named& other : list_) {
            if (&other != &named && other.name == named.name) return true;
        }
        return false;
    }
    [[nodiscard]] bool is_taken(std::string_view name) const noexcept {
        if (name == problem_schema || name == faults_schema) return true;
        for (const Named& other : list_) {
            if (other.name == name) return true;
        }
        return false;
    }
    [[nodiscard]] std::string free_name(const std::string& wanted) const {
        const std::string base = wanted.empty() ? "Type" : wanted;
        std::string name = base;
        for (int number = 2; is_taken(name); ++number) name = base + "_" + std::to_string(number);
        return name;
    }

    Array<Named> list_;  // in the order in which they were met
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
