// The words for what is wrong with a pattern, and its segments as they stand in paths.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sake/app/pattern.hpp"
#include "sake/base/log.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

constexpr const char* to_string(PatternError error) noexcept {
    switch (error) {
        case PatternError::none:
            return "is fine";
        case PatternError::must_start_with_slash:
            return "must start with a slash";
        case PatternError::not_text:
            return "is not UTF-8 without NUL, as every path is";
        case PatternError::name_missing:
            return "has a ':' or '*' without a name";
        case PatternError::name_used_twice:
            return "uses a parameter name twice";
        case PatternError::wildcard_not_last:
            return "has a '*' that is not in its last segment";
        case PatternError::too_many_params:
            return "has more than 16 parameters";
        case PatternError::has_query:
            return "has a '?' or '#': a pattern is of the path alone, ctx.query reads the query";
        case PatternError::has_escape:
            return "has a '%' that is not of %25, %2A, %2F or %3A: write what the escape stands for";
        case PatternError::has_bracket:
            return "has one of {}<>[] or a backslash: a parameter is written /:id, the rest of a path /*path";
        case PatternError::inside_segment:
            return "has a ':' or '*' inside a segment: a parameter is a whole segment, /:id; the characters "
                   "themselves are written %3A and %2A";
        case PatternError::bad_name:
            return "has a parameter whose name is not of letters, digits, '_' and '-'";
        case PatternError::has_expression:
            return "has a regular expression behind a parameter: take an int, or check the text in the "
                   "handler";
    }
    return "";
}

SAKE_INLINE void refuse_pattern(std::string_view text, PatternError error) {
    std::string shown;  // a NUL would end the message
    append_escaped(shown, text);
    throw std::invalid_argument("pattern \"" + shown + "\" " + to_string(error));
}

/// A segment of a pattern as it stands in paths.
inline std::string literal_segment(std::string_view segment) {
    std::string text;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const std::string_view escape = segment.substr(i, 3);
        const bool is_escape = escape == "%2A" || escape == "%3A";
        text += !is_escape ? segment[i] : escape == "%2A" ? '*' : ':';
        if (is_escape) i += 2;
    }
    return text;
}

}  // namespace detail

}  // namespace SAKE_ABI
}  // namespace sake
