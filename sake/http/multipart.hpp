// Reading a body of type multipart/form-data (RFC 7578, RFC 2046): bytes in, events out. Strict about line
// ends and headers, and linear in the size of the body, however it is split. Not here: where the parts are
// kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "sake/base/text.hpp"
#include "sake/http/headers_impl.hpp"
#include "sake/http/parameters.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// How much a multipart body may have. A part with a file name is a file, any other is a field.
struct MultipartLimits {
    std::size_t parts = std::numeric_limits<std::size_t>::max();
    std::size_t files = std::numeric_limits<std::size_t>::max();
    std::size_t field = std::numeric_limits<std::size_t>::max();  // bytes of one field
};

inline constexpr std::size_t longest_boundary = 70;  // RFC 2046 section 5.1.1
inline constexpr std::size_t most_part_headers = 8;
inline constexpr std::size_t longest_part_head = 4 * 1024;  // the lines of one part with their ends

/// True for a byte that may stand in a boundary (RFC 2046 section 5.1.1: bchars).
constexpr bool is_boundary_char(char c) noexcept {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || ascii::contains_char("0123456789'()+_,-./:=? ", c);
}

/// What the head of a part says.
struct PartHead {
    std::string name;
    std::string filename;
    std::string content_type;  // "" if the client sent none
    bool is_file = false;
};

class MultipartParser {
  public:
    enum class Kind : std::uint8_t {
        need_more,  // all that was given is consumed
        part,       // `head()` is that of a part that begins
        data,       // of this part
        part_end,
        done,  // the last boundary has come; what follows is consumed and ignored
        refused,
    };
    struct Step {
        Kind kind = Kind::need_more;
        std::size_t consumed = 0;
        std::string_view data = {};  // lies in the input, or in the parser until the next call
    };

    MultipartParser(std::string_view boundary, const MultipartLimits& limits)
        : delimiter_("\r\n--" + std::string(boundary)), limits_(limits) {}

    /// Takes bytes off the front of `input`, up to the next event. After need_more, it wants more input.
    [[nodiscard]] Step read(std::string_view input);

    /// The body has ended: done, or refused.
    [[nodiscard]] Step end() {
        if (state_ == State::epilogue) return {Kind::done};
        if (state_ != State::refused) refuse(400, "the body ends before its last boundary");
        return {Kind::refused};
    }

    [[nodiscard]] PartHead& head() noexcept { return head_; }
    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

  private:
    enum class State : std::uint8_t {
        preamble,
        after_boundary,
        dash,        // one '-' behind a boundary
        padding,     // white space behind a boundary
        padding_cr,  // the line end behind a boundary
        line,        // of the head of a part
        line_cr,
        data,
        epilogue,
        refused,
    };

    Step refuse(int status, std::string reason, std::size_t consumed = 0) {
        state_ = State::refused;
        status_ = status;
        reason_ = std::move(reason);
        return {Kind::refused, consumed};
    }

    /// How many bytes the rest of the delimiter and the text have in common.
    [[nodiscard]] std::size_t common(std::string_view text) const noexcept {
        const std::size_t most = std::min(text.size(), delimiter_.size() - matched_);
        const char* const wanted = delimiter_.data() + matched_;
        return static_cast<std::size_t>(std::mismatch(wanted, wanted + most, text.data()).first - wanted);
    }

    [[nodiscard]] Step search(std::string_view input, std::size_t at);
    [[nodiscard]] Step give(std::string_view piece, std::size_t consumed);
    [[nodiscard]] Step after_boundary(char c, std::size_t consumed);
    [[nodiscard]] Step begin_head(std::size_t consumed);
    [[nodiscard]] Step end_line(std::size_t consumed);
    [[nodiscard]] Step end_head(std::size_t consumed);
    [[nodiscard]] const char* take_disposition(std::string_view value);

    const std::string delimiter_;
    MultipartLimits limits_;
    State state_ = State::preamble;
    // How much of the delimiter has come. Only its first byte is a CR, so a match that fails begins nowhere
    // else in itself, and what was held back is the beginning of the delimiter.
    std::size_t matched_ = 2;
    // How much of that has not come: at the beginning of the body, and of a part, the line end before a
    // boundary is there already.
    std::size_t pretended_ = 2;
    std::size_t parts_ = 0;
    std::size_t files_ = 0;
    std::size_t field_size_ = 0;
    std::string line_;
    std::size_t lines_ = 0;
    std::size_t head_size_ = 0;
    bool has_disposition_ = false;
    bool has_type_ = false;
    bool has_encoding_ = false;
    PartHead head_;
    int status_ = 0;
    std::string reason_;
};

