// Patterns such as "/users/:id" and "/files/*path": their grammar, checked at compile time where they are
// literals.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sake/app/handler.hpp"
#include "sake/base/text.hpp"

namespace sake {
inline namespace SAKE_ABI {

/// A pattern made at run time, with the place in the source that made it. See `runtime`.
struct RuntimePattern {
    std::string text;
    const char* file;
    int line;
};

/// Marks a pattern as made at run time: `app.get(sake::runtime(prefix + "/users/:id"), ...)`. A bad pattern
/// throws std::invalid_argument when it is registered.
[[nodiscard]] inline RuntimePattern runtime(std::string text, const char* file = __builtin_FILE(),
                                            int line = __builtin_LINE()) {
    return {std::move(text), file, line};
}

namespace detail {

/// The largest number of parameters in one pattern.
inline constexpr std::size_t max_path_params = 16;

enum class PatternError : std::uint8_t {
    none,
    must_start_with_slash,
    not_text,
    name_missing,
    name_used_twice,
    wildcard_not_last,
    too_many_params,
    has_query,
    has_escape,
    has_bracket,
    inside_segment,
    bad_name,
    has_expression,
};

/// Throws std::invalid_argument that says so.
[[noreturn]] void refuse_pattern(std::string_view text, PatternError error);

/// Takes the next segment off a pattern or a path, which begins with '/'.
constexpr std::string_view take_segment(std::string_view& rest) noexcept {
    // A loop, since segments are short: find would cost a call of memchr.
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != '/') ++end;
    const std::string_view segment(rest.data() + 1, end - 1);
    rest.remove_prefix(end);
    return segment;
}

constexpr bool is_param(std::string_view segment) noexcept {
    return !segment.empty() && (segment.front() == ':' || segment.front() == '*');
}

/// Takes a pattern up to the end of its next parameter, whose name it returns; "" if there is none.
constexpr std::string_view take_param_name(std::string_view& rest) noexcept {
    while (!rest.empty()) {
        const std::string_view segment = take_segment(rest);
        if (is_param(segment)) return segment.substr(1);
    }
    return {};
}

struct PatternCheck {
    PatternError error = PatternError::none;
    std::size_t params = 0;
};

/// Paths are decoded before they are compared with patterns, except %25 and %2F. In a pattern, %2A and %3A
/// stand for '*' and ':' where these do not begin a parameter.
constexpr bool has_other_escape(std::string_view text) noexcept {
    for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
        const std::string_view escape = text.substr(i, 3);
        if (escape != "%25" && escape != "%2A" && escape != "%2F" && escape != "%3A") return true;
    }
    return false;
}

/// Whether it is UTF-8 without NUL. A path that is not is answered with 400 before it reaches a pattern.
constexpr bool is_pattern_text(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text.data(), text.size());
        if (length == 0 || text[0] == '\0') return false;
        text.remove_prefix(length);
    }
    return true;
}

constexpr bool is_param_name(std::string_view name) noexcept {
    for (const char c : name) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              c == '_' || c == '-';
        if (!is_plain && static_cast<unsigned char>(c) < 0x80) return false;
    }
    return true;
}

/// Whether a parameter is followed by a regular expression, as elsewhere: "/:id(\\d+)".
constexpr bool has_expression(std::string_view text) noexcept {
    for (std::size_t i = text.find("/:"); i != std::string_view::npos; i = text.find("/:", i + 1)) {
        const std::string_view name = text.substr(i, text.find('/', i + 1) - i);
        if (name.find('(') != std::string_view::npos) return true;
    }
    return false;
}

/// Checks the grammar. An empty text is right only for a group.
constexpr PatternCheck check_pattern(std::string_view text) noexcept {
    if (text.empty() || text.front() != '/') return {PatternError::must_start_with_slash, 0};
    if (!is_pattern_text(text)) return {PatternError::not_text, 0};
    if (text.find_first_of("?#") != std::string_view::npos) return {PatternError::has_query, 0};
    if (has_expression(text)) return {PatternError::has_expression, 0};
    if (text.find_first_of("{}<>[]\\") != std::string_view::npos) return {PatternError::has_bracket, 0};
    if (has_other_escape(text)) return {PatternError::has_escape, 0};
    std::string_view names[max_path_params];
    PatternCheck check;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view segment = take_segment(rest);
        if (!is_param(segment)) {
            if (segment.find_first_of(":*") != std::string_view::npos)
                return {PatternError::inside_segment, 0};
            continue;
        }
        if (segment.size() == 1) return {PatternError::name_missing, 0};
        if (segment.find_first_of(":*", 1) != std::string_view::npos)
            return {PatternError::inside_segment, 0};
        if (!is_param_name(segment.substr(1))) return {PatternError::bad_name, 0};
        if (segment.front() == '*' && !rest.empty()) return {PatternError::wildcard_not_last, 0};
        if (check.params == max_path_params) return {PatternError::too_many_params, 0};
        for (std::size_t i = 0; i < check.params; ++i) {
            if (names[i] == segment.substr(1)) return {PatternError::name_used_twice, 0};
        }
        names[check.params++] = segment.substr(1);
    }
    return check;
}

