// The JSON type of Sake, which is nlohmann's, and a parse that is safe with bytes from a client: with a
// limit on nesting, and errors that say where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sake/base/text.hpp"

#if !defined(NLOHMANN_JSON_VERSION_MAJOR) || NLOHMANN_JSON_VERSION_MAJOR < 3 || \
    (NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR < 9)
#error "Sake needs nlohmann/json 3.9 or newer: the one that the compiler finds is older"
#include <stop: see the error above>
#endif

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

}  // namespace v0
}  // namespace sake
