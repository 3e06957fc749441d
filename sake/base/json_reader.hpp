// Reading JSON text value by value without building a tree of it, for documents of a known form: fast, and
// with no memory but that of the result. Everything else uses parse_json.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sake/base/json.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// Reads a JSON text (RFC 8259) value by value, as the caller expects them. Throws JsonError that says where
/// it is something else. What is skipped is only checked for its brackets and strings.
class JsonReader {
  public:
    JsonReader(std::string_view text, const JsonLimits& limits)
        : text_(text),
          at_(text.data()),
          end_(text.data() + text.size()),
          depth_left_(limits.depth),
          values_left_(limits.values) {
        if (!is_valid_utf8(text)) throw JsonError("the JSON text is not UTF-8");
    }

    /// What the next value begins with: '{', '[', '"', a digit and so on; NUL at the end.
    [[nodiscard]] char peek() noexcept {
        skip_space();
        return at_ == end_ ? '\0' : *at_;
    }

    /// An object: calls `member(name)`, which reads the value.
    template <class F>
    void object(F member) {
        enclosed('{', '}', [&] {
            std::string storage;
            const std::string_view name = this->name(storage);
            expect(':', "a colon");
            member(name);
        });
    }

    /// An array: calls `element()`, which reads the value.
    template <class F>
    void array(F element) {
        enclosed('[', ']', element);
    }

    [[nodiscard]] std::string string() {
        std::string out;
        string(out);
        return out;
    }
    void string(std::string& out) {
        expect('"', "a string");
        out.clear();
        for (;;) {
            const char* const special = find_json_special(at_, end_);
            out.append(at_, special);
            at_ = special;
            if (at_ == end_) reject("the string does not end");
            const char c = *at_++;
            if (c == '"') return;
            if (c != '\\') {
                --at_;
                reject("a control character in a string");
            }
            append_escaped_character(out);
        }
    }

    [[nodiscard]] std::int64_t integer() {
        skip_space();
        std::int64_t value = 0;
        const char* const digits = at_ != end_ && *at_ == '-' ? at_ + 1 : at_;
        if (end_ - digits >= 2 && digits[0] == '0' && ascii::is(digits[1], ascii::digit))
            reject("a leading zero");
        const auto [after, error] = std::from_chars(at_, end_, value);
        const bool goes_on = after != end_ && (*after == '.' || *after == 'e' || *after == 'E');
        if (error != std::errc() || goes_on) reject("expected an integer");
        at_ = after;
        return value;
    }

    [[nodiscard]] bool boolean() {
        skip_space();
        const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
        const bool value = rest.starts_with("true");
        if (!value && !rest.starts_with("false")) reject("expected true or false");
        at_ += value ? 4 : 5;
        return value;
    }

    /// The text of the next value, whatever it is.
    std::string_view raw() {
        const char first = peek();
        const char* const begin = at_;
        if (first == '{') {
            object([this](std::string_view) { raw(); });
        } else if (first == '[') {
            array([this] { raw(); });
        } else if (first == '"') {
            static_cast<void>(string());
        } else {
            while (at_ != end_ && std::string_view(",]} \t\r\n").find(*at_) == std::string_view::npos) ++at_;
            if (at_ == begin) reject("expected a value");
        }
        return {begin, static_cast<std::size_t>(at_ - begin)};
    }

    /// Nothing but white space may follow.
    void end() {
        if (peek() != '\0' || at_ != end_) reject("something follows the end");
    }

    [[noreturn]] void reject(std::string_view why) const {
        throw JsonError("invalid JSON at byte " + std::to_string(at_ - text_.data() + 1) + ": " +
                        std::string(why));
    }

  private:
    // A view of the text, or of `storage` if there is an escape in it.
    std::string_view name(std::string& storage) {
        if (peek() == '"') {
            const char* const begin = at_ + 1;
            const char* const special = find_json_special(begin, end_);
            if (special != end_ && *special == '"') {
                at_ = special + 1;
                return {begin, static_cast<std::size_t>(special - begin)};
            }
        }
        string(storage);
        return storage;
    }

    void skip_space() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }

    void expect(char c, std::string_view name) {
        if (peek() != c || at_ == end_) reject("expected " + std::string(name));
        ++at_;
    }

    template <class F>
    void enclosed(char open, char close, F item) {
        expect(open, open == '{' ? "an object" : "an array");
        if (depth_left_-- == 0) reject("it nests too deep");
        if (peek() == close) {
            ++at_;
        } else {
            for (;;) {
                if (values_left_-- == 0) reject("it has too many values");
                item();
                if (peek() == close) break;
                expect(',', "a comma");
            }
            ++at_;
        }
        ++depth_left_;
    }

    void append_escaped_character(std::string& out) {
        if (at_ == end_) reject("the string does not end");
        constexpr std::string_view escapes = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        const std::size_t known = escapes.find(*at_);
        if (known != std::string_view::npos) {
            out += meanings[known];
            ++at_;
            return;
        }
        if (*at_ != 'u') reject("an unknown escape");
        ++at_;
        std::uint32_t code = hex4();
        if (code >= 0xdc00 && code < 0xe000) reject("half of a surrogate pair");
        if (code >= 0xd800 && code < 0xdc00) {
            if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') reject("half of a surrogate pair");
            at_ += 2;
            const std::uint32_t low = hex4();
            if (low < 0xdc00 || low >= 0xe000) reject("half of a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
        }
        append_utf8(out, code);
    }

    std::uint32_t hex4() {
        std::uint32_t code = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            if (at_ == end_ || !ascii::is(*at_, ascii::hex)) reject("expected four hexadecimal digits");
            code = code * 16 + ascii::hex_value(*at_);
        }
        return code;
    }

    static void append_utf8(std::string& out, std::uint32_t code) {
        const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
        if (code < 0x80) return put(code);
        if (code < 0x800) {
            put(0xc0 | code >> 6U);
        } else {
            if (code < 0x10000) {
                put(0xe0 | code >> 12U);
            } else {
                put(0xf0 | code >> 18U);
                put(0x80 | (code >> 12U & 0x3fU));
            }
            put(0x80 | (code >> 6U & 0x3fU));
        }
        put(0x80 | (code & 0x3fU));
    }

    std::string_view text_;
    const char* at_;
    const char* end_;
    std::size_t depth_left_;
    std::size_t values_left_;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