// Not constexpr on purpose: calling one of these while a literal pattern is checked stops the compiler, which
// prints its name.
inline void a_pattern_starts_with_a_slash_write_it_in_front() {}
inline void a_pattern_is_utf8_without_nul_save_the_file_as_utf8() {}
inline void a_parameter_of_the_pattern_has_no_name_write_it_behind_the_colon_or_star() {}
inline void the_pattern_uses_a_parameter_name_twice_rename_one() {}
inline void a_parameter_with_a_star_takes_the_rest_of_the_path_move_it_to_the_end() {}
inline void the_pattern_has_more_than_16_parameters_read_the_others_from_the_query() {}
inline void a_pattern_is_a_path_without_a_query_read_that_by_ctx_query() {}
inline void the_pattern_has_a_percent_escape_write_the_character_itself() {}
inline void the_pattern_has_a_bracket_write_a_parameter_with_a_colon_like_slash_colon_id() {}
inline void a_parameter_is_a_whole_segment_write_the_colon_or_star_behind_a_slash() {}
inline void a_parameter_name_has_letters_digits_underscores_and_hyphens_only_rename_it() {}
inline void a_pattern_has_no_regular_expressions_take_an_int_or_check_in_the_handler() {}
inline void the_handler_needs_one_parameter_for_each_name_in_its_pattern_or_none_and_ctx_param() {}

/// Stops the compiler with the words for the error.
constexpr void require_pattern(PatternError error) {
    switch (error) {
        case PatternError::none:
            break;
        case PatternError::must_start_with_slash:
            a_pattern_starts_with_a_slash_write_it_in_front();
            break;
        case PatternError::not_text:
            a_pattern_is_utf8_without_nul_save_the_file_as_utf8();
            break;
        case PatternError::name_missing:
            a_parameter_of_the_pattern_has_no_name_write_it_behind_the_colon_or_star();
            break;
        case PatternError::name_used_twice:
            the_pattern_uses_a_parameter_name_twice_rename_one();
            break;
        case PatternError::wildcard_not_last:
            a_parameter_with_a_star_takes_the_rest_of_the_path_move_it_to_the_end();
            break;
        case PatternError::too_many_params:
            the_pattern_has_more_than_16_parameters_read_the_others_from_the_query();
            break;
        case PatternError::has_query:
            a_pattern_is_a_path_without_a_query_read_that_by_ctx_query();
            break;
        case PatternError::has_escape:
            the_pattern_has_a_percent_escape_write_the_character_itself();
            break;
        case PatternError::has_bracket:
            the_pattern_has_a_bracket_write_a_parameter_with_a_colon_like_slash_colon_id();
            break;
        case PatternError::inside_segment:
            a_parameter_is_a_whole_segment_write_the_colon_or_star_behind_a_slash();
            break;
        case PatternError::bad_name:
            a_parameter_name_has_letters_digits_underscores_and_hyphens_only_rename_it();
            break;
        case PatternError::has_expression:
            a_pattern_has_no_regular_expressions_take_an_int_or_check_in_the_handler();
            break;
    }
}

/// What registration needs to know of a pattern, and where it stands in the source.
struct PatternInfo {
    std::string_view text;
    std::size_t params;
    const char* file;
    int line;
};

/// What a pattern is for.
enum class PatternUse : std::uint8_t { route, route_in_group, group };

/// A pattern as an argument: a literal is checked while compiling, also against the type F of its handler. A
/// group's prefix may hold more parameters, so that a handler in it may take more; and the prefix itself may
/// be empty. Flat, without a base or a class as a member: clang 14 crashes on consteval objects that have
/// one.
template <class F, PatternUse Use>
class PatternArgument {
  public:
    template <std::size_t Size>
    consteval PatternArgument(const char (&text)[Size], const char* file = __builtin_FILE(),
                              int line = __builtin_LINE())
        : text_(text), size_(Size - 1), file_(file), line_(line) {
        const PatternCheck check = check_pattern({text, Size - 1});
        if (Use != PatternUse::group || Size > 1) require_pattern(check.error);
        params_ = check.params;
        constexpr std::size_t taken = handler_param_count<F>;
        if (taken != 0 && (Use == PatternUse::route ? taken != params_ : taken < params_)) {
            the_handler_needs_one_parameter_for_each_name_in_its_pattern_or_none_and_ctx_param();
        }
    }

    template <std::convertible_to<std::string_view> Text>
    PatternArgument(const Text&) {  // NOLINT(google-explicit-constructor)
        static_assert(always_false<Text>,
                      "a pattern that is made at run time is checked at run time: write "
                      "app.get(sake::runtime(text), f)");
    }

    // Implicit, so that runtime(...) stands where a literal does. It is alive for as long as the call.
    PatternArgument(const RuntimePattern& pattern)  // NOLINT(google-explicit-constructor)
        : text_(pattern.text.data()), size_(pattern.text.size()), file_(pattern.file), line_(pattern.line) {
        const PatternCheck check = check_pattern(pattern.text);
        const bool may_be_empty = Use == PatternUse::group && pattern.text.empty();
        if (check.error != PatternError::none && !may_be_empty) refuse_pattern(pattern.text, check.error);
        params_ = check.params;
    }

    [[nodiscard]] PatternInfo info() const noexcept { return {{text_, size_}, params_, file_, line_}; }

  private:
    const char* text_;
    std::size_t size_;
    const char* file_;
    int line_;
    std::size_t params_ = 0;
};

// A function that takes no parameters from the path stands for "no handler".
using GroupPrefix = PatternArgument<void (*)(Context&), PatternUse::group>;
template <class F>
using PatternFor = PatternArgument<std::type_identity_t<F>, PatternUse::route>;
template <class F>
using GroupPatternFor = PatternArgument<std::type_identity_t<F>, PatternUse::route_in_group>;

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