inline MultipartParser::Step MultipartParser::read(std::string_view input) {
    for (std::size_t at = 0;;) {
        if (state_ == State::refused) return {Kind::refused, at};
        if (matched_ == delimiter_.size()) {
            matched_ = pretended_ = 0;
            if (std::exchange(state_, State::after_boundary) == State::data) return {Kind::part_end, at};
        }
        if (at == input.size()) return {Kind::need_more, at};
        Step step;
        switch (state_) {
            case State::preamble:
            case State::data:
                step = search(input, at);
                break;
            case State::line: {
                const std::size_t end = std::min(input.find_first_of("\r\n", at), input.size());
                head_size_ += end - at;
                if (head_size_ > longest_part_head) return end_line(at);
                line_.append(input, at, end - at);
                step.consumed = end;
                if (end == input.size()) break;
                if (input[end] != '\r') return refuse(400, "a line of a part ends without a CR", end);
                ++step.consumed;
                state_ = State::line_cr;
                break;
            }
            case State::line_cr:
                if (input[at] != '\n')
                    return refuse(400, "a CR in the head of a part does not end a line", at);
                step = end_line(at + 1);
                break;
            case State::epilogue:
                return {Kind::need_more, input.size()};
            default:
                step = after_boundary(input[at], at + 1);
                break;
        }
        if (step.kind != Kind::need_more) return step;
        at = step.consumed;
    }
}

/// Passes data up to the next delimiter, or to what may be the beginning of one.
inline MultipartParser::Step MultipartParser::search(std::string_view input, std::size_t at) {
    if (matched_ > 0) {
        const std::size_t more = common(input.substr(at));
        at += more;
        matched_ += more;
        if (matched_ == delimiter_.size() || at == input.size()) return {Kind::need_more, at};
        std::string_view held = std::string_view(delimiter_).substr(0, std::exchange(matched_, 0));
        held.remove_prefix(std::exchange(pretended_, 0));
        return give(held, at);
    }
    for (std::size_t from = at;;) {
        const void* const found = std::memchr(input.data() + from, '\r', input.size() - from);
        if (found == nullptr) return give(input.substr(at), input.size());
        const auto cr = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
        const std::size_t length = common(input.substr(cr));
        from = cr + length;
        if (length < delimiter_.size() && from < input.size()) continue;
        const Step step = give(input.substr(at, cr - at), from);
        matched_ = length;
        return step;
    }
}

/// A field that grows too long is given up to its limit, so that the events are the same however it is split.
inline MultipartParser::Step MultipartParser::give(std::string_view piece, std::size_t consumed) {
    if (state_ == State::preamble || piece.empty()) return {Kind::need_more, consumed};
    if (!head_.is_file) {
        const std::size_t room = limits_.field - field_size_;
        if (piece.size() > room) {
            refuse(413, "a field of the form is larger than " + std::to_string(limits_.field) +
                            " bytes (max_form_field)");
            if (room == 0) return {Kind::refused, consumed};
            piece = piece.substr(0, room);
        }
        field_size_ += piece.size();
    }
    return {Kind::data, consumed, piece};
}

inline MultipartParser::Step MultipartParser::after_boundary(char c, std::size_t consumed) {
    const bool is_space = c == ' ' || c == '\t';
    if (state_ == State::after_boundary && c == '-') {
        state_ = State::dash;
    } else if (state_ == State::dash && c == '-') {
        state_ = State::epilogue;
        return {Kind::done, consumed};
    } else if ((state_ == State::after_boundary || state_ == State::padding) && is_space) {
        state_ = State::padding;
    } else if ((state_ == State::after_boundary || state_ == State::padding) && c == '\r') {
        state_ = State::padding_cr;
    } else if (state_ == State::padding_cr && c == '\n') {
        return begin_head(consumed);
    } else {
        return refuse(400, "a boundary is not followed by a line end", consumed);
    }
    return {Kind::need_more, consumed};
}

