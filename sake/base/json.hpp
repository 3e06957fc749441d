// The JSON type of Sake, which is nlohmann's, and the two ways in and out that are safe with bytes from a
// client: a parse with a limit on nesting, and a dump that never throws on text that is not UTF-8.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sake {
inline namespace v0 {

/// nlohmann::json: objects, arrays, text, numbers, booleans, null.
using Json = nlohmann::json;

/// Thrown by parse_json: the text is not JSON or nests too deep. what() says where, for people.
class JsonError : public std::exception {
  public:
    explicit JsonError(std::string message) : message_(std::move(message)) {}
    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

  private:
    std::string message_;
};

namespace detail {

/// Where the nesting of arrays and objects in a JSON text exceeds `limit`, counted without parsing it; npos
/// if nowhere. nlohmann parses any depth, but dumping or copying a deep value overflows the stack.
inline std::size_t find_deeper_than(std::string_view text, std::size_t limit) noexcept {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > limit) return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return std::string_view::npos;
}

}  // namespace detail

/// Parses a JSON text (RFC 8259). Arrays and objects may nest `depth_limit` deep. Throws JsonError.
/// A template, so that a program that never parses JSON does not pay for compiling nlohmann's parser.
template <class Value = Json>
[[nodiscard]] Value parse_json(std::string_view text, std::size_t depth_limit = 64) {
    // nlohmann takes a NUL for the end of the text and would ignore what follows.
    const std::size_t nul = text.find('\0');
    if (nul != std::string_view::npos) throw JsonError("invalid JSON at byte " + std::to_string(nul + 1));
    const std::size_t deep = detail::find_deeper_than(text, depth_limit);
    if (deep != std::string_view::npos) {
        throw JsonError("JSON nests deeper than " + std::to_string(depth_limit) + " levels at byte " +
                        std::to_string(deep + 1));
    }
    try {
        return Value::parse(text.begin(), text.end());
    } catch (const typename Value::parse_error& error) {
        throw JsonError("invalid JSON at byte " + std::to_string(error.byte));
    } catch (const typename Value::out_of_range&) {
        throw JsonError("JSON with a number that is out of range");
    }
}

/// Writes a JSON value as compact text. Text in it that is not UTF-8 is replaced by U+FFFD, so this cannot
/// fail.
[[nodiscard]] inline std::string dump_json(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace v0
}  // namespace sake
