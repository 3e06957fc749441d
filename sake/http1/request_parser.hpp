// The head of a request: bytes in, a RequestHead of offsets out (RFC 9112 section 3). Not here: the fields
// and the lines (head_parser.hpp), what the head means for the body (framing.hpp) and what the target means
// (uri.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sake/base/text.hpp"
#include "sake/http/message.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/http1/head_parser.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {
namespace http1 {

/// What the parser found of a request.
struct RequestHead : MessageHead {
    Method method = Method::other;
    Slice method_name;
    Slice target;

    /// Back to empty, keeping the capacity.
    void clear() noexcept {
        MessageHead::clear();
        method = Method::other;
        method_name = target = Slice{};
    }
};

/// request-line = method SP request-target SP HTTP-version (RFC 9112 section 3)
struct RequestLine {
    using Head = RequestHead;
    static constexpr std::string_view is_missing = "empty line instead of a request";
    static constexpr unsigned empty_lines_allowed = 2;  // RFC 9112 section 2.2: at least one

    /// Of a line that reaches its limit: 414 is for targets, 501 for methods (section 3).
    static HeadRefusal too_long(std::string_view line) noexcept {
        if (ascii::all_of(line, ascii::token)) return {501, "method too long"};
        return {414, "request line too long"};
    }

    /// Why no target ends at `p`.
    static HeadRefusal bad_target(const char* p, const char* end) noexcept {
        if (p == end || *p == ' ') return {400, "bad request line"};
        if (*p == '%') return {400, "bad percent-escape in the request target"};
        return {400, "a byte of the request target must be percent-encoded"};
    }

    static HeadRefusal take(const char* base, const char* begin, const char* end,
                            RequestHead& head) noexcept {
        const char* p = begin;
        while (p != end && ascii::is(*p, ascii::token)) ++p;
        if (p == begin || p == end || *p != ' ')
            return {400, "the method is not a token followed by a space"};
        head.method_name = slice_of(base, begin, p);
        head.method = method_from(head.method_name.of(base));
        const char* target = ++p;
        p = skip_target(p, end);
        if (p == target || p == end || *p != ' ') return bad_target(p, end);
        head.target = slice_of(base, target, p);
        return take_version({p + 1, static_cast<std::size_t>(end - p - 1)}, head);
    }
};

using RequestParser = HeadParser<RequestLine>;

}  // namespace http1
}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
