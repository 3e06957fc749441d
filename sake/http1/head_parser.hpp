// The head of a message, request or response, without its first line: bytes in, offsets out (RFC 9112
// sections 2 to 5). Strict: what the grammar does not allow is refused, there is no lenient mode. Linear: a
// byte is scanned once, whatever the splits. Not here: the first lines (request_parser.hpp,
// response_parser.hpp) and what the head means for the body (framing.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sake/base/array.hpp"
#include "sake/base/text.hpp"
#include "sake/http/slice.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// Sizes in bytes. The start line, of a request or a response, includes its CRLF, the header block all its
/// lines and the final CRLF.
struct HeadLimits {
    std::size_t start_line = 8 * 1024;
    std::size_t header_block = 16 * 1024;
    std::size_t header_count = 100;
};

/// Where a field that decides the framing was seen: how often, and the index in `fields` of its first line.
struct KnownField {
    std::uint32_t count = 0;
    std::uint32_t first = 0;
};

/// What the parser found in any head. Reuse one object: its vector keeps its capacity.
struct MessageHead {
    std::uint8_t minor_version = 1;  // 0 for HTTP/1.0, 1 for HTTP/1.1 and whatever follows it
    Array<FieldSlice> fields;
    std::size_t size = 0;  // bytes of the head, with the final CRLF and empty lines skipped before it
    KnownField host, content_length, transfer_encoding, connection, expect;

    /// Back to empty, keeping the capacity.
    void clear() noexcept {
        minor_version = 1;
        fields.clear();
        size = 0;
        host = content_length = transfer_encoding = connection = expect = KnownField{};
    }
};

/// Why a head is refused, and the status to say it with; 0 for one that is not.
struct HeadRefusal {
    int status = 0;
    std::string_view reason = {};
};

constexpr Slice slice_of(const char* base, const char* begin, const char* end) noexcept {
    return {static_cast<std::uint32_t>(begin - base), static_cast<std::uint32_t>(end - begin)};
}

/// HTTP-version = "HTTP" "/" DIGIT "." DIGIT (RFC 9112 section 2.3)
inline HeadRefusal take_version(std::string_view text, MessageHead& head) noexcept {
    if (text.size() != 8 || std::memcmp(text.data(), "HTTP/", 5) != 0 || text[6] != '.' ||
        !ascii::is(text[5], ascii::digit) || !ascii::is(text[7], ascii::digit)) {
        return {400, "bad HTTP version"};
    }
    if (text[5] != '1') return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
    head.minor_version = text[7] == '0' ? 0 : 1;
    return {};
}

/// Parses one head at a time; `reset` begins the next. StartLine says what comes before the fields: see
/// RequestLine.
template <class StartLine>
class HeadParser {
  public:
    using Head = typename StartLine::Head;
    enum class Result { need_more, done, refused };

    explicit HeadParser(HeadLimits limits = {}) noexcept
        : limits_{std::min(limits.start_line, largest), std::min(limits.header_block, largest),
                  std::min(limits.header_count, largest)} {}

    /// Goes on where the last call stopped. `buffer` is all bytes of this message so far: between two calls
    /// it may grow and move, not change. After `done`, `head.size` bytes are the head, and the rest follows
    /// it. The outcome does not depend on how the bytes were split over calls.
    [[nodiscard]] Result parse(std::string_view buffer, Head& head) {
        while (state_ == State::start_line || state_ == State::fields) {
            if (!find_line_end(buffer)) break;
            take_line(buffer.data(), head);
        }
        return state_ == State::done      ? Result::done
               : state_ == State::refused ? Result::refused
                                          : Result::need_more;
    }

    /// The status to refuse with, and why in plain words; 0 and empty unless `parse` said `refused`.
    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

    /// True once a byte of the message itself was seen; empty lines before it do not count.
    [[nodiscard]] bool started() const noexcept { return state_ != State::start_line || scanned_ > line_; }

    /// True once the start line was taken: `head` holds what it says.
    [[nodiscard]] bool has_start_line() const noexcept { return block_ != 0; }

    /// Ready for the next message, whose first byte is then at offset 0.
    void reset() noexcept {
        line_ = scanned_ = block_ = 0;
        empty_lines_ = 0;
        state_ = State::start_line;
        status_ = 0;
        reason_ = {};
    }

  private:
    enum class State : std::uint8_t { start_line, fields, done, refused };

    // Offsets are 32 bits wide; with these bounds no sum of them wraps.
    static constexpr std::size_t largest = std::size_t{1} << 30;

    HeadLimits limits_;
    std::size_t line_ = 0;     // where the current line begins
    std::size_t scanned_ = 0;  // up to here the current line holds no control byte
    std::size_t block_ = 0;    // where the header block begins
    unsigned empty_lines_ = 0;
    State state_ = State::start_line;
    int status_ = 0;
    std::string_view reason_;

