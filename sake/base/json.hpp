// Json, which is nlohmann's type, and a parser that is safe for bytes from clients: it limits nesting and the
// number of values, and its errors name the place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"

#if !defined(NLOHMANN_JSON_VERSION_MAJOR) || NLOHMANN_JSON_VERSION_MAJOR < 3 || \
    (NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR < 9)
#error "Sake needs nlohmann/json 3.9 or newer: the one that the compiler finds is older"
#include <stop: see the error above>
#endif

namespace sake {
inline namespace SAKE_ABI {

/// nlohmann::json: objects, arrays, text, numbers, booleans, null.
using Json = nlohmann::json;

/// Thrown by parse_json if the text is not JSON, nests too deep or has too many values. what() names the
/// place.
class JsonError : public std::exception {
  public:
    explicit JsonError(std::string message) : message_(std::move(message)) {}
    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

  private:
    std::string message_;
};

namespace detail {

/// The limits for parsing JSON.
struct JsonLimits {
    std::size_t depth = 64;
    std::size_t values = 1'000'000;
};

/// The most memory that a value takes, apart from the text of its strings: as a member of an object, while
/// the vector around that one grows.
inline constexpr std::size_t most_bytes_of_value = 128;
/// The memory that nlohmann's destructor takes for each value, at most: it must not fail, as it is noexcept.
inline constexpr std::size_t bytes_to_destroy_value = 48;

/// Counts the values of a JSON text without parsing it. Throws JsonError where there are more than the limit,
/// or where arrays and objects nest deeper: nlohmann parses any depth, but dumping or copying a deep value
/// overflows the stack.
inline std::size_t count_json_values(std::string_view text, const JsonLimits& limits) {
    const auto refuse = [&](const char* what, std::size_t limit, const char* unit, std::size_t at) {
        throw JsonError(std::string("JSON ") + what + std::to_string(limit) + unit + " at byte " +
                        std::to_string(at + 1));
    };
    std::size_t depth = 0;
    std::size_t values = 1;
    if (limits.values == 0) refuse("has more than ", limits.values, " values", 0);
    bool in_string = false;
    bool is_new = false;  // an array or object has begun, and nothing is in it yet
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        const bool is_end = c == ']' || c == '}';
        if (c == ',' || (is_new && !is_end)) {
            if (++values > limits.values) refuse("has more than ", limits.values, " values", i);
        }
        is_new = c == '[' || c == '{';
        in_string = c == '"';
        if (is_new && ++depth > limits.depth) refuse("nests deeper than ", limits.depth, " levels", i);
        if (is_end && depth > 0) --depth;
    }
    return values;
}

/// Throws std::bad_alloc now, where it is an error like others, and not in the midst of what cannot fail.
inline void require_memory(std::size_t bytes) { ::operator delete(::operator new(bytes)); }

/// Empties a value without taking memory. nlohmann's destructor takes some for whatever is in an array or
/// object, and ends the process if there is none. No deeper than any limit that is in use.
template <class Value>
void dismantle(Value& value, int levels = 256) noexcept {
    if (levels == 0) return;
    // Not by nlohmann's iterators, which most programs would compile for this alone.
    if (auto* const elements = value.template get_ptr<typename Value::array_t*>()) {
        for (Value& each : *elements) dismantle(each, levels - 1);
        elements->clear();
    } else if (auto* const members = value.template get_ptr<typename Value::object_t*>()) {
        for (auto& [name, each] : *members) dismantle(each, levels - 1);
        members->clear();
    }
}

/// Holds a value, and dismantles it at the end. It is not made from one: whether a Json converts to a
/// JsonOwner is a question that the compiler takes long to answer.
template <class Value = Json>
struct JsonOwner {
    JsonOwner() = default;
    JsonOwner(const JsonOwner&) = delete;
    JsonOwner& operator=(const JsonOwner&) = delete;
    ~JsonOwner() { dismantle(value); }
    Value value;
};

/// What nlohmann's parser tells, made into a value that belongs to somebody at every moment: if memory runs
/// out, its owner dismantles what there is. Throws JsonError.
template <class Value>
class JsonBuilder {
  public:
    using Text = typename Value::string_t;

    explicit JsonBuilder(Value& root) : root_(root) {}

    bool null() { return add(Value()), true; }
    bool boolean(bool value) { return add(Value(value)), true; }
    bool number_integer(typename Value::number_integer_t value) { return add(Value(value)), true; }
    bool number_unsigned(typename Value::number_unsigned_t value) { return add(Value(value)), true; }
    bool number_float(typename Value::number_float_t value, const Text&) { return add(Value(value)), true; }
    bool string(Text& value) { return add(Value(std::move(value))), true; }
    bool binary(typename Value::binary_t& value) { return add(Value(std::move(value))), true; }

    bool start_object(std::size_t) { return begin(Value(Value::value_t::object)); }
    bool start_array(std::size_t) { return begin(Value(Value::value_t::array)); }
    bool key(Text& name) {
        member_ = &(*open_.back())[std::move(name)];
        dismantle(*member_);  // if it is there twice, the last one counts
        return true;
    }
    bool end_object() { return open_.pop_back(), true; }
    bool end_array() { return open_.pop_back(), true; }

    template <class Error>
    bool parse_error(std::size_t position, const std::string&, const Error& error) {
        constexpr int number_overflow = 406;
        throw JsonError((error.id == number_overflow
                             ? "JSON with a number that is too large, which ends at byte "
                             : "invalid JSON at byte ") +
                        std::to_string(position));
    }

  private:
    Value& add(Value&& value) {
        if (open_.empty()) return root_ = std::move(value);
        Value& around = *open_.back();
        if (around.is_object()) return *member_ = std::move(value);
        around.push_back(std::move(value));
        return around.back();
    }
    bool begin(Value&& value) {
        open_.push_back(&add(std::move(value)));
        return true;
    }

    Value& root_;
    Array<Value*> open_;       // the arrays and objects that have not ended
    Value* member_ = nullptr;  // of the last of them, to be set
};

/// Parses a text that has so many values.
template <class Value>
Value build_json(std::string_view text, std::size_t values) {
    require_memory(values * (most_bytes_of_value + bytes_to_destroy_value));
    JsonOwner<Value> document;
    JsonBuilder<Value> builder(document.value);
    Value::sax_parse(text.begin(), text.end(), &builder);
    return std::move(document.value);
}

/// The first byte that cannot stand for itself inside a JSON string: a quote, a backslash, a control
/// character.
inline const char* find_json_special(const char* at, const char* end) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t highs = 0x8080808080808080U;
    while (end - at >= 8) {
        const std::uint64_t word = ascii::load_word(at);
        const std::uint64_t quote = word ^ (ones * '"');
        const std::uint64_t backslash = word ^ (ones * '\\');
        const std::uint64_t found =
            ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
        if ((found & highs) != 0) break;
        at += 8;
    }
    while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
    return at;
}

}  // namespace detail

/// Parses a JSON text (RFC 8259). Arrays and objects may nest `depth_limit` deep. There may be `value_limit`
/// values in all, counting numbers, texts, arrays and so on. Throws JsonError. A value needs up to 128 bytes,
/// and another 48 when it is destroyed; if that much memory is not available, throws std::bad_alloc before it
/// makes anything. A template, so that programs that never parse JSON do not compile nlohmann's parser.
template <class Value = Json>
[[nodiscard]] Value parse_json(std::string_view text, std::size_t depth_limit = 64,
                               std::size_t value_limit = 1'000'000) {
    // nlohmann takes a NUL for the end of the text and would ignore what follows.
    const std::size_t nul = text.find('\0');
    if (nul != std::string_view::npos) throw JsonError("invalid JSON at byte " + std::to_string(nul + 1));
    return detail::build_json<Value>(text, detail::count_json_values(text, {depth_limit, value_limit}));
}

}  // namespace SAKE_ABI
}  // namespace sake