inline MultipartParser::Step MultipartParser::begin_head(std::size_t consumed) {
    if (parts_ == limits_.parts) {
        return refuse(413,
                      "the form has more than " + std::to_string(limits_.parts) + " parts (max_form_parts)",
                      consumed);
    }
    ++parts_;
    state_ = State::line;
    line_.clear();
    lines_ = head_size_ = field_size_ = 0;
    has_disposition_ = has_type_ = has_encoding_ = false;
    head_ = PartHead();
    return {Kind::need_more, consumed};
}

/// A line of the head is complete, or too long.
inline MultipartParser::Step MultipartParser::end_line(std::size_t consumed) {
    if (line_.empty() && head_size_ <= longest_part_head) return end_head(consumed);
    head_size_ += 2;
    if (head_size_ > longest_part_head) {
        return refuse(400, "the headers of a part are larger than 4096 bytes (part headers)", consumed);
    }
    if (++lines_ > most_part_headers) {
        return refuse(400, "a part has more than 8 headers (part headers)", consumed);
    }
    const std::size_t colon = line_.find(':');
    const std::string_view name = std::string_view(line_).substr(0, std::min(colon, line_.size()));
    if (colon == std::string::npos || !is_valid_field_name(name)) {
        return refuse(400, "a header of a part has no valid name", consumed);
    }
    const std::string_view value = trim_ows(std::string_view(line_).substr(colon + 1));
    if (!is_valid_field_value(value)) {
        return refuse(400, "a header of a part has a control byte in its value", consumed);
    }
    const char* wrong = nullptr;
    constexpr const char* twice = "a header of a part occurs twice";
    if (iequals(name, "Content-Disposition")) {
        wrong = std::exchange(has_disposition_, true) ? twice : take_disposition(value);
    } else if (iequals(name, "Content-Type")) {
        wrong = std::exchange(has_type_, true) ? twice : nullptr;
        head_.content_type = value;
    } else if (iequals(name, "Content-Transfer-Encoding")) {
        const bool is_plain = iequals(value, "7bit") || iequals(value, "8bit") || iequals(value, "binary");
        wrong = std::exchange(has_encoding_, true) ? twice
                : is_plain                         ? nullptr
                           : "the Content-Transfer-Encoding of a part must be 7bit, 8bit or binary";
    }
    if (wrong != nullptr) return refuse(400, wrong, consumed);
    line_.clear();
    state_ = State::line;
    return {Kind::need_more, consumed};
}

inline MultipartParser::Step MultipartParser::end_head(std::size_t consumed) {
    if (!has_disposition_) return refuse(400, "a part has no Content-Disposition", consumed);
    if (head_.is_file && files_ == limits_.files) {
        return refuse(413,
                      "the form has more than " + std::to_string(limits_.files) + " files (max_form_files)",
                      consumed);
    }
    if (head_.is_file) ++files_;
    state_ = State::data;
    matched_ = pretended_ = 2;
    return {Kind::part, consumed};
}

/// Browsers write a quote, CR and LF in a name as escapes of URIs, and no other byte (WHATWG HTML, section
/// "multipart form data").
inline std::string decode_part_name(std::string_view text) {
    std::string name;
    name.reserve(text.size());
    while (!text.empty()) {
        const std::string_view escape = text.substr(0, 3);
        const bool is_escape = escape == "%22" || iequals(escape, "%0D") || iequals(escape, "%0A");
        name += is_escape ? static_cast<char>(ascii::hex_value(text[1]) * 16 + ascii::hex_value(text[2]))
                          : text[0];
        text.remove_prefix(is_escape ? 3 : 1);
    }
    return name;
}

/// Returns what is wrong with it, or nullptr. `filename*` is ignored, as RFC 7578 section 4.2 demands.
inline const char* MultipartParser::take_disposition(std::string_view value) {
    Parameters parameters(value);
    if (!iequals(parameters.before(), "form-data"))
        return "the Content-Disposition of a part is not form-data";
    bool has_name = false;
    for (;;) {
        const Parameters::Result result = parameters.next();
        if (result == Parameters::Result::malformed) return "the Content-Disposition of a part is malformed";
        if (result == Parameters::Result::end) break;
        const bool is_name = iequals(parameters.name, "name");
        if (!is_name && !iequals(parameters.name, "filename")) continue;
        if (std::exchange(is_name ? has_name : head_.is_file, true)) {
            return "the Content-Disposition of a part has a parameter twice";
        }
        (is_name ? head_.name : head_.filename) = decode_part_name(parameters.text);
    }
    return has_name ? nullptr : "the Content-Disposition of a part has no name";
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
