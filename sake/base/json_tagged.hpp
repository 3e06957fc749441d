// Carries values that JSON text cannot express (infinities, NaN, bytes, text that is not UTF-8). Arrays stay
// arrays; such a value becomes an object with one member that names its kind, and so does an object.
// Templates on the type of values, so that programs without worker routes do not compile them.
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
inline namespace SAKE_ABI {
namespace detail {

/// Whether JSON text carries the value exactly: it has no form for infinities, NaN, bytes, and text that is
/// not UTF-8.
template <class Value>
bool is_exact_in_text(const Value& value) {
    switch (value.type()) {
        case Value::value_t::number_float:
            return std::isfinite(value.template get<double>());
        case Value::value_t::string:
            return is_valid_utf8(value.template get_ref<const std::string&>());
        case Value::value_t::binary:
        case Value::value_t::discarded:
            return false;
        case Value::value_t::object:
            for (const auto& [name, member] : value.template get_ref<const typename Value::object_t&>()) {
                if (!is_valid_utf8(name) || !is_exact_in_text(member)) return false;
            }
            return true;
        case Value::value_t::array:
            return std::all_of(value.begin(), value.end(), is_exact_in_text<Value>);
        default:
            return true;
    }
}

template <class Value>
Value tag(std::string name, Value content) {
    typename Value::object_t object;
    object.emplace(std::move(name), std::move(content));
    return object;
}

/// The value in a form that JSON text carries exactly: what it has no form for becomes an object with one
/// member that names what it is, and so does an object.
template <class Value>
Value tagged(const Value& value) {
    switch (value.type()) {
        case Value::value_t::number_float: {
            const double number = value.template get<double>();
            if (std::isfinite(number)) return value;
            const std::string name = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
            return tag<Value>("number", name);
        }
        case Value::value_t::string: {
            const auto& text = value.template get_ref<const std::string&>();
            if (is_valid_utf8(text)) return value;
            return tag<Value>("base64", base64_encode(text));
        }
        case Value::value_t::binary: {
            const typename Value::binary_t& binary = value.get_binary();
            const std::string_view bytes(reinterpret_cast<const char*>(binary.data()), binary.size());
            const Value subtype = binary.has_subtype() ? Value(binary.subtype()) : Value();
            return tag<Value>("binary", typename Value::array_t{base64_encode(bytes), subtype});
        }
        case Value::value_t::object: {
            Value members = Value::array();
            for (const auto& [name, member] : value.template get_ref<const typename Value::object_t&>()) {
                members.push_back(typename Value::array_t{tagged(Value(name)), tagged(member)});
            }
            return tag<Value>("object", std::move(members));
        }
        case Value::value_t::array: {
            Value elements = Value::array();
            for (const Value& element : value) elements.push_back(tagged(element));
            return elements;
        }
        default:
            return value;
    }
}

/// The two things of a pair. Throws JsonError if it is not a pair.
template <class Value>
std::pair<const Value&, const Value&> pair_of(const Value& content) {
    if (!content.is_array() || content.size() != 2) throw JsonError("has a pair of another size than two");
    return {content[0], content[1]};
}

/// The value that `tagged` made this of. Throws JsonError or a nlohmann exception if it made no such thing.
template <class Value>
Value untagged(const Value& value) {
    if (value.is_array()) {
        Value elements = Value::array();
        for (const Value& element : value) elements.push_back(untagged(element));
        return elements;
    }
    if (!value.is_object()) return value;
    if (value.size() != 1) throw JsonError("has an object that is not a tag");
    const std::string& tag = value.begin().key();
    const Value& content = value.begin().value();
    const auto bytes_of = [](const Value& text) {
        auto bytes = base64_decode(text.template get_ref<const std::string&>());
        if (!bytes) throw JsonError("is not valid base64");
        return std::move(*bytes);
    };
    if (tag == "object") {
        if (!content.is_array()) throw JsonError("has an object that is not a list of members");
        Value members = Value::object();
        for (const Value& member : content) {
            const auto [name, value_of_it] = pair_of(member);
            auto key = untagged(name).template get<std::string>();
            if (members.contains(key)) throw JsonError("has a member twice");
            members[std::move(key)] = untagged(value_of_it);
        }
        return members;
    }
    if (tag == "base64") return bytes_of(content);
    if (tag == "number") {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        const auto& name = content.template get_ref<const std::string&>();
        if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
        if (name == "inf") return infinity;
        if (name == "-inf") return -infinity;
    }
    if (tag == "binary") {
        const auto [encoded, subtype] = pair_of(content);
        const std::string bytes = bytes_of(encoded);
        std::vector<std::uint8_t> binary(bytes.begin(), bytes.end());
        if (subtype.is_null()) return Value::binary(std::move(binary));
        if (!subtype.is_number_unsigned())
            throw JsonError("has a subtype of bytes that is not an integer from 0 to 18446744073709551615");
        return Value::binary(std::move(binary), subtype.template get_ref<const std::uint64_t&>());
    }
    throw JsonError("has a tag that is not known");
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
