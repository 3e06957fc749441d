// Writes server-sent events, comments and retry hints as text (WHATWG HTML). Values that the format cannot
// express throw. event_reader.hpp reads them.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sake/http/headers_impl.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// One event. What is not there is not sent.
struct EventFields {
    std::string name;
    std::optional<std::string> id;  // an empty one has the client forget the last
    std::optional<std::string> data;
    std::optional<std::chrono::milliseconds> retry;
};

/// Cuts the next line off, which ends with CR, LF or CRLF, or with the text.
constexpr std::string_view take_event_line(std::string_view& text) noexcept {
    const std::size_t end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    const bool is_crlf = end != std::string_view::npos && text.substr(end, 2) == "\r\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + (is_crlf ? 2 : 1));
    return line;
}

/// Throws std::invalid_argument where `text`, a name or an id, has a CR, LF or NUL: it would end the line, or
/// clients would ignore it.
inline void check_event_text(std::string_view what, std::string_view text) {
    constexpr std::string_view bad("\r\n\0", 3);
    const std::size_t at = text.find_first_of(bad);
    if (at != std::string_view::npos) throw_bad_byte(what, at, text[at]);
}

/// Appends `begin` and a line of the text, for each of its lines; for an empty text once.
inline void append_event_lines(std::string& out, std::string_view begin, std::string_view text) {
    for (;;) {
        const bool has_end = text.find_first_of("\r\n") != std::string_view::npos;
        const std::string_view line = take_event_line(text);
        out.append(begin).append(line).append(1, '\n');
        if (!has_end) return;  // after a line end at the end of the text comes one more, empty line
    }
}

/// Appends an event with the empty line at its end; nothing if nothing is in it. One with a name has data,
/// empty if need be, because clients pass no other on.
inline void append_event(std::string& out, const EventFields& event) {
    if (!event.name.empty()) out.append("event: ").append(event.name).append(1, '\n');
    if (event.id) out.append("id: ").append(*event.id).append(1, '\n');
    if (event.retry) out.append("retry: ").append(std::to_string(event.retry->count())).append(1, '\n');
    if (event.data || !event.name.empty()) append_event_lines(out, "data: ", event.data.value_or(""));
    if (!event.name.empty() || event.id || event.retry || event.data) out += '\n';
}

/// Appends a comment, which clients ignore.
inline void append_event_comment(std::string& out, std::string_view text) {
    append_event_lines(out, text.empty() ? ":" : ": ", text);
    out += '\n';
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
