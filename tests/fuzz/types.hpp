// JSON and forms as types of a program: what fits is written and read as the same again, and what does not
// has faults whose places are in the document.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fuzz.hpp"

namespace fuzz {

enum class TypesColour : std::uint8_t { red, green = 5, blue };
struct TypesPoint {
    int x;
    std::int8_t y = 3;
};
struct TypesNote {
    std::string text;
    std::optional<int> stars;
    TypesColour colour;
    std::vector<std::string> tags;
    std::map<std::string, TypesPoint> points;
    std::variant<std::monostate, bool, std::uint16_t, double, std::string, TypesPoint> either;
    std::array<float, 2> pair;
    std::vector<TypesNote> inner;
    std::unique_ptr<TypesPoint> owned;
    sake::Json anything;
};
struct TypesForm {
    std::string text;
    std::optional<std::int16_t> stars;
    TypesColour colour = TypesColour::green;
    std::vector<std::uint8_t> numbers;
    bool flag;
    double ratio = 0.5;
};

}  // namespace fuzz

template <>
inline constexpr auto sake::rules<fuzz::TypesNote> =
    sake::fields(sake::length(&fuzz::TypesNote::text, 1, 8), sake::range(&fuzz::TypesNote::stars, 1, 5),
                 sake::unique(&fuzz::TypesNote::tags), sake::items(&fuzz::TypesNote::points, 0, 3),
                 sake::defaulted(&fuzz::TypesNote::inner), sake::defaulted(&fuzz::TypesNote::pair));

namespace fuzz {

/// Whether the place of a fault is in the document, or just outside where something is missing.
inline bool is_place(const sake::Json& document, const sake::detail::Fault& fault) {
    std::string pointer = fault.pointer;
    if (std::string_view(fault.code) == "missing") pointer.resize(pointer.rfind('/'));
    return pointer.empty() || document.contains(sake::Json::json_pointer(pointer));
}

template <class T>
void type_of_document(const sake::Json& document) {
    sake::detail::JsonOwner<> used;
    used.value = document;
    sake::detail::Faults faults;
    const T value = sake::detail::read_as<T>(used.value, faults);
    require(faults.size() <= sake::detail::Faults::most, "there are 100 faults at most");
    for (const auto& fault : faults)
        require(is_place(document, fault), "a fault has a place in the document");
    const std::string written = sake::dump_json(value);  // also of what was read in part
    if (faults.empty())
        require(sake::dump_json(sake::parse_json<T>(written)) == written, "what fits comes back the same");
}

template <class T>
void type_of_texts(std::string_view input) {
    const sake::detail::QueryPairs pairs(input);
    std::vector<std::string> kept;
    for (const auto& [name, value] : pairs) {
        kept.push_back(sake::detail::percent_decode_form(name));
        kept.push_back(sake::detail::percent_decode_form(value));
    }
    sake::detail::Array<sake::detail::NamedText> texts;
    for (std::size_t i = 0; i < kept.size(); i += 2) texts.push_back({kept[i], kept[i + 1]});
    T value{};
    sake::detail::Faults faults;
    sake::detail::read_texts(texts, sake::detail::ShapeOf<T>::value, &value, faults);
    require(faults.size() <= sake::detail::Faults::most, "there are 100 faults at most");
    if (faults.empty()) static_cast<void>(sake::parse_json<T>(sake::dump_json(value)));
}

inline void types(std::string_view input) {
    type_of_texts<TypesForm>(input);
    sake::Json document;
    try {
        document = sake::parse_json(input, 64, 10'000);
    } catch (const sake::JsonError&) {
        return;
    }
    type_of_document<TypesNote>(document);
    type_of_document<std::vector<TypesNote>>(document);
    type_of_document<std::map<std::string, TypesPoint>>(document);
}

}  // namespace fuzz
