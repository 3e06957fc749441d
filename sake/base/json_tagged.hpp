// Values of sake::Json that JSON text has no form for (infinities, NaN, bytes, text that is not UTF-8), in a
// form that it has: arrays stay arrays, and what needs it becomes an object with one member that tells what
// it is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace v0 {
namespace detail {

/// Whether JSON text carries the value exactly: it has no form for infinities, NaN, bytes, and text that is
/// not UTF-8.
inline bool is_exact_in_text(const Json& value) {
    switch (value.type()) {
        case Json::value_t::number_float:
            return std::isfinite(value.get<double>());
        case Json::value_t::string:
            return is_valid_utf8(value.get_ref<const std::string&>());
        case Json::value_t::binary:
        case Json::value_t::discarded:
            return false;
        case Json::value_t::object:
            for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) {
                if (!is_valid_utf8(name) || !is_exact_in_text(member)) return false;
            }
            return true;
        case Json::value_t::array:
            return std::all_of(value.begin(), value.end(), is_exact_in_text);
        default:
            return true;
    }
}

inline Json tag(std::string name, Json content) {
    Json::object_t object;
    object.emplace(std::move(name), std::move(content));
    return object;
}

/// The value in a form that JSON text carries exactly: what it has no form for becomes an object with one
/// member that names what it is, and so does an object.
inline Json tagged(const Json& value) {
    switch (value.type()) {
        case Json::value_t::number_float: {
            const double number = value.get<double>();
            if (std::isfinite(number)) return value;
            const std::string name = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
            return tag("number", name);
        }
        case Json::value_t::string: {
            const auto& text = value.get_ref<const std::string&>();
            if (is_valid_utf8(text)) return value;
            return tag("base64", base64_encode(text));
        }
        case Json::value_t::binary: {
            const Json::binary_t& binary = value.get_binary();
            const std::string_view bytes(reinterpret_cast<const char*>(binary.data()), binary.size());
            const Json subtype = binary.has_subtype() ? Json(binary.subtype()) : Json();
            return tag("binary", Json::array_t{base64_encode(bytes), subtype});
        }
        case Json::value_t::object: {
            Json members = Json::array();
            for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) {
                members.push_back(Json::array_t{tagged(Json(name)), tagged(member)});
            }
            return tag("object", std::move(members));
        }
        case Json::value_t::array: {
            Json elements = Json::array();
            for (const Json& element : value) elements.push_back(tagged(element));
            return elements;
        }
        default:
            return value;
    }
}

/// The two things of a pair. Throws JsonError if it is not a pair.
inline std::pair<const Json&, const Json&> pair_of(const Json& content) {
    if (!content.is_array() || content.size() != 2) throw JsonError("has a pair of another size than two");
    return {content[0], content[1]};
}

/// The value that `tagged` made this of. Throws JsonError or a nlohmann exception if it made no such thing.
inline Json untagged(const Json& value) {
    if (value.is_array()) {
        Json elements = Json::array();
        for (const Json& element : value) elements.push_back(untagged(element));
        return elements;
    }
    if (!value.is_object()) return value;
    if (value.size() != 1) throw JsonError("has an object that is not a tag");
    const std::string& tag = value.begin().key();
    const Json& content = value.begin().value();
    const auto bytes_of = [](const Json& text) {
        auto bytes = base64_decode(text.get_ref<const std::string&>());
        if (!bytes) throw JsonError("is not valid base64");
        return std::move(*bytes);
    };
    if (tag == "object") {
        if (!content.is_array()) throw JsonError("has an object that is not a list of members");
        Json members = Json::object();
        for (const Json& member : content) {
            const auto [name, value_of_it] = pair_of(member);
            auto key = untagged(name).get<std::string>();
            if (members.contains(key)) throw JsonError("has a member twice");
            members[std::move(key)] = untagged(value_of_it);
        }
        return members;
    }
    if (tag == "base64") return bytes_of(content);
    if (tag == "number") {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        const auto& name = content.get_ref<const std::string&>();
        if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
        if (name == "inf") return infinity;
        if (name == "-inf") return -infinity;
    }
    if (tag == "binary") {
        const auto [encoded, subtype] = pair_of(content);
        const std::string bytes = bytes_of(encoded);
        std::vector<std::uint8_t> binary(bytes.begin(), bytes.end());
        if (subtype.is_null()) return Json::binary(std::move(binary));
        if (!subtype.is_number_unsigned())
            throw JsonError("has a subtype of bytes that is not an integer from 0 to 18446744073709551615");
        return Json::binary(std::move(binary), subtype.get_ref<const std::uint64_t&>());
    }
    throw JsonError("has a tag that is not known");
}

}  // namespace detail
}  // namespace v0
}  // namespace sake
