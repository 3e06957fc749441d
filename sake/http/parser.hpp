// The request head: bytes in, a RequestHead of offsets out (RFC 9112 sections 2 to 5). Strict: what the
// grammar does not allow is refused, there is no lenient mode. Linear: a byte is scanned once, whatever the
// splits. Not here: what the head means for the body (framing.hpp) and what the target means (uri.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "sake/base/text.hpp"
#include "sake/http/message.hpp"

namespace sake {
inline namespace v0 {
namespace http {

/// A piece of the buffer by offset, so that the buffer may move between two calls of the parser.
struct Slice {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;

    /// The text, given where the buffer is now.
    [[nodiscard]] std::string_view of(const char* base) const noexcept { return {base + offset, length}; }
};

/// One header field; the value comes without the white space around it.
struct FieldSlice {
    Slice name;
    Slice value;
};

/// Sizes in bytes. The request line includes its CRLF, the header block all its lines and the final CRLF.
struct HeadLimits {
    std::size_t request_line = 8 * 1024;
    std::size_t header_block = 16 * 1024;
    std::size_t header_count = 100;
};

/// Where a field that decides the framing was seen: how often, and the index in `fields` of its first line.
struct KnownField {
    std::uint32_t count = 0;
    std::uint32_t first = 0;
};

/// What the parser found. Reuse one object: its vector keeps its capacity.
struct RequestHead {
    Method method = Method::other;
    std::uint8_t minor_version = 1;  // 0 for HTTP/1.0, 1 for HTTP/1.1 and whatever follows it
    Slice method_name;
    Slice target;
    std::vector<FieldSlice> fields;
    std::size_t size = 0;  // bytes of the head, with the final CRLF and empty lines skipped before it
    KnownField host, content_length, transfer_encoding, connection, expect;

    /// Back to empty, keeping the capacity.
    void clear() noexcept {
        method = Method::other;
        minor_version = 1;
        method_name = target = Slice{};
        fields.clear();
        size = 0;
        host = content_length = transfer_encoding = connection = expect = KnownField{};
    }
};

/// Parses one head at a time; `reset` begins the next.
class RequestParser {
  public:
    enum class Result { need_more, done, refused };

    explicit RequestParser(HeadLimits limits = {}) noexcept
        : limits_{std::min(limits.request_line, largest), std::min(limits.header_block, largest),
                  std::min(limits.header_count, largest)} {}

    /// Goes on where the last call stopped. `buffer` is all bytes of this request so far: between two calls
    /// it may grow and move, not change. After `done`, `head.size` bytes are the head, and the rest follows
    /// it. The outcome does not depend on how the bytes were split over calls.
    [[nodiscard]] Result parse(std::string_view buffer, RequestHead& head) {
        while (state_ == State::request_line || state_ == State::fields) {
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

    /// True once a byte of the request itself was seen; empty lines before it do not count.
    [[nodiscard]] bool started() const noexcept { return state_ != State::request_line || scanned_ > line_; }

    /// Ready for the next request, whose first byte is then at offset 0.
    void reset() noexcept {
        line_ = scanned_ = block_ = 0;
        empty_lines_ = 0;
        state_ = State::request_line;
        status_ = 0;
        reason_ = {};
    }

  private:
    enum class State : std::uint8_t { request_line, fields, done, refused };

    // Offsets are 32 bits wide; with these bounds no sum of them wraps.
    static constexpr std::size_t largest = std::size_t{1} << 30;
    static constexpr unsigned empty_lines_allowed = 2;  // RFC 9112 section 2.2: at least one

    HeadLimits limits_;
    std::size_t line_ = 0;     // where the current line begins
    std::size_t scanned_ = 0;  // up to here the current line holds no control byte
    std::size_t block_ = 0;    // where the header block begins
    unsigned empty_lines_ = 0;
    State state_ = State::request_line;
    int status_ = 0;
    std::string_view reason_;

    void refuse(int status, std::string_view reason) noexcept {
        state_ = State::refused;
        status_ = status;
        reason_ = reason;
    }

    void refuse_size() noexcept {
        if (state_ == State::request_line) return refuse(414, "request line too long");
        refuse(431, "header block too large");
    }

    /// True when [line_, scanned_) is a line that ends in CRLF. Whichever comes first in the bytes, a bad one
    /// or the one too many, decides the status; so a line is looked at only up to its limit.
    bool find_line_end(std::string_view buffer) noexcept {
        const std::size_t limit =
            state_ == State::request_line ? line_ + limits_.request_line : block_ + limits_.header_block;
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
            refuse_size();
        }
        return false;
    }

    void take_line(const char* base, RequestHead& head) {
        const char* begin = base + line_;
        const char* end = base + scanned_;
        line_ = scanned_ += 2;
        if (state_ == State::fields) return take_field(base, begin, end, head);
        if (begin != end) return take_request_line(base, begin, end, head);
        if (++empty_lines_ > empty_lines_allowed) refuse(400, "empty line instead of a request");
    }

    static Slice slice(const char* base, const char* begin, const char* end) noexcept {
        return {static_cast<std::uint32_t>(begin - base), static_cast<std::uint32_t>(end - begin)};
    }

    /// request-line = method SP request-target SP HTTP-version (RFC 9112 section 3)
    void take_request_line(const char* base, const char* begin, const char* end, RequestHead& head) {
        head.clear();
        const char* p = begin;
        while (p != end && ascii::is(*p, ascii::token)) ++p;
        if (p == begin || p == end || *p != ' ') return refuse(400, "bad method");
        head.method_name = slice(base, begin, p);
        head.method = method_from(head.method_name.of(base));
        const char* target = ++p;
        p = skip_target(p, end);
        if (p == target || p == end || *p != ' ') return refuse(400, "bad request target");
        head.target = slice(base, target, p);
        take_version({p + 1, static_cast<std::size_t>(end - p - 1)}, head);
        block_ = line_;
    }

    /// Past the bytes that a URI may hold and the well-formed percent escapes among them.
    static const char* skip_target(const char* p, const char* end) noexcept {
        for (;; ++p) {
            while (p != end && ascii::is(*p, ascii::target)) ++p;
            if (end - p < 3 || p[0] != '%') return p;
            if (!ascii::is(p[1], ascii::hex) || !ascii::is(p[2], ascii::hex)) return p;
            p += 2;
        }
    }

    /// HTTP-version = "HTTP" "/" DIGIT "." DIGIT (RFC 9112 section 2.3)
    void take_version(std::string_view text, RequestHead& head) noexcept {
        if (text.size() != 8 || std::memcmp(text.data(), "HTTP/", 5) != 0 || text[6] != '.' ||
            !ascii::is(text[5], ascii::digit) || !ascii::is(text[7], ascii::digit)) {
            return refuse(400, "bad HTTP version");
        }
        if (text[5] != '1') return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        head.minor_version = text[7] == '0' ? 0 : 1;
        state_ = State::fields;
    }

    /// field-line = field-name ":" OWS field-value OWS (RFC 9112 section 5); the values' bytes are known to
    /// be good.
    void take_field(const char* base, const char* begin, const char* end, RequestHead& head) {
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
        head.fields.push_back({slice(base, begin, colon), slice(base, p, end)});
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
    static void note(RequestHead& head, std::string_view name) noexcept {
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

}  // namespace http
}  // namespace v0
}  // namespace sake