    void refuse(int status, std::string_view reason) noexcept {
        state_ = State::refused;
        status_ = status;
        reason_ = reason;
    }

    void refuse_size(std::string_view line) noexcept {
        if (state_ == State::fields) return refuse(431, "header block too large");
        const HeadRefusal refusal = StartLine::too_long(line);
        refuse(refusal.status, refusal.reason);
    }

    /// True when [line_, scanned_) is a line that ends in CRLF. Whichever comes first in the bytes, a bad one
    /// or the one too many, decides the status; so a line is looked at only up to its limit.
    bool find_line_end(std::string_view buffer) noexcept {
        const std::size_t limit =
            state_ == State::start_line ? line_ + limits_.start_line : block_ + limits_.header_block;
        const std::size_t window = std::min(buffer.size(), limit);
        const char* found = ascii::find_control(buffer.data() + scanned_, buffer.data() + window);
        scanned_ = static_cast<std::size_t>(found - buffer.data());
        if (scanned_ + 1 < window && found[0] == '\r' && found[1] == '\n') return true;
        if (scanned_ < window && found[0] != '\r') {
            refuse(400,
                   found[0] == '\n' ? "line feed without carriage return" : "control character in the head");
        } else if (scanned_ + 1 < window) {
            refuse(400, "carriage return without line feed");
        } else if (buffer.size() > limit) {
            refuse_size(buffer.substr(line_, limit - line_));
        }
        return false;
    }

    void take_line(const char* base, Head& head) {
        const char* begin = base + line_;
        const char* end = base + scanned_;
        line_ = scanned_ += 2;
        if (state_ == State::fields) return take_field(base, begin, end, head);
        if (begin != end) return take_start_line(base, begin, end, head);
        if (++empty_lines_ > StartLine::empty_lines_allowed) refuse(400, StartLine::is_missing);
    }

    void take_start_line(const char* base, const char* begin, const char* end, Head& head) {
        head.clear();
        const HeadRefusal refusal = StartLine::take(base, begin, end, head);
        if (refusal.status != 0) return refuse(refusal.status, refusal.reason);
        state_ = State::fields;
        block_ = line_;
    }

    /// field-line = field-name ":" OWS field-value OWS (RFC 9112 section 5); the values' bytes are known to
    /// be good.
    void take_field(const char* base, const char* begin, const char* end, Head& head) {
        if (begin == end) {
            head.size = line_;
            state_ = State::done;
            return;
        }
        if (head.fields.size() >= limits_.header_count) return refuse(431, "too many header fields");
        const char* p = begin;
        while (p != end && ascii::is(*p, ascii::token)) ++p;
        if (p == begin || p == end || *p != ':') return refuse(400, describe_bad_name(begin, p, end));
        const char* colon = p++;
        while (p != end && (*p == ' ' || *p == '\t')) ++p;
        while (end != p && (end[-1] == ' ' || end[-1] == '\t')) --end;
        note(head, {begin, static_cast<std::size_t>(colon - begin)});
        head.fields.push_back({slice_of(base, begin, colon), slice_of(base, p, end)});
    }

    static std::string_view describe_bad_name(const char* begin, const char* p, const char* end) noexcept {
        if (p == end) return "header line without a colon";
        const bool space = *p == ' ' || *p == '\t';
        if (p == begin) return space ? "folded header line" : "bad or empty header name";
        return space ? "space in or after a header name" : "bad character in a header name";
    }

    /// Whether a token of the same length is this name of small letters and '-': a bit sets it in small
    /// letters, since no other byte of a token becomes one of those.
    static bool is_name(std::string_view token, std::string_view wanted) noexcept {
        for (std::size_t i = 0; i < token.size(); ++i) {
            if ((token[i] | 0x20) != wanted[i]) return false;
        }
        return true;
    }

    /// Remembers the fields that the framing asks for, so that it needs no search.
    static void note(MessageHead& head, std::string_view name) noexcept {
        KnownField* known = nullptr;
        std::string_view wanted;
        switch (name.size()) {
            case 4:
                known = &head.host, wanted = "host";
                break;
            case 6:
                known = &head.expect, wanted = "expect";
                break;
            case 10:
                known = &head.connection, wanted = "connection";
                break;
            case 14:
                known = &head.content_length, wanted = "content-length";
                break;
            case 17:
                known = &head.transfer_encoding, wanted = "transfer-encoding";
                break;
            default:
                return;
        }
        if (!is_name(name, wanted)) return;
        if (known->count++ == 0) known->first = static_cast<std::uint32_t>(head.fields.size());
    }
};

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
